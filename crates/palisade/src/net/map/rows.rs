//! The map as CSV: a row for each pair of workloads, protocol and word.
//!
//! Source of the form: RFC 4180; lines end with a line feed, as the tools of this field read them.

use std::io::{self, Write};

use palisade_policy::compile::Carrier;
use palisade_policy::map::Subject;
use palisade_policy::reach::{PortAnswers, Reach};

use super::json::by_family;
use super::ports::{Which, name, spans};
use super::{Ends, Scope};

pub(super) fn write(output: &mut impl Write, reach: &mut Reach<'_>, scope: &Scope) -> io::Result<()> {
    let ends = Ends::of(reach);
    write_header(output)?;
    let mut result = Ok(());
    reach.for_each(|reach, from, to, pair| {
        for from in ends.from.of_class[from].iter().map(|position| ends.from.subject(*position)) {
            for to in ends.to.of_class[to].iter().map(|position| ends.to.subject(*position)) {
                if result.is_err() || !scope.has_subjects(from, to) || is_itself(from, to, reach) {
                    continue;
                }
                for (answer, family) in by_family(pair) {
                    let row = Row { from: &from.to_string(), to: &to.to_string(), family: family.unwrap_or_default() };
                    result = result.as_ref().map_or(Ok(()), |()| row.write(output, reach.answer(answer)));
                }
            }
        }
    });
    result
}

/// Whether both are the one pod of a workload.
pub(super) fn is_itself(from: &Subject, to: &Subject, reach: &Reach<'_>) -> bool {
    let (Subject::Workload(from), Subject::Workload(to)) = (from, to) else { return false };
    (&from.namespace, &from.workload) == (&to.namespace, &to.workload)
        && reach.model().runs_one_pod(&to.namespace, &to.workload) == Some(true)
}

/// A pair, for people.
pub(super) struct Row<'a> {
    pub(super) from: &'a str,
    pub(super) to: &'a str,
    pub(super) family: &'static str,
}

pub(super) fn write_header(output: &mut impl Write) -> io::Result<()> {
    writeln!(output, "from,to,family,protocol,ports,verdict")
}

impl Row<'_> {
    /// A row for each protocol and word; ICMP has no ports.
    pub(super) fn write(&self, output: &mut impl Write, answer: &PortAnswers) -> io::Result<()> {
        for which in Which::ALL {
            for carrier in Carrier::ALL {
                let spans = spans(answer, carrier, which);
                if spans.is_empty() {
                    continue;
                }
                let ports: Vec<String> = spans
                    .into_iter()
                    .map(|(first, last)| if first == last { first.to_string() } else { format!("{first}-{last}") })
                    .collect();
                let ports = if carrier == Carrier::Portless { String::new() } else { ports.join(" ") };
                let cells =
                    [self.from, self.to, self.family, name(carrier), &ports, verdict(which)].map(quoted).join(",");
                writeln!(output, "{cells}")?;
            }
        }
        Ok(())
    }
}

fn verdict(which: Which) -> &'static str {
    match which {
        Which::Allowed => "allowed",
        Which::Undecided => "undecided",
        Which::AllowedUnlessAudited => "audit-refuses",
        Which::AllowedIfAudited => "audit-opens",
    }
}

/// A cell, in quotes when it has to be.
fn quoted(cell: &str) -> String {
    if cell.contains([',', '"', '\n', '\r']) { format!("\"{}\"", cell.replace('"', "\"\"")) } else { cell.to_owned() }
}
