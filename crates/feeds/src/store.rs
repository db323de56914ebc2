//! Where databases are kept: each under its digest, with the names of the current one and of the one before.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use palisade_advisories::Database;
use palisade_advisories::database::Broken;

use crate::import::{Exports, ImportError, Imported, import};
use crate::mapped::{Mapped, sha256};

/// A folder of databases.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Store {
    folder: PathBuf,
}

/// Why a database cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// There is none.
    #[error("there is no database of advisories in `{}`", .0.display())]
    None(PathBuf),
    /// It cannot be read.
    #[error("cannot read the database `{}`", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        error: io::Error,
    },
    /// It is not one.
    #[error("cannot use the database `{}`", path.display())]
    Broken {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        error: Broken,
    },
    /// It would have to be made of exports, and cannot.
    #[error(transparent)]
    Import(#[from] ImportError),
}

/// A database that was opened.
#[derive(Debug)]
pub struct Opened {
    bytes: Mapped,
    /// The digest that names it.
    pub sha256: String,
    /// Where it lies; none for one in memory.
    pub path: Option<PathBuf>,
}

impl Opened {
    fn open(path: &Path) -> Result<Self, OpenError> {
        let read = |error| OpenError::Read { path: path.to_owned(), error };
        let bytes = Mapped::open(path).map_err(read)?;
        let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        let is_digest = stem.len() == 64 && stem.bytes().all(|byte| byte.is_ascii_hexdigit());
        // Under its own digest the file is not read whole to find it.
        let sha256 = if is_digest { stem.to_owned() } else { sha256(&bytes) };
        Database::open(&bytes).map_err(|error| OpenError::Broken { path: path.to_owned(), error })?;
        Ok(Self { bytes, sha256, path: Some(path.to_owned()) })
    }

    /// The database.
    pub fn database(&self) -> Database<'_> {
        Database::open(&self.bytes).expect("it was opened when it was mapped, and does not change")
    }

    /// Its bytes in all.
    pub fn size(&self) -> u64 {
        self.bytes.len() as u64
    }
}

impl Store {
    /// The databases in `folder`, which need not be there yet.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Makes exports into the current database; the current one becomes the one before.
    ///
    /// # Errors
    /// When an export cannot be used or the store cannot be written.
    pub fn import(&self, paths: &[PathBuf]) -> Result<Imported, ImportError> {
        let new = self.folder.join("new.db");
        let imported = import(paths, &new)?;
        fs::rename(&new, self.path_of(&imported.sha256)).map_err(ImportError::Write)?;
        let current = self.named("current");
        if current.as_deref() != Some(&*imported.sha256) {
            if let Some(current) = current {
                self.name("previous", &current).map_err(ImportError::Write)?;
            }
            self.name("current", &imported.sha256).map_err(ImportError::Write)?;
        }
        self.remove_unnamed();
        Ok(imported)
    }

    /// The database that scans use.
    ///
    /// # Errors
    /// When there is none, or it cannot be used.
    pub fn current(&self) -> Result<Opened, OpenError> {
        self.open_named("current")
    }

    /// The one before it.
    ///
    /// # Errors
    /// When there is none, or it cannot be used.
    pub fn previous(&self) -> Result<Opened, OpenError> {
        self.open_named("previous")
    }

    fn open_named(&self, name: &str) -> Result<Opened, OpenError> {
        let digest = self.named(name).ok_or_else(|| OpenError::None(self.folder.clone()))?;
        Opened::open(&self.path_of(&digest))
    }

    /// The digest behind a name, when it is one.
    fn named(&self, name: &str) -> Option<String> {
        let text = fs::read_to_string(self.folder.join(name)).ok()?;
        let digest = text.trim();
        (digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_hexdigit())).then(|| digest.to_owned())
    }

    fn name(&self, name: &str, digest: &str) -> io::Result<()> {
        let temporary = self.folder.join(format!(".{name}.{}", std::process::id()));
        fs::write(&temporary, format!("{digest}\n"))?;
        fs::rename(temporary, self.folder.join(name))
    }

    fn path_of(&self, digest: &str) -> PathBuf {
        self.folder.join(format!("{digest}.db"))
    }

    /// Removes databases that have no name any more. One that is in use stays until its reader ends.
    fn remove_unnamed(&self) {
        let named = [self.named("current"), self.named("previous")];
        let Ok(entries) = fs::read_dir(&self.folder) else { return };
        for path in entries.flatten().map(|entry| entry.path()) {
            let stem = path.file_stem().and_then(|stem| stem.to_str());
            let is_database = path.extension().is_some_and(|extension| extension == "db");
            if is_database && !named.iter().flatten().any(|digest| Some(&**digest) == stem) {
                // Left over at worst.
                let _ = fs::remove_file(path);
            }
        }
    }
}

/// Opens what a user names: a database's file, or exports, whose database is kept in `cache` under the digest of what
/// it is made of, and made in memory when it cannot be kept.
///
/// # Errors
/// When it is neither.
pub fn open(path: &Path, cache: Option<&Path>) -> Result<Opened, OpenError> {
    let is_database = path.extension().is_some_and(|extension| extension == "db");
    if is_database && path.is_file() {
        return Opened::open(path);
    }
    let paths = [path.to_owned()];
    let exports = Exports::open(&paths)?;
    if let Some(cache) = cache {
        let kept = cache.join(format!("of-{}.db", exports.digest()));
        if let Ok(opened) = Opened::open(&kept) {
            return Ok(opened);
        }
        if import(&paths, &kept).is_ok()
            && let Ok(opened) = Opened::open(&kept)
        {
            return Ok(opened);
        }
    }
    let mut bytes = Vec::new();
    let imported = exports.write(&mut bytes)?;
    Ok(Opened { bytes: Mapped::from(bytes), sha256: imported.sha256, path: None })
}
