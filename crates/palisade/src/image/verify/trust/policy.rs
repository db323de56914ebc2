//! ImagePolicies: which of them are about the image, and the files that their signers name.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use palisade_model::image_policy::{ImagePolicy, ImageSigner, NotarySigner, SignerIdentity};
use palisade_model::problem::Effect;
use palisade_signatures::demand::{AttestationDemand, Credential, Signer};
use palisade_signatures::notary::{Certificates, Subject, Trust};
use palisade_signatures::{Demand, Root, pattern};

use super::{Demands, add_certificates, read_key, read_list, read_root};
use crate::failure::{Failure, Hint};
use crate::input;

/// Policies, and the files that were read for them.
pub struct Policies {
    policies: Vec<ImagePolicy>,
    roots: Roots,
}

impl Policies {
    /// Reads all of them.
    ///
    /// # Errors
    /// When one cannot be used: a policy that is read in part asks for less than was meant.
    pub fn read(paths: &[PathBuf]) -> Result<Self, Failure> {
        let mut policies = Vec::new();
        for path in paths {
            let read = palisade_manifests::load_image_policies(path).map_err(Failure::new)?;
            input::print_problems(&read.problems);
            if read.problems.iter().any(|problem| problem.effect == Effect::MayChangeAnswers) {
                return Err(Failure::new(format!("`{}` cannot be used as it is", path.display())));
            }
            policies.extend(read.value);
        }
        if policies.is_empty() {
            return Err(Failure::new("no ImagePolicy was given")
                .hint(Hint::Change("write `apiVersion: palisade.dev/v1alpha1` and `kind: ImagePolicy`".into())));
        }
        Ok(Self { policies, roots: Roots::default() })
    }

    /// A demand for each policy that is about the image of that name.
    ///
    /// # Errors
    /// When a file that one of them names cannot be used.
    pub fn about(&mut self, name: &str) -> Result<Demands, Failure> {
        let is_about = |policy: &&ImagePolicy| policy.images.iter().any(|pattern| is_about(pattern, name));
        let about = self.policies.iter().filter(is_about);
        about.map(|policy| Ok((Some(policy.name.to_string()), self.roots.demand(policy)?))).collect()
    }
}

/// A pattern without a tag is about every tag and digest.
fn is_about(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (&*without_port(pattern), &*without_port(name));
    let without_digest = name.split('@').next().unwrap_or(name);
    let without_tag = match without_digest.rsplit_once(':') {
        Some((repository, tag)) if !tag.contains('/') => repository,
        _ => without_digest,
    };
    [name, without_digest, without_tag].iter().any(|name| pattern::matches(pattern, name))
}

/// Without the port that a registry has anyhow: with it, an image would have a second name, which its policy does not know.
fn without_port(name: &str) -> Cow<'_, str> {
    match name.split_once('/') {
        Some((registry, path)) => match registry.strip_suffix(":443") {
            Some(host) => format!("{host}/{path}").into(),
            None => name.into(),
        },
        None => name.into(),
    }
}

/// Roots of trust, each read once.
#[derive(Default)]
struct Roots(BTreeMap<PathBuf, Arc<Root>>);

impl Roots {
    fn root(&mut self, path: PathBuf) -> Result<Arc<Root>, Failure> {
        if let Some(root) = self.0.get(&path) {
            return Ok(root.clone());
        }
        let root = Arc::new(read_root(&path)?);
        self.0.insert(path, root.clone());
        Ok(root)
    }

    fn demand(&mut self, policy: &ImagePolicy) -> Result<Demand, Failure> {
        let signers = policy.signers.iter().map(|signer| {
            self.signer(signer)
                .map_err(|failure| failure.context(format!("{}: signer `{}`", signer.place, signer.name)))
        });
        let attestations = policy.attestations.iter().map(|rule| AttestationDemand {
            predicate_type: rule.predicate_type.clone(),
            signers: rule.signers.iter().map(ToString::to_string).collect(),
            conditions: rule.conditions.clone(),
        });
        Ok(Demand {
            signers: signers.collect::<Result<_, _>>()?,
            threshold: policy.threshold,
            attestations: attestations.collect(),
        })
    }

    fn signer(&mut self, signer: &ImageSigner) -> Result<Signer, Failure> {
        // What a policy names lies where it is said from the policy's own place.
        let folder = Path::new(&*signer.place.file).parent().unwrap_or(Path::new(""));
        let credential = match &signer.identity {
            SignerIdentity::Key(key) => Credential::Key {
                key: read_key(&folder.join(&key.key))?,
                root: key.trusted_root.as_ref().map(|file| self.root(folder.join(file))).transpose()?,
                log: key.transparency_log,
            },
            SignerIdentity::Certificate(certificate) => Credential::Keyless {
                root: self.root(folder.join(&certificate.trusted_root))?,
                identity: certificate.identity.clone(),
                issuer: certificate.issuer.clone(),
                log: certificate.transparency_log,
                certificate_log: certificate.certificate_log,
            },
            SignerIdentity::Notary(notary) => Credential::Notary(trust(notary, folder)?),
        };
        Ok(Signer { name: signer.name.to_string(), credential })
    }
}

fn trust(notary: &NotarySigner, folder: &Path) -> Result<Trust, Failure> {
    let certificates = |files: &[String]| -> Result<Certificates, Failure> {
        let mut certificates = Certificates::default();
        files.iter().try_for_each(|file| add_certificates(&mut certificates, &folder.join(file)))?;
        Ok(certificates)
    };
    let subjects = notary.subjects.iter().map(|text| Subject::parse(text).map_err(Failure::new));
    let lists = notary.revocation_lists.iter().map(|file| read_list(&folder.join(file)));
    Ok(Trust {
        authorities: certificates(&notary.authorities)?,
        signing_authorities: certificates(&notary.signing_authorities)?,
        timestamp_authorities: certificates(&notary.timestamp_authorities)?,
        subjects: subjects.collect::<Result<_, _>>()?,
        revocation_lists: lists.collect::<Result<_, _>>()?,
        revocation: notary.revocation,
        ..Trust::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_has_no_second_name_that_its_policy_does_not_know() {
        for (pattern, name, expected) in [
            ("registry.example/shop/**", "registry.example/shop/web:1", true),
            ("registry.example/shop/**", "registry.example:443/shop/web:1", true),
            ("registry.example:443/shop/**", "registry.example/shop/web:1", true),
            ("registry.example/shop/**", "registry.example:5000/shop/web:1", false),
            ("registry.example/shop/web", "registry.example/shop/web:1@sha256:12", true),
            ("registry.example/shop/web:1", "registry.example/shop/web:1@sha256:12", true),
            ("registry.example/shop/web:1", "registry.example/shop/web:2", false),
            ("registry.example/shop", "registry.example/shop/web:1", false),
            ("**", "registry.example:443/shop/web:1", true),
        ] {
            assert_eq!(is_about(pattern, name), expected, "{pattern} {name}");
        }
    }
}
