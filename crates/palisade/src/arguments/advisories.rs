//! `palisade advisories`

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::OutputFormat;

/// What to do with the database of advisories.
#[derive(Debug, Subcommand)]
pub enum AdvisoriesCommand {
    /// Make exports of advisories into the database that scans use
    Import(ImportArguments),
    /// Fetch what has changed, and make it into the database that scans use
    Update(UpdateArguments),
    /// Say what is in the database, and how old it is
    Status(StatusArguments),
}

/// Which database.
#[derive(Debug, Clone, Args)]
pub struct StoreArguments {
    /// The folder of databases. Default: `palisade/advisories` in the user's data folder
    #[arg(long, value_name = "FOLDER", env = "PALISADE_ADVISORIES", hide_env_values = true)]
    pub store: Option<PathBuf>,
}

/// `palisade advisories import`
#[derive(Debug, Args)]
#[command(after_help = "\
A path is a zip archive of OSV records, as OSV.dev exports one for each ecosystem, CISA's catalogue of known
exploited vulnerabilities (kev.json or kev.json.gz), or a folder of both. All that the database shall hold is named at
once; the database before stays for `palisade image scan --why-new`. See docs/advisories.md for sources and licences.

Examples:
  palisade advisories import ~/osv-exports
  palisade advisories import Debian.zip Go.zip kev.json.gz")]
pub struct ImportArguments {
    /// Archives, the catalogue, folders
    #[arg(value_name = "PATH", required = true)]
    pub paths: Vec<PathBuf>,
    #[command(flatten)]
    pub store: StoreArguments,
    /// How to print what was made
    #[arg(short = 'o', long = "output", value_name = "FORMAT", default_value = "text")]
    pub output: OutputFormat,
}

/// `palisade advisories status`
#[derive(Debug, Args)]
#[command(after_help = "\
Ends with 3 when there is no database: then nothing can be said of any package.

Examples:
  palisade advisories status
  palisade advisories status -o json | jq '.contents.ecosystems'")]
pub struct StatusArguments {
    #[command(flatten)]
    pub store: StoreArguments,
    /// How to print it
    #[arg(short = 'o', long = "output", value_name = "FORMAT", default_value = "text")]
    pub output: OutputFormat,
}

/// `palisade advisories update`
#[derive(Debug, Args)]
#[command(after_help = "\
Fetches OSV.dev's exports whole the first time, later only the records that have changed, and CISA's catalogue of known
exploited vulnerabilities. When it fails, the database stays as it was, and scans go on with it.

FILE is JSON: {\"osv\": URL, \"ecosystems\": [NAME, ...], \"exploited\": URL}; what it leaves out is as without it. A mirror in
the cluster is named there. --show-config prints what is in force. Certificates are held against the system's authorities
(SSL_CERT_FILE names others), and the proxies of the environment are used.

Examples:
  palisade advisories update
  palisade advisories update --show-config > feeds.json
  palisade advisories update --config feeds.json")]
pub struct UpdateArguments {
    /// Where to fetch from, and what
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Print the configuration and fetch nothing
    #[arg(long)]
    pub show_config: bool,
    #[command(flatten)]
    pub store: StoreArguments,
    /// How to print what was made
    #[arg(short = 'o', long = "output", value_name = "FORMAT", default_value = "text")]
    pub output: OutputFormat,
}
