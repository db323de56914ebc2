//! SARIF 2.1.0, as code scanning takes it.
//!
//! Source: Static Analysis Results Interchange Format (SARIF) Version 2.1.0, OASIS Standard; "SARIF support for code
//! scanning", GitHub, for what that reads of it: rules with help, `security-severity`, partial fingerprints, and a
//! physical location with a line for each result.

use std::collections::BTreeMap;
use std::io::{self, Write};

use palisade_model::Place;
use palisade_model::finding::{Details, Finding, Rule, Severity, Subject};
use serde::Serialize;

use crate::{Report, about, fingerprint};

const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";

/// The name and version of how the fingerprints are made.
const FINGERPRINT: &str = "palisade/v1";

#[derive(Serialize)]
struct Log<'r> {
    #[serde(rename = "$schema")]
    schema: &'static str,
    version: &'static str,
    runs: [Run<'r>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Run<'r> {
    tool: Tool<'r>,
    automation_details: AutomationDetails,
    invocations: [Invocation; 1],
    column_kind: &'static str,
    results: Vec<SarifResult<'r>>,
}

#[derive(Serialize)]
struct Tool<'r> {
    driver: Driver<'r>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Driver<'r> {
    name: &'static str,
    version: &'r str,
    rules: Vec<Descriptor<'r>>,
}

/// Tells runs of different commands apart, which code scanning keeps side by side.
#[derive(Serialize)]
struct AutomationDetails {
    id: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Invocation {
    execution_successful: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor<'r> {
    id: &'r str,
    short_description: Text<'r>,
    #[serde(skip_serializing_if = "Option::is_none")]
    help: Option<Help<'r>>,
    default_configuration: Configuration,
    properties: RuleProperties,
}

#[derive(Serialize)]
struct Text<'r> {
    text: &'r str,
}

#[derive(Serialize)]
struct Help<'r> {
    text: &'r str,
    markdown: &'r str,
}

#[derive(Serialize)]
struct Configuration {
    level: &'static str,
}

#[derive(Serialize)]
struct RuleProperties {
    tags: [&'static str; 1],
    #[serde(rename = "security-severity", skip_serializing_if = "Option::is_none")]
    security_severity: Option<&'static str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SarifResult<'r> {
    rule_id: &'r str,
    rule_index: usize,
    level: &'static str,
    message: OwnedText,
    locations: Vec<Location>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    related_locations: Vec<Location>,
    partial_fingerprints: BTreeMap<&'static str, String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    suppressions: Vec<SarifSuppression>,
    properties: ResultProperties<'r>,
}

#[derive(Serialize)]
struct OwnedText {
    text: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Location {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    physical_location: Option<PhysicalLocation>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    logical_locations: Vec<LogicalLocation>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<OwnedText>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PhysicalLocation {
    artifact_location: ArtifactLocation,
    region: Region,
}

#[derive(Serialize)]
struct ArtifactLocation {
    uri: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Region {
    start_line: u32,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LogicalLocation {
    fully_qualified_name: String,
    kind: &'static str,
}

#[derive(Serialize)]
struct SarifSuppression {
    kind: &'static str,
    justification: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ResultProperties<'r> {
    severity: Severity,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'r str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fix: Option<&'r palisade_model::finding::Fix>,
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<&'r Details>,
}

pub(crate) fn write(report: &Report, output: &mut impl Write) -> io::Result<()> {
    let fingerprints = fingerprint::all(&report.findings);
    let results = report.findings.iter().zip(fingerprints);
    let log = Log {
        schema: SCHEMA,
        version: "2.1.0",
        runs: [Run {
            tool: Tool {
                driver: Driver {
                    name: "palisade",
                    version: &report.version,
                    rules: report.rules.iter().map(descriptor).collect(),
                },
            },
            // A category ends with a slash: what follows would tell runs of one category apart.
            automation_details: AutomationDetails { id: format!("{}/", report.command.replace(' ', "-")) },
            invocations: [Invocation { execution_successful: true }],
            column_kind: "unicodeCodePoints",
            results: results.map(|(finding, fingerprint)| result(report, finding, fingerprint)).collect(),
        }],
    };
    serde_json::to_writer_pretty(&mut *output, &log).map_err(io::Error::from)?;
    writeln!(output)
}

fn descriptor(rule: &Rule) -> Descriptor<'_> {
    Descriptor {
        id: &rule.id,
        short_description: Text { text: &rule.title },
        help: (!rule.help.is_empty()).then_some(Help { text: &rule.help, markdown: &rule.help }),
        default_configuration: Configuration { level: level(rule.severity) },
        properties: RuleProperties { tags: ["security"], security_severity: security_severity(rule.severity) },
    }
}

fn result<'r>(report: &'r Report, finding: &'r Finding, fingerprint: String) -> SarifResult<'r> {
    let rule_index = report.rules.binary_search_by(|rule| rule.id.cmp(&finding.rule));
    SarifResult {
        rule_id: &finding.rule,
        rule_index: rule_index.expect("Report::complete has a rule for each finding"),
        level: level(finding.severity),
        message: OwnedText { text: message(finding) },
        locations: vec![location(finding)],
        related_locations: finding
            .related
            .iter()
            .enumerate()
            .map(|(position, related)| Location {
                id: Some(position + 1),
                physical_location: Some(physical(&related.place)),
                logical_locations: Vec::new(),
                message: Some(OwnedText { text: related.message.clone() }),
            })
            .collect(),
        partial_fingerprints: [(FINGERPRINT, fingerprint)].into(),
        suppressions: finding
            .suppression
            .iter()
            .map(|suppression| SarifSuppression {
                kind: "external",
                justification: suppression.reason.clone().unwrap_or_else(|| suppression.by.clone()),
            })
            .collect(),
        properties: ResultProperties {
            severity: finding.severity,
            reason: finding.reason.as_deref(),
            fix: finding.fix.as_ref(),
            details: finding.details.as_ref(),
        },
    }
}

/// Viewers show little but the message: all that a person needs stands in it.
fn message(finding: &Finding) -> String {
    let about = about(finding);
    let mut text = if about.is_empty() { String::new() } else { format!("{about}: ") };
    text.push_str(&finding.message);
    if let Some(reason) = &finding.reason {
        text.push_str(&format!("\nWhy: {reason}"));
    }
    if let Some(fix) = &finding.fix {
        text.push_str(&format!("\nFix: {}", fix.text));
    }
    text
}

fn location(finding: &Finding) -> Location {
    let physical_location = match (&finding.place, &finding.subject) {
        (Some(place), _) => Some(physical(place)),
        // An image is no file of the repository, but a result without a file is not shown at all.
        (None, Some(Subject::Image(image))) => Some(physical(&Place::new(in_image(finding).unwrap_or(image), 1))),
        (None, Some(Subject::Object(_)) | None) => None,
    };
    let about = about(finding);
    let logical = LogicalLocation { fully_qualified_name: about, kind: "resource" };
    Location {
        id: None,
        physical_location,
        logical_locations: if logical.fully_qualified_name.is_empty() { Vec::new() } else { vec![logical] },
        message: None,
    }
}

fn in_image(finding: &Finding) -> Option<&str> {
    match &finding.details {
        Some(Details::Package(package)) => package.path.as_deref().map(|path| path.trim_start_matches('/')),
        Some(Details::File(file)) => Some(file.path.trim_start_matches('/')),
        Some(Details::Problem(_) | Details::Score(_)) | None => None,
    }
}

fn physical(place: &Place) -> PhysicalLocation {
    PhysicalLocation {
        artifact_location: ArtifactLocation { uri: uri(&place.file) },
        // Line 0 is "the whole file"; a region begins at 1.
        region: Region { start_line: place.line.max(1) },
    }
}

/// A path as a relative reference, or an absolute one as it is.
///
/// Source: RFC 3986, 3.3 Path: a colon in the first segment would make a scheme of it.
fn uri(file: &str) -> String {
    let path = file.strip_prefix("./").unwrap_or(file);
    let mut uri = String::with_capacity(path.len());
    for byte in path.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => uri.push(char::from(byte)),
            other => uri.push_str(&format!("%{other:02X}")),
        }
    }
    if path.starts_with('/') { format!("file://{uri}") } else { uri }
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical | Severity::High => "error",
        Severity::Medium | Severity::Unknown => "warning",
        Severity::Low | Severity::Info => "note",
    }
}

/// A number in the range that code scanning shows as the severity's word.
fn security_severity(severity: Severity) -> Option<&'static str> {
    match severity {
        Severity::Critical => Some("9.5"),
        Severity::High => Some("8.0"),
        Severity::Medium => Some("5.5"),
        Severity::Low => Some("2.0"),
        Severity::Info | Severity::Unknown => None,
    }
}
