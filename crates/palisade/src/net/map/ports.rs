//! Ports as people and programs read them.

use palisade_model::verdict::Word;
use palisade_policy::compile::Carrier;
use palisade_policy::reach::{AnswerSpan, PairAnswer, PortAnswers, Reach};
use serde::Serialize;

/// Which word of an answer, and of which objects.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Which {
    /// Let through.
    Allowed,
    /// A fact is missing.
    Undecided,
    /// Let through, and refused with the objects in Audit enforced.
    AllowedUnlessAudited,
    /// Refused, and let through with the objects in Audit enforced.
    AllowedIfAudited,
}

impl Which {
    pub(super) const ALL: [Self; 4] =
        [Self::Allowed, Self::Undecided, Self::AllowedUnlessAudited, Self::AllowedIfAudited];

    fn is(self, span: &AnswerSpan) -> bool {
        let would_be = span.would_be;
        match (self, span.enforced) {
            (Self::Allowed, Word::Allowed) | (Self::Undecided, Word::Undecided) => true,
            (Self::AllowedUnlessAudited, Word::Allowed) => would_be != Word::Allowed,
            (Self::AllowedIfAudited, Word::Denied | Word::Undecided) => would_be == Word::Allowed,
            (Self::Allowed | Self::AllowedUnlessAudited, Word::Denied | Word::Undecided)
            | (Self::Undecided, Word::Allowed | Word::Denied)
            | (Self::AllowedIfAudited, Word::Allowed) => false,
        }
    }
}

/// The spans of ports of which the answer is `which`, first and last, neighbours as one.
pub(super) fn spans(answer: &PortAnswers, carrier: Carrier, which: Which) -> Spans {
    let mut spans = Spans::new();
    for span in answer.of(carrier).iter().filter(|span| which.is(span)) {
        match spans.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(span.first) => *last = span.last,
            Some(_) | None => spans.push((span.first, span.last)),
        }
    }
    spans
}

/// `every port`, `80, 8000-8010, 53/UDP`, `TCP, ICMP`; empty when none is `which`.
pub(super) fn shown(answer: &PortAnswers, which: Which) -> String {
    shown_spans(&Carrier::ALL.map(|carrier| (carrier, spans(answer, carrier, which))))
}

/// The same of spans by protocol.
pub(in crate::net) fn shown_spans(by_carrier: &[(Carrier, Spans)]) -> String {
    let mut parts = Vec::new();
    let mut whole = 0;
    for (carrier, spans) in by_carrier {
        let name = name(*carrier);
        if *spans == [(0, u16::MAX)] {
            whole += 1;
            parts.push(name.to_owned());
            continue;
        }
        let suffix = if *carrier == Carrier::Tcp { String::new() } else { format!("/{name}") };
        parts.extend(spans.iter().map(|(first, last)| match first == last {
            true => format!("{first}{suffix}"),
            false => format!("{first}-{last}{suffix}"),
        }));
    }
    if whole == Carrier::ALL.len() { "every port".to_owned() } else { parts.join(", ") }
}

/// The protocol, for people.
pub(super) fn name(carrier: Carrier) -> &'static str {
    match carrier {
        Carrier::Tcp => "TCP",
        Carrier::Udp => "UDP",
        Carrier::Sctp => "SCTP",
        Carrier::Portless => "ICMP",
    }
}

/// The answers of a pair for people, with the family when IPv4 and IPv6 differ.
pub(super) fn shown_pair(reach: &Reach<'_>, pair: PairAnswer, which: Which) -> String {
    let of = |id| shown(reach.answer(id), which);
    match (pair.four, pair.six) {
        (Some(four), Some(six)) if four != six => {
            let parts = [(of(four), "IPv4"), (of(six), "IPv6")].into_iter().filter(|(ports, _)| !ports.is_empty());
            parts.map(|(ports, family)| format!("{ports} over {family}")).collect::<Vec<_>>().join("; ")
        }
        (Some(id), _) | (None, Some(id)) => of(id),
        (None, None) => String::new(),
    }
}

/// The ports of one protocol, `[first, last]` each.
pub(in crate::net) type Spans = Vec<(u16, u16)>;

/// Ports by protocol; ICMP has none, and is either there or not.
#[derive(Serialize, PartialEq, Eq, Default)]
pub(in crate::net) struct JsonPorts {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tcp: Spans,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    udp: Spans,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    sctp: Spans,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    icmp: bool,
}

impl JsonPorts {
    pub(super) fn new(answer: &PortAnswers, which: Which) -> Self {
        Self::of_spans(&Carrier::ALL.map(|carrier| (carrier, spans(answer, carrier, which))))
    }

    pub(in crate::net) fn of_spans(by_carrier: &[(Carrier, Spans)]) -> Self {
        let of = |wanted: Carrier| {
            let found = by_carrier.iter().filter(|(carrier, _)| *carrier == wanted);
            found.flat_map(|(_, spans)| spans.iter().copied()).collect::<Spans>()
        };
        let icmp = !of(Carrier::Portless).is_empty();
        Self { tcp: of(Carrier::Tcp), udp: of(Carrier::Udp), sctp: of(Carrier::Sctp), icmp }
    }

    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
