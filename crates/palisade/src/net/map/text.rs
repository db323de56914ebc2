//! The map for people: a paragraph for each receiver, with who reaches it on which ports.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use palisade_policy::map::Subject;
use palisade_policy::reach::{PairAnswer, Reach};

use super::ports::{Which, shown_pair};
use super::rows::is_itself;
use super::{Ends, Scope};
use crate::net::names::{collapsed, wrapped};
use crate::terminal::{Colour, Tone};

/// The widest column of ports; what is longer has a line of its own.
const PORTS: usize = 24;

/// Who reaches a receiver, by which ports are open: names for people.
type Reachers = BTreeMap<(Which, String), Vec<String>>;

pub(super) fn write(output: &mut impl Write, reach: &mut Reach<'_>, scope: &Scope, colour: Colour) -> io::Result<()> {
    let ends = Ends::of(reach);
    let mut by_receiver: BTreeMap<usize, Vec<(usize, PairAnswer)>> = BTreeMap::new();
    reach.for_each(|_, from, to, pair| by_receiver.entry(to).or_default().push((from, pair)));
    // Receivers of whom the same is said have one paragraph.
    let mut paragraphs: Vec<(Vec<usize>, Reachers)> = Vec::new();
    for (to, (subject, class)) in ends.to.all.iter().enumerate() {
        let pairs = by_receiver.get(class).map(Vec::as_slice).unwrap_or_default();
        let reachers = reachers(reach, &ends, scope, subject, pairs);
        if reachers.is_empty() && !scope.has(None, subject.namespace().map(|name| &**name)) {
            continue;
        }
        match paragraphs.iter_mut().find(|(_, of_paragraph)| *of_paragraph == reachers) {
            Some((receivers, _)) => receivers.push(to),
            None => paragraphs.push((vec![to], reachers)),
        }
    }
    for (position, (receivers, reachers)) in paragraphs.iter().enumerate() {
        if position > 0 {
            writeln!(output)?;
        }
        let names: Vec<String> = receivers.iter().map(|to| ends.to.subject(*to).to_string()).collect();
        for line in wrapped(&names, 0) {
            writeln!(output, "{}", colour.paint(Tone::Strong, &line))?;
        }
        if reachers.is_empty() {
            writeln!(output, "  nobody")?;
        }
        write_reachers(output, reachers)?;
    }
    if paragraphs.is_empty() {
        writeln!(output, "nobody who could reach anybody")?;
    }
    Ok(())
}

/// Who reaches `receiver`.
fn reachers(
    reach: &Reach<'_>,
    ends: &Ends,
    scope: &Scope,
    receiver: &Subject,
    pairs: &[(usize, PairAnswer)],
) -> Reachers {
    let mut by_ports: BTreeMap<(Which, String), BTreeSet<&Subject>> = BTreeMap::new();
    for (from, pair) in pairs {
        let senders = ends.from.of_class[*from].iter().map(|from| ends.from.subject(*from));
        let senders: Vec<&Subject> = senders
            .filter(|sender| scope.has_subjects(sender, receiver) && !is_itself(sender, receiver, reach))
            .collect();
        for which in Which::ALL {
            let ports = shown_pair(reach, *pair, which);
            if !ports.is_empty() && !senders.is_empty() {
                by_ports.entry((which, ports)).or_default().extend(&senders);
            }
        }
    }
    let all: Vec<&Subject> = ends.from.all.iter().map(|(subject, _)| subject).collect();
    by_ports
        .into_iter()
        .map(|(ports, senders)| (ports, collapsed(&all, &senders, |subject| is_itself(subject, receiver, reach))))
        .collect()
}

fn write_reachers(output: &mut impl Write, reachers: &Reachers) -> io::Result<()> {
    let wide = reachers.keys().map(|(_, ports)| ports.len()).filter(|length| *length <= PORTS).max().unwrap_or(0);
    for ((which, ports), names) in reachers {
        let mut names = names.clone();
        if let (Some(remark), Some(last)) = (remark(*which), names.last_mut()) {
            last.push(' ');
            last.push_str(remark);
        }
        let indent = 2 + wide + 2;
        for (position, line) in wrapped(&names, indent).iter().enumerate() {
            match position {
                0 if ports.len() > wide => writeln!(output, "  {ports}\n{}{line}", " ".repeat(indent))?,
                0 => writeln!(output, "  {ports:<wide$}  {line}")?,
                _ => writeln!(output, "{}{line}", " ".repeat(indent))?,
            }
        }
    }
    Ok(())
}

fn remark(which: Which) -> Option<&'static str> {
    match which {
        Which::Allowed => None,
        Which::Undecided => Some("(undecided)"),
        Which::AllowedUnlessAudited => Some("(refused once what is in Audit is enforced)"),
        Which::AllowedIfAudited => Some("(open once what is in Audit is enforced)"),
    }
}
