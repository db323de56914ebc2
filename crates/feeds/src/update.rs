//! Exports brought up to date: whole once, and then by what has changed.
//!
//! OSV publishes for each ecosystem an archive of all records (`all.zip`) and a list of ids with the time of their last
//! change, the newest first (`modified_id.csv`). A store keeps the archive and, beside it, an archive of the records that
//! have changed since; the later one wins when both are made into a database.
//!
//! Source: OSV.dev documentation, "Data dumps".

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::import::{ImportError, Imported};
use crate::mapped::{Mapped, sha256};
use crate::store::Store;
use crate::zip;

/// Where advisories are fetched from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Feeds {
    /// The root of OSV's exports.
    pub osv: String,
    /// The ecosystems that are wanted, as OSV writes them without a release: `Debian`, `PyPI`.
    pub ecosystems: Vec<String>,
    /// CISA's catalogue of exploited vulnerabilities; none to leave it out.
    pub exploited: Option<String>,
}

impl Default for Feeds {
    fn default() -> Self {
        let wanted = [
            "Alpine",
            "Debian",
            "Go",
            "Maven",
            "PyPI",
            "RubyGems",
            "Ubuntu",
            "AlmaLinux",
            "Rocky Linux",
            "crates.io",
            "npm",
        ];
        Self {
            osv: "https://storage.googleapis.com/osv-vulnerabilities".into(),
            ecosystems: wanted.map(str::to_owned).into(),
            exploited: Some(
                "https://www.cisa.gov/sites/default/files/feeds/known_exploited_vulnerabilities.json".into(),
            ),
        }
    }
}

/// Fetches what a URL names; the adapter of the network.
pub trait Fetch {
    /// The bytes, at most `limit` of them.
    ///
    /// # Errors
    /// In words, when they cannot be had whole.
    fn fetch(&self, url: &str, limit: u64) -> Result<Vec<u8>, String>;
}

/// Why an update failed. What was there before stays and is used.
#[derive(Debug, thiserror::Error)]
pub enum UpdateError {
    /// Something could not be fetched.
    #[error("cannot fetch `{url}`: {why}")]
    Fetch {
        /// What.
        url: String,
        /// Why.
        why: String,
    },
    /// An export is not one.
    #[error("`{url}` is no export of advisories")]
    Export {
        /// Which.
        url: String,
        /// Why.
        #[source]
        error: zip::BrokenArchive,
    },
    /// The store cannot be written.
    #[error("cannot write to the store")]
    Write(#[source] io::Error),
    /// The database cannot be made.
    #[error(transparent)]
    Import(#[from] ImportError),
}

/// What an update did to one ecosystem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Nothing is new.
    None,
    /// The whole export was fetched.
    Whole {
        /// Its bytes.
        bytes: u64,
    },
    /// Only these records were.
    Records {
        /// How many.
        count: usize,
    },
}

/// The export of all ecosystems had some GB in 2025.
const LARGEST_EXPORT: u64 = 8 << 30;
/// The list of changes of a large ecosystem had some 10 MB.
const LARGEST_LIST: u64 = 512 << 20;
/// From here on the whole export costs less than a request for each record.
const MOST_RECORDS: usize = 500;

/// Brings the store's exports up to date and makes them into the current database.
///
/// # Errors
/// When something cannot be fetched or written: the database stays as it was.
pub fn update(
    store: &Store,
    feeds: &Feeds,
    fetch: &dyn Fetch,
) -> Result<(BTreeMap<String, Change>, Imported), UpdateError> {
    let folder = store.folder().join("exports");
    fs::create_dir_all(&folder).map_err(UpdateError::Write)?;
    let (mut changes, mut paths) = (BTreeMap::new(), Vec::new());
    for ecosystem in &feeds.ecosystems {
        let export = Export { folder: &folder, ecosystem, root: feeds.osv.trim_end_matches('/'), fetch };
        changes.insert(ecosystem.clone(), export.update()?);
        paths.extend([export.whole(), export.changed()].into_iter().filter(|path| path.exists()));
    }
    if let Some(url) = &feeds.exploited {
        let catalogue = get(fetch, url, LARGEST_LIST)?;
        let path = folder.join("kev.json");
        write(&path, &catalogue)?;
        paths.push(path);
    }
    Ok((changes, store.import(&paths)?))
}

struct Export<'u> {
    folder: &'u Path,
    ecosystem: &'u str,
    root: &'u str,
    fetch: &'u dyn Fetch,
}

impl Export<'_> {
    /// The archive of all records.
    fn whole(&self) -> PathBuf {
        self.folder.join(format!("{}.zip", self.file_name()))
    }

    /// The archive of those that have changed since; its name stands behind the other's.
    fn changed(&self) -> PathBuf {
        self.folder.join(format!("{}.zip.changed.zip", self.file_name()))
    }

    /// The list of changes that both are as of.
    fn list(&self) -> PathBuf {
        self.folder.join(format!("{}.csv", self.file_name()))
    }

    fn file_name(&self) -> String {
        self.ecosystem.replace(['/', '\\'], "_")
    }

    fn url(&self, name: &str) -> String {
        format!("{}/{}/{name}", self.root, self.ecosystem.replace(' ', "%20"))
    }

    fn update(&self) -> Result<Change, UpdateError> {
        let list = get(self.fetch, &self.url("modified_id.csv"), LARGEST_LIST)?;
        let known = fs::read(self.list()).ok().filter(|_| self.whole().exists());
        let change = match known {
            Some(known) if known == list => return Ok(Change::None),
            Some(known) => {
                let ids = changed_ids(&String::from_utf8_lossy(&known), &String::from_utf8_lossy(&list));
                if ids.len() > MOST_RECORDS { self.fetch_whole()? } else { self.fetch_records(&ids)? }
            }
            None => self.fetch_whole()?,
        };
        // Last, so that an update that was broken off is done again.
        write(&self.list(), &list)?;
        Ok(change)
    }

    fn fetch_whole(&self) -> Result<Change, UpdateError> {
        let url = self.url("all.zip");
        let archive = get(self.fetch, &url, LARGEST_EXPORT)?;
        zip::entries(&archive).map_err(|error| UpdateError::Export { url, error })?;
        write(&self.whole(), &archive)?;
        match fs::remove_file(self.changed()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(UpdateError::Write(error)),
            Ok(()) | Err(_) => {}
        }
        Ok(Change::Whole { bytes: archive.len() as u64 })
    }

    fn fetch_records(&self, ids: &[String]) -> Result<Change, UpdateError> {
        let mut records: BTreeMap<String, Vec<u8>> = BTreeMap::new();
        if let Ok(before) = Mapped::open(&self.changed()) {
            for entry in zip::entries(&before).unwrap_or_default() {
                if let Ok(record) = zip::unpack(&before, &entry, palisade_advisories::osv::LARGEST_RECORD) {
                    records.insert(entry.name, record);
                }
            }
        }
        for id in ids {
            let name = format!("{id}.json");
            let limit = palisade_advisories::osv::LARGEST_RECORD as u64;
            records.insert(name.clone(), get(self.fetch, &self.url(&name), limit)?);
        }
        let mut writer = zip::Writer::default();
        for (name, record) in &records {
            writer.add(name, record);
        }
        write(&self.changed(), &writer.finish())?;
        Ok(Change::Records { count: ids.len() })
    }
}

/// The ids whose line is not in the known list: `2026-11-01T00:00:00Z,GHSA-1`.
fn changed_ids(known: &str, list: &str) -> Vec<String> {
    let known: std::collections::BTreeSet<&str> = known.lines().collect();
    let changed = list.lines().filter(|line| !known.contains(line));
    let id_like = |id: &&str| !id.is_empty() && !id.contains(['/', '\\', '?', '#']) && !id.contains("..");
    changed.filter_map(|line| Some(line.split_once(',')?.1.trim())).filter(id_like).map(str::to_owned).collect()
}

fn get(fetch: &dyn Fetch, url: &str, limit: u64) -> Result<Vec<u8>, UpdateError> {
    fetch.fetch(url, limit).map_err(|why| UpdateError::Fetch { url: url.to_owned(), why })
}

/// Whole or not at all.
fn write(path: &Path, bytes: &[u8]) -> Result<(), UpdateError> {
    let temporary =
        path.with_extension(format!("{}.new", sha256(path.as_os_str().as_encoded_bytes()).get(..8).unwrap_or("")));
    fs::write(&temporary, bytes).and_then(|()| fs::rename(&temporary, path)).map_err(UpdateError::Write)
}
