//! A rule's ports against the port that is reached.

use palisade_model::port::{PortMatch, PortRule};

use crate::decide::Situation;
use crate::party::Party;

/// Whether a rule's `ports` cover the receiver's port; an empty list covers all of every protocol.
pub fn cover(rules: &[PortRule], situation: &Situation<'_>) -> bool {
    rules.is_empty() || rules.iter().any(|rule| covers(rule, situation))
}

fn covers(rule: &PortRule, situation: &Situation<'_>) -> bool {
    if rule.protocol != situation.protocol {
        return false;
    }
    match &rule.port {
        PortMatch::Any => true,
        PortMatch::Range(range) => range.contains(situation.port),
        PortMatch::Name(name) => match situation.receiver {
            Party::Pod { pod, .. } => pod.spec.named_port(name, rule.protocol).any(|number| number == situation.port),
            // A name is the receiving pod's; on an address it matches nothing.
            Party::Node { .. }
            | Party::Service(_)
            | Party::Metadata(_)
            | Party::LinkLocal(_)
            | Party::Loopback(_)
            | Party::World(_) => false,
        },
    }
}
