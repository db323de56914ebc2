//! The policies of administrators: ClusterNetworkPolicy (policy.networking.k8s.io/v1alpha2), AdminNetworkPolicy and
//! BaselineAdminNetworkPolicy (v1alpha1), in one shape.

use serde::Serialize;

use crate::IpNet;
use crate::object::{Meta, Name};
use crate::place::Place;
use crate::port::{PortRange, Protocol};
use crate::selector::Selector;

/// One of them, in force.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TieredPolicy {
    /// Metadata and place.
    pub meta: Meta,
    /// Before or behind NetworkPolicy.
    pub tier: Tier,
    /// Lower first, within the tier; a BaselineAdminNetworkPolicy has none, and is the only one of its kind.
    pub priority: u16,
    /// The pods that it applies to; host-network pods are never among them.
    pub subject: PodScope,
    /// In order: the first that matches ends it.
    pub ingress: Vec<TieredRule>,
    /// In order: the first that matches ends it.
    pub egress: Vec<TieredRule>,
}

/// When it is asked.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
pub enum Tier {
    /// Before every other policy.
    Admin,
    /// After NetworkPolicy, about ends that no policy closes.
    Baseline,
}

/// Pods by the labels of their namespace and their own; an empty selector selects all.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PodScope {
    /// `namespaces`, or `pods.namespaceSelector`.
    pub namespace_selector: Selector,
    /// `pods.podSelector`; everything for `namespaces`.
    pub pod_selector: Selector,
}

/// One entry of `ingress` or `egress`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct TieredRule {
    /// The entry's first line.
    pub place: Place,
    /// Its name, if it has one.
    pub name: Option<Name>,
    /// What follows when it matches.
    pub action: TierAction,
    /// `from` or `to`: never empty.
    pub peers: Vec<TieredPeer>,
    /// `protocols` or `ports`; `None` is all traffic, ICMP too.
    pub ports: Option<Vec<TieredPort>>,
}

/// What a rule does.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
pub enum TierAction {
    /// `Accept`, `Allow` in v1alpha1: nothing after it is asked.
    Accept,
    /// Nothing after it is asked.
    Deny,
    /// The next tier is asked.
    Pass,
}

impl TierAction {
    /// As the newest version writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accept => "Accept",
            Self::Deny => "Deny",
            Self::Pass => "Pass",
        }
    }
}

/// One entry of `from` or `to`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct TieredPeer {
    /// The entry's first line.
    pub place: Place,
    /// Whom it names.
    pub target: TieredTarget,
}

/// Whom a peer names.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum TieredTarget {
    /// Pods that are not on their node's network.
    Pods(PodScope),
    /// Nodes by their labels (egress).
    Nodes(Selector),
    /// Addresses, those of pods too (egress).
    Networks(Vec<IpNet>),
    /// Names (egress, Accept only): not resolved yet, matches nothing.
    DomainNames(Vec<Name>),
    /// A field of a newer API. Fails closed: an Accept matches nothing by it, any other rule is a Deny of everything.
    ///
    /// Source: ClusterNetworkPolicyIngressPeer, "fail closed".
    Unknown,
}

/// One entry of `protocols` or `ports`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum TieredPort {
    /// Ports of a protocol; `None` is every one.
    Numbers(Protocol, Option<PortRange>),
    /// A name that each receiving pod resolves for itself, for whatever protocol it declares it.
    Name(Name),
}
