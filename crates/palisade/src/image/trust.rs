//! `palisade image trust`: a root of trust, brought up to date by TUF. Verification itself asks nobody.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use palisade_registry::Retries;
use palisade_registry::http::{self, Http, HttpOptions, Request};
use palisade_signatures::Root;
use sigstore_tuf::cache::FileStore;
use sigstore_tuf::client::Updater;
use sigstore_tuf::error::Error;
use sigstore_tuf::transport::{FetchFuture, Repository};

use crate::arguments::signing::TrustArguments;
use crate::exit::ExitStatus;
use crate::failure::{Failure, Hint};
use crate::image::verify::trust::{named, read};
use crate::settings::Settings;

/// The target: what verification reads.
const TARGET: &str = "trusted_root.json";

/// Where TUF's own metadata is kept beside it: whoever serves an older state again is found out by it.
const METADATA: &str = "tuf";

/// Fetches, checks, and only then puts the new root in the place of the old one.
///
/// # Errors
/// When there is nothing to begin with, or what is served is not what the root of the repository has signed. What was there
/// stays.
pub fn run(arguments: &TrustArguments, settings: &Settings) -> Result<ExitStatus, Failure> {
    let (metadata, target) = (arguments.folder.join(METADATA), arguments.folder.join(TARGET));
    let first = match &arguments.root {
        Some(path) => read(path)?,
        None if metadata.join("root.json").exists() => read(&metadata.join("root.json"))?,
        None => {
            return Err(Failure::new(format!("`{}` has no root of TUF yet", arguments.folder.display())).hint(
                Hint::Change("name the one that you have from a source that you trust: --root root.json".into()),
            ));
        }
    };
    let source: Box<dyn Repository> = match arguments.from.split_once("://") {
        Some(_) => {
            let options = HttpOptions { proxies: settings.proxies.clone(), ..HttpOptions::default() };
            Box::new(Web { http: Http::new(options), base: arguments.from.trim_end_matches('/').to_owned() })
        }
        None => Box::new(Folder(PathBuf::from(&arguments.from))),
    };
    fs::create_dir_all(&metadata).map_err(|error| named(&metadata, error))?;
    let mut updater = Updater::new(source, &first).map_err(failure)?.with_store(FileStore::new(&metadata));
    finished(updater.refresh(settings.now)).map_err(failure)?;
    let bytes = finished(updater.get_target(TARGET, settings.now)).map_err(failure)?;
    // What verification could not use is no update.
    let text = std::str::from_utf8(&bytes).map_err(Failure::new)?;
    Root::from_json(text).map_err(|error| Failure::new(error).context(format!("the new `{TARGET}` cannot be used")))?;
    let is_new = fs::read(&target).map_or(true, |old| old != bytes);
    if is_new {
        write(&target, &bytes)?;
    }
    let version = updater.trusted().timestamp().map(|timestamp| timestamp.version).unwrap_or_default();
    let what = if is_new { "updated" } else { "nothing new" };
    writeln!(io::stdout(), "{}: {what}, version {version} of {}", target.display(), arguments.from)?;
    Ok(ExitStatus::Clean)
}

fn failure(error: Error) -> Failure {
    Failure::new(error).hint(Hint::Change("what was there stays; verification goes on with it".into()))
}

/// Readers see the old file or the new one, whole.
fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let beside = path.with_extension(format!("{}.tmp", std::process::id()));
    let written = fs::File::create(&beside).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    written.and_then(|()| fs::rename(&beside, path)).map_err(|error| named(path, error))
}

/// The result of a future that waits for nobody: what it asks, our repositories answer before they return.
fn finished<T>(future: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => result,
        Poll::Pending => Err(Error::transport("a repository that answers later")),
    }
}

/// A repository at an address.
struct Web {
    http: Http,
    base: String,
}

impl Web {
    fn get(&self, path: &str, most: u64) -> Result<Option<Vec<u8>>, Error> {
        let url = format!("{}/{path}", self.base);
        let told = |error: http::HttpError| Error::transport(format!("{url}: {}", http::chain(&error.trouble)));
        let response = self.http.send_patiently(&Request::get(&url), &Retries::default()).map_err(told)?;
        match response.status {
            200 => response.read_to_end(most).map(Some).map_err(told),
            // Some stores hide from strangers whether there is something.
            403 | 404 => Ok(None),
            status => Err(Error::transport(format!("{url}: the server answers {status}"))),
        }
    }
}

impl Repository for Web {
    fn fetch_metadata<'a>(&'a self, name: &'a str, max_length: u64) -> FetchFuture<'a> {
        Box::pin(std::future::ready(self.get(name, max_length)))
    }

    fn fetch_target<'a>(&'a self, path: &'a str, max_length: u64) -> FetchFuture<'a> {
        Box::pin(std::future::ready(self.get(&format!("targets/{path}"), max_length)))
    }
}

/// A repository in a folder, for machines that no network leads to.
struct Folder(PathBuf);

impl Folder {
    fn get(&self, path: &str, most: u64) -> Result<Option<Vec<u8>>, Error> {
        let path = self.0.join(path);
        let failed = |error: io::Error| Error::transport(format!("{}: {error}", path.display()));
        let file = match fs::File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened.map_err(failed)?,
        };
        let mut bytes = Vec::new();
        file.take(most + 1).read_to_end(&mut bytes).map_err(failed)?;
        match bytes.len() as u64 > most {
            true => Err(Error::transport(format!("{}: more than {most} bytes", path.display()))),
            false => Ok(Some(bytes)),
        }
    }
}

impl Repository for Folder {
    fn fetch_metadata<'a>(&'a self, name: &'a str, max_length: u64) -> FetchFuture<'a> {
        Box::pin(std::future::ready(self.get(name, max_length)))
    }

    fn fetch_target<'a>(&'a self, path: &'a str, max_length: u64) -> FetchFuture<'a> {
        Box::pin(std::future::ready(self.get(&format!("targets/{path}"), max_length)))
    }
}
