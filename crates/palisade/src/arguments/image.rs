//! `palisade image`

use clap::{Args, Subcommand, ValueEnum};
use palisade_archive::Platform;

use super::OutputFormat;

/// What to do with an image.
#[derive(Debug, Subcommand)]
pub enum ImageCommand {
    /// List the packages of an image: its bill of materials
    Sbom(SbomArguments),
    /// Show what an image is made of: layers, config, distribution, and how far its contents are known
    Inspect(InspectArguments),
}

/// Which image.
#[derive(Debug, Clone, Args)]
pub struct ImageArguments {
    /// An OCI layout, an archive of `docker save`, or a folder: a root, or sources with lock files; or a bill of
    /// materials, CycloneDX or SPDX. Behind a colon, the tag or digest where there are several
    #[arg(value_name = "IMAGE")]
    pub image: String,
    /// Which image of an index. Default: Linux on this machine's architecture, or the only one there is
    #[arg(long, value_name = "OS/ARCHITECTURE")]
    pub platform: Option<Platform>,
}

/// How to print a bill of materials.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SbomFormat {
    /// For people; may change
    Table,
    /// For programs: all that is known, stable and versioned
    Json,
    /// CycloneDX 1.6
    CyclonedxJson,
    /// SPDX 2.3
    SpdxJson,
}

/// `palisade image sbom`
#[derive(Debug, Args)]
#[command(after_help = "\
The same image gives the same bytes. A package whose files belong to a package of the distribution is that package, and
not listed twice; `-o json` shows both.

Examples:
  palisade image sbom ./layout
  palisade image sbom ./layout:v1.2 -o cyclonedx-json > sbom.json
  docker save app:v1.2 -o app.tar && palisade image sbom app.tar -o spdx-json
  palisade image sbom ./sources")]
pub struct SbomArguments {
    #[command(flatten)]
    pub image: ImageArguments,
    /// How to print it
    #[arg(short = 'o', long = "output", value_name = "FORMAT", default_value = "table")]
    pub output: SbomFormat,
}

/// `palisade image inspect`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  palisade image inspect ./layout
  palisade image inspect app.tar -o json | jq .layers")]
pub struct InspectArguments {
    #[command(flatten)]
    pub image: ImageArguments,
    /// How to print it
    #[arg(short = 'o', long = "output", value_name = "FORMAT", default_value = "text")]
    pub output: OutputFormat,
}
