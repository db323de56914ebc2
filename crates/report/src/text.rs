//! For people.

use std::fmt::Write as _;

use palisade_model::finding::Finding;

use crate::wrap::wrap;
use crate::{Report, about};

pub(crate) fn render(report: &Report) -> String {
    let mut text = String::new();
    for finding in &report.findings {
        render_finding(finding, &mut text);
    }
    let _ = writeln!(text, "{}", report.summary());
    text
}

/// The first line is `file:line: severity: message [rule]`, which editors and `grep` understand.
fn render_finding(finding: &Finding, text: &mut String) {
    let place = finding.place.as_ref().map(|place| format!("{}: ", printable(&place.to_string()))).unwrap_or_default();
    let suppressed = if finding.is_open() { "" } else { " (suppressed)" };
    let message = printable(&finding.message);
    let _ = writeln!(text, "{place}{}{suppressed}: {message} [{}]", finding.severity, printable(&finding.rule));
    let about = about(finding);
    if !about.is_empty() {
        let _ = writeln!(text, "  {}", printable(&about));
    }
    if let Some(reason) = &finding.reason {
        text.push_str(&wrap("  why: ", &printable(reason)));
    }
    if let Some(fix) = &finding.fix {
        text.push_str(&wrap("  fix: ", &printable(&fix.text)));
        for line in fix.yaml.iter().flat_map(|yaml| yaml.lines()) {
            let _ = writeln!(text, "    | {}", printable(line));
        }
    }
    for related in &finding.related {
        text.push_str(&wrap("  see: ", &printable(&format!("{}: {}", related.place, related.message))));
    }
    if let Some(suppression) = &finding.suppression {
        let reason = suppression.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
        text.push_str(&wrap("  suppressed by ", &printable(&format!("{}{reason}", suppression.by))));
    }
    text.push('\n');
}

/// Without what would move a terminal's cursor or change its colours: names of files in an image can hold it.
fn printable(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { '\u{fffd}' } else { letter }).collect()
}
