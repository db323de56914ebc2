//! `palisade agent`

use clap::{Args, Subcommand};

use super::{LabName, OutputFormat};

/// What the agent shall do.
#[derive(Debug, Subcommand)]
pub enum AgentCommand {
    /// Attach to the pods' cgroups, enforce, and record
    Run(AgentRunArguments),
    /// Say what this kernel can do, and what follows from what it cannot
    Probe(AgentProbeArguments),
}

/// `palisade agent run`
#[derive(Debug, Args)]
pub struct AgentRunArguments {
    #[command(flatten)]
    pub lab: LabName,
}

/// `palisade agent probe`
#[derive(Debug, Args)]
pub struct AgentProbeArguments {
    /// How to print it
    #[arg(short = 'o', long = "output", value_name = "FORMAT", default_value = "text")]
    pub output: OutputFormat,
}
