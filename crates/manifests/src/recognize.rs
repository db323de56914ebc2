//! What a pair of `apiVersion` and `kind` stands for.

use palisade_model::{Kind, gateway};

use crate::schema::did_you_mean::did_you_mean;

/// What to do with an object by its `apiVersion` and `kind`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Recognized {
    /// Read as this kind.
    Read(Kind),
    /// A kind that is read, in a version that the API server does not serve; with the one that it does.
    WrongVersion(Kind, &'static str),
    /// A policy that this version of Palisade cannot read, with its kind when it is one of ours.
    UnknownPolicy(Option<Kind>),
    /// No kind of its group, but nearly one that is read: a slip of the pen that the API server refuses.
    Misspelt(Kind),
    /// A list: its `items` are the objects.
    List,
    /// A policy that another engine enforces beside Kubernetes' own: not read, counted and said.
    Foreign,
    /// Not read, only counted.
    Other,
}

/// Every kind that is read.
const ALL: [Kind; 32] = [
    Kind::AccessPolicy,
    Kind::AdminNetworkPolicy,
    Kind::BaselineAdminNetworkPolicy,
    Kind::ClusterAccessPolicy,
    Kind::ClusterNetworkPolicy,
    Kind::ClusterPerimeter,
    Kind::ClusterSettings,
    Kind::CronJob,
    Kind::DaemonSet,
    Kind::Deployment,
    Kind::EndpointSlice,
    Kind::GRPCRoute,
    Kind::Gateway,
    Kind::GatewayClass,
    Kind::HTTPRoute,
    Kind::Ingress,
    Kind::IngressClass,
    Kind::Job,
    Kind::Namespace,
    Kind::NetworkPolicy,
    Kind::Node,
    Kind::Perimeter,
    Kind::Pod,
    Kind::ReferenceGrant,
    Kind::ReplicaSet,
    Kind::ReplicationController,
    Kind::Service,
    Kind::ServiceAccount,
    Kind::StatefulSet,
    Kind::TCPRoute,
    Kind::TLSRoute,
    Kind::UDPRoute,
];

/// The versions of ClusterNetworkPolicy: the same fields.
///
/// Source: sigs.k8s.io/network-policy-api v0.2.0 and v0.3.0.
const CLUSTER_NETWORK_POLICY_VERSIONS: [&str; 2] = ["v1alpha2", "v1beta1"];

/// The versions of the Gateway API's kinds: the older ones have the same fields.
const GATEWAY_VERSIONS: [&str; 4] = ["v1", "v1beta1", "v1alpha3", "v1alpha2"];

pub(crate) fn recognize(api_version: &str, kind: &str) -> Recognized {
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    let ours = kind_of(kind);
    match (group, ours) {
        ("palisade.dev", Some(kind)) if api_version == served_version(kind) => Recognized::Read(kind),
        // About images, not about connections.
        ("palisade.dev", None) if kind == crate::image_policy::KIND => Recognized::Other,
        ("palisade.dev", None) if kind.strip_suffix("List").and_then(kind_of).is_some() => Recognized::List,
        ("palisade.dev", kind) => Recognized::UnknownPolicy(kind.filter(|kind| kind.is_policy())),
        ("policy.networking.k8s.io", Some(kind @ Kind::ClusterNetworkPolicy))
            if CLUSTER_NETWORK_POLICY_VERSIONS.contains(&version) =>
        {
            Recognized::Read(kind)
        }
        ("policy.networking.k8s.io", Some(kind)) if api_version == served_version(kind) => Recognized::Read(kind),
        ("policy.networking.k8s.io", _) if !kind.ends_with("List") => Recognized::UnknownPolicy(None),
        (_, Some(kind)) if api_version == served_version(kind) => Recognized::Read(kind),
        (gateway::GROUP, Some(kind)) if group == group_of(kind) && GATEWAY_VERSIONS.contains(&version) => {
            Recognized::Read(kind)
        }
        (_, Some(Kind::NetworkPolicy)) if !is_of_another_vendor(group) => {
            Recognized::UnknownPolicy(Some(Kind::NetworkPolicy))
        }
        (group, Some(kind)) if group == group_of(kind) || group == "extensions" => {
            Recognized::WrongVersion(kind, served_version(kind))
        }
        _ if kind.ends_with("List") => Recognized::List,
        (group, _) if is_foreign_policy(group, kind) => Recognized::Foreign,
        (group, _) => match misspelt(group, kind) {
            Some(kind) => Recognized::Misspelt(kind),
            None => Recognized::Other,
        },
    }
}

/// The kind of the group that `text` comes near. Nobody but Kubernetes adds kinds to these groups.
fn misspelt(group: &str, text: &str) -> Option<Kind> {
    const GROUPS: [&str; 5] = ["", "apps", "batch", "discovery.k8s.io", "networking.k8s.io"];
    let kinds = ALL.iter().filter(|kind| GROUPS.contains(&group) && group_of(**kind) == group);
    let names: Vec<&str> = kinds.map(|kind| kind.as_str()).collect();
    did_you_mean(text, &names).and_then(kind_of)
}

/// Whether objects of this kind allow or refuse connections by an engine of their own: a CNI plug-in or a mesh.
fn is_foreign_policy(group: &str, kind: &str) -> bool {
    const OF_MESHES: [(&str, &str); 7] = [
        ("consul.hashicorp.com", "ServiceIntentions"),
        ("kuma.io", "MeshTrafficPermission"),
        ("policy.linkerd.io", "AuthorizationPolicy"),
        ("policy.linkerd.io", "Server"),
        ("policy.linkerd.io", "ServerAuthorization"),
        ("security.istio.io", "AuthorizationPolicy"),
        // Refuses who does not speak mutual TLS.
        ("security.istio.io", "PeerAuthentication"),
    ];
    // CiliumNetworkPolicy, GlobalNetworkPolicy (Calico), ClusterNetworkPolicy (Antrea), FQDNNetworkPolicy (GKE) and others.
    // What is staged in Calico is not enforced.
    let is_of_a_plugin = kind.ends_with("NetworkPolicy");
    is_of_a_plugin && !kind.starts_with("Staged") || OF_MESHES.contains(&(group, kind))
}

/// The kind named by `text`, whatever its group.
pub(crate) fn kind_of(text: &str) -> Option<Kind> {
    ALL.into_iter().find(|kind| kind.as_str() == text)
}

/// Whether an object of a kind named `text` may be a policy that Palisade has to know.
pub(crate) fn may_be_policy(text: &str) -> bool {
    kind_of(text).is_some_and(Kind::is_policy) || text.ends_with("List")
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
        Kind::AdminNetworkPolicy | Kind::BaselineAdminNetworkPolicy => "policy.networking.k8s.io/v1alpha1",
        Kind::ClusterNetworkPolicy => "policy.networking.k8s.io/v1alpha2",
        Kind::EndpointSlice => "discovery.k8s.io/v1",
        Kind::Ingress | Kind::IngressClass | Kind::NetworkPolicy => "networking.k8s.io/v1",
        Kind::GRPCRoute
        | Kind::Gateway
        | Kind::GatewayClass
        | Kind::HTTPRoute
        | Kind::ReferenceGrant
        | Kind::TCPRoute
        | Kind::TLSRoute
        | Kind::UDPRoute => "gateway.networking.k8s.io/v1",
        Kind::Namespace
        | Kind::Node
        | Kind::Pod
        | Kind::ReplicationController
        | Kind::Service
        | Kind::ServiceAccount => "v1",
    }
}

fn group_of(kind: Kind) -> &'static str {
    served_version(kind).split_once('/').map_or("", |(group, _)| group)
}

/// Calico and Antrea have a NetworkPolicy of their own, which Kubernetes does not know.
fn is_of_another_vendor(group: &str) -> bool {
    ["projectcalico.org", "antrea.io", "antrea.tanzu.vmware.com"].iter().any(|vendor| group.ends_with(vendor))
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
        assert_eq!(recognize("example.com/v1", "NetworkPolicy"), Recognized::UnknownPolicy(Some(Kind::NetworkPolicy)));
        assert_eq!(
            recognize("extensions/v1beta1", "Deployment"),
            Recognized::WrongVersion(Kind::Deployment, "apps/v1")
        );
        assert_eq!(recognize("serving.knative.dev/v1", "Service"), Recognized::Other);
        assert_eq!(
            recognize("policy.networking.k8s.io/v1alpha1", "AdminNetworkPolicy"),
            Recognized::Read(Kind::AdminNetworkPolicy)
        );
        for version in ["policy.networking.k8s.io/v1alpha2", "policy.networking.k8s.io/v1beta1"] {
            assert_eq!(recognize(version, "ClusterNetworkPolicy"), Recognized::Read(Kind::ClusterNetworkPolicy));
        }
        assert_eq!(recognize("palisade.dev/v2", "Perimeter"), Recognized::UnknownPolicy(Some(Kind::Perimeter)));
        assert_eq!(recognize("palisade.dev/v1alpha1", "ProgramPolicy"), Recognized::UnknownPolicy(None));
        assert_eq!(recognize("gateway.networking.k8s.io/v1beta1", "HTTPRoute"), Recognized::Read(Kind::HTTPRoute));
        assert_eq!(recognize("gateway.networking.k8s.io/v1alpha2", "TCPRoute"), Recognized::Read(Kind::TCPRoute));
        assert_eq!(
            recognize("gateway.networking.k8s.io/v2", "Gateway"),
            Recognized::WrongVersion(Kind::Gateway, "gateway.networking.k8s.io/v1")
        );
        assert_eq!(recognize("networking.istio.io/v1", "Gateway"), Recognized::Other);
        assert_eq!(
            recognize("extensions/v1beta1", "Ingress"),
            Recognized::WrongVersion(Kind::Ingress, "networking.k8s.io/v1")
        );
        assert_eq!(recognize("v1", "List"), Recognized::List);
        assert_eq!(recognize("v1", "ConfigMap"), Recognized::Other);
    }

    #[test]
    fn policies_of_other_engines_are_known_as_such() {
        for (version, kind) in [
            ("cilium.io/v2", "CiliumNetworkPolicy"),
            ("cilium.io/v2", "CiliumClusterwideNetworkPolicy"),
            ("projectcalico.org/v3", "NetworkPolicy"),
            ("crd.projectcalico.org/v1", "GlobalNetworkPolicy"),
            ("crd.antrea.io/v1beta1", "NetworkPolicy"),
            ("crd.antrea.io/v1beta1", "ClusterNetworkPolicy"),
            ("security.istio.io/v1", "AuthorizationPolicy"),
            ("policy.linkerd.io/v1beta3", "Server"),
            ("policy.linkerd.io/v1beta1", "ServerAuthorization"),
            ("policy.linkerd.io/v1alpha1", "AuthorizationPolicy"),
        ] {
            assert_eq!(recognize(version, kind), Recognized::Foreign, "{version} {kind}");
        }
        assert_eq!(recognize("projectcalico.org/v3", "StagedNetworkPolicy"), Recognized::Other);
        assert_eq!(recognize("example.com/v1", "Server"), Recognized::Other);
        assert_eq!(recognize("cilium.io/v2", "CiliumNetworkPolicyList"), Recognized::List);
        assert_eq!(recognize("policy.networking.k8s.io/v1", "ClusterNetworkPolicy"), Recognized::UnknownPolicy(None));
    }
}
