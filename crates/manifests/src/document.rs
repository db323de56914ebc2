//! One stream of documents into an [`Assembly`].

use std::path::Path;
use std::sync::Arc;

use palisade_model::inventory::Unreadable;
use palisade_model::{Kind, Name, ObjectRef, Problem};

use crate::assembly::{Assembly, Layer};
use crate::at::At;
use crate::decode::decode;
use crate::recognize::{Recognized, kind_of, may_be_policy, recognize};
use crate::report::{Report, WithHint};
use crate::scan::scan;
use crate::yaml::{Chunk, Document, Shape, SyntaxError, chunks, parse};

/// Reads every document of `bytes`, the content of `file`.
pub(crate) fn read_stream(assembly: &mut Assembly, file: &Arc<str>, bytes: &[u8], layer: Layer) {
    let mut report = Report::new(file.clone());
    for chunk in chunks(bytes) {
        read_chunk(assembly, &mut report, chunk, layer);
        assembly.add_problems(report.take());
    }
}

fn read_chunk(assembly: &mut Assembly, report: &mut Report, chunk: Chunk<'_>, layer: Layer) {
    let parsed = match std::str::from_utf8(chunk.bytes) {
        Ok(text) => parse(text, chunk.first_line),
        Err(error) => Err(not_utf8(chunk, error.valid_up_to())),
    };
    match parsed {
        Ok(documents) => {
            for document in &documents {
                read_document(assembly, report, document, layer);
            }
        }
        Err(error) => read_broken(assembly, report, chunk, error),
    }
}

fn read_document(assembly: &mut Assembly, report: &mut Report, document: &Document, layer: Layer) {
    report.start();
    let known_before = assembly.len();
    let first_problem = report.problems.len();
    let root = At::root(document.root());
    match root.value.shape() {
        Shape::Null => {}
        Shape::Mapping => read_object(assembly, report, &root, Inherited::default(), layer),
        Shape::Sequence if root.value.elements().any(|item| item_may_be_policy(&At::root(item))) => {
            report
                .reject(&root, "not-an-object", "a bare list of objects, and one of them may be a policy")
                .with_hint("kubectl refuses it as well: wrap it as `kind: List` with `items`");
            let place = report.place(root.line());
            assembly.unreadable.push(Unreadable { place, kind: None, namespace: None, name: None });
        }
        Shape::Bool(_) | Shape::Int(_) | Shape::Uint(_) | Shape::Float(_) | Shape::Text(_) | Shape::Sequence => {
            report
                .warn(&root, "not-an-object", "the document is no Kubernetes object")
                .with_hint("an object is a mapping with apiVersion, kind and metadata");
        }
    }
    if let Some(line) = document.trailing() {
        report.start();
        let problem = Problem::error("yaml-syntax", "what follows is no part of the document above, and is ignored");
        report.add(line, problem.hint("correct the indentation, or put a line `---` between two documents"));
    }
    // What the document gives matters when something of it is read, in force or not.
    let matters = assembly.len() > known_before || report.problems.len() > first_problem;
    for duplicate in document.duplicates() {
        let message = format!(
            "key `{}` is given twice, first on line {}; the last one counts",
            duplicate.key, duplicate.first_line
        );
        let problem =
            if matters { Problem::error("duplicate-key", message) } else { Problem::warning("duplicate-key", message) };
        report.start();
        report.add(duplicate.line, problem.hint("remove one of them: other tools refuse the document"));
    }
}

/// What an item of a typed list takes from its list when it does not say itself.
#[derive(Clone, Copy, Default)]
struct Inherited<'d> {
    api_version: Option<&'d str>,
    kind: Option<&'d str>,
}

fn read_object<'d>(
    assembly: &mut Assembly,
    report: &mut Report,
    root: &At<'d, '_>,
    inherited: Inherited<'d>,
    layer: Layer,
) {
    report.start();
    let api_version = root.non_empty("apiVersion").or(inherited.api_version);
    let kind = root.non_empty("kind").or(inherited.kind);
    let (Some(api_version), Some(kind)) = (api_version, kind) else {
        read_untyped(assembly, report, root, kind);
        return;
    };
    match recognize(api_version, kind) {
        Recognized::Read(kind) => {
            if let Some(object) = decode(report, root, kind) {
                assembly.add(report, object, root.value, layer);
            } else if let Some(ObjectRef { kind, namespace, name }) = report.doubtful().cloned() {
                let place = report.place(root.line());
                assembly.unreadable.push(Unreadable { place, kind: Some(kind), namespace, name: Some(name) });
            }
        }
        Recognized::WrongVersion(known, served) => {
            name_object(report, root, known);
            report
                .reject(root, "unknown-version", &format!("{kind} of `{api_version}` is not served by the API server"))
                .with_hint(format!("write `apiVersion: {served}`"));
        }
        Recognized::UnknownPolicy(known) => read_unknown_policy(assembly, report, root, api_version, kind, known),
        Recognized::List if root.field("items").is_some() || kind == "List" => {
            read_list(assembly, report, root, api_version, kind, layer);
        }
        Recognized::Misspelt(known) => {
            report
                .reject(root, "unknown-kind", &format!("`{api_version}` has no kind `{kind}`"))
                .with_hint(format!("did you mean `{known}`?"));
        }
        Recognized::Foreign => assembly.count_foreign(api_version, kind, report.place(root.line())),
        Recognized::List | Recognized::Other => assembly.count_other(api_version, kind),
    }
}

fn read_list<'d>(
    assembly: &mut Assembly,
    report: &mut Report,
    root: &At<'d, '_>,
    api_version: &'d str,
    kind: &'d str,
    layer: Layer,
) {
    let inherited = match kind.strip_suffix("List") {
        None | Some("") => Inherited::default(),
        item => Inherited { api_version: Some(api_version), kind: item },
    };
    let Some(items) = root.field("items") else { return };
    if !matches!(items.value.shape(), Shape::Sequence) {
        report.reject(&items, "wrong-type", "`items` is no list");
        assembly.unreadable.push(Unreadable {
            place: report.place(items.line()),
            kind: None,
            namespace: None,
            name: None,
        });
        return;
    }
    for item in items.value.elements() {
        let item = At::root(item);
        match item.value.shape() {
            Shape::Null => {}
            Shape::Mapping => read_object(assembly, report, &item, inherited, layer),
            _ => {
                report.start();
                report.warn(&item, "not-an-object", "the item is no Kubernetes object");
            }
        }
    }
}

fn read_untyped(assembly: &mut Assembly, report: &mut Report, root: &At<'_, '_>, kind: Option<&str>) {
    if is_kustomization(&report.file) {
        assembly.count_other("kustomize.config.k8s.io/v1beta1", "Kustomization");
        return;
    }
    let missing = if kind.is_some() { "apiVersion" } else { "kind" };
    if kind.is_some_and(|kind| kind_of(kind).is_some()) {
        report
            .reject(root, "missing-field", &format!("`{missing}` is missing"))
            .with_hint("add it: without it the API server rejects the object");
    } else if kind.is_none() && looks_like_policy(root) {
        report
            .reject(root, "missing-field", "`kind` is missing, and this may be a policy")
            .with_hint("add it: without it the API server rejects the object");
        let place = report.place(root.line());
        assembly.unreadable.push(Unreadable { place, kind: None, namespace: None, name: None });
    } else {
        report.warn(root, "not-an-object", &format!("no Kubernetes object: `{missing}` is missing"));
    }
}

fn item_may_be_policy(item: &At<'_, '_>) -> bool {
    matches!(item.value.shape(), Shape::Mapping)
        && item.non_empty("kind").map_or_else(|| looks_like_policy(item), may_be_policy)
}

/// Whether an object without a kind is of a group of policies, or has what only policies have.
fn looks_like_policy(root: &At<'_, '_>) -> bool {
    const GROUPS: [&str; 3] = ["networking.k8s.io", "policy.networking.k8s.io", "palisade.dev"];
    const FIELDS: [&str; 5] = ["podSelector", "policyTypes", "subject", "rules", "directions"];
    let group = root.non_empty("apiVersion").and_then(|version| version.split_once('/')).map(|(group, _)| group);
    let spec = root.field("spec");
    group.is_some_and(|group| GROUPS.contains(&group))
        || spec.is_some_and(|spec| FIELDS.iter().any(|field| spec.field(field).is_some()))
}

fn is_kustomization(file: &str) -> bool {
    let name = Path::new(file).file_name().and_then(|name| name.to_str()).unwrap_or_default();
    matches!(name, "kustomization.yaml" | "kustomization.yml" | "Kustomization")
}

fn read_unknown_policy(
    assembly: &mut Assembly,
    report: &mut Report,
    root: &At<'_, '_>,
    api_version: &str,
    kind: &str,
    known: Option<Kind>,
) {
    let hint = match known {
        Some(Kind::NetworkPolicy) => "write `apiVersion: networking.k8s.io/v1`",
        Some(_) => "write `apiVersion: palisade.dev/v1alpha1`, or use a newer palisade",
        None => "this version of palisade cannot read it: every end that it could select is undecided",
    };
    if let Some(known) = known {
        name_object(report, root, known);
    }
    report
        .reject(root, "unknown-policy", &format!("cannot read the policy: {kind} of `{api_version}` is not known"))
        .with_hint(hint);
    let metadata = root.field("metadata");
    let text = |name| metadata.as_ref().and_then(|metadata| metadata.non_empty(name)).map(Name::from);
    let namespace = match known {
        Some(kind) if !kind.is_namespaced() => None,
        Some(_) => Some(text("namespace").unwrap_or_else(|| "default".into())),
        None => None,
    };
    let unreadable = Unreadable { place: report.place(root.line()), kind: known, namespace, name: text("name") };
    assembly.unreadable.push(unreadable);
}

/// Names an object that is not decoded, as far as it says its name.
fn name_object(report: &mut Report, root: &At<'_, '_>, kind: Kind) {
    let Some(metadata) = root.field("metadata") else { return };
    let Some(name) = metadata.non_empty("name") else { return };
    let namespace = kind.is_namespaced().then(|| metadata.non_empty("namespace").unwrap_or("default").into());
    let since = report.problems.len();
    report.name(ObjectRef { kind, namespace, name: name.into() }, since);
}

fn read_broken(assembly: &mut Assembly, report: &mut Report, chunk: Chunk<'_>, error: SyntaxError) {
    let text = String::from_utf8_lossy(chunk.bytes);
    let scanned = scan(&text);
    report.start();
    let may_be_policy = scanned.kind.as_deref().is_none_or(may_be_policy);
    let what = scanned.kind.as_deref().map(|kind| format!(" ({kind})")).unwrap_or_default();
    let at = if error.column > 0 { format!(", column {}", error.column) } else { String::new() };
    let mut problem = Problem::error("yaml-syntax", format!("cannot read the document{what}{at}: {}", error.message));
    let broken_line = error.line.checked_sub(chunk.first_line).and_then(|index| text.lines().nth(index as usize));
    problem.hint = match error.hint {
        _ if broken_line.is_some_and(is_indented_by_tab) => {
            Some("indent with spaces: YAML allows no tabs there".to_owned())
        }
        _ if text.contains("{{") => {
            Some("this looks like a template: pipe the output of `helm template` in instead".to_owned())
        }
        Some(hint) => Some(hint.to_owned()),
        None => Some("correct the YAML; the other documents of the file are used".to_owned()),
    };
    report.add(error.line, problem);
    if may_be_policy {
        let kind = scanned.kind.as_deref().and_then(kind_of).filter(|kind| kind.is_policy());
        assembly.unreadable.push(Unreadable {
            place: report.place(chunk.first_line),
            kind,
            namespace: scanned.namespace.map(Name::from).filter(|_| lies_in_namespace(kind)),
            name: scanned.name.map(Name::from),
        });
    }
}

/// Whether an unreadable object's namespace says anything: of a cluster-wide kind the API server drops it, and an unknown
/// kind may be one.
fn lies_in_namespace(kind: Option<Kind>) -> bool {
    kind.is_some_and(Kind::is_namespaced)
}

fn is_indented_by_tab(line: &str) -> bool {
    line.chars().take_while(|character| character.is_whitespace()).any(|character| character == '\t')
}

fn not_utf8(chunk: Chunk<'_>, valid_up_to: usize) -> SyntaxError {
    let before = &chunk.bytes[..valid_up_to];
    let line = chunk.first_line + before.iter().filter(|byte| **byte == b'\n').count() as u32;
    let byte = chunk.bytes.get(valid_up_to).copied().unwrap_or_default();
    SyntaxError {
        line,
        column: 0,
        message: format!("not UTF-8: byte 0x{byte:02x}"),
        hint: Some("save the file as UTF-8"),
    }
}
