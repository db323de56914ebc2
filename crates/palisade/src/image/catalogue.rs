//! From what the user calls an image to its catalogue.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use palisade_archive::files::{Both, FileList};
use palisade_archive::{ImageRead, Place, Platform, ReadError, Request};
use palisade_image::{Catalogue, Collector, Distribution, Functions, LayerReader, LockFiles, Options};
use palisade_model::problem::Effect;
use palisade_registry::{Reference, Registry, Version};

use crate::arguments::image::ChoiceArguments;
use crate::exit::ExitStatus;
use crate::failure::{Failure, Hint};
use crate::image::named::{self, Form, Named, Said};
use crate::image::remote::{self, RemoteError};
use crate::progress::Progress;
use crate::registry;
use crate::settings::Settings;

/// Reads the image, whatever lies there, or what a registry has of that name.
///
/// # Errors
/// When there is none, or its manifest or config cannot be trusted.
pub fn read(
    image: &str,
    choice: &ChoiceArguments,
    settings: &Settings,
    functions: Functions,
) -> Result<Catalogue, Failure> {
    read_image(image, choice, settings, functions, None).map(|(catalogue, _)| catalogue)
}

/// The same, with a list of its files; a bill of materials has none.
///
/// # Errors
/// As with [`read`].
pub fn read_with_files(
    image: &str,
    choice: &ChoiceArguments,
    settings: &Settings,
    functions: Functions,
) -> Result<(Catalogue, Option<FileList>), Failure> {
    read_image(image, choice, settings, functions, Some(FileList::default()))
}

fn read_image(
    image: &str,
    choice: &ChoiceArguments,
    settings: &Settings,
    functions: Functions,
    files: Option<FileList>,
) -> Result<(Catalogue, Option<FileList>), Failure> {
    if let Named::Path { path, form: Form::Any, .. } = parse(image)?
        && let Some(mut catalogue) = read_bill(&path)?
    {
        image.clone_into(&mut catalogue.config.name);
        return Ok((catalogue, None));
    }
    let (reader, read) = read_layers(image, choice, settings, |lock_files| {
        Both::new(Collector::new(Options { lock_files, functions }), files)
    })?;
    Ok((reader.first.finish(read.config, read.problems), reader.second))
}

/// Has the layers of an image stream by a reader, which is told whether it is a folder of sources.
///
/// # Errors
/// When there is no such image, or its manifest or config cannot be trusted.
pub fn read_layers<R: LayerReader>(
    image: &str,
    choice: &ChoiceArguments,
    settings: &Settings,
    make: impl FnOnce(LockFiles) -> R,
) -> Result<(R, ImageRead), Failure> {
    let platform = choice.platform.as_ref();
    let (reader, mut read) = match parse(image)? {
        Named::Path { path, name, form } => read_path(&path, name.as_deref(), form, platform, make)?,
        Named::Registry { reference, said } => {
            let registry = registry::client(&choice.registry, settings)?;
            let mut reader = make(LockFiles::Skip);
            let read = read_blobs(&registry, &reference, platform, &settings.progress, &mut reader);
            let mut read = read.map_err(|failure| match said {
                Said::NoSuchPath if !image.starts_with(reference.repository.registry()) => failure.hint(Hint::Change(
                    format!("no file or folder is called `{image}`, so it was taken for `{reference}`"),
                )),
                Said::Outright | Said::NoSuchPath => failure,
            })?;
            if let Version::Tag(tag) = reference.version() {
                read.config.tags = vec![tag.to_owned()];
            }
            (reader, read)
        }
    };
    image.clone_into(&mut read.config.name);
    Ok((reader, read))
}

fn parse(image: &str) -> Result<Named, Failure> {
    named::parse(image, &|path| path.exists()).map_err(Failure::new)
}

/// What a registry has.
///
/// # Errors
/// When it cannot be had, or is not what its digests say.
pub fn read_remote(
    registry: &Registry,
    reference: &Reference,
    platform: Option<&Platform>,
    progress: &Progress,
    functions: Functions,
) -> Result<Catalogue, Failure> {
    let mut collector = Collector::new(Options { lock_files: LockFiles::Skip, functions });
    let read = read_blobs(registry, reference, platform, progress, &mut collector)?;
    Ok(collector.finish(read.config, read.problems))
}

/// What a registry says of an image: its config and layers, and no packages.
///
/// # Errors
/// As with [`read_remote`].
pub fn read_remote_config(
    registry: &Registry,
    reference: &Reference,
    platform: Option<&Platform>,
) -> Result<Catalogue, Failure> {
    let (config, layers) = remote::read_config(registry, reference, platform).map_err(of_remote)?;
    let distribution = Distribution::default();
    let (packages, unidentified, problems) = (Vec::new(), Vec::new(), Vec::new());
    Ok(Catalogue { distribution, packages, unidentified, problems, layers, config })
}

fn read_blobs(
    registry: &Registry,
    reference: &Reference,
    platform: Option<&Platform>,
    progress: &Progress,
    reader: &mut impl LayerReader,
) -> Result<ImageRead, Failure> {
    let read = remote::read(registry, reference, platform, progress, reader);
    progress.clear();
    read.map_err(of_remote)
}

fn read_path<R: LayerReader>(
    path: &Path,
    name: Option<&str>,
    form: Form,
    platform: Option<&Platform>,
    make: impl FnOnce(LockFiles) -> R,
) -> Result<(R, ImageRead), Failure> {
    let place = Place::at(path).map_err(failure)?;
    let (lock_files, is_of_form) = match place {
        Place::Sources => (LockFiles::Read, form == Form::Any),
        Place::Root => (LockFiles::Skip, form == Form::Any),
        Place::Layout(_) | Place::LayoutArchive(_) => (LockFiles::Skip, form != Form::DockerArchive),
        Place::DockerArchive(_) => (LockFiles::Skip, form != Form::Layout),
    };
    if !is_of_form {
        let wanted = if form == Form::Layout { "an OCI layout" } else { "an archive of `docker save`" };
        return Err(Failure::new(format!("what lies at `{}` is not {wanted}", path.display())));
    }
    let mut reader = make(lock_files);
    let read = palisade_archive::read(&place, path, &Request { name, platform }, &mut reader).map_err(failure)?;
    Ok((reader, read))
}

/// A bill of materials instead of an image: a file that begins as JSON does. `None` for anything else.
///
/// # Errors
/// When it begins like one, and is none.
pub fn read_bill(path: &Path) -> Result<Option<Catalogue>, Failure> {
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

/// With what to do about it.
fn of_remote(error: RemoteError) -> Failure {
    match error {
        RemoteError::Read(error) => failure(error),
        RemoteError::Pull { ref source, .. } => {
            let hint = registry::hint(source);
            let failure = Failure::new(error);
            match hint {
                Some(hint) => failure.hint(hint),
                None => failure,
            }
        }
    }
}

fn failure(error: ReadError) -> Failure {
    let hint = match &error {
        ReadError::NoPlatform { .. } => Some(Hint::Change("name one with --platform".into())),
        ReadError::Several(_) | ReadError::NoName { .. } => {
            Some(Hint::Change("name one behind a colon: `PATH:TAG`, or `PATH@DIGEST`".into()))
        }
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
