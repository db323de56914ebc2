//! From what the user calls an image to its catalogue.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use palisade_archive::{Place, ReadError, Request};
use palisade_image::{Catalogue, Collector, Functions, LockFiles, Options};
use palisade_model::problem::Effect;

use crate::arguments::image::ImageArguments;
use crate::exit::ExitStatus;
use crate::failure::{Failure, Hint};

/// Reads the image, whatever lies there.
///
/// # Errors
/// When there is none, or its manifest or config cannot be trusted.
pub fn read(arguments: &ImageArguments, functions: Functions) -> Result<Catalogue, Failure> {
    let (path, name) = split(&arguments.image);
    if let Some(catalogue) = read_bill(path)? {
        return Ok(catalogue);
    }
    let place = Place::at(path).map_err(failure)?;
    let lock_files = match place {
        Place::Sources => LockFiles::Read,
        Place::Root | Place::Layout(_) | Place::LayoutArchive(_) | Place::DockerArchive(_) => LockFiles::Skip,
    };
    let mut collector = Collector::new(Options { lock_files, functions });
    let request = Request { name, platform: arguments.platform.as_ref() };
    let mut read = palisade_archive::read(&place, path, &request, &mut collector).map_err(failure)?;
    read.config.name.clone_from(&arguments.image);
    Ok(collector.finish(read.config, read.problems))
}

/// A bill of materials instead of an image: a file that begins as JSON does. `None` for anything else.
fn read_bill(path: &Path) -> Result<Option<Catalogue>, Failure> {
    const MOST_BYTES: u64 = 512 << 20;
    if !path.is_file() {
        return Ok(None);
    }
    let mut file = File::open(path).map_err(Failure::new)?.take(MOST_BYTES);
    let mut head = [0];
    if file.read(&mut head).map_err(Failure::new)? == 0 || !matches!(&head, b"{" | b" " | b"\n" | b"\xef") {
        return Ok(None);
    }
    let mut bytes = head.to_vec();
    file.read_to_end(&mut bytes).map_err(Failure::new)?;
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    let mut catalogue = palisade_image::sbom::read_bill(text).map_err(Failure::new)?;
    catalogue.config.name = path.display().to_string();
    Ok(Some(catalogue))
}

/// The path, and the tag or digest behind it where the whole is no path.
fn split(image: &str) -> (&Path, Option<&str>) {
    let whole = Path::new(image);
    if whole.exists() {
        return (whole, None);
    }
    let named = image.split_once('@').or_else(|| image.rsplit_once(':'));
    match named {
        Some((path, name)) if Path::new(path).exists() => (Path::new(path), Some(name)),
        Some(_) | None => (whole, None),
    }
}

fn failure(error: ReadError) -> Failure {
    let hint = match &error {
        ReadError::NoPlatform { .. } => Some(Hint::Change("name one with --platform".into())),
        ReadError::Several(_) | ReadError::NoName { .. } => {
            Some(Hint::Change("name one behind a colon: `PATH:TAG`, or `PATH@DIGEST`".into()))
        }
        ReadError::NoImage(path) if path.ends_with(".gz") => Some(Hint::Run(format!("gunzip -k {path}"))),
        ReadError::Place { .. }
        | ReadError::NoImage(_)
        | ReadError::Blob { .. }
        | ReadError::Digest { .. }
        | ReadError::Json { .. }
        | ReadError::NotAnImage { .. } => None,
    };
    let failure = Failure::new(error);
    match hint {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

/// Clean, or undecided when something that could not be read may hide a package.
pub fn status(catalogue: &Catalogue) -> ExitStatus {
    match catalogue.problems.iter().any(|problem| problem.effect == Effect::MayChangeAnswers) {
        true => ExitStatus::Undecided,
        false => ExitStatus::Clean,
    }
}
