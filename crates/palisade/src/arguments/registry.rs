//! What every command that asks registries takes.

use std::path::PathBuf;

use clap::Args;

/// How registries are asked.
#[derive(Debug, Clone, Default, Args)]
pub struct RegistryArguments {
    /// A registry that is spoken to in plain HTTP, without TLS: `HOST` or `HOST:PORT`. Repeatable. This machine's own
    /// (localhost) are asked in TLS first, and in plain HTTP when they do not speak it
    #[arg(long, value_name = "HOST")]
    pub insecure_registry: Vec<String>,
    /// Mirrors and certificates of registries, in JSON. Default: `palisade/registries.json` in the user's folder of
    /// configuration, where there is one
    #[arg(long, value_name = "FILE", env = "PALISADE_REGISTRIES", hide_env_values = true)]
    pub registries: Option<PathBuf>,
}
