//! Protocols, port ranges and sets of ports.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The transport protocols that policies name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Protocol {
    /// TCP, the default of every port in Kubernetes.
    #[default]
    Tcp,
    /// UDP.
    Udp,
    /// SCTP.
    Sctp,
}

impl Protocol {
    /// All of them, in order.
    pub const ALL: [Self; 3] = [Self::Tcp, Self::Udp, Self::Sctp];

    /// The IANA protocol number.
    pub fn number(self) -> u8 {
        match self {
            Self::Tcp => 6,
            Self::Udp => 17,
            Self::Sctp => 132,
        }
    }

    /// The protocol of an IANA number, when it is one of ours.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|protocol| protocol.number() == number)
    }

    /// As manifests write it: `TCP`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tcp => "TCP",
            Self::Udp => "UDP",
            Self::Sctp => "SCTP",
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text is no protocol of [`Protocol`].
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("unknown protocol `{0}`, expected TCP, UDP or SCTP")]
pub struct UnknownProtocol(pub String);

impl FromStr for Protocol {
    type Err = UnknownProtocol;

    fn from_str(text: &str) -> Result<Self, UnknownProtocol> {
        Self::ALL
            .into_iter()
            .find(|protocol| protocol.as_str().eq_ignore_ascii_case(text))
            .ok_or_else(|| UnknownProtocol(text.to_owned()))
    }
}

/// An inclusive, never empty range of ports.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
pub struct PortRange {
    first: u16,
    last: u16,
}

/// The last port lies before the first.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("port range {first}-{last} is empty")]
pub struct EmptyRange {
    first: u16,
    last: u16,
}

impl PortRange {
    /// Every port, 0 included.
    pub const ALL: Self = Self { first: 0, last: u16::MAX };

    /// The ports from `first` to `last`, both included.
    ///
    /// # Errors
    /// When `last` lies before `first`.
    pub fn new(first: u16, last: u16) -> Result<Self, EmptyRange> {
        if first <= last { Ok(Self { first, last }) } else { Err(EmptyRange { first, last }) }
    }

    /// One port.
    pub fn single(port: u16) -> Self {
        Self { first: port, last: port }
    }

    /// The first port.
    pub fn first(self) -> u16 {
        self.first
    }

    /// The last port, included.
    pub fn last(self) -> u16 {
        self.last
    }

    /// Whether `port` lies in it.
    pub fn contains(self, port: u16) -> bool {
        (self.first..=self.last).contains(&port)
    }
}

impl fmt::Display for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last { write!(f, "{}", self.first) } else { write!(f, "{}-{}", self.first, self.last) }
    }
}

/// A set of ports as sorted ranges that neither overlap nor touch.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize)]
pub struct PortSet(Vec<PortRange>);

impl PortSet {
    /// The set with no port.
    pub const EMPTY: Self = Self(Vec::new());

    /// The set of every port.
    pub fn all() -> Self {
        Self(vec![PortRange::ALL])
    }

    /// The union of `ranges`.
    pub fn new(ranges: impl IntoIterator<Item = PortRange>) -> Self {
        let mut sorted: Vec<_> = ranges.into_iter().collect();
        sorted.sort_unstable();
        let mut merged: Vec<PortRange> = Vec::with_capacity(sorted.len());
        for range in sorted {
            match merged.last_mut() {
                Some(before) if u32::from(range.first) <= u32::from(before.last) + 1 => {
                    before.last = before.last.max(range.last)
                }
                _ => merged.push(range),
            }
        }
        Self(merged)
    }

    /// Whether no port is in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether `port` is in it.
    pub fn contains(&self, port: u16) -> bool {
        let after = self.0.partition_point(|range| range.first <= port);
        after > 0 && self.0[after - 1].contains(port)
    }

    /// The same set without `port`.
    #[must_use]
    pub fn without(&self, port: u16) -> Self {
        let pieces = self.0.iter().flat_map(|range| {
            let before = port.checked_sub(1).map(|last| (range.first, range.last.min(last)));
            let after = port.checked_add(1).map(|first| (range.first.max(first), range.last));
            let pieces = [before, after].into_iter().flatten();
            pieces.filter_map(|(first, last)| PortRange::new(first, last).ok())
        });
        Self::new(pieces)
    }

    /// Its ranges, in order.
    pub fn ranges(&self) -> &[PortRange] {
        &self.0
    }
}

impl fmt::Display for PortSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_slice() {
            [] => f.write_str("none"),
            [range] if *range == PortRange::ALL => f.write_str("all"),
            ranges => f.write_str(&ranges.iter().map(PortRange::to_string).collect::<Vec<_>>().join(",")),
        }
    }
}

/// A port as a rule names it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
pub enum PortMatch {
    /// Every port of the protocol.
    Any,
    /// Numbers: one port, or `port` to `endPort`.
    Range(PortRange),
    /// A name that each receiving pod resolves for itself.
    Name(String),
}

/// One entry of a rule's `ports`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
pub struct PortRule {
    /// TCP when the manifest is silent.
    pub protocol: Protocol,
    /// Which ports of it.
    pub port: PortMatch,
}

impl fmt::Display for PortRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.port {
            PortMatch::Any => write!(f, "{} any port", self.protocol),
            PortMatch::Range(range) => write!(f, "{} {range}", self.protocol),
            PortMatch::Name(name) => write!(f, "{} `{name}`", self.protocol),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(first: u16, last: u16) -> PortRange {
        PortRange::new(first, last).expect("test ranges are not empty")
    }

    #[test]
    fn ranges_that_touch_become_one() {
        let set = PortSet::new([range(90, 99), range(80, 89), range(443, 443)]);
        assert_eq!(set.to_string(), "80-99,443");
        assert!(set.contains(80) && set.contains(99) && !set.contains(100) && !set.contains(79));
    }

    #[test]
    fn the_last_port_does_not_overflow() {
        let set = PortSet::new([range(65535, 65535), range(0, 65535)]);
        assert_eq!(set, PortSet::all());
    }

    #[test]
    fn a_port_is_taken_out_of_a_set() {
        let set = PortSet::new([range(80, 82), range(443, 443)]);
        assert_eq!(set.without(81).to_string(), "80,82,443");
        assert_eq!(set.without(443).to_string(), "80-82");
        assert_eq!(PortSet::all().without(0).to_string(), "1-65535");
        assert_eq!(PortSet::all().without(65535).to_string(), "0-65534");
    }

    #[test]
    fn an_empty_range_cannot_be_made() {
        assert!(PortRange::new(2, 1).is_err());
    }
}
