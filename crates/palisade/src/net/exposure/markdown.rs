//! The ways in as a table, for a pull request.

use std::fmt::Write as _;

use palisade_policy::exposure::{Exposure, Guard, Newcomer, Way};

use palisade_report::markdown::plain;

use super::text::{door, newcomer_lines, said_of_guard, senders_lines, summary, word};
use crate::answer::{render_verdict, shown_port};

pub(super) fn render(exposure: &Exposure, newcomer: Option<&Newcomer>, from: &str) -> String {
    let mut text = format!("### {}\n\n", summary(exposure, from));
    if !exposure.workloads.is_empty() {
        let _ = writeln!(text, "| | workload | port | way in | what guards it |\n| --- | --- | --- | --- | --- |");
    }
    for workload in &exposure.workloads {
        for way in &workload.ways {
            let cells = [
                format!("**{}**", word(way.openness)),
                plain(&format!("{} {}", workload.namespace, workload.workload)),
                shown_port(way.protocol, way.port),
                plain(&door(&way.door)),
                guards(way),
            ];
            let _ = writeln!(text, "| {} |", cells.join(" | "));
        }
    }
    if !exposure.notes.is_empty() {
        let _ = writeln!(text, "\nDoors that lead nowhere, or are not known:\n");
        exposure.notes.iter().for_each(|note| {
            let _ = writeln!(text, "- {}", plain(&note.to_string()));
        });
    }
    if let Some(newcomer) = newcomer {
        let _ = writeln!(text, "\nA newcomer in `{}` could reach:\n", newcomer.namespace);
        newcomer_lines(&newcomer.reaches).iter().for_each(|line| {
            let _ = writeln!(text, "- {}", plain(line));
        });
        let _ = writeln!(text, "\nand could be reached on TCP {} by:\n", newcomer.port);
        senders_lines(&newcomer.reached_by).iter().for_each(|line| {
            let _ = writeln!(text, "- {}", plain(line));
        });
    }
    text
}

fn guards(way: &Way) -> String {
    let policy = |guard: &Guard| match guard {
        Guard::Policy { rule, place } => Some(format!("{rule} ({place})")),
        Guard::SourceRanges { .. } | Guard::InternalLoadBalancer { .. } => said_of_guard(guard),
    };
    let mut said: Vec<String> = way.guards.iter().filter_map(policy).collect();
    if let Some(missing) = &way.missing {
        said.push(missing.to_string());
    }
    said.extend(
        way.steps
            .iter()
            .filter_map(|step| step.would_be.as_ref())
            .map(|would_be| format!("with the policies in Audit enforced: {}", render_verdict(would_be))),
    );
    if said.is_empty() { "**nothing**".to_owned() } else { plain(&said.join("; ")) }
}
