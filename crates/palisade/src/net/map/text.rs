//! The map for people: a paragraph for each receiver, with who reaches it on which ports.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use palisade_model::link::Which as Asked;
use palisade_policy::map::{ProcessName, Subject, WorkloadPart};
use palisade_policy::reach::{PairAnswer, Reach};

use super::ports::{Which, shown_pair};
use super::rows::is_itself;
use super::{Ends, Scope};
use crate::terminal::{Colour, Tone};

/// A terminal's usual width.
const WIDTH: usize = 80;

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
    let mut by_ports: BTreeMap<(Which, String), BTreeSet<usize>> = BTreeMap::new();
    for (from, pair) in pairs {
        let senders = ends.from.of_class[*from].iter().copied().filter(|from| {
            let sender = ends.from.subject(*from);
            scope.has_subjects(sender, receiver) && !is_itself(sender, receiver, reach)
        });
        let senders: Vec<usize> = senders.collect();
        for which in Which::ALL {
            let ports = shown_pair(reach, *pair, which);
            if !ports.is_empty() && !senders.is_empty() {
                by_ports.entry((which, ports)).or_default().extend(&senders);
            }
        }
    }
    // A single pod is no sender to itself, and yet everyone else is everyone.
    let itself = (0..ends.from.all.len()).filter(|from| is_itself(ends.from.subject(*from), receiver, reach));
    let itself: BTreeSet<usize> = itself.collect();
    by_ports.into_iter().map(|(ports, senders)| (ports, collapsed(ends, &senders, &itself))).collect()
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

/// The names of `senders`, with `everyone`, `every pod`, `NAMESPACE/*`, a workload or a container for all that these words
/// mean; the receiver `itself` need not be among them.
fn collapsed(ends: &Ends, senders: &BTreeSet<usize>, itself: &BTreeSet<usize>) -> Vec<String> {
    let all = &ends.from.all;
    let has_all = |wanted: &dyn Fn(&Subject) -> bool| {
        let mut meant = (0..all.len()).filter(|at| wanted(&all[*at].0)).peekable();
        meant.peek().is_some() && meant.all(|at| senders.contains(&at) || itself.contains(&at))
    };
    if has_all(&|_| true) {
        return vec!["everyone".to_owned()];
    }
    let every_pod = has_all(&|subject| subject.part().is_some());
    let mut names = Vec::new();
    if every_pod {
        names.push("every pod".to_owned());
    }
    for subject in senders.iter().map(|at| &all[*at].0) {
        let Some(part) = subject.part() else {
            names.push(subject.to_string());
            continue;
        };
        if every_pod {
            continue;
        }
        let same_pods = |other: &WorkloadPart| {
            (&other.namespace, &other.workload, &other.pods) == (&part.namespace, &part.workload, &part.pods)
        };
        let same_container = |other: &WorkloadPart| {
            let container = |part: &WorkloadPart| part.process.as_ref().map(|process| process.container.clone());
            same_pods(other) && container(other) == container(part)
        };
        let is = |wanted: &dyn Fn(&WorkloadPart) -> bool| has_all(&|other| other.part().is_some_and(wanted));
        let several = |namespace: &str| {
            let mut workloads: Vec<_> =
                all.iter().filter_map(|(other, _)| other.part()).filter(|part| *part.namespace == *namespace).collect();
            workloads.dedup_by(|a, b| a.workload == b.workload);
            workloads.len() > 1
        };
        let whole = |process| Subject::Workload(WorkloadPart { process, ..part.clone() }).to_string();
        let name = if several(&part.namespace) && is(&|other| other.namespace == part.namespace) {
            format!("{}/*", part.namespace)
        } else if is(&same_pods) {
            whole(None)
        } else if is(&same_container) {
            let container = |process: &ProcessName| ProcessName { program: Asked::Unsaid, ..process.clone() };
            whole(part.process.as_ref().map(container))
        } else {
            subject.to_string()
        };
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// `names` with commas between them, in lines that fit beside `indent`.
fn wrapped(names: &[String], indent: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for (position, name) in names.iter().enumerate() {
        let comma = if position + 1 < names.len() { "," } else { "" };
        let line = lines.last_mut().expect("it begins with one");
        if line.is_empty() {
            line.push_str(name);
        } else if indent + line.len() + 1 + name.len() + comma.len() <= WIDTH {
            line.push(' ');
            line.push_str(name);
        } else {
            lines.push(name.clone());
        }
        lines.last_mut().expect("it begins with one").push_str(comma);
    }
    lines
}
