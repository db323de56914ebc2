//! What manifests say that images are pulled with: `imagePullSecrets` and the Secrets that they name.
//!
//! Read apart from the inventory, which is kept, compared and printed: no secret is ever part of it.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use palisade_model::Place;

use crate::at::At;
use crate::files::{Found, ReadError, manifest_files, read_all, read_file};
use crate::load::LoadError;
use crate::yaml::{chunks, parse};

/// A Secret by its namespace and name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SecretName {
    /// Of the pod that names it as well.
    pub namespace: String,
    /// `metadata.name`.
    pub name: String,
}

impl fmt::Display for SecretName {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "{}/{}", self.namespace, self.name)
    }
}

/// A Secret of registries' credentials.
#[derive(Clone, PartialEq, Eq)]
pub struct PullSecret {
    /// Where it stands.
    pub place: Place,
    /// Which of the two forms it has.
    pub form: PullSecretForm,
    /// What it holds; nothing when the Secret lacks what its type promises.
    pub data: SecretData,
}

impl fmt::Debug for PullSecret {
    /// Secrets are in no message.
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "PullSecret at {}", self.place)
    }
}

/// What a Secret holds.
#[derive(Clone, PartialEq, Eq)]
pub enum SecretData {
    /// In base64: `data`.
    Encoded(String),
    /// As it is: `stringData`, which wins.
    Plain(String),
    /// Nothing of the kind.
    Missing,
}

/// The type of a Secret of registries' credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PullSecretForm {
    /// `kubernetes.io/dockerconfigjson`: a `config.json` of Docker.
    DockerConfigJson,
    /// `kubernetes.io/dockercfg`: its older form, the `auths` alone.
    DockerCfg,
}

impl PullSecretForm {
    fn of_type(text: &str) -> Option<Self> {
        match text {
            "kubernetes.io/dockerconfigjson" => Some(Self::DockerConfigJson),
            "kubernetes.io/dockercfg" => Some(Self::DockerCfg),
            _ => None,
        }
    }

    fn key(self) -> &'static str {
        match self {
            Self::DockerConfigJson => ".dockerconfigjson",
            Self::DockerCfg => ".dockercfg",
        }
    }
}

/// What the manifests say about pulling.
#[derive(Debug, Clone, Default)]
pub struct PullSecrets {
    secrets: BTreeMap<SecretName, PullSecret>,
    /// By `Deployment shop/web`.
    pods: BTreeMap<String, Asks>,
    /// ServiceAccounts by namespace and name, with what they name.
    accounts: BTreeMap<SecretName, Vec<String>>,
}

/// What a pod, or a workload's template, says.
#[derive(Debug, Clone)]
struct Asks {
    namespace: String,
    account: String,
    names: Vec<String>,
}

impl PullSecrets {
    /// The Secrets that a workload's pods are pulled with, in order: their own, or their ServiceAccount's where they name
    /// none. `workload` is `Deployment shop/web`.
    ///
    /// Source: Kubernetes, the admission plugin `ServiceAccount`.
    pub fn of(&self, workload: &str) -> Vec<SecretName> {
        let Some(Asks { namespace, account, names }) = self.pods.get(workload) else { return Vec::new() };
        let in_namespace = |name: &String| SecretName { namespace: namespace.clone(), name: name.clone() };
        let of_account = || self.accounts.get(&in_namespace(account)).map(Vec::as_slice).unwrap_or_default();
        let names = if names.is_empty() { of_account() } else { names };
        names.iter().map(in_namespace).collect()
    }

    /// The Secret of that name, where the manifests have it and it is one of registries' credentials.
    pub fn secret(&self, name: &SecretName) -> Option<&PullSecret> {
        self.secrets.get(name)
    }
}

/// What the manifests at `paths` say; `-` is `stdin`. What is wrong with them, [`crate::load`] tells.
///
/// # Errors
/// When a path cannot be read.
pub fn load_pull_secrets(paths: &[PathBuf], stdin: impl Read) -> Result<PullSecrets, LoadError> {
    let mut all = PullSecrets::default();
    let mut stdin = Some(stdin);
    for path in paths {
        if let Some(stdin) = stdin.take_if(|_| path.as_os_str() == "-") {
            match read_all(stdin, 0) {
                Ok(bytes) => all.read(&"<stdin>".into(), &bytes),
                Err(ReadError::TooLarge) => {}
                Err(ReadError::Io(error)) => return Err(LoadError::Stdin(error)),
            }
            continue;
        }
        let failed = |source: io::Error| LoadError::Path { path: path.clone(), source };
        let files = match std::fs::metadata(path).map_err(failed)?.is_dir() {
            true => manifest_files(path),
            false => vec![Found::File(path.clone())],
        };
        for found in files {
            let Found::File(file) = found else { continue };
            if let Ok(bytes) = read_file(&file) {
                all.read(&name_of(&file), &bytes);
            }
        }
    }
    Ok(all)
}

fn name_of(path: &Path) -> Arc<str> {
    path.to_string_lossy().into()
}

impl PullSecrets {
    fn read(&mut self, file: &Arc<str>, bytes: &[u8]) {
        for chunk in chunks(bytes) {
            let Ok(text) = std::str::from_utf8(chunk.bytes) else { continue };
            let Ok(documents) = parse(text, chunk.first_line) else { continue };
            for document in &documents {
                self.object(file, &At::root(document.root()), None);
            }
        }
    }

    /// `kind` is what a list says of its items that say nothing.
    fn object(&mut self, file: &Arc<str>, at: &At<'_, '_>, kind: Option<&str>) {
        let kind = at.non_empty("kind").or(kind).unwrap_or("");
        if let (Some(of_items), Some(items)) = (kind.strip_suffix("List"), at.field("items")) {
            let of_items = Some(of_items).filter(|it| !it.is_empty());
            // A list in a list is refused by the loader as well.
            let is_object = |item: &At<'_, '_>| !item.non_empty("kind").is_some_and(|kind| kind.ends_with("List"));
            return items.elements().filter(is_object).for_each(|item| self.object(file, &item, of_items));
        }
        let Some(metadata) = at.field("metadata") else { return };
        let namespace = metadata.non_empty("namespace").unwrap_or("default").to_owned();
        let Some(name) = metadata.non_empty("name").map(str::to_owned) else { return };
        match kind {
            "Secret" => self.credentials(file, at, SecretName { namespace, name }),
            "ServiceAccount" => drop(self.accounts.insert(SecretName { namespace, name }, names(at))),
            "Pod" => self.pod(format!("{kind} {namespace}/{name}"), namespace, at.field("spec")),
            "CronJob" => {
                let job = at.field("spec");
                let template = job.as_ref().and_then(|it| it.field("jobTemplate"));
                let template = template.as_ref().and_then(|it| it.field("spec"));
                self.template(format!("{kind} {namespace}/{name}"), namespace, template.as_ref());
            }
            _ => self.template(format!("{kind} {namespace}/{name}"), namespace, at.field("spec").as_ref()),
        }
    }

    fn template(&mut self, workload: String, namespace: String, spec: Option<&At<'_, '_>>) {
        let template = spec.and_then(|it| it.field("template"));
        self.pod(workload, namespace, template.as_ref().and_then(|it| it.field("spec")));
    }

    fn pod(&mut self, workload: String, namespace: String, spec: Option<At<'_, '_>>) {
        let Some(spec) = spec else { return };
        let account = spec.non_empty("serviceAccountName").or_else(|| spec.non_empty("serviceAccount"));
        let account = account.unwrap_or("default").to_owned();
        self.pods.insert(workload, Asks { namespace, account, names: names(&spec) });
    }

    fn credentials(&mut self, file: &Arc<str>, at: &At<'_, '_>, name: SecretName) {
        let Some(form) = at.non_empty("type").and_then(PullSecretForm::of_type) else { return };
        let under = |field| at.field(field).and_then(|it| it.text(form.key()).map(str::to_owned));
        let data = match (under("stringData"), under("data")) {
            (Some(plain), _) => SecretData::Plain(plain),
            (None, Some(encoded)) => SecretData::Encoded(encoded),
            (None, None) => SecretData::Missing,
        };
        let place = Place { file: file.clone(), line: at.line() };
        // The last one counts, as with `kubectl apply`.
        self.secrets.insert(name, PullSecret { place, form, data });
    }
}

fn names(at: &At<'_, '_>) -> Vec<String> {
    at.list("imagePullSecrets", |it| it.non_empty("name").map(str::to_owned)).into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFESTS: &str = r#"
apiVersion: v1
kind: List
items:
- {apiVersion: v1, kind: ServiceAccount, metadata: {name: builder, namespace: shop}, imagePullSecrets: [{name: of-account}]}
- {apiVersion: v1, kind: Secret, metadata: {name: own, namespace: shop}, type: kubernetes.io/dockerconfigjson,
   data: {.dockerconfigjson: c2VjcmV0}, stringData: {.dockerconfigjson: secret}}
---
apiVersion: v1
kind: Secret
metadata: {name: of-account, namespace: shop}
type: kubernetes.io/dockercfg
data: {.dockercfg: c2VjcmV0}
---
{apiVersion: v1, kind: Secret, metadata: {name: other, namespace: shop}, type: Opaque, data: {a: c2VjcmV0}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec: {template: {spec: {serviceAccountName: builder, imagePullSecrets: [{name: own}, {name: gone}], containers: []}}}
---
apiVersion: batch/v1
kind: CronJob
metadata: {name: night, namespace: shop}
spec: {jobTemplate: {spec: {template: {spec: {serviceAccountName: builder}}}}}
---
{apiVersion: v1, kind: Pod, metadata: {name: bare}, spec: {imagePullSecrets: [{}, {name: own}]}}
"#;

    #[test]
    fn a_pods_own_pull_secrets_come_before_its_accounts() {
        let all = load_pull_secrets(&["-".into()], MANIFESTS.as_bytes()).expect("it can be read");
        let told = |workload| all.of(workload).iter().map(SecretName::to_string).collect::<Vec<_>>();
        assert_eq!(told("Deployment shop/web"), ["shop/own", "shop/gone"]);
        assert_eq!(told("CronJob shop/night"), ["shop/of-account"]);
        assert_eq!(told("Pod default/bare"), ["default/own"]);
        assert_eq!(told("Pod default/none"), [""; 0]);
        let secret = |name: &str| all.secret(&SecretName { namespace: "shop".into(), name: name.into() });
        let own = secret("own").expect("it is there");
        assert!(own.form == PullSecretForm::DockerConfigJson && own.data == SecretData::Plain("secret".into()));
        assert_eq!(secret("of-account").map(|it| it.form), Some(PullSecretForm::DockerCfg));
        assert!(secret("other").is_none() && secret("gone").is_none());
        assert!(!format!("{all:?}").contains("secret\""), "{all:?}");
    }
}
