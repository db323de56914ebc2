//! What a pair of `apiVersion` and `kind` stands for.

use palisade_model::Kind;

/// What to do with an object by its `apiVersion` and `kind`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Recognized {
    /// Read as this kind.
    Read(Kind),
    /// A kind that is read, in a version that the API server does not serve; with the one that it does.
    WrongVersion(Kind, &'static str),
    /// A policy that this version of Palisade cannot read, with its kind when it is one of ours.
    UnknownPolicy(Option<Kind>),
    /// A list: its `items` are the objects.
    List,
    /// Not read, only counted.
    Other,
}

pub(crate) fn recognize(api_version: &str, kind: &str) -> Recognized {
    let group = api_version.split_once('/').map_or("", |(group, _)| group);
    let ours = kind_of(kind);
    match (group, ours) {
        ("palisade.dev", Some(kind)) if api_version == served_version(kind) => Recognized::Read(kind),
        ("palisade.dev", None) if kind.strip_suffix("List").and_then(kind_of).is_some() => Recognized::List,
        ("palisade.dev", kind) => Recognized::UnknownPolicy(kind.filter(|kind| kind.is_policy())),
        ("policy.networking.k8s.io", _) if !kind.ends_with("List") => Recognized::UnknownPolicy(None),
        (_, Some(kind)) if api_version == served_version(kind) => Recognized::Read(kind),
        (_, Some(Kind::NetworkPolicy)) if !is_of_another_vendor(group) => {
            Recognized::UnknownPolicy(Some(Kind::NetworkPolicy))
        }
        (group, Some(kind)) if group == group_of(kind) || group == "extensions" => {
            Recognized::WrongVersion(kind, served_version(kind))
        }
        _ if kind.ends_with("List") => Recognized::List,
        _ => Recognized::Other,
    }
}

/// The kind named by `text`, whatever its group.
pub(crate) fn kind_of(text: &str) -> Option<Kind> {
    const ALL: [Kind; 18] = [
        Kind::AccessPolicy,
        Kind::ClusterAccessPolicy,
        Kind::ClusterPerimeter,
        Kind::ClusterSettings,
        Kind::CronJob,
        Kind::DaemonSet,
        Kind::Deployment,
        Kind::EndpointSlice,
        Kind::Job,
        Kind::Namespace,
        Kind::NetworkPolicy,
        Kind::Node,
        Kind::Perimeter,
        Kind::Pod,
        Kind::ReplicaSet,
        Kind::Service,
        Kind::ServiceAccount,
        Kind::StatefulSet,
    ];
    ALL.into_iter().find(|kind| kind.as_str() == text)
}

/// Whether an object of a kind named `text` may be a policy that Palisade has to know.
pub(crate) fn may_be_policy(text: &str) -> bool {
    const NOT_READ_YET: [&str; 3] = ["AdminNetworkPolicy", "BaselineAdminNetworkPolicy", "ClusterNetworkPolicy"];
    kind_of(text).is_some_and(Kind::is_policy) || text.ends_with("List") || NOT_READ_YET.contains(&text)
}

fn served_version(kind: Kind) -> &'static str {
    match kind {
        Kind::AccessPolicy
        | Kind::ClusterAccessPolicy
        | Kind::ClusterPerimeter
        | Kind::ClusterSettings
        | Kind::Perimeter => "palisade.dev/v1alpha1",
        Kind::CronJob | Kind::Job => "batch/v1",
        Kind::DaemonSet | Kind::Deployment | Kind::ReplicaSet | Kind::StatefulSet => "apps/v1",
        Kind::EndpointSlice => "discovery.k8s.io/v1",
        Kind::NetworkPolicy => "networking.k8s.io/v1",
        Kind::Namespace | Kind::Node | Kind::Pod | Kind::Service | Kind::ServiceAccount => "v1",
    }
}

fn group_of(kind: Kind) -> &'static str {
    served_version(kind).split_once('/').map_or("", |(group, _)| group)
}

/// Calico has a NetworkPolicy of its own, which Kubernetes does not know.
fn is_of_another_vendor(group: &str) -> bool {
    group.ends_with("projectcalico.org")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_decide() {
        assert_eq!(recognize("networking.k8s.io/v1", "NetworkPolicy"), Recognized::Read(Kind::NetworkPolicy));
        assert_eq!(
            recognize("extensions/v1beta1", "NetworkPolicy"),
            Recognized::UnknownPolicy(Some(Kind::NetworkPolicy))
        );
        assert_eq!(recognize("projectcalico.org/v3", "NetworkPolicy"), Recognized::Other);
        assert_eq!(
            recognize("extensions/v1beta1", "Deployment"),
            Recognized::WrongVersion(Kind::Deployment, "apps/v1")
        );
        assert_eq!(recognize("serving.knative.dev/v1", "Service"), Recognized::Other);
        assert_eq!(
            recognize("policy.networking.k8s.io/v1alpha1", "AdminNetworkPolicy"),
            Recognized::UnknownPolicy(None)
        );
        assert_eq!(recognize("palisade.dev/v2", "Perimeter"), Recognized::UnknownPolicy(Some(Kind::Perimeter)));
        assert_eq!(recognize("palisade.dev/v1alpha1", "ProgramPolicy"), Recognized::UnknownPolicy(None));
        assert_eq!(recognize("v1", "List"), Recognized::List);
        assert_eq!(recognize("v1", "ConfigMap"), Recognized::Other);
    }
}
