//! What a container runs: its own command where the machine has it, else a stand-in.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use palisade_model::Labels;
use palisade_model::pod::{Container, PodSpec, SecurityContext};

use crate::capabilities;
use crate::image::{self, EXTRA_PROGRAMS_ANNOTATION, PROGRAM_ANNOTATION, SEARCH_PATH};
use crate::setup::ProcessSetup;

/// Who a container runs as when it must not be root and nobody says who else.
const NOBODY_IN_PARTICULAR: u32 = 65532;

/// What a container starts, and what its image holds for that.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Command {
    /// The executable as the container sees it.
    pub program: String,
    /// All arguments, the name of the program first.
    pub arguments: Vec<String>,
    /// Whether the program is the lab's stand-in.
    pub stand_in: bool,
    /// Whether a script of the host's may call a tool of the image, which is a stand-in then.
    pub tool: bool,
    /// The programs of the image's layer, sorted.
    pub layer: Vec<PathBuf>,
}

/// Resolves what `container` starts in a pod with `annotations`.
pub fn of_container(container: &Container, annotations: &Labels) -> Command {
    let annotated = |prefix: &str| annotations.value(&format!("{prefix}{}", container.name));
    let named = annotated(PROGRAM_ANNOTATION).filter(|path| path.starts_with('/'));
    let first = container.command.first().map(String::as_str);
    let asked = named.filter(|named| first.is_none_or(|first| first == *named));
    let on_host = first.filter(|_| asked.is_none()).and_then(image::on_the_host);

    let image_program = match (named, first) {
        (Some(named), _) => PathBuf::from(named),
        (None, Some(first)) if on_host.is_none() && first.starts_with('/') => PathBuf::from(first),
        (None, Some(first)) if on_host.is_none() => {
            Path::new("/usr/local/bin").join(first.rsplit('/').next().unwrap_or(first))
        }
        (None, _) => image::program_of(container.image.as_deref().unwrap_or_default()),
    };
    let stand_in = on_host.is_none();
    // A stand-in must not be found in place of the host's program of the same name.
    let hides_the_command = on_host.as_ref().is_some_and(|host| host.file_name() == image_program.file_name());
    let mut layer: Vec<_> = annotated(EXTRA_PROGRAMS_ANNOTATION)
        .into_iter()
        .flat_map(|list| list.split(','))
        .map(str::trim)
        .filter(|path| path.starts_with('/') && path.len() > 1)
        .map(PathBuf::from)
        .collect();
    if stand_in || named.is_some() || !hides_the_command {
        layer.push(image_program.clone());
    }
    let tool = image::tool_of(container.image.as_deref().unwrap_or_default()).filter(|_| !stand_in);
    let has_tool = tool.is_some();
    layer.extend(tool);
    layer.sort();
    layer.dedup();

    let program = match &on_host {
        Some(path) => path.display().to_string(),
        None => image::seen_as(&image_program).display().to_string(),
    };
    let name = if stand_in { program.clone() } else { container.command[0].clone() };
    let arguments =
        [name].into_iter().chain(container.command.iter().skip(1).chain(&container.args).cloned()).collect();
    Command { program, arguments, stand_in, tool: has_tool, layer }
}

/// The process of `container` in a pod with `spec`: as whom it runs, and with which environment.
///
/// Also returns what of the security context means nothing.
pub fn process(
    container: &Container,
    spec: &PodSpec,
    command: &Command,
    environment: Vec<(String, String)>,
) -> (ProcessSetup, Vec<String>) {
    let security = effective_security(&spec.security, &container.security);
    let (capabilities, unknown) = capabilities::of_container(&security);
    let must_not_be_root = security.run_as_non_root == Some(true);
    let user = security.run_as_user.unwrap_or(if must_not_be_root { NOBODY_IN_PARTICULAR } else { 0 });
    let group = security.run_as_group.unwrap_or(0);
    let expanded = expanded_environment(environment);
    let known: BTreeMap<&str, &str> = expanded.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let setup = ProcessSetup {
        program: command.program.clone(),
        arguments: command.arguments.iter().map(|argument| expand_variables(argument, &known)).collect(),
        user,
        group,
        groups: spec.fs_group.into_iter().chain([group]).collect(),
        capabilities,
        no_new_privileges: security.allow_privilege_escalation == Some(false),
        environment: expanded,
    };
    let unknown = unknown.into_iter().map(|name| format!("`{name}` is no capability")).collect();
    (setup, unknown)
}

/// A container's own settings come before its pod's.
fn effective_security(pod: &SecurityContext, container: &SecurityContext) -> SecurityContext {
    SecurityContext {
        run_as_user: container.run_as_user.or(pod.run_as_user),
        run_as_group: container.run_as_group.or(pod.run_as_group),
        run_as_non_root: container.run_as_non_root.or(pod.run_as_non_root),
        ..container.clone()
    }
}

/// What every container has, before the manifest's own variables.
pub fn base_environment(hostname: &str) -> Vec<(String, String)> {
    [("PATH", SEARCH_PATH), ("HOSTNAME", hostname), ("HOME", "/")]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
}

/// A later variable replaces an earlier one of its name, and may use those before it.
fn expanded_environment(environment: Vec<(String, String)>) -> Vec<(String, String)> {
    let mut order: Vec<String> = Vec::new();
    let mut values: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in environment {
        let known = values.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let value = expand_variables(&value, &known);
        if values.insert(name.clone(), value).is_none() {
            order.push(name);
        }
    }
    order.into_iter().filter_map(|name| values.remove_entry(&name)).collect()
}

/// Replaces `$(NAME)` where NAME is known; `$$` is a plain `$`.
///
/// Source: Pod API reference, `containers[].command`.
fn expand_variables(text: &str, known: &BTreeMap<&str, &str>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(position) = rest.find('$') {
        out.push_str(&rest[..position]);
        rest = &rest[position..];
        let reference = rest.strip_prefix("$(").and_then(|inner| inner.split_once(')'));
        if let Some(after) = rest.strip_prefix("$$") {
            out.push('$');
            rest = after;
        } else if let Some((value, after)) = reference.and_then(|(name, after)| Some((known.get(name)?, after))) {
            out.push_str(value);
            rest = after;
        } else {
            out.push('$');
            rest = &rest[1..];
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use palisade_model::Place;
    use palisade_model::pod::ContainerRole;

    use super::*;

    fn container(image: &str, command: &[&str]) -> Container {
        Container {
            place: Place::new("test.yaml", 1),
            name: "web".into(),
            role: ContainerRole::App,
            image: Some(image.into()),
            command: command.iter().map(|text| (*text).to_owned()).collect(),
            args: vec!["-v".to_owned()],
            env: Vec::new(),
            ports: Vec::new(),
            readiness: None,
            liveness: None,
            startup: None,
            security: SecurityContext::default(),
            mounts: Vec::new(),
        }
    }

    #[test]
    fn an_image_without_command_runs_a_stand_in_under_its_path() {
        let command = of_container(&container("nginx:1.27", &[]), &Labels::default());
        assert_eq!((command.program.as_str(), command.stand_in), ("/usr/sbin/nginx", true));
        assert_eq!(command.arguments, ["/usr/sbin/nginx", "-v"]);
        assert_eq!(command.layer, [PathBuf::from("/usr/sbin/nginx")]);
    }

    #[test]
    fn a_command_of_the_host_runs_itself() {
        let command = of_container(&container("busybox", &["sh", "-c", "true"]), &Labels::default());
        assert!(!command.stand_in && command.program.ends_with("/sh"));
        assert_eq!(command.arguments, ["sh", "-c", "true", "-v"]);
    }

    #[test]
    fn a_command_that_only_the_image_has_is_where_the_stand_in_lies() {
        let command = of_container(&container("weaveworksdemos/catalogue:0.3.5", &["/app"]), &Labels::default());
        assert_eq!((command.program.as_str(), command.stand_in), ("/app", true));
    }

    #[test]
    fn annotations_name_programs() {
        let annotations = [
            ("lab.palisade.dev/program.web", "/srv/shop"),
            ("lab.palisade.dev/extra-programs.web", "/usr/bin/report, /tmp/x"),
        ];
        let command = of_container(&container("shop", &[]), &annotations.into_iter().collect());
        assert_eq!(command.program, "/srv/shop");
        assert_eq!(command.layer, ["/srv/shop", "/tmp/x", "/usr/bin/report"].map(PathBuf::from));
    }

    #[test]
    fn who_must_not_be_root_is_not() {
        let spec = PodSpec {
            security: SecurityContext {
                run_as_non_root: Some(true),
                run_as_group: Some(7),
                ..SecurityContext::default()
            },
            fs_group: Some(9),
            ..PodSpec::default()
        };
        let container = container("nginx", &[]);
        let (process, _) = process(&container, &spec, &of_container(&container, &Labels::default()), Vec::new());
        assert_eq!((process.user, process.group, process.groups), (NOBODY_IN_PARTICULAR, 7, vec![9, 7]));
    }

    #[test]
    fn variables_are_expanded_as_kubelet_does() {
        let list = [("A", "1"), ("B", "$(A)2 $(NO) $$(A)"), ("A", "3")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let expected = [("A", "3"), ("B", "12 $(NO) $(A)")].map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(expanded_environment(list.into()), expected);
    }
}
