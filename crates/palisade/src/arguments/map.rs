//! `palisade net map`

use clap::{Args, ValueEnum};
use palisade_model::Timestamp;

use super::{CniArguments, ManifestArguments};

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

Exit codes: 0 mapped, 2 usage or unusable input, 3 something cannot be read that may change the map.

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
    #[command(flatten)]
    pub cni: CniArguments,
    /// The instant to decide for (RFC 3339); rules may expire. Default: now
    #[arg(long, value_name = "TIME")]
    pub at: Option<Timestamp>,
    /// How to print it
    #[arg(short = 'o', long = "output", value_name = "FORMAT", default_value = "text")]
    pub output: MapFormat,
}
