//! The command line: clap types that only parse. Settings are made of them once, in
//! [`crate::settings`]; a command never sees the environment.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand, ValueEnum};
use palisade_lab::LabName;
use palisade_model::cni::{CniProfile, PROFILES};
use palisade_model::{Protocol, Timestamp};

pub mod advisories;
pub mod agent;
pub mod diff;
pub mod image;
pub mod lab;
pub mod lint;
pub mod map;
pub mod net;
pub mod registry;
pub mod scenario;
pub mod signing;

/// Who may talk to whom in a Kubernetes cluster, by container and program: decided, explained,
/// enforced and shown by one program.
#[derive(Debug, Parser)]
#[command(
    name = "palisade",
    version,
    about,
    disable_help_subcommand = true,
    after_help = "\
Examples:
  palisade inventory -f examples/shop           what was understood of these files
  palisade explain -f examples/shop shop/web:nginx:/usr/sbin/nginx shop/orders 8080
  helm template ./chart | palisade check -f - shop/web shop/db 5432
  sudo palisade demo                            see it work on this machine

Exit codes: 0 clean or allowed, 1 findings or denied, 2 usage or unusable input, 3 could not decide."
)]
pub struct CommandLine {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show what was understood of the manifests
    Inventory(InventoryArguments),
    /// Say whether FROM may reach TO
    Check(QuestionArguments),
    /// Say why FROM may or may not reach TO: every policy that has a say, and what would change it
    Explain(QuestionArguments),
    /// Ask about many links at once
    #[command(subcommand)]
    Net(net::NetCommand),
    /// Keep the database of advisories that images are scanned with
    #[command(subcommand)]
    Advisories(advisories::AdvisoriesCommand),
    /// Say what is in an image
    #[command(subcommand)]
    Image(image::ImageCommand),
    /// Run the manifests' pods on this machine, without a cluster
    #[command(subcommand)]
    Lab(lab::LabCommand),
    /// Guard the pods of this node
    #[command(subcommand)]
    Agent(agent::AgentCommand),
    /// Show connections as they are tried: who, whom, allowed or refused, and why
    Observe(ObserveArguments),
    /// Watch a guarded application on this machine: visitors, an intruder, and what becomes of both
    Demo(DemoArguments),
}

/// Where the manifests come from.
#[derive(Debug, Clone, Args)]
pub struct ManifestArguments {
    /// A file or folder of manifests, YAML or JSON; `-` is standard input. Repeatable. Without it:
    /// the running lab
    #[arg(short = 'f', long = "manifests", value_name = "PATH")]
    pub manifests: Vec<PathBuf>,
    #[command(flatten)]
    pub lab: LabArguments,
}

/// Which lab.
#[derive(Debug, Clone, Args)]
pub struct LabArguments {
    /// The lab's name
    #[arg(long = "name", value_name = "NAME", env = "PALISADE_LAB", hide_env_values = true, default_value = "lab")]
    pub name: LabName,
}

/// How to print the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum OutputFormat {
    /// For people; may change
    Text,
    /// For programs; stable and versioned
    Json,
}

/// `palisade inventory`
#[derive(Debug, Args)]
#[command(after_help = "\
Exit codes: 0 understood, 2 usage or unusable input, 3 something that may change answers
cannot be read, or is not in force.

Examples:
  palisade inventory -f examples/shop
  kustomize build overlays/prod | palisade inventory -f -
  palisade inventory -f chart.yaml -o json | jq '.inventory.workloads[].meta.object'")]
pub struct InventoryArguments {
    #[command(flatten)]
    pub manifests: ManifestArguments,
    /// How to print it
    #[arg(short = 'o', long = "output", value_name = "FORMAT", default_value = "text")]
    pub output: OutputFormat,
}

/// `palisade check` and `palisade explain`
#[derive(Debug, Args)]
#[command(after_help = "\
An end is one of
  NAMESPACE/NAME                     a workload or pod; KIND/NAME when the name alone is not enough:
                                     shop/web, shop/sts/db, shop/pod/web-7d4b
  NAMESPACE/NAME:CONTAINER           one container of it
  NAMESPACE/NAME:CONTAINER:PROGRAM   one program, by its path: shop/web:nginx:/usr/sbin/nginx
  NAMESPACE/svc/NAME                 a Service: in TO the answer is per backend, in FROM its backends ask
  NAMESPACE/ingress/NAME             in TO a door: an Ingress, a gateway, an httproute; each leg has its answer
  HOST[/PATH]                        in TO the door that takes such a request: shop.example.com/cart
  ADDRESS                            203.0.113.10, 2001:db8::1
  ENTITY                             world, cluster, nodes, kubelet, apiserver, dns, gateway, metadata

Exit codes: 0 allowed, 1 denied, 2 usage or unusable input, 3 undecided: a fact is missing, or something cannot be read
that may change the answer.

Examples:
  palisade check -f examples/shop shop/web:nginx:/usr/sbin/nginx shop/orders 8080
  palisade check -f examples/shop shop/web:log-shipper shop/svc/orders http
  palisade explain -f examples/shop shop/search data/db 5432
  palisade explain -f examples/shop world edge/gateway
  palisade check -f examples/shop --at 2036-01-01T00:00:00Z shop/stock-report data/db 5432")]
pub struct QuestionArguments {
    /// Who connects
    #[arg(value_name = "FROM")]
    pub from: String,
    /// Who is reached
    #[arg(value_name = "TO")]
    pub to: String,
    /// The receiver's port by number or name, with `/udp` or `/sctp` behind it unless it is TCP; of a
    /// Service, the Service's. Without it: every port that the receiver declares
    #[arg(value_name = "PORT")]
    pub port: Option<String>,
    #[command(flatten)]
    pub manifests: ManifestArguments,
    /// The instant to decide for (RFC 3339); rules may expire. Default: now
    #[arg(long, value_name = "TIME")]
    pub at: Option<Timestamp>,
    /// Only these nodes are guarded: say where the link is judged, and what comes of it. Repeatable.
    /// Default: all nodes
    #[arg(long, value_name = "NODE")]
    pub guarded: Vec<String>,
    #[command(flatten)]
    pub cni: CniArguments,
    /// How to print it
    #[arg(short = 'o', long = "output", value_name = "FORMAT", default_value = "text")]
    pub output: OutputFormat,
}

/// Which network plugin the cluster has.
#[derive(Debug, Clone, Copy, Args)]
pub struct CniArguments {
    /// The cluster's network plugin
    #[arg(long = "cni", value_name = "NAME", default_value = CniProfile::DEFAULT.name, value_parser = cni_names())]
    pub profile: CniProfile,
}

fn cni_names() -> impl TypedValueParser<Value = CniProfile> {
    let values = PROFILES.iter().map(|profile| PossibleValue::new(profile.name).help(profile.about));
    PossibleValuesParser::new(values).map(|name| CniProfile::named(&name).unwrap_or(CniProfile::DEFAULT))
}

/// Which word of a verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum VerdictFilter {
    /// Policy let it through
    Allowed,
    /// Policy refused it
    Denied,
    /// The policies in Audit would decide otherwise
    Differs,
}

/// Seen from the pod that the filters name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DirectionFilter {
    /// Towards it
    Ingress,
    /// From it
    Egress,
}

/// From where in the agent's history to begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Since {
    /// All that the agent still has
    Start,
    /// Only what happens from now on
    Now,
}

/// `palisade observe`
#[derive(Debug, Args)]
#[command(after_help = "\
A record is shown when it passes every filter; of values given to one filter, one must match. A filter
for an end matches either end; --direction says which. A filter that names nobody of the manifests is
told at once: nothing of it can come.

Examples:
  palisade observe --verdict denied
  palisade observe --namespace shop --program /usr/bin/curl
  palisade observe --workload orders --direction ingress --port 8080
  palisade observe -o json | jq 'select(.outcome == \"nobody-listens\")'")]
pub struct ObserveArguments {
    #[command(flatten)]
    pub manifests: ManifestArguments,
    /// The agent's socket, instead of those of the lab's agents
    #[arg(long, value_name = "PATH")]
    pub socket: Option<PathBuf>,
    #[command(flatten)]
    pub filters: ObserveFilters,
    /// From where to begin
    #[arg(long, value_name = "WHEN", default_value = "now")]
    pub since: Since,
    /// Stop after so many records
    #[arg(long, value_name = "N")]
    pub limit: Option<u64>,
    /// How to print them; JSON is one record a line
    #[arg(short = 'o', long = "output", value_name = "FORMAT", default_value = "text")]
    pub output: OutputFormat,
}

/// Which records `palisade observe` shows.
#[derive(Debug, Clone, Default, Args)]
pub struct ObserveFilters {
    /// Namespace of an end
    #[arg(short = 'n', long, value_name = "NAME")]
    pub namespace: Vec<String>,
    /// Pod of an end: NAME or NAMESPACE/NAME
    #[arg(long, value_name = "POD")]
    pub pod: Vec<String>,
    /// Workload of an end: NAME or KIND/NAME
    #[arg(long, value_name = "WORKLOAD")]
    pub workload: Vec<String>,
    /// Program of an end, by its path or file name
    #[arg(long, value_name = "PROGRAM")]
    pub program: Vec<String>,
    /// Address of an end, or as dialled
    #[arg(long, value_name = "ADDRESS")]
    pub address: Vec<IpAddr>,
    /// The verdict
    #[arg(long, value_name = "VERDICT")]
    pub verdict: Vec<VerdictFilter>,
    /// Port as dialled
    #[arg(long, value_name = "PORT")]
    pub port: Vec<u16>,
    /// The protocol: tcp, udp or sctp
    #[arg(long, value_name = "PROTOCOL")]
    pub protocol: Vec<Protocol>,
    /// On which side the end stands that the filters name
    #[arg(long, value_name = "DIRECTION")]
    pub direction: Option<DirectionFilter>,
}

/// `palisade demo`
#[derive(Debug, Args)]
#[command(after_help = "\
Needs root, cgroup v2 and BPF; says what is missing and explains the same manifests otherwise. It ends with 1
when a connection went another way than it should.

Examples:
  sudo palisade demo")]
pub struct DemoArguments {
    /// An application and its policies, instead of the built-in shop; it is watched, no intruder comes
    #[arg(short = 'f', long = "manifests", value_name = "PATH")]
    pub manifests: Vec<PathBuf>,
    /// Take down the demo's lab and this folder once standard input ends: how a demo that was killed cleans up
    #[arg(long, value_name = "FOLDER", hide = true)]
    pub clean_up_after: Option<PathBuf>,
}
