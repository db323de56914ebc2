//! `palisade net`

use std::net::IpAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use palisade_model::Timestamp;

use super::diff::DiffArguments;
use super::lint::LintArguments;
use super::map::MapArguments;
use super::scenario::ScenarioCommand;
use super::{CniArguments, ManifestArguments, OutputFormat};

/// What to ask.
#[derive(Debug, Subcommand)]
pub enum NetCommand {
    /// Find what is wrong with policies: rules without effect, or with another one than they seem to have
    Lint(LintArguments),
    /// Show what a change of manifests opens and closes, with the rule that makes the difference
    Diff(DiffArguments),
    /// Show who can reach whom, by workload
    Map(MapArguments),
    /// Show every way in from outside, and what guards it
    Exposure(ExposureArguments),
    /// Write the policies of a scenario for these manifests, and verify it
    #[command(subcommand)]
    Scenario(ScenarioCommand),
    /// Answer a list of probes: who reaches whom on which port
    Matrix(MatrixArguments),
    /// Write AccessPolicies and Perimeters as NetworkPolicies or ClusterNetworkPolicies, and compare what both decide
    Lower(LowerArguments),
    /// Write AdminNetworkPolicies as ClusterNetworkPolicies, and compare what both decide
    Convert(ConvertArguments),
}

/// How to print policies that were written anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum WrittenFormat {
    /// The manifests on standard output, ready to apply; what was lost and compared on standard error
    Yaml,
    /// What was lost and compared, without the manifests
    Text,
    /// For programs; stable and versioned
    Json,
}

/// What AccessPolicies and Perimeters are written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LowerTarget {
    /// NetworkPolicies alone; what denies is left out
    #[value(name = "networkpolicy")]
    NetworkPolicy,
    /// ClusterNetworkPolicies for what opens and denies, NetworkPolicies for what closes
    #[value(name = "clusternetworkpolicy")]
    ClusterNetworkPolicy,
}

/// `palisade net lower`
#[derive(Debug, Args)]
#[command(after_help = "\
What the written policies cannot say is listed, with what follows from it. What both decide is compared over all pods
of the input and over pods that may come.

Exit codes: 0 both decide alike, 1 something was lost or differs, 2 usage or unusable input, 3 not all was compared, or
something cannot be read that may change the answer.

Examples:
  palisade net lower -f examples/shop --to networkpolicy > lowered.yaml
  palisade net lower -f examples/shop --to clusternetworkpolicy -o text")]
pub struct LowerArguments {
    #[command(flatten)]
    pub manifests: ManifestArguments,
    #[command(flatten)]
    pub cni: CniArguments,
    /// What to write
    #[arg(long, value_name = "KIND", default_value = "networkpolicy")]
    pub to: LowerTarget,
    /// The instant to decide for (RFC 3339); rules may expire. Default: now
    #[arg(long, value_name = "TIME")]
    pub at: Option<Timestamp>,
    /// How to print it
    #[arg(short = 'o', long = "output", value_name = "FORMAT", default_value = "yaml")]
    pub output: WrittenFormat,
}

/// `palisade net convert`
#[derive(Debug, Args)]
#[command(after_help = "\
Reads AdminNetworkPolicy and BaselineAdminNetworkPolicy v1alpha1, writes ClusterNetworkPolicy v1alpha2. What both
decide is compared over all pods of the input and over pods that may come.

Exit codes: 0 both decide alike, 1 something was lost or differs, 2 usage or unusable input, 3 not all was compared, or
something cannot be read that may change the answer.

Examples:
  palisade net convert -f policies/ > converted.yaml
  kubectl get anp,banp,pods,ns,svc -A -o yaml | palisade net convert -f - -o text")]
pub struct ConvertArguments {
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

/// `palisade net matrix`
#[derive(Debug, Args)]
#[command(after_help = "\
FILE is a JSON list of [SOURCE, DESTINATION, PORT, PROTOCOL]; `-` is standard input. An end is NAMESPACE/POD,
another end as `palisade check` takes it, or an address. As JSON the same list comes back, with true, false
or null (undecided) behind each.

Exit codes: 0 every probe is answered, allowed or denied, 2 usage or unusable input, 3 one is undecided, or something
cannot be read that may change an answer.

Examples:
  palisade net matrix -f policies/ --probes probes.json -o json
  echo '[[\"shop/web\", \"data/db\", 5432, \"TCP\"]]' | palisade net matrix -f examples/shop --probes -")]
pub struct MatrixArguments {
    #[command(flatten)]
    pub manifests: ManifestArguments,
    /// The probes
    #[arg(long, value_name = "FILE")]
    pub probes: PathBuf,
    #[command(flatten)]
    pub cni: CniArguments,
    /// The instant to decide for (RFC 3339); rules may expire. Default: now
    #[arg(long, value_name = "TIME")]
    pub at: Option<Timestamp>,
    /// How to print it
    #[arg(short = 'o', long = "output", value_name = "FORMAT", default_value = "text")]
    pub output: OutputFormat,
}

/// How to print ways in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ExposureFormat {
    /// For a person
    Text,
    /// For a program
    Json,
    /// For a pull request
    Markdown,
}

/// Which ways in end the command with 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FailOn {
    /// Those that neither a policy nor a load balancer guards
    Unguarded,
    /// Every one that lets somebody in
    Reachable,
    /// None
    Never,
}

/// `palisade net exposure`
#[derive(Debug, Args)]
#[command(after_help = "\
A way in is a door (a load balancer, a port of the nodes, an external address, a hostPort, the host network,
an Ingress, a route of a Gateway) and a port of a workload behind it. OPEN: it passes, and nothing guards it;
guarded: it passes as a policy or a load balancer says; closed: a policy refuses it. A newcomer is a pod that
is not there yet: whom could it reach, and who could reach it?

Exit codes: 0 no way as --fail-on says, 1 at least one, 2 usage or unusable input, 3 one that could
not be decided (but with `never`).

Examples:
  palisade net exposure -f examples/shop
  palisade net exposure -f manifests/ --from 203.0.113.7 --fail-on reachable
  palisade net exposure -f manifests/ --newcomer shop:app=debug -o markdown")]
pub struct ExposureArguments {
    #[command(flatten)]
    pub manifests: ManifestArguments,
    #[command(flatten)]
    pub cni: CniArguments,
    /// Ask for this source address alone. Default: for everybody outside, told apart as policies do
    #[arg(long, value_name = "ADDRESS")]
    pub from: Option<IpAddr>,
    /// Also show what a new pod could reach, and who could reach it: NAMESPACE[:KEY=VALUE,...]
    #[arg(long, value_name = "POD")]
    pub newcomer: Option<String>,
    /// The pods' network is routed: the outside can dial pods by their own addresses
    #[arg(long)]
    pub routed_pods: bool,
    /// Which ways in end the command with 1
    #[arg(long, value_name = "WHICH", default_value = "unguarded")]
    pub fail_on: FailOn,
    /// The instant to decide for (RFC 3339); rules may expire. Default: now
    #[arg(long, value_name = "TIME")]
    pub at: Option<Timestamp>,
    /// How to print it
    #[arg(short = 'o', long = "output", value_name = "FORMAT", default_value = "text")]
    pub output: ExposureFormat,
}
