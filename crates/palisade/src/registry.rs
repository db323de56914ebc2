//! The client of registries, as the command line and the environment want it.

use std::fs;
use std::path::Path;

use palisade_registry::http::Trouble;
use palisade_registry::{
    CredentialFiles, Credentials, Host, Hosts, Registry, RegistryError, RegistryOptions, Repository,
};

use crate::arguments::registry::RegistryArguments;
use crate::failure::{Failure, Hint};
use crate::settings::Settings;

/// A config of registries is written by people.
const LONGEST_CONFIG: u64 = 1 << 20;

/// A client that has asked nothing yet.
///
/// # Errors
/// When the config of registries cannot be used, or a name is none.
pub fn client(arguments: &RegistryArguments, settings: &Settings) -> Result<Registry, Failure> {
    client_as(None, arguments, settings)
}

/// The same, which shows one registry other credentials than the user's.
///
/// # Errors
/// As with [`client`].
pub fn client_as(
    instead: Option<(String, Credentials)>,
    arguments: &RegistryArguments,
    settings: &Settings,
) -> Result<Registry, Failure> {
    let mut hosts = read_hosts(arguments, settings)?;
    for name in &arguments.insecure_registry {
        // A name as references have it; the repository is any.
        let repository = Repository::new(name, "any")
            .map_err(|error| Failure::new(error).context(format!("cannot use `--insecure-registry {name}`")))?;
        hosts.registries.entry(repository.registry().to_owned()).or_default().insecure = true;
    }
    Ok(Registry::new(RegistryOptions {
        hosts,
        credentials: CredentialFiles { files: settings.credential_files.clone() },
        proxies: settings.proxies.clone(),
        instead,
        ..RegistryOptions::default()
    }))
}

fn read_hosts(arguments: &RegistryArguments, settings: &Settings) -> Result<Hosts, Failure> {
    let own = settings.config_folder.as_ref().map(|folder| folder.join("registries.json"));
    let Some(path) = arguments.registries.clone().or_else(|| own.filter(|path| path.exists())) else {
        return Ok(Hosts::default());
    };
    let failed =
        |failure: Failure| failure.context(format!("cannot use the config of registries `{}`", path.display()));
    let text = read(&path).map_err(|error| failed(Failure::new(error)))?;
    let mut hosts: Hosts = serde_json::from_slice(&text).map_err(|error| failed(Failure::new(error)))?;
    for (name, mut host) in std::mem::take(&mut hosts.registries) {
        // As references spell it.
        let repository = Repository::new(&name, "any").map_err(|error| failed(Failure::new(error)))?;
        certificates_beside(&mut host, &path);
        if hosts.registries.insert(repository.registry().to_owned(), host).is_some() {
            return Err(failed(Failure::new(format!("`{name}` is there twice"))));
        }
    }
    Ok(hosts)
}

fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    match fs::metadata(path)?.len() > LONGEST_CONFIG {
        true => Err(std::io::Error::other(format!("longer than {LONGEST_CONFIG} bytes"))),
        false => fs::read(path),
    }
}

/// A file that is named without a folder lies beside the config.
fn certificates_beside(host: &mut Host, config: &Path) {
    if let (Some(file), Some(folder)) = (&mut host.ca, config.parent()) {
        *file = folder.join(&*file);
    }
}

/// What to do when a registry does not give what was asked for, where that is known.
pub fn hint(error: &RegistryError) -> Option<Hint> {
    match error {
        RegistryError::Unauthorized { registry, .. } => Some(Hint::Run(format!("docker login {registry}"))),
        RegistryError::Http(error) => match &error.trouble {
            Trouble::NotTls => Some(Hint::Change(
                "where plain HTTP will do, name the registry with --insecure-registry HOST:PORT".into(),
            )),
            Trouble::Certificate(_) => Some(Hint::Change(
                "name the registry's authority in the config of registries: `\"ca\": FILE` (see docs/images.md)".into(),
            )),
            _ => None,
        },
        RegistryError::Mirrors { last, .. } => hint(last),
        _ => None,
    }
}
