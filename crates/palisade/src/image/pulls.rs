//! As whom the images of manifests are pulled: with the pull secrets that their pods name, else as the user.

use std::collections::BTreeSet;
use std::io::Cursor;
use std::path::PathBuf;

use palisade_manifests::{PullSecretForm, PullSecrets, SecretData, SecretName, load_pull_secrets};
use palisade_model::{Inventory, Outcome};
use palisade_registry::{Credentials, PullCredentials, Reference, Registry};

use crate::arguments::registry::RegistryArguments;
use crate::failure::Failure;
use crate::image::workloads::User;
use crate::settings::Settings;
use crate::{input, registry};

/// Pull secrets that are tried for one image: pods name one or two.
const MOST_TRIED: usize = 8;

/// Who is asked for images, and as whom.
pub struct Pulls<'s> {
    arguments: &'s RegistryArguments,
    settings: &'s Settings,
    secrets: PullSecrets,
    /// As the user.
    own: Registry,
}

/// A registry that knows who asks.
pub struct Pull<'p> {
    own: Option<Registry>,
    users: &'p Registry,
    /// The Secret whose credentials are shown: `shop/regcred`.
    pub with: Option<String>,
    /// Why others that the pods name were not: in words.
    pub not_with: Vec<String>,
}

impl Pull<'_> {
    pub fn registry(&self) -> &Registry {
        self.own.as_ref().unwrap_or(self.users)
    }

    /// A client of its own.
    pub fn into_registry(self, pulls: &Pulls<'_>) -> Result<Registry, Failure> {
        self.own.map_or_else(|| registry::client(pulls.arguments, pulls.settings), Ok)
    }
}

/// Why an image could not be had, with what is known of its pull secrets.
pub fn told(why: String, not_with: &[String]) -> String {
    not_with.iter().fold(why, |text, why| format!("{text}; {why}"))
}

/// Reads manifests, and what they are pulled with.
///
/// # Errors
/// When there are none, or the config of registries cannot be used.
pub fn read<'s>(
    paths: &[PathBuf],
    arguments: &'s RegistryArguments,
    settings: &'s Settings,
) -> Result<(Outcome<Inventory>, Pulls<'s>), Failure> {
    // A pipe can be read once.
    let stdin = if paths.iter().any(|path| input::is_stdin(path)) { input::read_stdin()? } else { Vec::new() };
    let manifests = palisade_manifests::load(paths, Cursor::new(&stdin)).map_err(Failure::new)?;
    let secrets = load_pull_secrets(paths, Cursor::new(&stdin)).map_err(Failure::new)?;
    let own = registry::client(arguments, settings)?;
    Ok((manifests, Pulls { arguments, settings, secrets, own }))
}

impl Pulls<'_> {
    /// As whom an image is pulled. What of its pull secrets fits is tried in order, as the kubelet does; the first that the
    /// registry takes is shown from then on. Else the user's own credentials are.
    ///
    /// # Errors
    /// When the config of registries cannot be used.
    pub fn of(&self, reference: &Reference, run_by: &BTreeSet<User>) -> Result<Pull<'_>, Failure> {
        let mut pull = Pull { own: None, users: &self.own, with: None, not_with: Vec::new() };
        let mut names: Vec<SecretName> = Vec::new();
        for name in run_by.iter().flat_map(|user| self.secrets.of(&user.workload)) {
            if !names.contains(&name) && names.len() < MOST_TRIED {
                names.push(name);
            }
        }
        for name in names {
            let credentials = match self.credentials(&name, reference) {
                Ok(Some(credentials)) => credentials,
                // It is about other registries.
                Ok(None) => continue,
                Err(why) => {
                    pull.not_with.push(why);
                    continue;
                }
            };
            let instead = Some((reference.repository.registry().to_owned(), credentials));
            let registry = registry::client_as(instead, self.arguments, self.settings)?;
            match registry.resolve(&reference.repository, reference.version()) {
                Ok(_) => {
                    pull.own = Some(registry);
                    pull.with = Some(name.to_string());
                    return Ok(pull);
                }
                Err(error) => pull.not_with.push(format!("with the pull secret `{name}`: {}", error.message())),
            }
        }
        Ok(pull)
    }

    /// What a Secret holds for the image's registry. The error is about the Secret, and says nothing of what is in it.
    fn credentials(&self, name: &SecretName, reference: &Reference) -> Result<Option<Credentials>, String> {
        let Some(secret) = self.secrets.secret(name) else {
            return Err(format!("its pull secret `{name}` is not in the manifests"));
        };
        let bytes = match &secret.data {
            SecretData::Plain(text) => Some(text.clone().into_bytes()),
            SecretData::Encoded(text) => PullCredentials::decode(text),
            SecretData::Missing => None,
        };
        let parsed = bytes.and_then(|bytes| match secret.form {
            PullSecretForm::DockerConfigJson => PullCredentials::parse_config(&bytes),
            PullSecretForm::DockerCfg => PullCredentials::parse_entries(&bytes),
        });
        let credentials =
            parsed.ok_or_else(|| format!("its pull secret `{name}`, {}, is no config of Docker", secret.place))?;
        Ok(credentials.of(&reference.repository))
    }
}
