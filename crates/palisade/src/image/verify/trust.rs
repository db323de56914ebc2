//! From arguments and policies to demands: the files that they name are read here.

mod notation;
mod policy;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use palisade_model::image_policy::LogRule;
use palisade_signatures::demand::{AttestationDemand, Credential, Signer};
use palisade_signatures::notary::{Certificates, RevocationList};
use palisade_signatures::{Demand, PublicKey, Root};

use crate::arguments::signing::VerifyArguments;
use crate::failure::{Failure, Hint};

/// Most bytes of a key, a certificate, a list or a root of trust.
const LONGEST_FILE: u64 = 64 << 20;

/// What must hold of an image, each with the name of its policy.
pub type Demands = Vec<(Option<String>, Demand)>;

/// Whom the command line and the policies trust.
pub struct Trusted<'a> {
    arguments: &'a VerifyArguments,
    /// None where the command line says it all.
    policies: Option<policy::Policies>,
}

impl<'a> Trusted<'a> {
    /// Reads the policies.
    ///
    /// # Errors
    /// When one of them cannot be used.
    pub fn read(arguments: &'a VerifyArguments) -> Result<Self, Failure> {
        let policies = match arguments.policy.is_empty() {
            true => None,
            false => Some(policy::Policies::read(&arguments.policy)?),
        };
        Ok(Self { arguments, policies })
    }

    /// What must hold of an image of that name. Nothing, when no policy is about it.
    ///
    /// # Errors
    /// When nothing says whom to trust, or a file cannot be used.
    pub fn about(&mut self, name: Option<&str>) -> Result<Demands, Failure> {
        match &mut self.policies {
            Some(policies) => policies.about(name.unwrap_or_default()),
            None => of_command_line(self.arguments, name),
        }
    }
}

fn of_command_line(arguments: &VerifyArguments, name: Option<&str>) -> Result<Demands, Failure> {
    let mut signers = quick_signers(arguments)?;
    if let Some(file) = &arguments.notation_policy {
        signers.extend(notation::signer(file, arguments, name)?);
    }
    if signers.is_empty() {
        return Err(Failure::new("nothing says whose signature the image needs")
            .hint(Hint::Change("name a policy: --policy FILE".into()))
            .hint(Hint::Change("or a key: --key cosign.pub".into()))
            .hint(Hint::Change(
                "or a login: --certificate-identity, --certificate-oidc-issuer and --trusted-root".into(),
            ))
            .hint(Hint::Change("or a trust policy of notation: --notation-policy and --trust-store".into())));
    }
    let threshold = if arguments.attestation.is_empty() { 1 } else { 0 };
    let attestations = arguments
        .attestation
        .iter()
        .map(|kind| AttestationDemand { predicate_type: kind.clone(), signers: Vec::new(), conditions: Vec::new() })
        .collect();
    Ok(vec![(None, Demand { signers, threshold, attestations })])
}

/// Those whom the command line names.
fn quick_signers(arguments: &VerifyArguments) -> Result<Vec<Signer>, Failure> {
    let root = arguments.trusted_root.as_deref().map(read_root).transpose()?.map(Arc::new);
    let log = if arguments.require_log { LogRule::Required } else { LogRule::IfPresent };
    let mut signers = Vec::new();
    for path in &arguments.key {
        let key = read_key(path)?;
        signers.push(Signer {
            name: short_name(path, &arguments.key),
            credential: Credential::Key { key, root: root.clone(), log },
        });
    }
    if let (Some(identity), Some(issuer)) = (&arguments.certificate_identity, &arguments.certificate_oidc_issuer) {
        let root = root.ok_or_else(|| {
            Failure::new("a certificate is judged by a root of trust, and none is given")
                .hint(Hint::Change("name a `trusted_root.json`: --trusted-root FILE".into()))
        })?;
        let (log, certificate_log) = (LogRule::Required, LogRule::Required);
        let (identity, issuer) = (identity.clone(), issuer.clone());
        signers.push(Signer {
            name: identity.clone(),
            credential: Credential::Keyless { root, identity, issuer, log, certificate_log },
        });
    }
    Ok(signers)
}

/// The file's name, where no other of them has the same.
fn short_name(path: &Path, all: &[PathBuf]) -> String {
    let is_shared = all.iter().filter(|other| other.file_name() == path.file_name()).count() > 1;
    let short = path.file_name().filter(|_| !is_shared).map(|name| name.to_string_lossy().into_owned());
    short.unwrap_or_else(|| path.display().to_string())
}

/// The key in a file.
pub fn read_key(path: &Path) -> Result<PublicKey, Failure> {
    PublicKey::from_pem(&read_text(path)?).map_err(|error| named(path, error))
}

/// The root of trust in a file.
pub fn read_root(path: &Path) -> Result<Root, Failure> {
    Root::from_json(&read_text(path)?).map_err(|error| named(path, error))
}

/// The certificates of a file, or of the files of a folder.
pub fn add_certificates(certificates: &mut Certificates, path: &Path) -> Result<(), Failure> {
    if !path.is_dir() {
        return certificates.add(&read(path)?).map_err(|error| named(path, error));
    }
    let mut files: Vec<PathBuf> = fs::read_dir(path)
        .map_err(|error| named(path, error))?
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.is_file())
        .collect();
    files.sort();
    if files.is_empty() {
        return Err(named(path, "the folder has no certificate"));
    }
    files.iter().try_for_each(|file| add_certificates(certificates, file))
}

/// The revocation list in a file.
pub fn read_list(path: &Path) -> Result<RevocationList, Failure> {
    RevocationList::parse(&read(path)?).map_err(|error| named(path, error))
}

/// The text of a file.
pub fn read_text(path: &Path) -> Result<String, Failure> {
    String::from_utf8(read(path)?).map_err(|error| named(path, error))
}

/// The bytes of a file that is not larger than anybody's.
pub fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let size = fs::metadata(path).map_err(|error| named(path, error))?.len();
    if size > LONGEST_FILE {
        return Err(named(path, format!("it has more than {LONGEST_FILE} bytes")));
    }
    fs::read(path).map_err(|error| named(path, error))
}

/// A failure with a file.
pub fn named(path: &Path, error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Failure {
    Failure::new(error).context(format!("cannot use `{}`", path.display()))
}
