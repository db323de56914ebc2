//! The question: may this end talk to that end?

use std::fmt;
use std::net::IpAddr;

use serde::Serialize;

use crate::object::Name;
use crate::port::Protocol;

/// The name that [`End::Node`] gives the other end's own node, whichever that is.
pub const OWN_NODE: &str = "(own node)";

/// One link: a sender, a receiver, and the port that is reached (after Service translation).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
pub struct Link {
    /// Who connects.
    pub from: End,
    /// Who listens.
    pub to: End,
    /// The protocol.
    pub protocol: Protocol,
    /// The receiver's port.
    pub port: u16,
}

/// One end of a link.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum End {
    /// A pod, known by name, down to container and program.
    Pod(PodEnd),
    /// A process in the node's own network namespace (kubelet, host-network pods, SSH).
    Node {
        /// The node's name, or [`OWN_NODE`].
        name: Name,
        /// Which of its addresses; `None`: any.
        address: Option<IpAddr>,
    },
    /// An address; the engine finds out whose it is.
    Address(IpAddr),
}

/// A pod's end of a link.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
pub struct PodEnd {
    /// The pod's namespace.
    pub namespace: Name,
    /// The pod's name.
    pub name: Name,
    /// The container that sends, or that owns the listening port.
    pub container: Which,
    /// The program that sends, or that listens.
    pub program: Which,
    /// Which of the pod's addresses; `None`: the first of the family that both ends have.
    pub address: Option<IpAddr>,
}

/// What is known of a container or program.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Which {
    /// This one.
    Named(Name),
    /// One that no policy can name: a container that the node does not know, a dropped binary.
    Other,
    /// Not said. At the sender a rule that tells them apart is undecided; at the receiver the
    /// container follows from the port's owner.
    Unsaid,
}

impl Which {
    /// The name, when there is one.
    pub fn name(&self) -> Option<&Name> {
        match self {
            Self::Named(name) => Some(name),
            Self::Other | Self::Unsaid => None,
        }
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pod(pod) => {
                write!(f, "{}/{}", pod.namespace, pod.name)?;
                match &pod.container {
                    Which::Named(name) => write!(f, ":{name}")?,
                    Which::Other => f.write_str(":(other container)")?,
                    Which::Unsaid => {}
                }
                match &pod.program {
                    Which::Named(path) => write!(f, ":{path}"),
                    Which::Other => f.write_str(":(other program)"),
                    Which::Unsaid => Ok(()),
                }
            }
            Self::Node { name, address: Some(address) } => write!(f, "node {name} ({address})"),
            Self::Node { name, address: None } => write!(f, "node {name}"),
            Self::Address(address) => write!(f, "{address}"),
        }
    }
}
