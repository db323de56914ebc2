//! Documents from elsewhere: the published applications, and the cases of `tests/problems`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::QUERY;
use crate::server::{ApiServer, Question};

/// The kinds that Palisade reads, with the version that the server has.
const READ: [(&str, &str); 15] = [
    ("batch/v1", "CronJob"),
    ("apps/v1", "DaemonSet"),
    ("apps/v1", "Deployment"),
    ("discovery.k8s.io/v1", "EndpointSlice"),
    ("networking.k8s.io/v1", "Ingress"),
    ("networking.k8s.io/v1", "IngressClass"),
    ("batch/v1", "Job"),
    ("v1", "Namespace"),
    ("networking.k8s.io/v1", "NetworkPolicy"),
    ("v1", "Node"),
    ("v1", "Pod"),
    ("apps/v1", "ReplicaSet"),
    ("v1", "Service"),
    ("v1", "ServiceAccount"),
    ("apps/v1", "StatefulSet"),
];

/// A document of a kind that is read.
pub struct Document {
    version: &'static str,
    kind: &'static str,
    namespace: String,
    text: String,
}

impl Document {
    pub fn question(&self) -> Question {
        Question { path: url(self.version, self.kind, &self.namespace, QUERY), body: self.text.clone() }
    }

    /// Goes by lines, which is enough for these documents; `None` for lists, other kinds and what is no object.
    fn of(text: &str) -> Option<Self> {
        let value = |key: &str| text.lines().find_map(|line| line.strip_prefix(key)).map(str::trim);
        let (version, kind) = (value("apiVersion:")?, value("kind:")?);
        let (version, kind) = READ.into_iter().find(|read| *read == (version, kind))?;
        let after = text.split_once("\nmetadata:")?.1;
        let metadata = after.split("\nspec:").next().unwrap_or(after);
        let namespace = metadata.split_once("namespace:").map(|(_, namespace)| namespace.trim_start());
        let namespace = namespace.map(|text| text.split([',', '}', '\n', ' ']).next().unwrap_or_default().to_owned());
        Some(Self {
            version,
            kind,
            namespace: namespace.unwrap_or_else(|| "default".to_owned()),
            text: text.to_owned(),
        })
    }
}

/// Where an object of that kind is created.
pub fn url(version: &str, kind: &str, namespace: &str, query: &str) -> String {
    let root = if version.contains('/') { format!("/apis/{version}") } else { format!("/api/{version}") };
    let lower = kind.to_lowercase();
    let plural = match lower.strip_suffix("cy") {
        Some(stem) => format!("{stem}cies"),
        None if lower.ends_with("ss") => lower + "es",
        None => lower + "s",
    };
    match kind {
        "AdminNetworkPolicy"
        | "BaselineAdminNetworkPolicy"
        | "ClusterNetworkPolicy"
        | "GatewayClass"
        | "IngressClass"
        | "Namespace"
        | "Node" => format!("{root}/{plural}{query}"),
        _ => format!("{root}/namespaces/{namespace}/{plural}{query}"),
    }
}

/// The questions about `documents`; the namespaces that they lie in are created, which also a dry run needs.
pub fn questions(server: &mut ApiServer, documents: &[Document]) -> Vec<Question> {
    let names: BTreeSet<&str> = documents.iter().map(|document| document.namespace.as_str()).collect();
    let namespaces = names.into_iter().map(|name| Question {
        path: "/api/v1/namespaces".to_owned(),
        body: format!("apiVersion: v1\nkind: Namespace\nmetadata: {{name: {name}}}\n"),
    });
    for answer in server.ask(&namespaces.collect::<Vec<_>>()) {
        assert!(answer.is_taken() || answer.is_there_already(), "a namespace cannot be made: {}", answer.body);
    }
    documents.iter().map(Document::question).collect()
}

/// The applications in `../shared/apps`, where that folder is.
pub fn applications() -> Option<Vec<Document>> {
    let folder = palisade_peers::shared("apps")?;
    let folders = [
        "online-boutique/manifests",
        "online-boutique/networkpolicies",
        "sock-shop/manifests",
        "sock-shop/networkpolicies",
    ];
    Some(folders.iter().flat_map(|part| documents_in(&folder.join(part))).collect())
}

/// The application of the demo.
pub fn example() -> Vec<Document> {
    documents_in(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/shop"))
}

/// What the tests in `tests/problems` hand to the loader: they run once more in a process of their own.
pub fn told_cases() -> Vec<Document> {
    let folder = std::env::temp_dir().join(format!("palisade-cases-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("the temporary folder can be written to");
    let program = std::env::current_exe().expect("a test knows its program");
    let told = Command::new(program).arg("problems::").env("PALISADE_TELL_CASES", &folder).output();
    let cases = documents_in(&folder);
    let _ = std::fs::remove_dir_all(&folder);
    assert!(told.is_ok_and(|told| told.status.success()), "the tests of `problems` fail");
    cases
}

/// Random worlds, with which the engine, the kernel and the brute force are held against each other.
pub fn worlds(seeds: std::ops::Range<u64>) -> Vec<Document> {
    let yaml = seeds.flat_map(|seed| {
        let runnable = palisade_worlds::runnable::generate(seed);
        [palisade_worlds::anything::generate(seed).yaml, runnable.yaml, runnable.as_if_running]
    });
    yaml.flat_map(|text| documents_of(&text)).collect()
}

fn documents_of(text: &str) -> Vec<Document> {
    text.split("\n---").filter_map(Document::of).collect()
}

fn documents_in(folder: &Path) -> Vec<Document> {
    let entries = std::fs::read_dir(folder).expect("the folder is there");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("the folder can be read").path()).collect();
    paths.sort();
    let texts = paths
        .iter()
        .filter(|path| path.is_file())
        .map(|path| std::fs::read_to_string(path).expect("a manifest is text"));
    texts.flat_map(|text| documents_of(&text)).collect()
}
