//! The answer: a verdict always carries its reason.

use std::fmt;

use serde::Serialize;

use crate::access_policy::{Entity, Mode};
use crate::object::{Name, ObjectRef};
use crate::place::Place;

/// Which end of the link decides.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// At the receiver.
    Ingress,
    /// At the sender.
    Egress,
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ingress => "ingress",
            Self::Egress => "egress",
        })
    }
}

/// A rule of a policy, or the policy as a whole when `rule` is `None`.
///
/// The order of the fields is the order in which the first deciding rule is taken: kind,
/// namespace, name, rule index, peer indices.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RuleRef {
    /// The policy.
    pub object: ObjectRef,
    /// The rule's index in its list.
    pub rule: Option<u32>,
    /// The sender's peer in the rule, when the rule has such a list.
    pub from_peer: Option<u32>,
    /// The receiver's peer in the rule.
    pub to_peer: Option<u32>,
    /// The list that the rule stands in, of policies with one per direction.
    pub list: RuleList,
    /// The rule's name, if it has one.
    pub name: Option<Name>,
    /// The object's mode.
    pub mode: Mode,
    /// Where the rule (or the object) stands.
    pub place: Place,
}

/// The list in which a rule stands.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RuleList {
    /// `spec.rules` of Palisade's own policies.
    Rules,
    /// `spec.ingress`.
    Ingress,
    /// `spec.egress`.
    Egress,
}

impl fmt::Display for RuleRef {
    /// `AccessPolicy shop/orders rules[0] "web-reads-orders"` or `NetworkPolicy shop/db ingress[0].from[1]`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.object)?;
        let Some(rule) = self.rule else { return Ok(()) };
        match self.list {
            RuleList::Rules => write!(f, " rules[{rule}]")?,
            RuleList::Ingress => {
                write!(f, " ingress[{rule}]")?;
                if let Some(peer) = self.from_peer {
                    write!(f, ".from[{peer}]")?;
                }
            }
            RuleList::Egress => {
                write!(f, " egress[{rule}]")?;
                if let Some(peer) = self.to_peer {
                    write!(f, ".to[{peer}]")?;
                }
            }
        }
        match &self.name {
            Some(name) => write!(f, " \"{name}\""),
            None => Ok(()),
        }
    }
}

/// Why an end, or a link, is allowed or denied.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Because {
    /// A rule covers the link: an Allow, a Deny, or a NetworkPolicy's.
    Rule {
        /// The first of them.
        rule: RuleRef,
    },
    /// A Perimeter that closes the end lets this party through.
    Exception {
        /// The Perimeter.
        perimeter: RuleRef,
        /// The party.
        entity: Entity,
    },
    /// Closed by NetworkPolicies alone, and the other end is the pod's own node.
    OwnNode {
        /// The first policy that closes it.
        closed_by: RuleRef,
    },
    /// The end is closed and nothing opens it.
    Closed {
        /// The first policy that closes it.
        closed_by: RuleRef,
    },
    /// A NetworkPolicy closes the end, and the network plugin enforces that whatever else opens it.
    Native {
        /// The first NetworkPolicy that closes it.
        closed_by: RuleRef,
        /// What opens it for Palisade, and not for the plugin.
        opened_by: RuleRef,
    },
    /// Nothing closes the end.
    Open,
    /// The pod's own address, and no rule judges inside the pod.
    OwnAddress,
    /// The end is no pod with an address of its own: it does not decide.
    NotGuarded,
}

impl Because {
    /// The rule or policy that gave it, if one did.
    pub fn rule(&self) -> Option<&RuleRef> {
        match self {
            Self::Rule { rule } => Some(rule),
            Self::Exception { perimeter, .. } => Some(perimeter),
            Self::OwnNode { closed_by } | Self::Closed { closed_by } | Self::Native { closed_by, .. } => {
                Some(closed_by)
            }
            Self::Open | Self::OwnAddress | Self::NotGuarded => None,
        }
    }
}

impl fmt::Display for Because {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rule { rule } => write!(f, "{rule}"),
            Self::Exception { perimeter, entity } => write!(f, "{perimeter} except {entity}"),
            Self::OwnNode { closed_by } => write!(f, "own node (closed by {closed_by})"),
            Self::Closed { closed_by } => write!(f, "closed by {closed_by}, and nothing opens it"),
            Self::Native { closed_by, opened_by } => {
                write!(f, "closed by {closed_by}, which the network plugin enforces itself: {opened_by} cannot open it")
            }
            Self::Open => f.write_str("nothing closes it"),
            Self::OwnAddress => f.write_str("the pod's own address"),
            Self::NotGuarded => f.write_str("not a pod with an address of its own"),
        }
    }
}

/// A fact that is not in the input and on which the answer depends.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Missing {
    /// The labels of a namespace that has no object.
    NamespaceLabels {
        /// The namespace.
        namespace: Name,
    },
    /// The address of a pod that is not running yet, or of a template's pod.
    PodAddress {
        /// `namespace/name`.
        pod: String,
    },
    /// Which container of the pod.
    Container {
        /// `namespace/name`.
        pod: String,
    },
    /// Which program of the container.
    Program {
        /// `namespace/name`.
        pod: String,
    },
    /// A document that may be a policy could not be read.
    Unreadable {
        /// Where it starts.
        place: Place,
    },
    /// The node that the pod runs on.
    NodeOf {
        /// `namespace/name`.
        pod: String,
    },
    /// Which address the pod sees: a node may put its own in the place of the sender's.
    SourceTranslation {
        /// `namespace/name` of the Service.
        service: String,
    },
    /// The labels of a node that has no object.
    NodeLabels {
        /// The node.
        node: Name,
    },
    /// The endpoints of a Service whose pods are not in the input.
    Endpoints {
        /// `namespace/name`.
        service: String,
    },
    /// The pods that serve an Ingress or a Gateway.
    Controller {
        /// The Ingress or route.
        door: String,
    },
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NamespaceLabels { namespace } => write!(f, "the labels of namespace `{namespace}` are not known"),
            Self::PodAddress { pod } => write!(f, "the address of pod `{pod}` is not known"),
            Self::Container { pod } => write!(f, "which container of `{pod}` is not known"),
            Self::Program { pod } => write!(f, "which program of `{pod}` is not known"),
            Self::Unreadable { place } => write!(f, "a document that may be a policy cannot be read ({place})"),
            Self::NodeOf { pod } => write!(f, "the node of pod `{pod}` is not known"),
            Self::SourceTranslation { service } => write!(
                f,
                "whether a node translates the source on the way to Service `{service}` (externalTrafficPolicy) is not known"
            ),
            Self::NodeLabels { node } => write!(f, "the labels of node `{node}` are not known"),
            Self::Endpoints { service } => write!(f, "the endpoints of Service `{service}` are not known"),
            Self::Controller { door } => write!(f, "which pods serve {door} is not known"),
        }
    }
}

/// What policy says of one end, or of a link.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum Verdict {
    Allow(Because),
    Deny(Because),
    /// Neither: this fact is missing. The kernel refuses it and says so.
    Undecided(Missing),
}

/// A verdict without its reason.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum Word {
    Denied,
    Undecided,
    Allowed,
}

impl Word {
    /// `allowed`, `denied` or `undecided`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Denied => "denied",
            Self::Undecided => "undecided",
        }
    }

    /// What a link comes to when its ends say these: one that denies is enough, and one that is undecided leaves it open.
    pub fn of_link(self, other: Self) -> Self {
        self.min(other)
    }
}

impl From<&Verdict> for Word {
    fn from(verdict: &Verdict) -> Self {
        match verdict {
            Verdict::Allow(_) => Self::Allowed,
            Verdict::Deny(_) => Self::Denied,
            Verdict::Undecided(_) => Self::Undecided,
        }
    }
}

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Verdict {
    /// The bare word: `allowed`, `denied` or `undecided`.
    pub fn word(&self) -> &'static str {
        Word::from(self).as_str()
    }

    /// Whether it is an Allow.
    pub fn is_allow(&self) -> bool {
        matches!(self, Self::Allow(_))
    }

    /// The rule or policy that gave it, if one did.
    pub fn rule(&self) -> Option<&RuleRef> {
        match self {
            Self::Allow(because) | Self::Deny(because) => because.rule(),
            Self::Undecided(_) => None,
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Allow(because) | Self::Deny(because) => write!(f, "{}: {because}", self.word()),
            Self::Undecided(missing) => write!(f, "undecided: {missing}"),
        }
    }
}

/// What both ends of a link say, each for itself.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
pub struct Decision {
    /// The sender's end.
    pub egress: Verdict,
    /// The receiver's end.
    pub ingress: Verdict,
}

impl Decision {
    /// The link's verdict and the end that gave it: a Deny of either end (the sender's first), else
    /// what is undecided, else an Allow, of the sender's end when a policy gave it there, or else the
    /// receiver's.
    pub fn link(&self) -> (Direction, &Verdict) {
        let (egress, ingress) = (&self.egress, &self.ingress);
        match (egress, ingress) {
            (Verdict::Deny(_), _) => (Direction::Egress, egress),
            (_, Verdict::Deny(_)) => (Direction::Ingress, ingress),
            (Verdict::Undecided(_), _) => (Direction::Egress, egress),
            (_, Verdict::Undecided(_)) => (Direction::Ingress, ingress),
            (Verdict::Allow(because), Verdict::Allow(_)) => match because.rule() {
                Some(_) => (Direction::Egress, egress),
                None if ingress.rule().is_some() => (Direction::Ingress, ingress),
                None => (Direction::Egress, egress),
            },
        }
    }

    /// Whether both ends allow it.
    pub fn is_allowed(&self) -> bool {
        self.egress.is_allow() && self.ingress.is_allow()
    }
}

/// The answer to one link.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Judgement {
    /// Over the objects in Enforce, as if those in Audit were absent.
    pub enforced: Decision,
    /// Over all objects, those in Audit as if enforced.
    pub would_be: Decision,
}
