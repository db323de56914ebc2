//! `palisade net`

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use palisade_model::Timestamp;

use super::lint::LintArguments;
use super::{ManifestArguments, OutputFormat};

/// What to ask.
#[derive(Debug, Subcommand)]
pub enum NetCommand {
    /// Find what is wrong with policies: rules without effect, or with another one than they seem to have
    Lint(LintArguments),
    /// Show who can reach whom, by workload
    Map(MapArguments),
    /// Answer a list of probes: who reaches whom on which port
    Matrix(MatrixArguments),
}

/// How the cluster's network plugin reads what the API leaves open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Cni {
    /// `ipBlock` means pods too, and a node's address alone exempts nobody
    Generic,
    /// As generic
    Calico,
    /// `ipBlock` never means pods
    Cilium,
}

/// In which form a map is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum MapFormat {
    /// For people; may change
    Text,
    /// For programs; stable and versioned: classes with their members, and an entry for each pair
    Json,
    /// A row for each pair of workloads
    Csv,
    /// Graphviz
    Dot,
    /// A flow chart, as Markdown viewers draw it
    Mermaid,
}

/// `palisade net map`
#[derive(Debug, Args)]
#[command(after_help = "\
An end is a workload, with container and program where rules tell them apart, or addresses outside; the ports
are those of the pod, after Service translation. Left out: nodes and the pods on their networks, pods that have
ended, and each pod's own address.

Examples:
  palisade net map -f examples/shop
  palisade net map -f examples/shop --namespace data
  palisade net map -f examples/shop -o dot | dot -Tsvg > shop.svg
  palisade net map -f cluster.yaml -o json --expand | jq -c 'select(.to.pod == \"db-0\")'")]
pub struct MapArguments {
    #[command(flatten)]
    pub manifests: ManifestArguments,
    /// Only links with an end in this namespace. Repeatable
    #[arg(short = 'n', long = "namespace", value_name = "NAMESPACE")]
    pub namespaces: Vec<String>,
    /// Each pair of pods instead of workloads and classes: as JSON and CSV, written as they are found
    #[arg(long)]
    pub expand: bool,
    /// The instant to decide for (RFC 3339); rules may expire. Default: now
    #[arg(long, value_name = "TIME")]
    pub at: Option<Timestamp>,
    /// How to print it
    #[arg(short = 'o', long = "output", value_name = "FORMAT", default_value = "text")]
    pub output: MapFormat,
}

/// `palisade net matrix`
#[derive(Debug, Args)]
#[command(after_help = "\
FILE is a JSON list of [SOURCE, DESTINATION, PORT, PROTOCOL]; `-` is standard input. An end is NAMESPACE/POD,
another end as `palisade check` takes it, or an address. As JSON the same list comes back, with true, false
or null (undecided) behind each.

Examples:
  palisade net matrix -f policies/ --probes probes.json -o json
  echo '[[\"shop/web\", \"data/db\", 5432, \"TCP\"]]' | palisade net matrix -f examples/shop --probes -")]
pub struct MatrixArguments {
    #[command(flatten)]
    pub manifests: ManifestArguments,
    /// The probes
    #[arg(long, value_name = "FILE")]
    pub probes: PathBuf,
    /// The network plugin
    #[arg(long, value_name = "NAME", default_value = "generic")]
    pub cni: Cni,
    /// The instant to decide for (RFC 3339); rules may expire. Default: now
    #[arg(long, value_name = "TIME")]
    pub at: Option<Timestamp>,
    /// How to print it
    #[arg(short = 'o', long = "output", value_name = "FORMAT", default_value = "text")]
    pub output: OutputFormat,
}
