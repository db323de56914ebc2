//! `palisade image`

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use palisade_archive::Platform;
use palisade_model::Severity;

use super::OutputFormat;
use super::advisories::StoreArguments;
use super::diff::DiffFormat;
use super::lint::ReportFormat;
use super::registry::RegistryArguments;
use super::signing::{AttestArguments, KeyArguments, SignArguments, TrustArguments, VerifyArguments};
use crate::image::scan::FailRule;

/// What to do with an image.
#[derive(Debug, Subcommand)]
pub enum ImageCommand {
    /// Say what is known against the packages of an image
    Scan(ScanArguments),
    /// List the packages of an image: its bill of materials
    Sbom(SbomArguments),
    /// Say what differs between two images: packages, files, layers, config, and what is known against them
    Diff(DiffArguments),
    /// Say which images were made from what, whether that is behind, and what to do about it
    Bases(BasesArguments),
    /// Say what an image has that it does not need or should not have: shells, secrets, rights, root
    Lint(ImageLintArguments),
    /// Show what an image is made of: layers, config, distribution, and how far its contents are known
    Inspect(InspectArguments),
    /// Say who vouches for an image: signatures and attestations of cosign and of the Notary Project
    Verify(VerifyArguments),
    /// Sign an image with a key: as cosign does, or as notation does
    Sign(SignArguments),
    /// Say something of an image, such as its bill of materials or a scan, and sign that
    Attest(AttestArguments),
    /// Make a key to sign with
    Key(KeyArguments),
    /// Bring a root of trust up to date, from a repository of TUF
    Trust(TrustArguments),
}

/// Which image.
#[derive(Debug, Clone, Args)]
pub struct ImageArguments {
    /// An OCI layout, an archive of `docker save`, or a folder: a root, or sources with lock files; or a bill of
    /// materials, CycloneDX or SPDX; behind a colon, the tag or digest where there are several. What is no path here is
    /// asked of its registry: `ghcr.io/org/app:v1`, `alpine`. `oci:`, `docker-archive:` and `registry:` say which is meant
    #[arg(value_name = "IMAGE")]
    pub image: String,
    #[command(flatten)]
    pub choice: ChoiceArguments,
}

/// Which image, or which images.
#[derive(Debug, Clone, Args)]
pub struct ImagesArguments {
    /// An OCI layout, an archive of `docker save`, or a folder: a root, or sources with lock files; or a bill of
    /// materials, CycloneDX or SPDX; behind a colon, the tag or digest where there are several. What is no path here is
    /// asked of its registry: `ghcr.io/org/app:v1`, `alpine`. `oci:`, `docker-archive:` and `registry:` say which is meant
    #[arg(value_name = "IMAGE", required_unless_present = "manifests", conflicts_with = "manifests")]
    pub image: Option<String>,
    /// Instead of one image, all that these manifests run, each once: a file or folder, YAML or JSON; `-` is standard
    /// input. Repeatable
    #[arg(short = 'f', long = "manifests", value_name = "PATH")]
    pub manifests: Vec<PathBuf>,
    #[command(flatten)]
    pub choice: ChoiceArguments,
}

/// Which image of an index, and how registries are asked for it.
#[derive(Debug, Clone, Args)]
pub struct ChoiceArguments {
    /// Which image of an index. Default: Linux on this machine's architecture, or the only one there is
    #[arg(long, value_name = "OS/ARCHITECTURE")]
    pub platform: Option<Platform>,
    #[command(flatten)]
    pub registry: RegistryArguments,
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
  palisade image sbom ghcr.io/org/app:v1.2 -o cyclonedx-json > sbom.json
  docker save app:v1.2 -o app.tar && palisade image sbom app.tar -o spdx-json
  palisade image sbom ./sources
  helm template ./chart | palisade image sbom -f - -o spdx-json --into sboms")]
pub struct SbomArguments {
    #[command(flatten)]
    pub images: ImagesArguments,
    /// How to print it
    #[arg(short = 'o', long = "output", value_name = "FORMAT", default_value = "table")]
    pub output: SbomFormat,
    /// With -f and CycloneDX or SPDX: the folder that each image's bill is written to, named by its digest
    #[arg(long, value_name = "FOLDER", requires = "manifests")]
    pub into: Option<PathBuf>,
}

/// `palisade image lint`
#[derive(Debug, Args)]
#[command(after_help = "\
Secrets are looked for in the text files of every layer, also in those that a later layer removes, by forms that can be
proven: a checksum that is right, a key that parses, a token that decodes. What is shown of one is its public beginning.

The score is 100, less for each rule with open findings: 40 when the worst is critical, 20 high, 10 medium, 3 low.

Exit codes: 0 nothing of --fail-on or worse, 1 something of it, 2 usage or unusable input, 3 parts of the image could
not be read, or the search for secrets ended before all was searched.

Examples:
  palisade image lint ./layout
  palisade image lint ghcr.io/org/app:v1.2 --fail-on high
  palisade image lint app.tar -o sarif > lint.sarif
  palisade image lint ./layout --rule secret --search-seconds 300
  palisade image lint --list-rules")]
pub struct ImageLintArguments {
    /// An OCI layout, an archive of `docker save`, or a root folder; behind a colon, the tag or digest where there are
    /// several. What is no path here is asked of its registry: `ghcr.io/org/app:v1`
    #[arg(value_name = "IMAGE", required_unless_present = "list_rules")]
    pub image: Option<String>,
    #[command(flatten)]
    pub choice: ChoiceArguments,
    /// Fail with 1 when a finding is this bad or worse: critical, high, medium, low or info
    #[arg(long, value_name = "SEVERITY", default_value = "high")]
    pub fail_on: Severity,
    /// Report this rule alone. Repeatable
    #[arg(long = "rule", value_name = "RULE", conflicts_with = "ignored")]
    pub rules: Vec<String>,
    /// Do not report this rule. Repeatable
    #[arg(long = "ignore", value_name = "RULE")]
    pub ignored: Vec<String>,
    /// Print the rules, and look for nothing
    #[arg(long)]
    pub list_rules: bool,
    /// How long to search for secrets, over all layers
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    pub search_seconds: u64,
    /// How much text to search for secrets; none with 0
    #[arg(long, value_name = "MEGABYTES", default_value_t = 2000)]
    pub search_megabytes: u64,
    /// How to print it
    #[arg(short = 'o', long = "output", value_name = "FORMAT", default_value = "text")]
    pub output: ReportFormat,
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

/// How to print what was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ScanFormat {
    /// For people: by what to do; may change
    Table,
    /// For programs: stable and versioned
    Json,
    /// SARIF 2.1.0, for code scanning
    Sarif,
    /// JUnit's XML, for CI servers
    Junit,
    /// For a comment on a pull request
    Markdown,
    /// CycloneDX 1.6 with what is exploitable and what is not
    CyclonedxVex,
}

/// What images are judged by.
#[derive(Debug, Clone, Args)]
pub struct JudgeArguments {
    /// A folder of exports, or a database, instead of the current one of `palisade advisories`
    #[arg(long, value_name = "PATH")]
    pub advisories: Option<PathBuf>,
    #[command(flatten)]
    pub store: StoreArguments,
    /// What makes the scan fail. Repeatable, and several behind commas
    #[arg(long, value_name = "RULES", value_delimiter = ',')]
    pub fail_on: Vec<FailRule>,
    /// Statements of the image's makers, OpenVEX or CycloneDX. Repeatable
    #[arg(long, value_name = "FILE")]
    pub vex: Vec<PathBuf>,
    /// What you have decided to live with, until when, and why
    #[arg(long, value_name = "FILE")]
    pub ignore_file: Option<PathBuf>,
    /// Images that others are made from, as `palisade image bases --record` writes them: findings in their layers are
    /// the base's
    #[arg(long, value_name = "FILE")]
    pub known_bases: Option<PathBuf>,
}

/// `palisade image scan`
#[derive(Debug, Args)]
#[command(after_help = "\
A rule of --fail-on is conditions joined by `+`: critical, high, medium, low (this bad or worse), any, kev (known to be
exploited), fixable (a version that mends it is out), reachable (known to be in the program), new (not in --baseline).
What is known not to be in the program fails by no rule. Default: any.

A line of the ignore file is `ID PACKAGE DATE REASON`, with `*` for every package; it holds until that day.

With -f every image that the manifests run is scanned once per digest, and the report says who runs it. One that cannot be
had is told, and the others go on.

Exit codes: 0 nothing that fails, 1 something that does, 2 usage or unusable input, 3 no data for some packages, or
parts of the image, or some of the images, that could not be read.

Examples:
  palisade image scan ./layout
  palisade image scan ghcr.io/org/app:v1.2 --advisories ~/osv-exports -o json
  helm template ./chart | palisade image scan -f - --fail-on kev
  palisade image scan ./layout --fail-on critical --fail-on high+fixable --fail-on kev
  palisade image scan ./layout --vex app.openvex.json --ignore-file ignored.txt
  palisade image scan ./layout --baseline yesterday.json --fail-on new+high")]
pub struct ScanArguments {
    #[command(flatten)]
    pub images: ImagesArguments,
    #[command(flatten)]
    pub judge: JudgeArguments,
    /// An earlier `-o json` of the same image: says what is new since
    #[arg(long, value_name = "FILE")]
    pub baseline: Option<PathBuf>,
    /// Say of each finding whether the database before this one had it, and if not, what changed. FILE is that
    /// database; without it, the one that `palisade advisories` has kept
    #[arg(long, value_name = "FILE", num_args = 0..=1)]
    pub why_new: Option<Option<PathBuf>>,
    /// How to print it
    #[arg(short = 'o', long = "output", value_name = "FORMAT", default_value = "table")]
    pub output: ScanFormat,
}

/// `palisade image diff`
#[derive(Debug, Args)]
#[command(after_help = "\
OLD and NEW are images as `palisade image sbom` takes them. With a database of advisories, findings that open and close are
told; a rule of --fail-on, as `palisade image scan` has them, is held against those that open. A bill of materials has no
files to compare.

Exit codes: 0 compared, 1 a finding opens that a rule of --fail-on is about, 2 usage or unusable input, 3 no data for some
packages, or parts of an image that could not be read.

Examples:
  palisade image diff ghcr.io/org/app:v1 ghcr.io/org/app:v2
  palisade image diff ghcr.io/org/app:v1 ./layout --fail-on high+fixable -o markdown
  palisade image diff old.tar new.tar -o json | jq .packages")]
pub struct DiffArguments {
    /// The image before
    #[arg(value_name = "OLD")]
    pub old: String,
    /// The image after
    #[arg(value_name = "NEW")]
    pub new: String,
    #[command(flatten)]
    pub choice: ChoiceArguments,
    #[command(flatten)]
    pub judge: JudgeArguments,
    /// How to print it
    #[arg(short = 'o', long = "output", value_name = "FORMAT", default_value = "text")]
    pub output: DiffFormat,
}

/// `palisade image bases`
#[derive(Debug, Args)]
#[command(after_help = "\
The base of an image is known by the metadata of Cloud Native Buildpacks, by the labels or annotations
org.opencontainers.image.base.name and .digest, or by its lowest layers, when --known-bases has them. It is behind when the
layers that its name leads to now are not the image's lowest ones. A rebase is enough for an image that buildpacks made,
when its new run image is of the same distribution and platform and, with --findings, nothing else in it can be mended.

Exit codes: 0 no image is behind, 1 one is, 2 usage or unusable input, 3 of some it cannot be told.

Examples:
  palisade image bases -f ./manifests
  palisade image bases ghcr.io/org/app:v1 --findings
  palisade image bases debian:12 --record bases.json && palisade image bases -f ./manifests --known-bases bases.json")]
pub struct BasesArguments {
    #[command(flatten)]
    pub images: ImagesArguments,
    #[command(flatten)]
    pub judge: JudgeArguments,
    /// Read the layers as well, and split what is known against the image into that of its base and its own
    #[arg(long)]
    pub findings: bool,
    /// Add IMAGE to this file of known bases instead, as it is now
    #[arg(long, value_name = "FILE", conflicts_with = "manifests")]
    pub record: Option<PathBuf>,
    /// How to print it
    #[arg(short = 'o', long = "output", value_name = "FORMAT", default_value = "text")]
    pub output: OutputFormat,
}
