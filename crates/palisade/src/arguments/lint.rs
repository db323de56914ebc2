//! `palisade net lint`, and how reports are asked for.

use clap::{Args, ValueEnum};
use palisade_model::{Severity, Timestamp};
use palisade_report::Format;

use super::{CniArguments, ManifestArguments};

/// How to print a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ReportFormat {
    /// For people; may change
    Text,
    /// For programs; stable and versioned
    Json,
    /// SARIF 2.1.0, for code scanning
    Sarif,
    /// JUnit's XML, for CI servers
    Junit,
    /// For a comment on a pull request
    Markdown,
}

impl From<ReportFormat> for Format {
    fn from(format: ReportFormat) -> Self {
        match format {
            ReportFormat::Text => Self::Text,
            ReportFormat::Json => Self::Json,
            ReportFormat::Sarif => Self::Sarif,
            ReportFormat::Junit => Self::Junit,
            ReportFormat::Markdown => Self::Markdown,
        }
    }
}

/// `palisade net lint`
#[derive(Debug, Args)]
#[command(after_help = "\
Severities, the worst first: critical, high (open that should be closed, or broken that should work), medium
(without effect, or with another one than it seems to have), low (untidy: changes nothing today), info.

To live with a finding, annotate the policy:
  metadata: {annotations: {palisade.dev/lint-ignore: \"RULE: why; RULE: why\"}}

Exit codes: 0 nothing of --fail-on or worse, 1 something of it, 2 usage or unusable input, 3 the input had
problems that could change what was found.

Examples:
  palisade net lint -f ./manifests
  helm template ./chart | palisade net lint -f - --fail-on high
  palisade net lint -f ./manifests -o sarif > lint.sarif
  palisade net lint -f ./manifests --ignore contained-rule --ignore every-port
  palisade net lint --list-rules")]
pub struct LintArguments {
    #[command(flatten)]
    pub manifests: ManifestArguments,
    #[command(flatten)]
    pub cni: CniArguments,
    /// Fail with 1 when a finding is this bad or worse: critical, high, medium, low or info
    #[arg(long, value_name = "SEVERITY", default_value = "medium")]
    pub fail_on: Severity,
    /// Report this rule alone. Repeatable
    #[arg(long = "rule", value_name = "RULE", conflicts_with = "ignored")]
    pub rules: Vec<String>,
    /// Do not report this rule. Repeatable
    #[arg(long = "ignore", value_name = "RULE")]
    pub ignored: Vec<String>,
    /// Print the rules, and look for nothing
    #[arg(long)]
    pub list_rules: bool,
    /// The instant to judge for (RFC 3339); rules may expire. Default: now
    #[arg(long, value_name = "TIME")]
    pub at: Option<Timestamp>,
    /// How to print it
    #[arg(short = 'o', long = "output", value_name = "FORMAT", default_value = "text")]
    pub output: ReportFormat,
}
