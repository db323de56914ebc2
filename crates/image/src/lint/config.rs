//! What is wrong with what an image says of itself: user, labels, tag, environment, steps of its build.

use palisade_model::Severity;
use palisade_model::finding::{Finding, Rule};

use crate::catalogue::ImageConfig;
use crate::secret;

pub fn rules() -> Vec<Rule> {
    let rule = |id, severity, title, help| Rule::new(id, severity, title, help);
    vec![
        rule(
            "root-user",
            Severity::High,
            "the image runs as root",
            "A way out of the container begins with root in it. Set a user by number (`USER 65532`).",
        ),
        rule(
            "user-by-name",
            Severity::Medium,
            "the user is a name, which Kubernetes cannot check",
            "With `runAsNonRoot: true` the kubelet refuses a pod whose image names its user: it takes numbers alone.",
        ),
        rule(
            "latest-tag",
            Severity::Medium,
            "the tag says no version",
            "`latest` is another image tomorrow. Tag by version, and run by digest.",
        ),
        rule(
            "missing-labels",
            Severity::Low,
            "the image does not say where it comes from",
            "`org.opencontainers.image.source`, `.revision` and `.version` lead from a finding to the code; `.base.name` and `.base.digest` tell whether the base is behind.",
        ),
        rule(
            "remote-add",
            Severity::Medium,
            "a step of the build adds a file from the network",
            "Nothing checks what comes. Use `ADD --checksum=sha256:...`.",
        ),
        rule(
            "downloaded-script",
            Severity::Medium,
            "a step of the build runs what it downloads",
            "Whoever can change that page can change the image. Download, compare a digest, run.",
        ),
        rule(
            "unverified-download",
            Severity::High,
            "a step of the build turns checks off",
            "Certificates and signatures are what tells the package from a forgery.",
        ),
        rule(
            "secret-in-environment",
            Severity::High,
            "a variable of the environment or the build looks like a secret",
            "It is in the config, readable for whoever can pull the image. Hand it in at run time (a Secret of Kubernetes), or with `RUN --mount=type=secret`.",
        ),
        rule(
            "healthcheck-ignored",
            Severity::Info,
            "HEALTHCHECK, which Kubernetes does not run",
            "Write probes into the pod.",
        ),
    ]
}

/// What is wrong with the config; `users` is `/etc/passwd`.
pub fn lint(config: &ImageConfig, users: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    // A root folder has no config: there is nothing to say about what is not there.
    if config.config_digest.is_empty() && config.os.is_empty() {
        return findings;
    }
    findings.extend(user(config, users));
    findings.extend(tag(config));
    findings.extend(labels(config));
    environment(config, &mut findings);
    for (at, step) in config.history.iter().enumerate() {
        if let Some(command) = &step.created_by {
            history(at, command, &mut findings);
        }
    }
    findings
}

fn finding(id: &str, message: String) -> Finding {
    let rules = rules();
    let rule = rules.iter().find(|rule| &*rule.id == id).expect("each rule that is used here stands in `rules`");
    rule.finding(message)
}

fn user(config: &ImageConfig, users: &str) -> Option<Finding> {
    let name = config.user.split(':').next().unwrap_or("").trim();
    let number = || {
        users.lines().map(|line| line.split(':')).find_map(|mut it| {
            let is_it = it.next() == Some(name);
            it.nth(1).filter(|_| is_it).map(str::to_owned)
        })
    };
    if name.is_empty() {
        return Some(finding("root-user", "no user is set, so it runs as root".into()).part("User").fix("USER 65532"));
    }
    if name.bytes().all(|byte| byte.is_ascii_digit()) {
        let is_root = name.bytes().all(|byte| byte == b'0');
        return is_root
            .then(|| finding("root-user", format!("the user is {name}, root")).part("User").fix("USER 65532"));
    }
    let number = number();
    if name == "root" || number.as_deref() == Some("0") {
        return Some(finding("root-user", format!("the user is `{name}`, root")).part("User").fix("USER 65532"));
    }
    let fix = number.map_or("USER and its number".to_owned(), |number| format!("USER {number}"));
    Some(finding("user-by-name", format!("the user is `{name}`, not a number")).part("User").fix(fix))
}

fn tag(config: &ImageConfig) -> Option<Finding> {
    let is_latest = |tag: &String| tag == "latest" || tag.ends_with(":latest");
    let only_latest = !config.tags.is_empty() && config.tags.iter().all(is_latest);
    only_latest.then(|| finding("latest-tag", "its tag is `latest`".into()).part("tag").fix("tag it by version"))
}

fn labels(config: &ImageConfig) -> Option<Finding> {
    const WANTED: &[&str] = &["source", "revision", "version", "base.name", "base.digest"];
    let has = |label: &str| {
        let key = format!("org.opencontainers.image.{label}");
        config.labels.contains_key(&key) || config.annotations.contains_key(&key)
    };
    let missing: Vec<&str> = WANTED.iter().copied().filter(|label| !has(label)).collect();
    if missing.is_empty() {
        return None;
    }
    let message = format!("labels are missing: org.opencontainers.image.{}", missing.join(", ."));
    Some(
        finding("missing-labels", message).part("Labels").fix("docker buildx build --label, or docker/metadata-action"),
    )
}

/// Whether a variable of that name holds what nobody should read.
fn is_secret_name(name: &str) -> bool {
    const PARTS: &[&str] =
        &["PASSWORD", "PASSWD", "SECRET", "TOKEN", "APIKEY", "API_KEY", "ACCESS_KEY", "PRIVATE_KEY", "CREDENTIALS"];
    // Where it lies, and what about it, is no secret.
    const HARMLESS: &[&str] =
        &["_FILE", "_PATH", "_DIR", "_URL", "_TTL", "_LENGTH", "_TYPE", "_NAME", "_HEADER", "_ID"];
    let name = name.to_ascii_uppercase();
    PARTS.iter().any(|part| name.contains(part)) && !HARMLESS.iter().any(|end| name.ends_with(end))
}

/// What a placeholder is, or a path to the real one.
fn is_secret_value(value: &str) -> bool {
    let value = value.trim_matches(['"', '\'']);
    value.len() >= 4 && !value.starts_with(['/', '$', '<', '{']) && !matches!(value, "true" | "false" | "none" | "null")
}

fn environment(config: &ImageConfig, findings: &mut Vec<Finding>) {
    for (name, value) in config.environment.iter().filter_map(|it| it.split_once('=')) {
        let part = format!("Env {name}");
        if let Some(secret) = secret::find(value.as_bytes()).first() {
            let message = format!("the variable `{name}` holds a {}: {}", secret.what, secret.shown);
            findings.push(proven(secret, message, &part));
        } else if is_secret_name(name) && is_secret_value(value) {
            let message = format!("the variable `{name}` has a value ({} characters)", value.len());
            findings.push(finding("secret-in-environment", message).part(part).fix("hand it in at run time"));
        }
    }
}

fn proven(secret: &secret::Secret, message: String, part: &str) -> Finding {
    let mut finding = finding("secret-in-environment", message).part(part).reason(secret.proof.clone());
    finding.severity = secret.severity;
    finding.fix("revoke it, and hand it in at run time")
}

fn history(at: usize, command: &str, findings: &mut Vec<Finding>) {
    let part = format!("history step {at}");
    let mut add = |id: &str, message: &str, fix: &str| {
        findings.push(finding(id, message.to_owned()).part(part.clone()).reason(short(command)).fix(fix));
    };
    let has = |text: &str| command.contains(text);
    if is_remote_add(command) {
        add("remote-add", "ADD fetches a file from the network, and nothing checks it", "ADD --checksum=sha256:...");
    }
    let fetches = has("curl ") || has("wget ");
    if fetches && ["| sh", "|sh", "| bash", "|bash", "| /bin/sh", "| python"].iter().any(|pipe| has(pipe)) {
        add("downloaded-script", "it runs what it downloads, unseen", "download, compare a digest, run");
    }
    const OFF: &[&str] = &[
        "curl -k",
        "--insecure",
        "--no-check-certificate",
        "--trusted-host",
        "--allow-unauthenticated",
        "--nogpgcheck",
        "--no-gpg-checks",
        "--allow-untrusted",
        "strict-ssl false",
        "NODE_TLS_REJECT_UNAUTHORIZED=0",
    ];
    if let Some(off) = OFF.iter().find(|off| has(off)) {
        add("unverified-download", &format!("`{off}` turns a check off"), "trust the authority that is meant instead");
    }
    if has("HEALTHCHECK") {
        add("healthcheck-ignored", "Kubernetes does not run HEALTHCHECK", "write probes into the pod");
    }
    for secret in secret::find(command.as_bytes()) {
        let message = format!("a step of the build holds a {}: {}", secret.what, secret.shown);
        findings.push(proven(&secret, message, &part));
    }
    for (name, value) in arguments(command).filter(|(name, value)| is_secret_name(name) && is_secret_value(value)) {
        if secret::find(value.as_bytes()).is_empty() {
            let message = format!("the build's argument `{name}` has a value ({} characters)", value.len());
            findings.push(finding("secret-in-environment", message).part(part.clone()).fix("RUN --mount=type=secret"));
        }
    }
}

/// The build's arguments: `RUN |2 NPM_TOKEN=... USER=x /bin/sh -c ...`.
fn arguments(command: &str) -> impl Iterator<Item = (&str, &str)> {
    let words = command.trim_start().trim_start_matches("RUN ").strip_prefix('|').unwrap_or("").split_whitespace();
    words.skip(1).map_while(|word| word.split_once('='))
}

fn is_remote_add(command: &str) -> bool {
    let Some(at) = command.find("ADD ") else { return false };
    let words = command[at + 4..].split_whitespace();
    let mut words = words.skip_while(|word| word.starts_with("--") && !word.starts_with("--checksum"));
    words.next().is_some_and(|word| word.starts_with("http://") || word.starts_with("https://"))
}

/// The step, without what is secret in it.
pub(super) fn short(command: &str) -> String {
    const LONGEST: usize = 160;
    let command = secret::redacted(command).replace(['\n', '\t'], " ");
    let words = command.split(' ').map(|word| match word.split_once('=') {
        Some((name, value)) if is_secret_name(name) && is_secret_value(value) => format!("{name}=..."),
        _ => word.to_owned(),
    });
    words.collect::<Vec<_>>().join(" ").chars().take(LONGEST).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_unchecked_fetch_is_a_remote_add() {
        for (command, is_remote) in [
            ("ADD https://example.com/x /x # buildkit", true),
            ("ADD --chown=1:1 https://example.com/x /x", true),
            ("ADD --checksum=sha256:00 https://example.com/x /x", false),
            ("/bin/sh -c #(nop) ADD file:1234 in / ", false),
        ] {
            assert_eq!(is_remote_add(command), is_remote, "{command}");
        }
    }

    #[test]
    fn names_and_values_of_secrets() {
        assert!(is_secret_name("NPM_TOKEN") && is_secret_name("db_password"));
        assert!(!is_secret_name("TOKEN_TTL") && !is_secret_name("PASSWORD_FILE") && !is_secret_name("PATH"));
        assert!(is_secret_value("hunter2") && !is_secret_value("/run/secrets/x") && !is_secret_value("$TOKEN"));
    }

    #[test]
    fn a_step_is_shown_without_its_secrets() {
        assert_eq!(short("|1 NPM_TOKEN=hunter2 /bin/sh -c npm ci"), "|1 NPM_TOKEN=... /bin/sh -c npm ci");
    }
}
