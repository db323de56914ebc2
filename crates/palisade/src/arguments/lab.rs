//! `palisade lab`

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{LabName, OutputFormat};

/// What to do with the lab.
#[derive(Debug, Subcommand)]
pub enum LabCommand {
    /// Start the manifests' pods on this machine
    Up(UpArguments),
    /// Show the lab's nodes and pods
    Status(StatusArguments),
    /// Run a command in a container of the lab
    Exec(ExecArguments),
    /// Show what a container printed
    Logs(LogsArguments),
    /// Stop the lab and remove everything that it made
    Down(DownArguments),
    /// Add, restart, relabel or remove pods while the lab runs
    #[command(subcommand)]
    Pod(PodCommand),
}

/// `palisade lab up`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sudo palisade lab up -f examples/shop
  sudo palisade lab up -f examples/shop --nodes 2 --name two")]
pub struct UpArguments {
    /// A file or folder of manifests, YAML or JSON; `-` is standard input. Repeatable
    #[arg(short = 'f', long = "manifests", value_name = "PATH", required = true)]
    pub manifests: Vec<PathBuf>,
    #[command(flatten)]
    pub lab: LabName,
    /// How many nodes
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=2))]
    pub nodes: u8,
}

/// `palisade lab status`
#[derive(Debug, Args)]
pub struct StatusArguments {
    #[command(flatten)]
    pub lab: LabName,
    /// How to print it
    #[arg(short = 'o', long = "output", value_name = "FORMAT", default_value = "text")]
    pub output: OutputFormat,
}

/// `palisade lab exec`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sudo palisade lab exec shop/web -- /usr/bin/curl orders:8080
  sudo palisade lab exec shop/web -c log-shipper -- cat /etc/resolv.conf")]
pub struct ExecArguments {
    #[command(flatten)]
    pub lab: LabName,
    /// NAMESPACE/POD, or NAMESPACE/WORKLOAD for its first pod
    #[arg(value_name = "POD")]
    pub pod: String,
    /// Which container; default: the first
    #[arg(short = 'c', long, value_name = "CONTAINER")]
    pub container: Option<String>,
    /// The command and its arguments
    #[arg(value_name = "COMMAND", last = true, required = true)]
    pub command: Vec<OsString>,
}

/// `palisade lab logs`
#[derive(Debug, Args)]
pub struct LogsArguments {
    #[command(flatten)]
    pub lab: LabName,
    /// NAMESPACE/POD, or NAMESPACE/WORKLOAD for its first pod
    #[arg(value_name = "POD")]
    pub pod: String,
    /// Which container; default: the first
    #[arg(short = 'c', long, value_name = "CONTAINER")]
    pub container: Option<String>,
}

/// `palisade lab down`
#[derive(Debug, Args)]
pub struct DownArguments {
    #[command(flatten)]
    pub lab: LabName,
}

/// `palisade lab pod`
#[derive(Debug, Subcommand)]
pub enum PodCommand {
    /// Start the pods of more manifests
    Add(PodAddArguments),
    /// Stop a pod and start it anew, with another address
    Restart(PodNameArguments),
    /// Change a pod's labels
    Relabel(PodRelabelArguments),
    /// Stop a pod
    Remove(PodNameArguments),
}

/// `palisade lab pod add`
#[derive(Debug, Args)]
pub struct PodAddArguments {
    #[command(flatten)]
    pub lab: LabName,
    /// A file or folder of manifests; repeatable
    #[arg(short = 'f', long = "manifests", value_name = "PATH", required = true)]
    pub manifests: Vec<PathBuf>,
}

/// One pod of the lab.
#[derive(Debug, Args)]
pub struct PodNameArguments {
    #[command(flatten)]
    pub lab: LabName,
    /// NAMESPACE/POD
    #[arg(value_name = "POD")]
    pub pod: String,
}

/// `palisade lab pod relabel`
#[derive(Debug, Args)]
pub struct PodRelabelArguments {
    #[command(flatten)]
    pub lab: LabName,
    /// NAMESPACE/POD
    #[arg(value_name = "POD")]
    pub pod: String,
    /// KEY=VALUE sets a label, KEY- removes it
    #[arg(value_name = "LABEL", required = true)]
    pub labels: Vec<String>,
}
