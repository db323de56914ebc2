//! For programs.

use std::io::{self, Write};

use palisade_model::finding::{Finding, Rule};
use serde::Serialize;

use crate::{Report, fingerprint};

/// The version of the JSON form; it rises when a field changes its meaning.
const VERSION: u32 = 1;

#[derive(Serialize)]
struct Body<'r> {
    version: u32,
    command: &'r str,
    program: &'r str,
    findings: Vec<Told<'r>>,
    /// Those that the findings name.
    rules: Vec<&'r Rule>,
}

#[derive(Serialize)]
struct Told<'r> {
    fingerprint: String,
    /// Whether it made the command fail.
    fails: bool,
    #[serde(flatten)]
    finding: &'r Finding,
}

pub(crate) fn write(report: &Report, output: &mut impl Write) -> io::Result<()> {
    let fingerprints = fingerprint::all(&report.findings);
    let findings = report.findings.iter().zip(fingerprints);
    let is_named = |rule: &&Rule| report.findings.iter().any(|finding| finding.rule == rule.id);
    let body = Body {
        version: VERSION,
        command: &report.command,
        program: &report.version,
        findings: findings
            .map(|(finding, fingerprint)| Told { fingerprint, fails: report.is_failure(finding), finding })
            .collect(),
        rules: report.rules.iter().filter(is_named).collect(),
    };
    serde_json::to_writer_pretty(&mut *output, &body).map_err(io::Error::from)?;
    writeln!(output)
}
