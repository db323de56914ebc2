//! Network plugins as far as policies see them: what NetworkPolicy's API leaves to them, as data.

use serde::Serialize;

/// What the engine takes for granted about the cluster's network plugin.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CniBehaviour {
    /// Whether it enforces NetworkPolicies itself, whatever else is in force: what one closes, no AccessPolicy opens.
    pub native: bool,
    /// Whether NetworkPolicy's ipBlock means addresses of nodes.
    pub ip_block_matches_nodes: bool,
    /// Whether a pod that NetworkPolicies close for egress reaches its own node all the same.
    pub egress_to_own_node: bool,
}

impl Default for CniBehaviour {
    /// As the API says: NetworkPolicies are Palisade's to enforce, an ipBlock means every address, and a pod and its
    /// node reach each other.
    fn default() -> Self {
        Self { native: false, ip_block_matches_nodes: true, egress_to_own_node: true }
    }
}

/// A network plugin.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CniProfile {
    /// What it is called by.
    pub name: &'static str,
    /// What is different with it, in a line.
    pub about: &'static str,
    /// Whether NetworkPolicy's ipBlock means addresses of pods.
    pub ip_block_matches_pods: bool,
    /// The rest of what differs.
    pub behaviour: CniBehaviour,
    /// Whether a pod sees a node's address in place of who dialled a NodePort or load balancer of a Service with
    /// `externalTrafficPolicy: Cluster`; `None`: it depends on how it was set up.
    pub translates_sources: Option<bool>,
    /// Where that is written.
    pub sources: &'static [&'static str],
}

/// Every profile; the first one is taken when none is named.
pub const PROFILES: [CniProfile; 4] = [
    CniProfile {
        name: "generic",
        about: "as the API says: `ipBlock` means pods and nodes too, a pod and its node reach each other",
        ip_block_matches_pods: true,
        behaviour: CniBehaviour { native: false, ip_block_matches_nodes: true, egress_to_own_node: true },
        translates_sources: None,
        sources: &["https://kubernetes.io/docs/concepts/services-networking/network-policies/"],
    },
    CniProfile {
        name: "flannel",
        about: "as generic: it enforces no NetworkPolicy itself",
        ip_block_matches_pods: true,
        behaviour: CniBehaviour { native: false, ip_block_matches_nodes: true, egress_to_own_node: true },
        translates_sources: Some(true),
        sources: &["https://github.com/flannel-io/flannel#networking-details"],
    },
    CniProfile {
        name: "calico",
        about: "enforces NetworkPolicy itself; what closes a pod's egress closes it to its own node, too",
        ip_block_matches_pods: true,
        behaviour: CniBehaviour { native: true, ip_block_matches_nodes: true, egress_to_own_node: false },
        translates_sources: None,
        sources: &[
            // `DefaultEndpointToHostAction` is asked after the workload's egress policy.
            "https://docs.tigera.io/calico/latest/reference/felix/configuration",
            "https://github.com/kubernetes/kops/pull/3272",
        ],
    },
    CniProfile {
        name: "cilium",
        about: "enforces NetworkPolicy itself; `ipBlock` means neither pods nor nodes",
        ip_block_matches_pods: false,
        behaviour: CniBehaviour { native: true, ip_block_matches_nodes: false, egress_to_own_node: false },
        translates_sources: None,
        sources: &[
            // CIDR rules do not apply to endpoints, hosts and remote nodes; `policy-cidr-match-mode` changes the last.
            "https://docs.cilium.io/en/stable/security/policy/layer3/",
            // `allow-localhost` lets the host in to local pods, and says nothing of the way back.
            "https://docs.cilium.io/en/stable/security/policy/intro/",
        ],
    },
];

impl CniProfile {
    /// The profile that is taken when none is named.
    pub const DEFAULT: Self = PROFILES[0];

    /// The profile called `name`.
    pub fn named(name: &str) -> Option<Self> {
        PROFILES.into_iter().find(|profile| profile.name == name)
    }

    /// Whether no link can get another verdict than with `other`.
    pub fn is_alike(&self, other: &Self) -> bool {
        self.ip_block_matches_pods == other.ip_block_matches_pods && self.behaviour == other.behaviour
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_profile_has_a_name_of_its_own_and_says_where_it_is_from() {
        for (position, profile) in PROFILES.iter().enumerate() {
            assert!(!profile.sources.is_empty() && !profile.about.is_empty(), "{}", profile.name);
            assert_eq!(PROFILES.iter().position(|other| other.name == profile.name), Some(position));
            assert_eq!(CniProfile::named(profile.name), Some(*profile));
        }
        assert_eq!(CniProfile::DEFAULT.behaviour, CniBehaviour::default());
    }
}
