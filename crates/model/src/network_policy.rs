//! `networking.k8s.io/v1` NetworkPolicy, after the API server's validation and defaults.

use serde::Serialize;

use crate::IpNet;
use crate::object::Meta;
use crate::place::Place;
use crate::port::PortRule;
use crate::selector::Selector;

/// A NetworkPolicy in force.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NetworkPolicy {
    /// Metadata and place.
    pub meta: Meta,
    /// `spec.podSelector`: the pods that it selects; empty selects all of the namespace.
    pub pod_selector: Selector,
    /// The ingress rules when `policyTypes` (given or defaulted) lists Ingress, else `None`:
    /// rules of a direction that is not listed are ignored.
    pub ingress: Option<Vec<NetworkPolicyRule>>,
    /// The egress rules when `policyTypes` lists Egress; when it is missing, Egress counts as
    /// listed only if `egress` has at least one entry.
    pub egress: Option<Vec<NetworkPolicyRule>>,
}

/// One entry of `ingress` or `egress`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct NetworkPolicyRule {
    /// The entry's first line.
    pub place: Place,
    /// `from` or `to`; empty means everyone, outside included.
    pub peers: Vec<NetworkPolicyPeer>,
    /// `ports`; empty means every port of every protocol.
    pub ports: Vec<PortRule>,
}

/// One entry of `from` or `to`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct NetworkPolicyPeer {
    /// The entry's first line.
    pub place: Place,
    /// Whom it names.
    pub target: NetworkPolicyTarget,
}

/// Whom a NetworkPolicy peer names.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum NetworkPolicyTarget {
    /// Pods by label; at least one of the two is present.
    Pods {
        /// `None`: every pod of the namespaces.
        pod_selector: Option<Selector>,
        /// `None`: the policy's own namespace.
        namespace_selector: Option<Selector>,
    },
    /// Addresses.
    IpBlock {
        /// The block, host bits masked.
        cidr: IpNet,
        /// What is taken away from this block alone.
        except: Vec<IpNet>,
    },
}
