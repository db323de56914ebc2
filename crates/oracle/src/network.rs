//! Rules of NetworkPolicies: does this one cover the link?

use std::net::IpAddr;

use palisade_model::IpNet;
use palisade_model::network_policy::{NetworkPolicy, NetworkPolicyPeer, NetworkPolicyRule, NetworkPolicyTarget};
use palisade_model::verdict::{Direction, Missing};

use crate::cluster::KnownPod;
use crate::decide::Situation;
use crate::party::Party;
use crate::ports;
use crate::truth::Truth;

/// Whether the policy selects the pod, for whichever direction.
pub fn selects(policy: &NetworkPolicy, pod: &KnownPod) -> bool {
    policy.meta.namespace() == &*pod.namespace && policy.pod_selector.matches(&pod.labels)
}

/// The rules of a direction; `None` when the policy does not speak of it.
pub fn rules(policy: &NetworkPolicy, direction: Direction) -> Option<&[NetworkPolicyRule]> {
    match direction {
        Direction::Ingress => policy.ingress.as_deref(),
        Direction::Egress => policy.egress.as_deref(),
    }
}

/// Whether the rule covers the link at the end that decides, and the first peer by which it does (or
/// may); no peer when the rule is for everyone.
pub fn covers(
    situation: &Situation<'_>,
    direction: Direction,
    policy: &NetworkPolicy,
    rule: &NetworkPolicyRule,
) -> (Truth, Option<usize>) {
    if !ports::cover(&rule.ports, situation) {
        return (Truth::No, None);
    }
    if rule.peers.is_empty() {
        return (Truth::Yes, None);
    }
    let mut answer = (Truth::No, None);
    for (index, peer) in rule.peers.iter().enumerate() {
        match is_peer(situation, direction, policy, peer) {
            Truth::Yes => return (Truth::Yes, Some(index)),
            unknown @ Truth::Unknown(_) if answer.0.is_no() => answer = (unknown, Some(index)),
            Truth::Unknown(_) | Truth::No => {}
        }
    }
    answer
}

fn is_peer(situation: &Situation<'_>, direction: Direction, policy: &NetworkPolicy, peer: &NetworkPolicyPeer) -> Truth {
    let (own, other) = situation.ends(direction);
    match &peer.target {
        NetworkPolicyTarget::Pods { pod_selector, namespace_selector } => {
            let Some(pod) = other.deciding_pod() else { return Truth::No };
            let namespace_matches = match namespace_selector {
                Some(selector) => situation.cluster.namespace_is(&pod.namespace, selector),
                None => (policy.meta.namespace() == &*pod.namespace).into(),
            };
            let pod_matches = pod_selector.as_ref().is_none_or(|selector| selector.matches(&pod.labels));
            namespace_matches.and(pod_matches.into())
        }
        NetworkPolicyTarget::IpBlock { cidr, except } => is_in_block(situation, (own, other), cidr, except),
    }
}

fn is_in_block(
    situation: &Situation<'_>,
    (own, other): (&Party<'_>, &Party<'_>),
    cidr: &IpNet,
    except: &[IpNet],
) -> Truth {
    if other.deciding_pod().is_some() && !situation.cluster.settings.ip_block_matches_pods {
        return Truth::No;
    }
    is_at_address(situation, (own, other), cidr, except)
}

/// Whether the address that `other` has towards `own` lies in the block, as far as it is known.
pub fn is_at_address(
    situation: &Situation<'_>,
    (own, other): (&Party<'_>, &Party<'_>),
    cidr: &IpNet,
    except: &[IpNet],
) -> Truth {
    let is_pod = other.deciding_pod().is_some();
    let is_node = matches!(other, Party::Node { .. });
    if (is_pod || is_node) && other.addresses(situation.cluster).is_empty() {
        return match cidr {
            // Whatever address it has, it will lie in there.
            IpNet::V4(block) if block.prefix_len() == 0 && except.is_empty() => Truth::Yes,
            IpNet::V4(_) => Truth::Unknown(Missing::PodAddress { pod: other.shown() }),
            IpNet::V6(_) => Truth::No,
        };
    }
    let addresses = other.addresses_towards(situation.cluster, own);
    addresses.into_iter().any(|address| in_block(address, cidr, except)).into()
}

/// `except` takes away from its own block alone; families do not mix.
pub fn in_block(address: IpAddr, cidr: &IpNet, except: &[IpNet]) -> bool {
    cidr.contains(&address) && !except.iter().any(|except| except.contains(&address))
}
