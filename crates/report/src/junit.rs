//! JUnit's XML, as CI servers show tests.
//!
//! A finding is a test case: failed when it makes the command fail, else passed with its text, or skipped when it is
//! suppressed. A rule that found nothing is a case that passed, so that a clean report is no empty one.
//!
//! Source: the schema of the Jenkins xUnit plugin (junit-10.xsd); `file` is what GitLab links.

use std::fmt::Write as _;

use palisade_model::finding::Finding;

use crate::{Report, about};

pub(crate) fn render(report: &Report) -> String {
    let quiet: Vec<_> =
        report.rules.iter().filter(|rule| !report.findings.iter().any(|finding| finding.rule == rule.id)).collect();
    let failures = report.findings.iter().filter(|finding| report.is_failure(finding)).count();
    let skipped = report.findings.iter().filter(|finding| !finding.is_open()).count();
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let counts = format!(
        "tests=\"{}\" failures=\"{failures}\" errors=\"0\" skipped=\"{skipped}\"",
        report.findings.len() + quiet.len()
    );
    let name = escape(&report.command);
    let _ = writeln!(xml, "<testsuites name=\"{name}\" {counts}>\n  <testsuite name=\"{name}\" {counts}>");
    for finding in &report.findings {
        case(report, finding, &mut xml);
    }
    for rule in quiet {
        let _ = writeln!(xml, "    <testcase classname=\"{}\" name=\"{}\"/>", escape(&rule.id), escape(&rule.title));
    }
    xml.push_str("  </testsuite>\n</testsuites>\n");
    xml
}

fn case(report: &Report, finding: &Finding, xml: &mut String) {
    let about = about(finding);
    let name = if about.is_empty() { finding.message.clone() } else { about };
    let file = finding.place.as_ref().map(|place| format!(" file=\"{}\"", escape(&place.file))).unwrap_or_default();
    let _ = writeln!(xml, "    <testcase classname=\"{}\" name=\"{}\"{file}>", escape(&finding.rule), escape(&name));
    let body = escape(&body(finding));
    let message = escape(&finding.message);
    let _ = match &finding.suppression {
        Some(suppression) => {
            let reason = suppression.reason.as_deref().unwrap_or(&suppression.by);
            writeln!(xml, "      <skipped message=\"{}\"/>", escape(reason))
        }
        None if report.is_failure(finding) => {
            writeln!(xml, "      <failure type=\"{}\" message=\"{message}\">{body}</failure>", finding.severity)
        }
        None => writeln!(xml, "      <system-out>{body}</system-out>"),
    };
    xml.push_str("    </testcase>\n");
}

fn body(finding: &Finding) -> String {
    let mut body = String::new();
    if let Some(place) = &finding.place {
        let _ = write!(body, "{place}: ");
    }
    let _ = writeln!(body, "{}: {}", finding.severity, finding.message);
    if let Some(reason) = &finding.reason {
        let _ = writeln!(body, "why: {reason}");
    }
    if let Some(fix) = &finding.fix {
        let _ = writeln!(body, "fix: {}", fix.text);
        if let Some(yaml) = &fix.yaml {
            let _ = writeln!(body, "{}", yaml.trim_end());
        }
    }
    for related in &finding.related {
        let _ = writeln!(body, "see: {}: {}", related.place, related.message);
    }
    body
}

/// For text and for attributes in double quotes. What XML 1.0 cannot hold at all becomes U+FFFD.
///
/// Source: XML 1.0, 2.2 Characters.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\n' => escaped.push_str("&#10;"),
            '\t' => escaped.push('\t'),
            '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            // Those above U+007F it could hold, and would rather not.
            control if control.is_control() => escaped.push('\u{fffd}'),
            other => escaped.push(other),
        }
    }
    escaped
}
