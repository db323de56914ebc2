//! `palisade agent`

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{LabArguments, OutputFormat};

/// What the agent shall do.
#[derive(Debug, Subcommand)]
pub enum AgentCommand {
    /// Guard a lab's pods: enforce, and record what is tried
    Run(AgentRunArguments),
    /// Say what this kernel can do, and what follows from what it cannot
    Probe(AgentProbeArguments),
    /// Say what the running agent guards and what it costs
    Status(AgentStatusArguments),
    /// Take programs, maps and pins out of the kernel; the pods are open then
    Unload(AgentUnloadArguments),
}

/// `palisade agent run`
#[derive(Debug, Args)]
#[command(after_help = "\
What it brought into the kernel judges on when the agent ends; `palisade agent unload` takes it back.

Examples:
  sudo palisade agent run
  sudo palisade agent run --name two
  sudo palisade agent run --node node1          this node's pods alone; another agent guards node2's
  sudo palisade agent run -f stricter/          by these rules, and not by those of `lab up -f`")]
pub struct AgentRunArguments {
    /// Files or folders with the rules, watched while it runs; `-` is standard input, read once.
    /// Repeatable. Default: the manifests that the lab was started with
    #[arg(short = 'f', long = "manifests", value_name = "PATH")]
    pub manifests: Vec<PathBuf>,
    #[command(flatten)]
    pub lab: LabArguments,
    /// Guard the pods of this node alone. Agents of several nodes run beside each other. Default: every
    /// node of the lab
    #[arg(long, value_name = "NODE")]
    pub node: Option<String>,
    /// Connections and exchanges of datagrams that a node remembers, in some 300 bytes of kernel memory each,
    /// 1024 to 1048576. The least used make room; what is under way then goes on, judged anew and counted as
    /// `flows-recalled` in `agent status -o json`
    #[arg(long, value_name = "COUNT", default_value_t = palisade_agent::FLOWS, value_parser = flows)]
    pub flows: u32,
}

fn flows(text: &str) -> Result<u32, String> {
    let range = palisade_agent::FLOWS_RANGE;
    let number = text.parse().map_err(|error| format!("{error}"))?;
    match range.contains(&number) {
        true => Ok(number),
        false => Err(format!("not within {} to {}", range.start(), range.end())),
    }
}

/// `palisade agent probe`
#[derive(Debug, Args)]
#[command(after_help = "\
Exit codes: 0 the agent can guard here, 1 something is missing that it needs, 2 usage.")]
pub struct AgentProbeArguments {
    /// How to print it
    #[arg(short = 'o', long = "output", value_name = "FORMAT", default_value = "text")]
    pub output: OutputFormat,
}

/// `palisade agent status`
#[derive(Debug, Args)]
#[command(after_help = "\
Of several agents (`agent run --node`) each tells of itself; as JSON, one document after the other.

Exit codes: 0 every node of the lab has its agent, 1 one has none, 2 usage, or no agent answers.")]
pub struct AgentStatusArguments {
    #[command(flatten)]
    pub lab: LabArguments,
    /// Ask the agent of this node alone. Default: every agent of the lab
    #[arg(long, value_name = "NODE")]
    pub node: Option<String>,
    /// How to print it
    #[arg(short = 'o', long = "output", value_name = "FORMAT", default_value = "text")]
    pub output: OutputFormat,
}

/// `palisade agent unload`
#[derive(Debug, Args)]
pub struct AgentUnloadArguments {
    #[command(flatten)]
    pub lab: LabArguments,
    /// Take only what guards this node out. Default: every node of the lab
    #[arg(long, value_name = "NODE")]
    pub node: Option<String>,
}
