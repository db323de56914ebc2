//! What the cluster is like, beyond Kubernetes' own objects.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::cni::{CniBehaviour, CniProfile};
use crate::inventory::Inventory;
use crate::object::{Meta, Name};
use crate::selector::Selector;

/// `palisade.dev/v1alpha1` ClusterSettings: the one object, named `default`, that says what no other does.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ClusterSettings {
    /// Metadata and place.
    pub meta: Meta,
    /// `gateways`: the pods that are gateways, a namespace and a selector each.
    pub gateways: Vec<(Name, Selector)>,
    /// `dnsService`: namespace and name of the cluster DNS Service.
    pub dns_service: Option<(Name, Name)>,
    /// `unknownPods`.
    pub unknown_pods: UnknownPods,
}

/// What becomes of the connections of a pod that the node's agent does not know.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub enum UnknownPods {
    /// They are refused.
    #[default]
    Refuse,
    /// They pass, and are recorded.
    Record,
}

/// What the engine takes for granted about the cluster.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Settings {
    /// Whether NetworkPolicy's ipBlock matches addresses of pods: yes with most CNIs, no with Cilium.
    pub ip_block_matches_pods: bool,
    /// What else differs from plugin to plugin.
    pub cni: CniBehaviour,
    /// Which nodes have a living agent.
    pub guarded: Guarded,
    /// The pods that are gateways: a namespace and a selector each.
    pub gateways: Vec<(Name, Selector)>,
    /// Namespace and name of the cluster DNS Service.
    pub dns_service: (Name, Name),
    /// What becomes of a Service whose backends get different verdicts.
    pub mixed_services: MixedServices,
}

/// What becomes of a Service whose backends get different verdicts.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum MixedServices {
    /// Refused at connect, as `service-mixed`: where the kernel does not show what was translated.
    Refused,
    /// Passed at connect; the first packet is judged after translation, where a program sees that.
    #[default]
    JudgedOnThePacket,
}

impl Settings {
    /// The settings that the object in `inventory` says, the defaults for the rest.
    pub fn of(inventory: &Inventory) -> Self {
        let mut settings = Self::default();
        if let Some(object) = &inventory.settings {
            settings.gateways.clone_from(&object.gateways);
            if let Some(service) = &object.dns_service {
                settings.dns_service.clone_from(service);
            }
        }
        settings
    }
}

impl Settings {
    /// The same settings with the network plugin `profile`.
    #[must_use]
    pub fn with_cni(self, profile: &CniProfile) -> Self {
        Self { ip_block_matches_pods: profile.ip_block_matches_pods, cni: profile.behaviour, ..self }
    }
}

impl Default for Settings {
    /// A generic CNI, every node guarded, no gateways, DNS by `kube-system/kube-dns`.
    fn default() -> Self {
        Self {
            ip_block_matches_pods: true,
            cni: CniBehaviour::default(),
            guarded: Guarded::All,
            gateways: Vec::new(),
            dns_service: ("kube-system".into(), "kube-dns".into()),
            mixed_services: MixedServices::default(),
        }
    }
}

/// Which nodes have a living agent.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Guarded {
    /// Every node, those included that are not in the input.
    All,
    /// These alone.
    Only(BTreeSet<Name>),
}

impl Guarded {
    /// Whether `node` is guarded. A pod whose node is not known counts as on a guarded one only
    /// when all are.
    pub fn contains(&self, node: Option<&str>) -> bool {
        match self {
            Self::All => true,
            Self::Only(nodes) => node.is_some_and(|node| nodes.contains(node)),
        }
    }
}
