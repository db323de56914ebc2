//! Parties that no rule tells apart, and what an end answers, asked once for all that it cannot tell apart.
//!
//! Invariant: each answer comes from [`Model::judge`](crate::Model::judge)'s steps; nothing here decides.

pub(crate) mod end_decisions;
pub(crate) mod ends;
pub(crate) mod interner;
pub(crate) mod mentions;
pub(crate) mod prefixes;
pub(crate) mod sides;
pub(crate) mod standing;

use palisade_model::port::Protocol;
use serde::Serialize;

/// What carries a link.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum Carrier {
    Tcp,
    Udp,
    Sctp,
    /// ICMP echo, of either family: only rules without ports cover it.
    Portless,
}

impl Carrier {
    /// All of them, in order.
    pub const ALL: [Self; 4] = [Self::Tcp, Self::Udp, Self::Sctp, Self::Portless];

    /// The protocol with ports, if it is one.
    pub fn protocol(self) -> Option<Protocol> {
        match self {
            Self::Tcp => Some(Protocol::Tcp),
            Self::Udp => Some(Protocol::Udp),
            Self::Sctp => Some(Protocol::Sctp),
            Self::Portless => None,
        }
    }

    /// The IANA number in the kernel's keys; 0 when it has no ports.
    pub fn number(self) -> u8 {
        self.protocol().map_or(0, Protocol::number)
    }
}

impl From<Protocol> for Carrier {
    fn from(protocol: Protocol) -> Self {
        match protocol {
            Protocol::Tcp => Self::Tcp,
            Protocol::Udp => Self::Udp,
            Protocol::Sctp => Self::Sctp,
        }
    }
}
