//! Whether all that one thing means is meant by another, whatever the cluster has: selectors, blocks and ports.
//!
//! Invariant: a yes is a proof; a no may only be that none was found.

use std::collections::{BTreeMap, BTreeSet};

use palisade_model::object::Name;
use palisade_model::port::{PortMatch, PortRange, PortRule, PortSet, Protocol};
use palisade_model::selector::{Operator, Requirement};
use palisade_model::tiered_policy::{PodScope, TieredPort, TieredTarget};
use palisade_model::{IpNet, Labels, Selector};

use crate::matching::NAMESPACE_NAME_LABEL;

/// What a selector asks of one label: the requirements of different keys do not touch each other.
#[derive(Clone)]
struct Asked {
    may_be_absent: bool,
    values: Values,
}

#[derive(Clone)]
enum Values {
    Only(BTreeSet<Name>),
    AllBut(BTreeSet<Name>),
}

impl Asked {
    fn anything() -> Self {
        Self { may_be_absent: true, values: Values::AllBut(BTreeSet::new()) }
    }

    fn is_impossible(&self) -> bool {
        !self.may_be_absent && matches!(&self.values, Values::Only(values) if values.is_empty())
    }

    fn and(&mut self, requirement: &Requirement) {
        let listed: BTreeSet<Name> = requirement.values.iter().cloned().collect();
        match requirement.operator {
            Operator::In => self.keep(false, &Values::Only(listed)),
            Operator::NotIn => self.keep(true, &Values::AllBut(listed)),
            Operator::Exists => self.keep(false, &Values::AllBut(BTreeSet::new())),
            Operator::DoesNotExist => self.keep(true, &Values::Only(BTreeSet::new())),
        }
    }

    fn keep(&mut self, may_be_absent: bool, values: &Values) {
        self.may_be_absent &= may_be_absent;
        self.values = match (&self.values, values) {
            (Values::Only(a), Values::Only(b)) => Values::Only(a & b),
            (Values::Only(only), Values::AllBut(but)) | (Values::AllBut(but), Values::Only(only)) => {
                Values::Only(only - but)
            }
            (Values::AllBut(a), Values::AllBut(b)) => Values::AllBut(a | b),
        };
    }

    fn is_within(&self, other: &Self) -> bool {
        let values = match (&self.values, &other.values) {
            (Values::Only(a), Values::Only(b)) => a.is_subset(b),
            (Values::Only(only), Values::AllBut(but)) => only.is_disjoint(but),
            // There are more values than anybody can list.
            (Values::AllBut(_), Values::Only(_)) => false,
            (Values::AllBut(a), Values::AllBut(b)) => b.is_subset(a),
        };
        values && (other.may_be_absent || !self.may_be_absent)
    }
}

fn asked(selector: &Selector) -> BTreeMap<&Name, Asked> {
    let mut keys: BTreeMap<&Name, Asked> = BTreeMap::new();
    for (key, value) in &selector.match_labels.0 {
        let only = Values::Only([value.clone()].into());
        keys.entry(key).or_insert_with(Asked::anything).keep(false, &only);
    }
    for requirement in &selector.match_expressions {
        keys.entry(&requirement.key).or_insert_with(Asked::anything).and(requirement);
    }
    keys
}

/// Whether no set of labels can meet it.
pub(super) fn is_impossible(selector: &Selector) -> bool {
    !selector.match_expressions.is_empty() && asked(selector).values().any(Asked::is_impossible)
}

/// Whether everything that `inner` selects is selected by `outer`. An `inner` that selects nothing at all is left to
/// [`is_impossible`]: it says no more than that.
pub(super) fn selector(inner: &Selector, outer: &Selector) -> bool {
    if outer.is_empty() || inner == outer {
        return !is_impossible(inner);
    }
    if inner.match_expressions.is_empty() && outer.match_expressions.is_empty() {
        return outer.match_labels.is_subset_of(&inner.match_labels);
    }
    if is_impossible(inner) {
        return false;
    }
    let (inner, anything) = (asked(inner), Asked::anything());
    asked(outer).iter().all(|(key, outer)| inner.get(key).unwrap_or(&anything).is_within(outer))
}

/// The namespaces that a peer means, as one selector: the API server writes each namespace's name on it as a label.
pub(super) fn namespaces(name: Option<&Name>, selector: Option<&Selector>) -> Selector {
    let mut all = selector.cloned().unwrap_or_default();
    if let Some(name) = name {
        let key: Name = NAMESPACE_NAME_LABEL.into();
        match all.match_labels.0.get(&key) {
            Some(other) if other != name => {
                all.match_expressions.push(Requirement { key, operator: Operator::In, values: vec![name.clone()] })
            }
            Some(_) => {}
            None => all.match_labels = Labels(all.match_labels.0.into_iter().chain([(key, name.clone())]).collect()),
        }
    }
    all
}

/// Whether every address of `inner` is one of `outer`.
pub(super) fn block(inner: (&IpNet, &[IpNet]), outer: (&IpNet, &[IpNet])) -> bool {
    let (inner, taken) = inner;
    let disjoint = |a: &IpNet, b: &IpNet| !a.contains(b) && !b.contains(a);
    outer.0.contains(inner)
        && outer.1.iter().all(|except| disjoint(except, inner) || taken.iter().any(|taken| taken.contains(except)))
}

/// Whether every port that a rule with `inner` opens is opened by one with `outer`; an empty list is every port of every
/// protocol, and what has no ports.
pub(super) fn ports(inner: &[PortRule], outer: &[PortRule]) -> bool {
    outer.is_empty() || (!inner.is_empty() && inner.iter().all(|port| port_is_among(port, outer)))
}

fn port_is_among(port: &PortRule, outer: &[PortRule]) -> bool {
    let same = || outer.iter().filter(|other| other.protocol == port.protocol);
    if same().any(|other| other.port == PortMatch::Any || other.port == port.port) {
        return true;
    }
    let ranges = || {
        PortSet::new(same().filter_map(|other| match other.port {
            PortMatch::Range(range) => Some(range),
            PortMatch::Any | PortMatch::Name(_) => None,
        }))
    };
    match &port.port {
        PortMatch::Any => covers(&ranges(), PortRange::ALL),
        PortMatch::Range(range) => covers(&ranges(), *range),
        PortMatch::Name(_) => covers(&ranges(), PortRange::ALL),
    }
}

fn covers(set: &PortSet, range: PortRange) -> bool {
    set.ranges().iter().any(|own| own.contains(range.first()) && own.contains(range.last()))
}

/// Whether every pod that the one selects is selected by the other.
pub(super) fn scope(inner: &PodScope, outer: &PodScope) -> bool {
    selector(&inner.namespace_selector, &outer.namespace_selector) && selector(&inner.pod_selector, &outer.pod_selector)
}

/// Whether every party that a tier's peer means is meant by the other.
pub(super) fn tiered_peer(inner: &TieredTarget, outer: &TieredTarget) -> bool {
    match (inner, outer) {
        (TieredTarget::Pods(a), TieredTarget::Pods(b)) => scope(a, b),
        (TieredTarget::Nodes(a), TieredTarget::Nodes(b)) => selector(a, b),
        (TieredTarget::Networks(a), TieredTarget::Networks(b)) => {
            a.iter().all(|inner| b.iter().any(|outer| block((inner, &[]), (outer, &[]))))
        }
        (
            TieredTarget::Pods(_)
            | TieredTarget::Nodes(_)
            | TieredTarget::Networks(_)
            | TieredTarget::DomainNames(_)
            | TieredTarget::Unknown,
            _,
        ) => false,
    }
}

/// As [`ports`], for a tier's rules: `None` is all traffic.
pub(super) fn tiered_ports(inner: Option<&[TieredPort]>, outer: Option<&[TieredPort]>) -> bool {
    let Some(outer) = outer else { return true };
    let Some(inner) = inner else { return false };
    let ranges = |protocol: Protocol| {
        PortSet::new(outer.iter().filter_map(|port| match port {
            TieredPort::Numbers(own, range) if *own == protocol => Some(range.unwrap_or(PortRange::ALL)),
            TieredPort::Numbers(..) | TieredPort::Name(_) => None,
        }))
    };
    inner.iter().all(|port| match port {
        TieredPort::Numbers(protocol, range) => covers(&ranges(*protocol), range.unwrap_or(PortRange::ALL)),
        TieredPort::Name(_) => {
            outer.contains(port) || Protocol::ALL.iter().all(|protocol| covers(&ranges(*protocol), PortRange::ALL))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn requirement(key: &str, operator: Operator, values: &[&str]) -> Requirement {
        Requirement { key: key.into(), operator, values: values.iter().map(|value| Name::from(*value)).collect() }
    }

    /// Every selector of up to two requirements over two keys with two values, against every set of labels that they can
    /// tell apart.
    #[test]
    fn a_yes_holds_for_every_set_of_labels_and_a_no_has_a_witness() {
        let mut requirements = Vec::new();
        for key in ["a", "b"] {
            for values in [&["x"][..], &["y"], &["x", "y"]] {
                requirements.push(requirement(key, Operator::In, values));
                requirements.push(requirement(key, Operator::NotIn, values));
            }
            requirements.push(requirement(key, Operator::Exists, &[]));
            requirements.push(requirement(key, Operator::DoesNotExist, &[]));
        }
        let mut selectors = vec![Selector::default()];
        for a in &requirements {
            for b in &requirements {
                selectors.push(Selector { match_expressions: vec![a.clone(), b.clone()], ..Selector::default() });
            }
        }
        selectors.push(Selector { match_labels: [("a", "x")].into_iter().collect(), ..Selector::default() });
        selectors
            .push(Selector { match_labels: [("a", "x"), ("b", "y")].into_iter().collect(), ..Selector::default() });
        // `z` stands for all the values that nobody names.
        let values = [None, Some("x"), Some("y"), Some("z")];
        let labels: Vec<Labels> = values
            .iter()
            .flat_map(|a| values.iter().map(move |b| [("a", *a), ("b", *b)]))
            .map(|pairs| pairs.into_iter().filter_map(|(key, value)| value.map(|value| (key, value))).collect())
            .collect();
        for inner in &selectors {
            let selected: Vec<&Labels> = labels.iter().filter(|labels| inner.matches(labels)).collect();
            assert_eq!(is_impossible(inner), selected.is_empty(), "{inner}");
            for outer in &selectors {
                let expected = !selected.is_empty() && selected.iter().all(|labels| outer.matches(labels));
                assert_eq!(selector(inner, outer), expected, "{inner} in {outer}");
            }
        }
    }

    #[test]
    fn an_exception_counts_only_where_the_inner_block_has_it() {
        let net = |text: &str| -> IpNet { text.parse().expect("a block") };
        let (all, ten, eleven) = (net("0.0.0.0/0"), net("10.0.0.0/8"), net("11.0.0.0/8"));
        assert!(block((&ten, &[]), (&all, &[])));
        assert!(!block((&all, &[]), (&ten, &[])));
        assert!(!block((&all, &[]), (&all, &[ten])));
        assert!(block((&all, &[ten]), (&all, &[ten])));
        assert!(block((&eleven, &[]), (&all, &[ten])));
        assert!(!block((&ten, &[]), (&all, &[net("10.1.0.0/16")])));
        assert!(!block((&net("::/0"), &[]), (&all, &[])));
    }

    #[test]
    fn ports_are_contained_across_the_entries_of_the_outer_list() {
        let port = |protocol, port| PortRule { protocol, port };
        let range = |first, last| PortMatch::Range(PortRange::new(first, last).expect("not empty"));
        let tcp = |port| PortRule { protocol: Protocol::Tcp, port };
        let halves = [tcp(range(0, 99)), tcp(range(100, 65535))];
        assert!(ports(&[tcp(range(50, 150))], &halves));
        assert!(ports(&[tcp(PortMatch::Any)], &halves));
        assert!(ports(&[tcp(PortMatch::Name("http".into()))], &halves));
        assert!(!ports(&[port(Protocol::Udp, range(50, 51))], &halves));
        assert!(!ports(&[], &halves), "ICMP and the other protocols are in no list of ports");
        assert!(ports(&halves, &[]));
        assert!(!ports(&[tcp(range(80, 81))], &[tcp(range(80, 80))]));
    }
}
