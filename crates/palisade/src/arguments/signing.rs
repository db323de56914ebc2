//! `palisade image verify`, `sign`, `attest`, `key` and `trust`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use palisade_archive::Platform;

use super::OutputFormat;
use super::registry::RegistryArguments;

/// `palisade image verify`
#[derive(Debug, Args)]
#[command(after_help = "\
A signature holds when it is for this image's digest and by somebody who is trusted. An attestation is no signature. The
answer says what was checked of each, and what was not.

Exit codes: 0 vouched for as it must be, 1 refused, 2 usage or unusable input, 3 something is missing that the answer
depends on.

Examples:
  palisade image verify registry.example/shop/web:1.2 --key cosign.pub
  palisade image verify -f ./manifests --policy image-policies.yaml
  palisade image verify ./layout --policy image-policies.yaml --name registry.example/shop/web:1.2
  palisade image verify ./layout:v1.2 --trusted-root trusted_root.json \\
      --certificate-identity 'https://github.com/acme/app/.github/workflows/release.yml@refs/tags/*' \\
      --certificate-oidc-issuer https://token.actions.githubusercontent.com
  palisade image verify ./layout --key cosign.pub --attestation https://cyclonedx.org/bom -o json
  palisade image verify ./layout --notation-policy trustpolicy.json --trust-store ~/.config/notation/truststore")]
pub struct VerifyArguments {
    /// A name in a registry, or an OCI layout: behind a colon, the tag or digest where there are several images
    #[arg(value_name = "IMAGE", required_unless_present = "manifests", conflicts_with = "manifests")]
    pub image: Option<String>,
    /// Instead of one image, all that these manifests run: a file or folder, YAML or JSON; `-` is standard input. Repeatable
    #[arg(short = 'f', long = "manifests", value_name = "PATH", conflicts_with_all = ["index", "name"])]
    pub manifests: Vec<PathBuf>,
    /// Which image of an index; the signatures of the index count for it
    #[arg(long, value_name = "OS/ARCHITECTURE")]
    pub platform: Option<Platform>,
    /// The tag or digest of an index that the image must belong to; the signatures of the index count for it
    #[arg(long, value_name = "NAME", conflicts_with = "platform")]
    pub index: Option<String>,
    /// ImagePolicies, a file or a folder: all that are about the image must hold. Repeatable
    #[arg(long, value_name = "PATH",
          conflicts_with_all = ["key", "certificate_identity", "notation_policy", "attestation", "require_log"])]
    pub policy: Vec<PathBuf>,
    /// What an image of a layout is called where it is used, for policies
    #[arg(long, value_name = "REFERENCE")]
    pub name: Option<String>,
    /// A public key whose signature counts. Repeatable: one of them is enough
    #[arg(long, value_name = "FILE")]
    pub key: Vec<PathBuf>,
    /// Who must have signed by a certificate for a login; `*` is anything but a slash, `**` anything
    #[arg(long, value_name = "PATTERN", requires = "certificate_oidc_issuer")]
    pub certificate_identity: Option<String>,
    /// Who must have vouched for that login
    #[arg(long, value_name = "URL", requires = "certificate_identity")]
    pub certificate_oidc_issuer: Option<String>,
    /// `trusted_root.json`: certificate authorities, logs and time stamp authorities of a Sigstore instance
    #[arg(long, value_name = "FILE")]
    pub trusted_root: Option<PathBuf>,
    /// notation's `trustpolicy.json`: whose certificates count
    #[arg(long, value_name = "FILE", requires = "trust_store")]
    pub notation_policy: Option<PathBuf>,
    /// notation's trust store: a folder with `x509/ca/NAME/` and so on
    #[arg(long, value_name = "FOLDER", requires = "notation_policy")]
    pub trust_store: Option<PathBuf>,
    /// A list of revoked certificates. Repeatable
    #[arg(long, value_name = "FILE", requires = "notation_policy")]
    pub revocation_list: Vec<PathBuf>,
    /// A signature with a key must stand in a transparency log as well
    #[arg(long, requires = "trusted_root")]
    pub require_log: bool,
    /// An attestation of this predicate type is needed, in the place of a signature. Repeatable: all are
    #[arg(long, value_name = "TYPE")]
    pub attestation: Vec<String>,
    #[command(flatten)]
    pub registry: RegistryArguments,
    /// How to print it
    #[arg(short = 'o', long = "output", value_name = "FORMAT", default_value = "text")]
    pub output: OutputFormat,
}

/// What to sign with.
#[derive(Debug, Clone, Args)]
pub struct SigningKeyArguments {
    /// A private key: in cosign's form, or PKCS #8
    #[arg(long, value_name = "FILE")]
    pub key: PathBuf,
    /// A file with the password of the key. Default: PALISADE_KEY_PASSWORD or COSIGN_PASSWORD of the environment
    #[arg(long, value_name = "FILE")]
    pub password_file: Option<PathBuf>,
}

/// How to write a signature down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SignFormat {
    /// A Sigstore bundle that refers to the image: cosign 3
    Bundle,
    /// Under the tag `sha256-HEX.sig`: cosign 2
    Legacy,
    /// A JWS that refers to the image: notation
    Notary,
}

/// `palisade image sign`
#[derive(Debug, Args)]
#[command(after_help = "\
The signature is stored where the image lies, in a layout or a registry, beside those that are there. It is for the digest
that the name leads to now; of an index, for the index, which lists its images by digest. No transparency log is told, and
no time stamp is asked for.

Examples:
  palisade image key release
  palisade image sign registry.example/shop/web:1.2 --key release.key
  palisade image sign ./layout:v1.2 --key release.key --format legacy --annotation env=production
  palisade image sign ./layout --key signer.key --format notary --certificates chain.pem --expires-in 90")]
pub struct SignArguments {
    /// A name in a registry, or an OCI layout: behind a colon, the tag or digest where there are several images
    #[arg(value_name = "IMAGE")]
    pub image: String,
    #[command(flatten)]
    pub key: SigningKeyArguments,
    /// How to write it down
    #[arg(long, value_name = "FORMAT", default_value = "bundle")]
    pub format: SignFormat,
    /// notary: certificates in PEM, the signer's first and the root's last
    #[arg(long, value_name = "FILE")]
    pub certificates: Option<PathBuf>,
    /// notary: after so many days the signature no longer holds
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u16).range(1..))]
    pub expires_in: Option<u16>,
    /// legacy, notary: something to sign beside the digest. Repeatable
    #[arg(long, value_name = "KEY=VALUE")]
    pub annotation: Vec<String>,
    /// Sign this image of an index, in the place of the index
    #[arg(long, value_name = "OS/ARCHITECTURE")]
    pub platform: Option<Platform>,
    #[command(flatten)]
    pub registry: RegistryArguments,
}

/// How to write an attestation down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum AttestFormat {
    /// A Sigstore bundle that refers to the image: cosign 3
    Bundle,
    /// Under the tag `sha256-HEX.att`: cosign 2
    Legacy,
}

/// `palisade image attest`
#[derive(Debug, Args)]
#[command(after_help = "\
What is said becomes the predicate of an in-toto statement. CycloneDX, SPDX, OpenVEX and the JSON of `palisade image scan`
are recognized; everything else needs --type.

Examples:
  palisade image sbom ./layout -o cyclonedx-json | palisade image attest ./layout --key release.key --predicate -
  palisade image scan ./layout -o json > scan.json; palisade image attest ./layout --key release.key --predicate scan.json
  palisade image attest ./layout --key release.key --predicate review.json --type https://acme.example/review/v1")]
pub struct AttestArguments {
    /// A name in a registry, or an OCI layout: behind a colon, the tag or digest where there are several images
    #[arg(value_name = "IMAGE")]
    pub image: String,
    #[command(flatten)]
    pub key: SigningKeyArguments,
    /// What is said: a file with JSON, or `-` for standard input
    #[arg(long, value_name = "FILE")]
    pub predicate: PathBuf,
    /// What kind of statement it is: a URI, or cyclonedx, spdx, vuln, slsaprovenance1, openvex
    #[arg(long = "type", value_name = "TYPE")]
    pub kind: Option<String>,
    /// How to write it down
    #[arg(long, value_name = "FORMAT", default_value = "bundle")]
    pub format: AttestFormat,
    /// Of this image of an index, in the place of the index
    #[arg(long, value_name = "OS/ARCHITECTURE")]
    pub platform: Option<Platform>,
    #[command(flatten)]
    pub registry: RegistryArguments,
}

/// What a new key is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum KeyKindChoice {
    /// ECDSA over P-256: cosign and notation take it
    EcdsaP256,
    /// Ed25519: cosign takes it
    Ed25519,
}

/// How a new key is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum KeyFormChoice {
    /// As cosign does
    Cosign,
    /// As openssl does
    Pkcs8,
}

/// `palisade image key`
#[derive(Debug, Args)]
#[command(after_help = "\
Writes NAME.key, closed by the password, and NAME.pub. Neither is written over.

Examples:
  PALISADE_KEY_PASSWORD=... palisade image key release
  palisade image key release --password-file password.txt --form pkcs8")]
pub struct KeyArguments {
    /// What the two files are called
    #[arg(value_name = "NAME")]
    pub name: PathBuf,
    /// What it is
    #[arg(long, value_name = "KIND", default_value = "ecdsa-p256")]
    pub kind: KeyKindChoice,
    /// How it is kept
    #[arg(long, value_name = "FORM", default_value = "cosign")]
    pub form: KeyFormChoice,
    /// A file with the password. Default: PALISADE_KEY_PASSWORD or COSIGN_PASSWORD of the environment
    #[arg(long, value_name = "FILE")]
    pub password_file: Option<PathBuf>,
}

/// `palisade image trust`
#[derive(Debug, Args)]
#[command(after_help = "\
FOLDER gets `trusted_root.json`, for --trusted-root and for policies, and the metadata that proves it. What is served is
believed as far as the first root has signed it, step by step; what is expired, older than before or changed is refused, and
what was there stays. The first root comes from you.

Examples:
  palisade image trust ./trust --from https://tuf-repo-cdn.sigstore.dev --root root.json
  palisade image trust ./trust --from https://tuf-repo-cdn.sigstore.dev
  palisade image trust ./trust --from /media/mirror")]
pub struct TrustArguments {
    /// Where it is kept
    #[arg(value_name = "FOLDER")]
    pub folder: PathBuf,
    /// The repository: an address, or a folder with a copy of one
    #[arg(long, value_name = "URL|FOLDER")]
    pub from: String,
    /// `root.json` to begin with, or to begin again with. Default: the newest that FOLDER has
    #[arg(long, value_name = "FILE")]
    pub root: Option<PathBuf>,
}
