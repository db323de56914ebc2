//! Reads what the user gave, or what a running lab shows.

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use palisade_model::inventory::Unreadable;
use palisade_model::{Inventory, Outcome, Place, Problem};

use crate::assembly::{Assembly, Layer};
use crate::document::read_stream;
use crate::files::{Found, ReadError, manifest_files, read_all, read_file, too_large};
use crate::kept::Kept;

/// Why nothing could be read at all: the user has to give something else.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A path that was given does not exist or cannot be opened.
    #[error("cannot read `{}`", path.display())]
    Path {
        /// As it was given.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// `-` was given more than once.
    #[error("standard input `-` is given more than once")]
    StdinTwice,
    /// Standard input failed.
    #[error("cannot read standard input")]
    Stdin(#[source] io::Error),
    /// No lab runs there, or its state is of another version.
    #[error("cannot read the lab's state `{}`: {why}", path.display())]
    Lab {
        /// The state file.
        path: PathBuf,
        /// Why.
        why: String,
    },
}

/// The inventory of the manifests at `paths`: files, folders, or `-` for `stdin`.
///
/// # Errors
/// When a path does not exist or cannot be opened. What is wrong inside is a problem, and the rest is used.
pub fn load(paths: &[PathBuf], stdin: impl Read) -> Result<Outcome<Inventory>, LoadError> {
    let mut assembly = Assembly::default();
    load_paths(&mut assembly, paths, stdin, &mut Kept::default())?;
    Ok(assembly.finish())
}

/// The inventory of `text`, named `file` in problems.
pub fn load_text(file: &str, text: &str) -> Outcome<Inventory> {
    let mut assembly = Assembly::default();
    read_stream(&mut assembly, &file.into(), text.as_bytes(), Layer::Given);
    assembly.finish()
}

/// The inventory of a running lab: the manifests that it was started with, overlaid by its live objects.
///
/// A live object takes the place of the one that was given under the same name, and keeps its file and line.
///
/// # Errors
/// When the state folder has no readable `lab.json`, or a manifest that the lab was started with is gone.
pub fn load_lab(state_dir: &Path) -> Result<Outcome<Inventory>, LoadError> {
    load_lab_again(state_dir, &[], &mut Kept::default())
}

/// The same as [`load_lab`] for somebody who loads often: the user's manifests stand as they are in `kept`, and what is
/// not there is read into it. When paths are `given`, their manifests count instead of those that the lab was started
/// with.
///
/// # Errors
/// As [`load_lab`].
pub fn load_lab_again(state_dir: &Path, given: &[PathBuf], kept: &mut Kept) -> Result<Outcome<Inventory>, LoadError> {
    let state = state_dir.join("lab.json");
    let lab = |why: String| LoadError::Lab { path: state.clone(), why };
    let text = std::fs::read_to_string(&state).map_err(|error| lab(error.to_string()))?;
    let LabState { manifests, cluster } = LabState::parse(&text).map_err(lab)?;
    let mut assembly = Assembly::default();
    let paths = if given.is_empty() { &manifests } else { given };
    load_paths(&mut assembly, paths, io::empty(), kept)?;
    kept.finish_load();
    let cluster = cluster.unwrap_or_else(|| state_dir.join("cluster"));
    load_live(&mut assembly, &cluster);
    Ok(assembly.finish())
}

/// What of `lab.json` matters here.
struct LabState {
    manifests: Vec<PathBuf>,
    cluster: Option<PathBuf>,
}

impl LabState {
    fn parse(text: &str) -> Result<Self, String> {
        let value: serde_json::Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let manifests = value["manifests"].as_array().ok_or("`manifests` is missing")?;
        let manifests =
            manifests.iter().map(|path| path.as_str().map(PathBuf::from).ok_or("`manifests` holds no path"));
        Ok(Self {
            manifests: manifests.collect::<Result<_, _>>()?,
            cluster: value["cluster"].as_str().map(PathBuf::from),
        })
    }
}

fn load_paths(assembly: &mut Assembly, paths: &[PathBuf], stdin: impl Read, kept: &mut Kept) -> Result<(), LoadError> {
    if paths.iter().filter(|path| is_stdin(path)).count() > 1 {
        return Err(LoadError::StdinTwice);
    }
    let mut stdin = Some(stdin);
    for path in paths {
        match stdin.take_if(|_| is_stdin(path)) {
            Some(stdin) => load_stdin(assembly, stdin)?,
            None => load_path(assembly, path, kept)?,
        }
    }
    Ok(())
}

fn is_stdin(path: &Path) -> bool {
    path.as_os_str() == "-"
}

fn load_stdin(assembly: &mut Assembly, stdin: impl Read) -> Result<(), LoadError> {
    let name: Arc<str> = "<stdin>".into();
    match read_all(stdin, 0) {
        Ok(bytes) => read_stream(assembly, &name, &bytes, Layer::Given),
        Err(ReadError::TooLarge) => unusable(assembly, name, too_large()),
        Err(ReadError::Io(error)) => return Err(LoadError::Stdin(error)),
    }
    Ok(())
}

fn load_path(assembly: &mut Assembly, path: &Path, kept: &mut Kept) -> Result<(), LoadError> {
    let error = |source| LoadError::Path { path: path.to_owned(), source };
    if std::fs::metadata(path).map_err(error)?.is_dir() {
        // Opening the folder itself is the user's business, what lies in it is not.
        std::fs::read_dir(path).map_err(error)?;
        load_folder(assembly, path, kept);
        return Ok(());
    }
    match kept.read(path) {
        Ok(Some(bytes)) => read_stream(assembly, &name_of(path), &bytes, Layer::Given),
        Ok(None) => {}
        Err(ReadError::TooLarge) => unusable(assembly, name_of(path), too_large()),
        Err(ReadError::Io(source)) => return Err(error(source)),
    }
    Ok(())
}

fn load_folder(assembly: &mut Assembly, folder: &Path, kept: &mut Kept) {
    let files = manifest_files(folder);
    if files.is_empty() {
        let place = Place { file: name_of(folder), line: 0 };
        let problem = Problem::warning("empty-folder", "no manifests in this folder");
        assembly.add_problems(vec![problem.at(&place).hint("manifests end in .yaml, .yml or .json")]);
    }
    for found in files {
        match found {
            Found::File(path) => match kept.read(&path) {
                Ok(Some(bytes)) => read_stream(assembly, &name_of(&path), &bytes, Layer::Given),
                Ok(None) => {}
                Err(error) => unread(assembly, &path, error),
            },
            Found::Unusable(path, why) => unusable(assembly, name_of(&path), why),
        }
    }
}

/// The live objects are files of the lab, which replaces them whole.
fn load_live(assembly: &mut Assembly, folder: &Path) {
    for found in manifest_files(folder) {
        match found {
            Found::File(path) => match read_file(&path) {
                Ok(bytes) => read_stream(assembly, &name_of(&path), &bytes, Layer::Live),
                // A live object may go away between listing and reading.
                Err(ReadError::Io(error)) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => unread(assembly, &path, error),
            },
            Found::Unusable(path, why) => unusable(assembly, name_of(&path), why),
        }
    }
}

fn unread(assembly: &mut Assembly, path: &Path, error: ReadError) {
    let why = match error {
        ReadError::TooLarge => too_large(),
        ReadError::Io(error) => format!("cannot be read: {error}"),
    };
    unusable(assembly, name_of(path), why);
}

fn name_of(path: &Path) -> Arc<str> {
    path.to_string_lossy().into()
}

/// A file that is not read may hold any policy.
fn unusable(assembly: &mut Assembly, file: Arc<str>, why: String) {
    let place = Place { file, line: 0 };
    assembly.add_problems(vec![
        Problem::error("unusable-file", why).at(&place).hint("leave the file out, split it, or make it readable"),
    ]);
    assembly.unreadable.push(Unreadable { place, kind: None, namespace: None, name: None });
}
