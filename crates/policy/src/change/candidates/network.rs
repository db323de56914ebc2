//! Changes of a NetworkPolicy that closes an end.

use palisade_model::Selector;
use palisade_model::network_policy::{NetworkPolicy, NetworkPolicyPeer, NetworkPolicyRule, NetworkPolicyTarget};
use palisade_model::object::Name;
use palisade_model::verdict::Direction;

use super::{
    Asked, Candidate, MOST_RULES, block_of, corrected, labels_of, namespace_by_name, only_missing, port_fixes,
    relabelled, relabelled_namespace,
};
use crate::change::EditAction;
use crate::change::object::{Object, ObjectChange};
use crate::matching::{self, Match, NAMESPACE_NAME_LABEL, WhyNot};
use crate::model::PodFacts;
use crate::party::Party;
use crate::written;

pub(super) fn opening(asked: &Asked<'_, '_>, position: usize) -> Vec<Candidate> {
    let policy = asked.model.network_policy(position);
    let rules = asked.model.network_policy_rules(position, asked.direction);
    let mut candidates = Vec::new();
    for (index, rule) in rules.iter().enumerate().take(MOST_RULES) {
        let answers: Vec<Match> = rule
            .peers
            .iter()
            .map(|peer| {
                let namespace = policy.meta.namespace();
                matching::network_policy_peer(asked.model, namespace, peer, asked.situation, asked.other_side())
            })
            .collect();
        let named = rule.peers.is_empty() || answers.contains(&Match::Yes);
        match (named, matching::ports(asked.model, &rule.ports, asked.situation)) {
            (true, Match::No(_)) => candidates.extend(by_port(asked, policy, index, rule)),
            (false, Match::Yes) => {
                for (at, (peer, answer)) in rule.peers.iter().zip(&answers).enumerate() {
                    if let Match::No(why) = answer {
                        candidates.extend(by_peer(asked, policy, (index, at), peer, *why));
                    }
                }
                candidates.extend(by_new_peer(asked, policy, index, rule));
            }
            _ => {}
        }
    }
    candidates.extend(by_new_rule(asked, policy, rules.len()));
    candidates
}

/// The same policy with other rules for the asked direction.
pub(super) fn changed(
    asked: &Asked<'_, '_>,
    policy: &NetworkPolicy,
    change: impl FnOnce(&mut Vec<NetworkPolicyRule>),
) -> ObjectChange {
    let mut after = policy.clone();
    let rules = match asked.direction {
        Direction::Ingress => &mut after.ingress,
        Direction::Egress => &mut after.egress,
    };
    change(rules.get_or_insert_default());
    ObjectChange::new(Object::NetworkPolicy(policy.clone()), Object::NetworkPolicy(after))
}

fn by_port(asked: &Asked<'_, '_>, policy: &NetworkPolicy, index: usize, rule: &NetworkPolicyRule) -> Vec<Candidate> {
    let (list, _) = asked.lists();
    let fixes = port_fixes(asked, &rule.ports).into_iter();
    let candidates = fixes.map(|(ports, at, action, note)| {
        let field = match at {
            Some(at) => format!("{list}[{index}].ports[{at}]"),
            None => format!("{list}[{index}].ports"),
        };
        let change = changed(asked, policy, |rules| rules[index].ports = ports);
        let candidate = Candidate::one(change, field, &rule.place, action);
        match note {
            Some(note) => candidate.note(note),
            None => candidate,
        }
    });
    candidates.collect()
}

/// What a peer would have to be, or the pod or its namespace, for the one to mean the other.
fn by_peer(
    asked: &Asked<'_, '_>,
    policy: &NetworkPolicy,
    (index, at): (usize, usize),
    peer: &NetworkPolicyPeer,
    why: WhyNot,
) -> Vec<Candidate> {
    let (list, peers) = asked.lists();
    let Party::Pod { pod, .. } = asked.other() else { return Vec::new() };
    let NetworkPolicyTarget::Pods { pod_selector, namespace_selector } = &peer.target else { return Vec::new() };
    let replaced = |targets: Vec<NetworkPolicyTarget>| {
        let place = peer.place.clone();
        let after: Vec<NetworkPolicyPeer> =
            targets.into_iter().map(|target| NetworkPolicyPeer { place: place.clone(), target }).collect();
        let shown: Vec<String> = after.iter().map(|peer| written::in_line(&written::network_peer(peer))).collect();
        let action =
            EditAction::Replace { was: written::in_line(&written::network_peer(peer)), becomes: shown.join(", ") };
        let change = changed(asked, policy, |rules| {
            rules[index].peers.splice(at..=at, after);
        });
        Candidate::one(change, format!("{list}[{index}].{peers}[{at}]"), &peer.place, action)
    };
    let pods = |pod_selector: Option<Selector>, namespace_selector: Option<Selector>| NetworkPolicyTarget::Pods {
        pod_selector,
        namespace_selector,
    };
    let mut candidates = Vec::new();
    match why {
        WhyNot::Labels => {
            let selector = pod_selector.as_ref().expect("labels are asked for by a selector");
            if let Some((after, note)) = corrected(selector, &pod.labels) {
                candidates.push(replaced(vec![pods(Some(after), namespace_selector.clone())]).note(note));
            }
            if let Some((key, value)) = only_missing(selector, &pod.labels) {
                candidates.extend(relabelled(asked, pod, &key, &value));
            }
        }
        WhyNot::NamespaceLabels => {
            let selector = namespace_selector.as_ref().expect("a namespace's labels are asked for by a selector");
            if let Some((after, note)) = corrected(selector, &pod.namespace_labels) {
                candidates.push(replaced(vec![pods(pod_selector.clone(), Some(after))]).note(note));
            }
            if let Some(after) = by_name_label(selector, pod) {
                let note = format!("each namespace has the label `{NAMESPACE_NAME_LABEL}`, and `name` only some");
                candidates.push(replaced(vec![pods(pod_selector.clone(), Some(after))]).note(note));
            }
            if let Some((key, value)) = only_missing(selector, &pod.namespace_labels) {
                candidates.extend(relabelled_namespace(asked, pod, &key, &value));
            }
        }
        WhyNot::OwnNamespaceOnly => {
            let selects = pod_selector.as_ref().is_some_and(|selector| selector.matches(&pod.labels));
            if selects {
                candidates.push(replaced(vec![pods(pod_selector.clone(), Some(namespace_by_name(pod)))]));
            }
        }
        _ => {}
    }
    // In one item both must hold, in two one is enough.
    if let (Some(of_pods), Some(of_namespaces)) = (pod_selector, namespace_selector) {
        let both = vec![pods(None, Some(of_namespaces.clone())), pods(Some(of_pods.clone()), None)];
        candidates.push(replaced(both).note("in one entry both selectors must match, in two one of them"));
    }
    candidates
}

/// A selector by `name` or the like, whose value is the name of the pod's namespace, by the label that is there.
fn by_name_label(selector: &Selector, pod: &PodFacts) -> Option<Selector> {
    let key: &Name = match selector.match_labels.0.iter().collect::<Vec<_>>()[..] {
        [(key, value)] if *value == pod.namespace && &**key != NAMESPACE_NAME_LABEL => key,
        _ => return None,
    };
    let mut after = selector.clone();
    let value = after.match_labels.0.remove(key)?;
    after.match_labels.0.insert(NAMESPACE_NAME_LABEL.into(), value);
    Some(after)
}

/// The other end as a peer of a policy of `namespace`.
pub(super) fn peer_for(asked: &Asked<'_, '_>, namespace: &str) -> Option<NetworkPolicyTarget> {
    match asked.other() {
        Party::Pod { pod, .. } => Some(NetworkPolicyTarget::Pods {
            pod_selector: Some(labels_of(asked.model, pod)),
            namespace_selector: (*pod.namespace != *namespace).then(|| namespace_by_name(pod)),
        }),
        Party::Node { .. } | Party::Address { .. } => {
            Some(NetworkPolicyTarget::IpBlock { cidr: block_of(asked)?, except: Vec::new() })
        }
    }
}

fn by_new_peer(
    asked: &Asked<'_, '_>,
    policy: &NetworkPolicy,
    index: usize,
    rule: &NetworkPolicyRule,
) -> Option<Candidate> {
    let (list, peers) = asked.lists();
    let target = peer_for(asked, policy.meta.namespace())?;
    let peer = NetworkPolicyPeer { place: rule.place.clone(), target };
    let value = written::in_line(&written::network_peer(&peer));
    let change = changed(asked, policy, |rules| rules[index].peers.push(peer));
    Some(Candidate::one(change, format!("{list}[{index}].{peers}"), &rule.place, EditAction::Add { value }))
}

fn by_new_rule(asked: &Asked<'_, '_>, policy: &NetworkPolicy, count: usize) -> Option<Candidate> {
    let (list, peers) = asked.lists();
    let place = policy.meta.place.clone();
    let target = peer_for(asked, policy.meta.namespace())?;
    let peer = NetworkPolicyPeer { place: place.clone(), target };
    let rule = NetworkPolicyRule { place: place.clone(), peers: vec![peer], ports: vec![asked.port_rule()] };
    let value = written::in_line(&written::network_rule(&rule, peers));
    let change = changed(asked, policy, |rules| rules.insert(count, rule));
    Some(Candidate::one(change, list, &place, EditAction::Add { value }))
}
