//! `palisade net diff`

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use palisade_model::Timestamp;

use super::CniArguments;

/// In which form a difference is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DiffFormat {
    /// For people; may change
    Text,
    /// For programs; stable and versioned
    Json,
    /// For a comment on a pull request
    Markdown,
}

/// Which differences make the command end with 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FailOn {
    /// Any
    Any,
    /// What opens
    Opens,
    /// What closes
    Closes,
    /// None
    Never,
}

/// Files and folders with a comma between them.
#[derive(Debug, Clone)]
pub struct Paths(pub Vec<PathBuf>);

impl std::str::FromStr for Paths {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.split(',').filter(|path| !path.is_empty()).map(PathBuf::from).collect()))
    }
}

/// `palisade net diff`
#[derive(Debug, Args)]
#[command(after_help = "\
OLD and NEW are files or folders of manifests, `-` is standard input; several with a comma between them. Both hold
the workloads too: a workload that is in one alone opens or closes its links.

Exit codes: 0 nothing that --fail-on names, 1 there is, 2 usage or unusable input, 3 something cannot be read that may
change the answer.

Examples:
  palisade net diff main/manifests branch/manifests
  helm template ./chart | palisade net diff deployed.yaml -
  palisade net diff app.yaml,policies/old app.yaml,policies/new -o markdown --fail-on opens")]
pub struct DiffArguments {
    /// Before
    #[arg(value_name = "OLD")]
    pub old: Paths,
    /// After
    #[arg(value_name = "NEW")]
    pub new: Paths,
    /// What makes it end with 1
    #[arg(long, value_name = "WHAT", default_value = "any")]
    pub fail_on: FailOn,
    #[command(flatten)]
    pub cni: CniArguments,
    /// The instant to decide for (RFC 3339); rules may expire. Default: now
    #[arg(long, value_name = "TIME")]
    pub at: Option<Timestamp>,
    /// How to print it
    #[arg(short = 'o', long = "output", value_name = "FORMAT", default_value = "text")]
    pub output: DiffFormat,
}
