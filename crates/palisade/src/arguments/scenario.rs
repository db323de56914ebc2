//! `palisade net scenario`

use clap::{Args, Subcommand};
use palisade_model::Timestamp;

use super::net::WrittenFormat;
use super::{CniArguments, ManifestArguments};

/// Which scenario.
#[derive(Debug, Subcommand)]
pub enum ScenarioCommand {
    /// A namespace talks only to its own pods, to DNS and to one workload; nobody else reaches either
    #[command(name = "only-dependency")]
    Dependency(OnlyDependencyArguments),
    /// From outside only the gateway is reached, and only it and the namespace reach the namespace
    #[command(name = "only-gateway")]
    Gateway(OnlyGatewayArguments),
    /// The namespace's pods connect to nothing but the cluster's DNS
    #[command(name = "only-dns")]
    Dns(OnlyDnsArguments),
}

/// What all of them take.
#[derive(Debug, Args)]
pub struct ScenarioArguments {
    /// The namespace
    #[arg(short = 'n', long, value_name = "NAMESPACE")]
    pub namespace: String,
    #[command(flatten)]
    pub manifests: ManifestArguments,
    #[command(flatten)]
    pub cni: CniArguments,
    /// The instant to decide for (RFC 3339); rules may expire. Default: now
    #[arg(long, value_name = "TIME")]
    pub at: Option<Timestamp>,
    /// How to print it
    #[arg(short = 'o', long = "output", value_name = "FORMAT", default_value = "yaml")]
    pub output: WrittenFormat,
}

/// `palisade net scenario only-dependency`
#[derive(Debug, Args)]
#[command(after_help = "\
The policies are NetworkPolicies, ready to apply: they name pods by their workloads' selectors, and ports as declared.
What they open and close, and whether the scenario holds beside all other policies, is told on standard error.

Exit codes: 0 it holds, 1 something stays open or is not open, 2 usage or unusable input, 3 could not decide.

Example:
  palisade net scenario only-dependency -f manifests/ -n shop --dependency data/db | kubectl apply -f -")]
pub struct OnlyDependencyArguments {
    /// The workload that it needs, NAMESPACE/NAME
    #[arg(long, value_name = "WORKLOAD")]
    pub dependency: String,
    #[command(flatten)]
    pub scenario: ScenarioArguments,
}

/// `palisade net scenario only-gateway`
#[derive(Debug, Args)]
#[command(after_help = "\
Exit codes: 0 it holds, 1 something stays open or is not open, 2 usage or unusable input, 3 could not decide.

Example:
  palisade net scenario only-gateway -f manifests/ -n shop --gateway edge/gateway | kubectl apply -f -")]
pub struct OnlyGatewayArguments {
    /// The gateway's workload, NAMESPACE/NAME
    #[arg(long, value_name = "WORKLOAD")]
    pub gateway: String,
    #[command(flatten)]
    pub scenario: ScenarioArguments,
}

/// `palisade net scenario only-dns`
#[derive(Debug, Args)]
#[command(after_help = "\
Exit codes: 0 it holds, 1 something stays open or is not open, 2 usage or unusable input, 3 could not decide.

Example:
  palisade net scenario only-dns -f manifests/ -n batch | kubectl apply -f -")]
pub struct OnlyDnsArguments {
    #[command(flatten)]
    pub scenario: ScenarioArguments,
}
