//! Exports made into a database.

use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;
use palisade_advisories::Builder;
use palisade_advisories::database::{Catalogue, Source};
use palisade_advisories::osv::{self, LARGEST_RECORD};
use sha2::{Digest, Sha256};

use crate::mapped::{Mapped, hexadecimal, sha256};
use crate::zip::{self, BrokenArchive};

/// Why exports cannot be made into a database.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// A file or folder cannot be read.
    #[error("cannot read `{}`", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        error: io::Error,
    },
    /// A file is not what its name says.
    #[error("cannot use `{}`", path.display())]
    Archive {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        error: BrokenArchive,
    },
    /// The catalogue of exploited vulnerabilities is not one.
    #[error("`{}` is no catalogue of exploited vulnerabilities", path.display())]
    Exploited {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        error: io::Error,
    },
    /// There is nothing to import.
    #[error("no export of advisories in {}", listed(.0))]
    Nothing(Vec<PathBuf>),
    /// The database cannot be written.
    #[error("cannot write the database")]
    Write(#[source] io::Error),
}

fn listed(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| format!("`{}`", path.display())).collect::<Vec<_>>().join(", ")
}

/// What an import made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// The digest of the database.
    pub sha256: String,
    /// Its bytes.
    pub size: u64,
    /// Records that could not be used, with the first of them: `Go.zip: GO-1.json: it is no OSV record`.
    pub unreadable: u64,
    /// The first few, in words.
    pub examples: Vec<String>,
}

/// Files that a database is made of.
#[derive(Debug)]
pub struct Exports {
    archives: Vec<Archive>,
    exploited: Option<(PathBuf, Mapped)>,
}

#[derive(Debug)]
struct Archive {
    name: String,
    bytes: Mapped,
    entries: Vec<zip::Entry>,
}

/// The catalogue had 1,404 entries in 2025, and 1.5 MB.
const LARGEST_CATALOGUE: u64 = 256 << 20;
/// So many words about records that could not be used are enough to see what is wrong.
const EXAMPLES: usize = 5;
/// Written away in pieces, so that a database of any size takes the memory of its index only.
const PIECE: usize = 4 << 20;

impl Exports {
    /// Opens zip archives of OSV records, and folders of them. In a folder, `kev.json` and `kev.json.gz` are CISA's
    /// catalogue of exploited vulnerabilities; named by itself, any `.json` or `.json.gz` is.
    ///
    /// # Errors
    /// When one of them cannot be used, or there is none.
    pub fn open(paths: &[PathBuf]) -> Result<Self, ImportError> {
        let mut exports = Self { archives: Vec::new(), exploited: None };
        for path in files(paths)? {
            let bytes = Mapped::open(&path).map_err(|error| ImportError::Read { path: path.clone(), error })?;
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if name.ends_with(".zip") {
                let mut entries =
                    zip::entries(&bytes).map_err(|error| ImportError::Archive { path: path.clone(), error })?;
                entries.retain(|entry| entry.name.ends_with(".json"));
                entries.sort_by(|a, b| id_of(&a.name).cmp(id_of(&b.name)));
                exports.archives.push(Archive { name, bytes, entries });
            } else {
                exports.exploited = Some((path, bytes));
            }
        }
        if exports.archives.is_empty() {
            return Err(ImportError::Nothing(paths.to_vec()));
        }
        // The order of the arguments changes nothing.
        exports.archives.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(exports)
    }

    /// The digest of what a database of them is made of: their names and bytes.
    pub fn digest(&self) -> String {
        let mut hash = Sha256::new();
        let exploited = self.exploited.iter().map(|(path, bytes)| (path.to_string_lossy(), bytes));
        for (name, bytes) in self.archives.iter().map(|it| (it.name.as_str().into(), &it.bytes)).chain(exploited) {
            hash.update((name.len() as u64).to_le_bytes());
            hash.update(Path::new(&*name).file_name().unwrap_or_default().as_encoded_bytes());
            hash.update(Sha256::digest(&**bytes));
        }
        hexadecimal(&hash.finalize())
    }

    /// Writes their database. The same exports give the same bytes.
    ///
    /// # Errors
    /// When the catalogue is none, or the database cannot be written.
    pub fn write(&self, output: &mut impl Write) -> Result<Imported, ImportError> {
        let mut output = Hashing { output, hash: Sha256::new(), size: 0 };
        let exploited = self.exploited.as_ref().map(|(path, bytes)| catalogue(path, bytes)).transpose()?;
        let mut builder = Builder::default();
        let mut sources: Vec<Source> = self.archives.iter().map(Archive::source).collect();
        let mut imported = Imported { sha256: String::new(), size: 0, unreadable: 0, examples: Vec::new() };
        for (archive, entry) in self.merged() {
            let source = &mut sources[archive];
            let archive = &self.archives[archive];
            let record = zip::unpack(&archive.bytes, entry, LARGEST_RECORD)
                .map_err(|error| error.to_string())
                .and_then(|json| osv::parse_record(&json).map_err(|error| error.to_string()));
            match record {
                Ok(advisory) => {
                    source.records += 1;
                    if source.newest < advisory.modified && is_time(&advisory.modified) {
                        source.newest.clone_from(&advisory.modified);
                    }
                    builder.add(&advisory);
                }
                Err(why) => imported.note(source, &archive.name, &entry.name, &why),
            }
            if builder.waiting() >= PIECE {
                output.write_all(&builder.take()).map_err(ImportError::Write)?;
            }
        }
        output.write_all(&builder.take()).map_err(ImportError::Write)?;
        if let Some((path, bytes)) = &self.exploited {
            sources.push(Source {
                name: path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
                sha256: sha256(bytes),
                records: exploited.as_ref().map_or(0, |catalogue| catalogue.vulnerabilities.len() as u64),
                unreadable: 0,
                newest: exploited.as_ref().map(|it| it.catalog_version.replace('.', "-")).unwrap_or_default(),
            });
        }
        output.write_all(&builder.finish(sources, exploited)).map_err(ImportError::Write)?;
        imported.size = output.size;
        imported.sha256 = hexadecimal(&output.hash.finalize());
        Ok(imported)
    }

    /// Every record of every archive by name; where two archives have one, the later archive's comes first, since the
    /// changes of an ecosystem are named after its export.
    fn merged(&self) -> impl Iterator<Item = (usize, &zip::Entry)> {
        let mut places = vec![0; self.archives.len()];
        std::iter::from_fn(move || {
            let heads = self.archives.iter().enumerate().filter_map(|(index, archive)| {
                let entry = archive.entries.get(places[index])?;
                Some((id_of(&entry.name), std::cmp::Reverse(index), entry))
            });
            let (_, std::cmp::Reverse(index), entry) = heads.min_by(|a, b| (a.0, a.1).cmp(&(b.0, b.1)))?;
            places[index] += 1;
            Some((index, entry))
        })
    }
}

impl Archive {
    fn source(&self) -> Source {
        Source { name: self.name.clone(), sha256: sha256(&self.bytes), ..Source::default() }
    }
}

impl Imported {
    fn note(&mut self, source: &mut Source, archive: &str, entry: &str, why: &str) {
        source.unreadable += 1;
        self.unreadable += 1;
        if self.examples.len() < EXAMPLES {
            self.examples.push(format!("{archive}: {entry}: {why}"));
        }
    }
}

/// Makes `paths` into the database `to`, which appears whole or not at all.
///
/// # Errors
/// When an export cannot be used or the database cannot be written.
pub fn import(paths: &[PathBuf], to: &Path) -> Result<Imported, ImportError> {
    let exports = Exports::open(paths)?;
    let parent = to.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(parent).map_err(ImportError::Write)?;
    let temporary =
        parent.join(format!(".{}.{}", to.file_name().unwrap_or_default().to_string_lossy(), std::process::id()));
    let written = fs::File::create(&temporary).map_err(ImportError::Write).and_then(|file| {
        let mut output = io::BufWriter::new(file);
        let imported = exports.write(&mut output)?;
        output
            .into_inner()
            .map_err(|error| ImportError::Write(error.into_error()))?
            .sync_all()
            .map_err(ImportError::Write)?;
        Ok(imported)
    });
    match written {
        Ok(imported) => fs::rename(&temporary, to).map_err(ImportError::Write).map(|()| imported),
        Err(error) => {
            // What is left over is under a name that nothing reads.
            let _ = fs::remove_file(&temporary);
            Err(error)
        }
    }
}

/// The files that `paths` name, folders looked into once.
fn files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, ImportError> {
    let mut files = Vec::new();
    for path in paths {
        let read = |error| ImportError::Read { path: path.clone(), error };
        if !fs::metadata(path).map_err(read)?.is_dir() {
            files.push(path.clone());
            continue;
        }
        for entry in fs::read_dir(path).map_err(read)? {
            let name = entry.map_err(read)?.file_name();
            let wanted = |name: &str| name.ends_with(".zip") || matches!(name, "kev.json" | "kev.json.gz");
            if name.to_str().is_some_and(wanted) {
                files.push(path.join(name));
            }
        }
    }
    files.sort();
    files.dedup();
    Ok(files)
}

/// `Go/GO-2023-1571.json` holds `GO-2023-1571`. Some exports write another letter for `:`, so the record itself says its
/// id, and the name only its place.
fn id_of(name: &str) -> &str {
    let file = name.rsplit_once('/').map_or(name, |(_, file)| file);
    file.strip_suffix(".json").unwrap_or(file)
}

/// Go's own export says the year 1 where it says nothing.
fn is_time(text: &str) -> bool {
    text.starts_with("20") || text.starts_with("19")
}

fn catalogue(path: &Path, bytes: &[u8]) -> Result<Catalogue, ImportError> {
    let unusable = |error: io::Error| ImportError::Exploited { path: path.to_owned(), error };
    let mut json = Vec::new();
    match bytes.starts_with(&[0x1f, 0x8b]) {
        true => GzDecoder::new(bytes).take(LARGEST_CATALOGUE).read_to_end(&mut json),
        false => bytes.take(LARGEST_CATALOGUE).read_to_end(&mut json),
    }
    .map_err(unusable)?;
    serde_json::from_slice(&json).map_err(|error| unusable(error.into()))
}

/// Writes on, and keeps the digest of what was written.
struct Hashing<'o, O> {
    output: &'o mut O,
    hash: Sha256,
    size: u64,
}

impl<O: Write> Write for Hashing<'_, O> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.output.write(bytes)?;
        self.hash.update(&bytes[..written]);
        self.size += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.output.flush()
    }
}
