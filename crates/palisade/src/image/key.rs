//! `palisade image key`: a key to sign with; and how the other commands read one.

use std::fs::{self, OpenOptions};
use std::io::{self, IsTerminal as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use palisade_signatures::PrivateKey;
use palisade_signatures::private_key::{KeyError, KeyForm, KeyKind};

use crate::arguments::signing::{KeyArguments, KeyFormChoice, KeyKindChoice, SigningKeyArguments};
use crate::exit::ExitStatus;
use crate::failure::{Failure, Hint};
use crate::settings::Settings;

/// Most bytes of a file with a key or a password.
const LONGEST_FILE: u64 = 1 << 20;

/// Makes a key: `NAME.key`, which its owner alone can read, and `NAME.pub`.
///
/// # Errors
/// When a file of that name is there, or there is no password.
pub fn run(arguments: &KeyArguments, settings: &Settings) -> Result<ExitStatus, Failure> {
    let kind = match arguments.kind {
        KeyKindChoice::EcdsaP256 => KeyKind::EcdsaP256,
        KeyKindChoice::Ed25519 => KeyKind::Ed25519,
    };
    let form = match arguments.form {
        KeyFormChoice::Cosign => KeyForm::Cosign,
        KeyFormChoice::Pkcs8 => KeyForm::Pkcs8,
    };
    let password = password(arguments.password_file.as_deref(), settings)?.ok_or_else(no_password)?;
    if password.is_empty() {
        return Err(Failure::new("the password is empty: whoever has the file would have the key"));
    }
    let key = PrivateKey::generate(kind).map_err(Failure::new)?;
    let sealed = key.seal(form, &password).map_err(Failure::new)?;
    let (private, public) = (arguments.name.with_extension("key"), arguments.name.with_extension("pub"));
    for path in [&private, &public] {
        if path.exists() {
            return Err(Failure::new(format!("`{}` is there already, and a key is not written over", path.display())));
        }
    }
    write(&private, &sealed, 0o600)?;
    write(&public, &key.public().to_pem(), 0o644)?;
    writeln!(io::stdout(), "{}\n{}", private.display(), public.display())?;
    Ok(ExitStatus::Clean)
}

fn write(path: &Path, text: &str, mode: u32) -> Result<(), Failure> {
    let failed = |error| Failure::new(error).context(format!("cannot write `{}`", path.display()));
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path).map_err(failed)?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(failed)
}

/// The key to sign with.
///
/// # Errors
/// When there is none, or it is encrypted and its password is not known.
pub fn read(arguments: &SigningKeyArguments, settings: &Settings) -> Result<PrivateKey, Failure> {
    let path = &arguments.key;
    let failed = |error: KeyError| Failure::new(error).context(format!("cannot use `{}`", path.display()));
    let text = read_file(path)?;
    let key = match PrivateKey::from_pem(&text, None) {
        Err(KeyError::NoPassword) => {
            let password = password(arguments.password_file.as_deref(), settings)?;
            PrivateKey::from_pem(&text, Some(&password.ok_or_else(no_password)?))
        }
        other => other,
    };
    let key = key.map_err(failed)?;
    if key.is_plain {
        eprintln!("warning: `{}` is not encrypted: whoever has the file has the key", path.display());
    }
    Ok(key)
}

fn read_file(path: &Path) -> Result<String, Failure> {
    let failed = |error: io::Error| Failure::new(error).context(format!("cannot use `{}`", path.display()));
    match fs::metadata(path).map_err(failed)?.len() > LONGEST_FILE {
        true => Err(failed(io::Error::other(format!("it has more than {LONGEST_FILE} bytes")))),
        false => fs::read_to_string(path).map_err(failed),
    }
}

/// From the file that was named, else from the environment. It is no argument: others see those.
fn password(file: Option<&Path>, settings: &Settings) -> Result<Option<Vec<u8>>, Failure> {
    if let Some(path) = file {
        let text = read_file(path)?;
        return Ok(Some(text.trim_end_matches(['\n', '\r']).as_bytes().to_vec()));
    }
    Ok(settings.key_password.as_ref().map(|password| password.as_bytes().to_vec()))
}

fn no_password() -> Failure {
    let failure = Failure::new("the key needs a password")
        .hint(Hint::Change("put it in the environment: PALISADE_KEY_PASSWORD".into()))
        .hint(Hint::Change("or in a file: --password-file FILE".into()));
    match io::stdin().is_terminal() {
        true => failure.hint(Hint::Run("read -rs PALISADE_KEY_PASSWORD && export PALISADE_KEY_PASSWORD".into())),
        false => failure,
    }
}
