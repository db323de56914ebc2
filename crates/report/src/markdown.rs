//! For a comment on a pull request.

use std::fmt::Write as _;

use palisade_model::finding::Finding;

use crate::{Report, about};

/// GitHub takes comments of 65,536 characters; room is left for the end.
const MOST_BYTES: usize = 60_000;

pub(crate) fn render(report: &Report) -> String {
    let mut text = format!("### `{}`: {}\n", report.command, report.summary());
    for (position, finding) in report.findings.iter().enumerate() {
        let entry = entry(finding);
        if text.len() + entry.len() > MOST_BYTES {
            let _ = writeln!(text, "\n{} more are not shown here.", report.findings.len() - position);
            break;
        }
        text.push_str(&entry);
    }
    text
}

/// An entry of a list, everything of it indented below its mark.
fn entry(finding: &Finding) -> String {
    let mut entry = String::new();
    let place = finding.place.as_ref().map(|place| format!(" {}", code(&place.to_string()))).unwrap_or_default();
    let about = about(finding);
    let about = if about.is_empty() { String::new() } else { format!(" {}:", plain(&about)) };
    let suppressed = if finding.is_open() { "" } else { " (suppressed)" };
    let _ = writeln!(
        entry,
        "\n- **{}**{suppressed}{place}{about} {} ({})",
        finding.severity,
        plain(&finding.message),
        code(&finding.rule)
    );
    if let Some(reason) = &finding.reason {
        let _ = writeln!(entry, "\n  {}", plain(reason));
    }
    if let Some(fix) = &finding.fix {
        let _ = writeln!(entry, "\n  Fix: {}", plain(&fix.text));
        if let Some(yaml) = &fix.yaml {
            let fence = fence(yaml);
            let _ = writeln!(entry, "\n  {fence}yaml");
            for line in yaml.lines() {
                let _ = writeln!(entry, "  {line}");
            }
            let _ = writeln!(entry, "  {fence}");
        }
    }
    for related in &finding.related {
        let _ = writeln!(entry, "\n  See {}: {}", code(&related.place.to_string()), plain(&related.message));
    }
    entry
}

/// One line of Markdown, also of a table, in which no text of the input is HTML, a mention or a mark; the backticks of our
/// own messages stay.
pub fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '<' => out.push_str("&lt;"),
            '&' => out.push_str("&amp;"),
            // Names of people and teams would be told of it.
            '@' => out.push_str("&#64;"),
            '[' | ']' | '*' | '_' | '|' | '~' | '#' | '!' => {
                // In code they stand for themselves, and so would the backslash.
                let is_code = out.matches('`').count() % 2 == 1;
                out.push_str(if is_code { "" } else { "\\" });
                out.push(letter);
            }
            other if other.is_control() => out.push(' '),
            other => out.push(other),
        }
    }
    out
}

fn code(text: &str) -> String {
    let text: String =
        text.chars().map(|letter| if letter == '`' || letter.is_control() { ' ' } else { letter }).collect();
    format!("`{text}`")
}

/// Longer than any run of backticks in `text`.
fn fence(text: &str) -> String {
    let longest = text.split(|letter| letter != '`').map(str::len).max().unwrap_or(0);
    "`".repeat(longest.max(2) + 1)
}
