//! An end by its name: `NAMESPACE/[KIND/]NAME[:CONTAINER[:PROGRAM]]`.

use std::collections::BTreeSet;

use palisade_model::link::Which;
use palisade_model::object::Name;
use palisade_model::service::Service;
use palisade_model::workload::WorkloadKind;
use palisade_policy::{Model, PodFacts};

use crate::failure::{Failure, Hint, listed};

/// `NAMESPACE/[KIND/]NAME[:CONTAINER[:PROGRAM]]`
pub(super) struct Reference {
    pub(super) namespace: String,
    pub(super) kind: WantedKind,
    pub(super) name: String,
    container: Option<String>,
    program: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum WantedKind {
    Any,
    Workload(WorkloadKind),
    Service,
}

/// The namespace of a name without one, as kubectl's.
const DEFAULT_NAMESPACE: &str = "default";

impl Reference {
    pub(super) fn parse(text: &str) -> Result<Self, Failure> {
        let mut parts = text.splitn(3, ':');
        let head = parts.next().unwrap_or_default();
        let (container, program) = (parts.next(), parts.next());
        let words: Vec<&str> = head.split('/').collect();
        let wrong = || {
            Failure::new(format!("`{text}` is no end of a link"))
                .hint(Hint::Change(
                    "write NAMESPACE/NAME[:CONTAINER[:PROGRAM]], NAMESPACE/KIND/NAME, an address or an entity".into(),
                ))
                .hint(Hint::Run("palisade check --help".into()))
        };
        if words.iter().any(|word| word.is_empty()) || container == Some("") || program == Some("") {
            return Err(wrong());
        }
        let (namespace, kind, name) = match words[..] {
            [name] => (DEFAULT_NAMESPACE, WantedKind::Any, name),
            [namespace, name] => (namespace, WantedKind::Any, name),
            [namespace, "svc" | "service" | "services", name] => (namespace, WantedKind::Service, name),
            [namespace, kind, name] => {
                (namespace, WantedKind::Workload(kind.parse::<WorkloadKind>().map_err(Failure::new)?), name)
            }
            _ => return Err(wrong()),
        };
        Ok(Self {
            namespace: namespace.to_owned(),
            kind,
            name: name.to_owned(),
            container: container.map(str::to_owned),
            program: program.map(str::to_owned),
        })
    }

    /// Whether it goes down to a container or program.
    pub(super) fn names_a_process(&self) -> bool {
        self.container.is_some() || self.program.is_some()
    }

    pub(super) fn shown_name(&self) -> String {
        match self.kind {
            WantedKind::Any | WantedKind::Service => self.name.clone(),
            WantedKind::Workload(kind) => format!("{}/{}", kind.aliases()[0], self.name),
        }
    }

    /// The Service of the name, when a Service may be meant: it is called one, or no pod has the name.
    pub(super) fn service<'m>(&self, model: &'m Model, pods: &[&PodFacts]) -> Option<&'m Service> {
        match self.kind {
            WantedKind::Any if !pods.is_empty() => None,
            WantedKind::Service | WantedKind::Any => model.service(&self.namespace, &self.name),
            WantedKind::Workload(_) => None,
        }
    }

    /// The pods of the workload with the name, or else the pod with the name. Those that have finished
    /// have no address any more, and are no end of a link.
    ///
    /// # Errors
    /// When all of them have finished.
    pub(super) fn pods<'m>(&self, model: &'m Model, text: &str) -> Result<Vec<&'m PodFacts>, Failure> {
        let of_workload = |kind: Option<WorkloadKind>| {
            let matches = move |pod: &&PodFacts| {
                *pod.namespace == *self.namespace
                    && *pod.workload.name == *self.name
                    && kind.is_none_or(|kind| kind == pod.workload.kind)
            };
            model.pods().iter().filter(matches).collect::<Vec<_>>()
        };
        let by_name = || model.pod_named(&self.namespace, &self.name).into_iter().collect();
        let mut pods = match self.kind {
            WantedKind::Service => Vec::new(),
            WantedKind::Workload(WorkloadKind::Pod) => by_name(),
            WantedKind::Workload(kind) => of_workload(Some(kind)),
            WantedKind::Any => match of_workload(None) {
                pods if pods.is_empty() => by_name(),
                pods => pods,
            },
        };
        let found = pods.len();
        pods.retain(|pod| pod.decides());
        match pods.is_empty() && found > 0 {
            false => Ok(pods),
            true => Err(Failure::new(format!("`{text}` has finished: it has no address any more"))
                .hint(Hint::Change("name a pod or workload that runs".into()))),
        }
    }

    pub(super) fn process(&self, model: &Model, pods: &[&PodFacts], text: &str) -> Result<(Which, Which), Failure> {
        let program = match &self.program {
            None => Which::Unsaid,
            Some(path) if path.starts_with('/') => Which::Named(path.as_str().into()),
            Some(path) => {
                return Err(Failure::new(format!("program `{path}` of `{text}` is no absolute path"))
                    .hint(Hint::Change(format!("write it as in the image, such as `/usr/sbin/{path}`"))));
            }
        };
        let Some(container) = &self.container else { return Ok((Which::Unsaid, program)) };
        let known: BTreeSet<Name> =
            pods.iter().flat_map(|pod| &model.spec(pod).containers).map(|container| container.name.clone()).collect();
        if !known.contains(container.as_str()) {
            let names: Vec<&str> = known.iter().map(|name| &**name).collect();
            return Err(Failure::new(format!("`{}/{}` has no container `{container}`", self.namespace, self.name))
                .hint(Hint::Change(format!("its containers are {}", names.join(", ")))));
        }
        Ok((Which::Named(container.as_str().into()), program))
    }

    pub(super) fn nobody(&self, model: &Model, text: &str) -> Failure {
        let in_namespace: Vec<&PodFacts> =
            model.pods().iter().filter(|pod| *pod.namespace == *self.namespace).collect();
        let failure = Failure::new(format!("`{text}` is not in the input"));
        if self.kind == WantedKind::Service {
            let services = model.inventory().services.iter();
            let here = services.filter(|service| service.meta.namespace() == self.namespace);
            let names: Vec<&str> = here.map(|service| service.meta.name()).collect();
            return failure.hint(Hint::Change(match names.is_empty() {
                true => format!("namespace `{}` has no Service", self.namespace),
                false => format!("the Services of namespace `{}` are {}", self.namespace, listed(names)),
            }));
        }
        if in_namespace.is_empty() {
            let elsewhere: Vec<String> = model
                .pods()
                .iter()
                .filter(|pod| *pod.workload.name == *self.name)
                .map(|pod| format!("{}/{}", pod.namespace, pod.workload.name))
                .collect();
            return match elsewhere.first() {
                Some(found) => failure.hint(Hint::Change(format!("did you mean `{found}`?"))),
                None => failure.hint(Hint::Change(format!("namespace `{}` runs nothing here", self.namespace))),
            };
        }
        let mut names: Vec<&str> = in_namespace.iter().map(|pod| &*pod.workload.name).collect();
        names.sort_unstable();
        names.dedup();
        failure.hint(Hint::Change(format!("namespace `{}` has {}", self.namespace, listed(names))))
    }
}
