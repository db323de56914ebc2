//! `palisade lab`

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};

use super::{LabArguments, OutputFormat};

/// What to do with the lab.
#[derive(Debug, Subcommand)]
pub enum LabCommand {
    /// Start the manifests' pods on this machine
    Up(UpArguments),
    /// Show the lab's nodes, pods and Services
    Status(StatusArguments),
    /// Run a command in a container, on a node's network or in the outside world
    Exec(ExecArguments),
    /// Show what a pod's containers printed
    Logs(LogsArguments),
    /// Stop the lab and remove everything that it made
    Down(DownArguments),
    /// Add, restart, relabel or remove pods while the lab runs
    #[command(subcommand)]
    Pod(PodCommand),
    /// Try to reach TARGET from here, and print what came of it as JSON
    Call(CallArguments),
    /// Make the tries that standard input names, a JSON object a line
    #[command(hide = true)]
    Calls,
    /// The first process of a container; the lab starts it
    #[command(hide = true)]
    Shim,
}

/// `palisade lab up`
#[derive(Debug, Args)]
#[command(after_help = "\
Ctrl-C ends it, and so does `palisade lab down`; nothing stays behind.

Examples:
  sudo palisade lab up -f examples/shop
  sudo palisade lab up -f examples/shop --nodes 2 --name two --detach")]
pub struct UpArguments {
    /// A file or folder of manifests, YAML or JSON; `-` is standard input. Repeatable
    #[arg(short = 'f', long = "manifests", value_name = "PATH", required = true)]
    pub manifests: Vec<PathBuf>,
    #[command(flatten)]
    pub lab: LabArguments,
    /// How many nodes
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=2))]
    pub nodes: u8,
    /// Go on in the background once the pods run
    #[arg(short = 'd', long)]
    pub detach: bool,
    /// How often a stand-in calls each of its dependencies, in milliseconds
    #[arg(long, value_name = "MS", default_value = "2000", value_parser = milliseconds)]
    pub rhythm: Duration,
}

/// No faster: a stand-in must not load the machine that it runs on.
const FASTEST_RHYTHM: u64 = 10;

fn milliseconds(text: &str) -> Result<Duration, String> {
    match text.parse() {
        Ok(number) if number >= FASTEST_RHYTHM => Ok(Duration::from_millis(number)),
        Ok(_) | Err(_) => Err(format!("expected a number of milliseconds, at least {FASTEST_RHYTHM}")),
    }
}

/// `palisade lab status`
#[derive(Debug, Args)]
pub struct StatusArguments {
    #[command(flatten)]
    pub lab: LabArguments,
    /// How to print it
    #[arg(short = 'o', long = "output", value_name = "FORMAT", default_value = "text")]
    pub output: OutputFormat,
}

/// `palisade lab exec`
#[derive(Debug, Args)]
#[command(after_help = "\
The command runs as the container's program does: its user, its capabilities, its cgroup. It ends with the
command's exit code.

Examples:
  sudo palisade lab exec shop/web -- cat /etc/resolv.conf
  sudo palisade lab exec shop/web -c log-shipper -- bash -c ': </dev/tcp/orders/8080'
  sudo palisade lab exec node/node1 -- ip route
  sudo palisade lab exec world -- palisade lab call 172.31.0.11:30080")]
pub struct ExecArguments {
    #[command(flatten)]
    pub lab: LabArguments,
    /// NAMESPACE/POD, NAMESPACE/WORKLOAD for its first pod, `node/NAME` or `world`
    #[arg(value_name = "WHERE")]
    pub target: String,
    /// Which container; default: the first
    #[arg(short = 'c', long, value_name = "CONTAINER")]
    pub container: Option<String>,
    /// The command and its arguments
    #[arg(value_name = "COMMAND", last = true, required = true)]
    pub command: Vec<String>,
}

/// `palisade lab logs`
#[derive(Debug, Args)]
pub struct LogsArguments {
    #[command(flatten)]
    pub lab: LabArguments,
    /// NAMESPACE/POD, or NAMESPACE/WORKLOAD for its first pod
    #[arg(value_name = "POD")]
    pub pod: String,
    /// Which container; default: all
    #[arg(short = 'c', long, value_name = "CONTAINER")]
    pub container: Option<String>,
    /// Go on with what they print from now on, until the lab ends
    #[arg(short = 'f', long)]
    pub follow: bool,
}

/// `palisade lab down`
#[derive(Debug, Args)]
pub struct DownArguments {
    #[command(flatten)]
    pub lab: LabArguments,
}

/// `palisade lab pod`
#[derive(Debug, Subcommand)]
pub enum PodCommand {
    /// Start the pods of more manifests
    Add(PodAddArguments),
    /// Start a pod's containers anew
    Restart(PodNameArguments),
    /// Change a pod's labels
    Relabel(PodRelabelArguments),
    /// Stop a pod and forget it
    Remove(PodNameArguments),
}

/// `palisade lab pod add`
#[derive(Debug, Args)]
#[command(after_help = "\
Files that cannot be read whole are not taken. The other objects of the files belong to the lab from then on, too.

Examples:
  sudo palisade lab pod add -f more.yaml")]
pub struct PodAddArguments {
    #[command(flatten)]
    pub lab: LabArguments,
    /// A file or folder of manifests; repeatable
    #[arg(short = 'f', long = "manifests", value_name = "PATH", required = true)]
    pub manifests: Vec<PathBuf>,
}

/// One pod of the lab.
#[derive(Debug, Args)]
pub struct PodNameArguments {
    #[command(flatten)]
    pub lab: LabArguments,
    /// NAMESPACE/POD
    #[arg(value_name = "POD")]
    pub pod: String,
}

/// `palisade lab pod relabel`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sudo palisade lab pod relabel shop/web-0 tier=back app-")]
pub struct PodRelabelArguments {
    #[command(flatten)]
    pub lab: LabArguments,
    /// NAMESPACE/POD
    #[arg(value_name = "POD")]
    pub pod: String,
    /// KEY=VALUE sets a label, KEY- removes it
    #[arg(value_name = "LABEL", required = true, value_parser = label_change)]
    pub labels: Vec<LabelChange>,
}

/// One change of a pod's labels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LabelChange {
    /// `KEY=VALUE`
    Set(String, String),
    /// `KEY-`
    Remove(String),
}

fn label_change(text: &str) -> Result<LabelChange, String> {
    let (key, change) = match (text.split_once('='), text.strip_suffix('-')) {
        (Some((key, value)), _) => {
            if !value.is_empty() && !is_label_part(value) {
                return Err(format!("`{value}` is no label value: {LABEL_PART}, or nothing"));
            }
            (key, LabelChange::Set(key.to_owned(), value.to_owned()))
        }
        (None, Some(key)) => (key, LabelChange::Remove(key.to_owned())),
        (None, None) => return Err("expected KEY=VALUE or KEY-".to_owned()),
    };
    let (prefix, name) = key.split_once('/').map_or((None, key), |(prefix, name)| (Some(prefix), name));
    if !is_label_part(name) || prefix.is_some_and(|prefix| !is_domain(prefix)) {
        return Err(format!("`{key}` is no label key: [DOMAIN/]NAME, with a name of {LABEL_PART}"));
    }
    Ok(change)
}

const LABEL_PART: &str = "1 to 63 letters, digits, `-`, `_` and `.`, at both ends a letter or digit";

/// Source: Kubernetes, "Labels and Selectors", syntax and character set.
fn is_label_part(text: &str) -> bool {
    let inside = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let at_an_end = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    text.len() <= 63
        && text.bytes().all(inside)
        && at_an_end(text.as_bytes().first())
        && at_an_end(text.as_bytes().last())
}

fn is_domain(text: &str) -> bool {
    let small = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let part = |part: &str| is_label_part(part) && part.bytes().all(small);
    text.len() <= 253 && text.split('.').all(part)
}

/// `palisade lab call`
#[derive(Debug, Args)]
pub struct CallArguments {
    /// ADDRESS:PORT or NAME:PORT
    #[arg(value_name = "TARGET")]
    pub target: String,
    /// UDP instead of TCP: one datagram, and an answer awaited
    #[arg(long)]
    pub udp: bool,
    /// UDP by a socket that is not connected
    #[arg(long, requires = "udp")]
    pub unconnected: bool,
    /// Sent over the connection; then an answer is awaited
    #[arg(long, value_name = "TEXT")]
    pub send: Option<String>,
    /// Limit of each step in milliseconds
    #[arg(long, value_name = "MS", default_value_t = palisade_lab::stand_in::attempt::DEFAULT_TIMEOUT_MS)]
    pub timeout: u64,
}
