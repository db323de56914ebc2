//! Takes the entries of the layers as they stream by, and keeps what is known of the few files that matter.

mod interest;

use std::collections::BTreeMap;

use palisade_model::Problem;

use crate::catalogue::{Catalogue, Distribution, ImageConfig, Layer};
use crate::entry::{Entry, EntryKind, LayerReader, Want, Whiteout, whiteout};
use crate::file_set::FileSet;
use crate::java::Artifacts;
use crate::join;
use crate::lock::{self, LockKind, Locked};
use crate::node::NodePackage;
use crate::owned::{OwnedFiles, path_hash};
use crate::package::Package;
use crate::program::{Capture, Functions, Program};
use crate::python::PythonPackage;
use crate::rpm::RpmDatabase;
use crate::ruby::Gem;
use crate::{apk, distribution, dpkg, java, node, python, rpm, ruby, sbom};
use interest::Interest;

/// What is known of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fact {
    Distribution(Distribution),
    Dpkg(Vec<dpkg::DpkgPackage>),
    /// The files of a package of dpkg.
    DpkgFiles(String, OwnedFiles),
    Apk(Vec<apk::ApkPackage>),
    Rpm(RpmDatabase),
    UnknownDatabase,
    Python(PythonPackage),
    /// The programs that a Python package installed.
    PythonFiles(Vec<u64>),
    Node(NodePackage),
    Gem(Gem),
    Archive(Artifacts),
    Program(Program),
    Lock(Vec<Locked>),
    /// What buildpacks say that they put in.
    Bill(Vec<Package>),
    Unreadable,
}

/// Whether lock files are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LockFiles {
    /// They are: a folder of sources is looked at.
    Read,
    /// They are not: what is installed says it better.
    #[default]
    Skip,
}

/// What to look for beside what every image is looked at for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Options {
    /// Whether lock files are read.
    pub lock_files: LockFiles,
    /// Whether the names of Go functions are read.
    pub functions: Functions,
}

/// Files that something is known of, some 1.3 kB each. An image of 300 packages has some 5,000; past this, the rest is left
/// out, with a problem that says so.
const MOST_FACTS: usize = 250_000;

/// Hard links of one layer that wait for their files; a store of packages has one for each `package.json`.
const MOST_LINKS: usize = 200_000;

/// Problems that are told one by one.
const MOST_PROBLEMS: usize = 200;

/// Reads the layers of one image, the lowest first, and makes its catalogue.
#[derive(Debug, Default)]
pub struct Collector {
    options: Options,
    files: FileSet<Fact>,
    layers: Vec<Layer>,
    problems: Vec<Problem>,
    more_problems: usize,
    current: Option<Current>,
    /// Files of this layer that only a hard link names by what they are: the links by their targets.
    links: BTreeMap<String, Vec<String>>,
    /// Whether the layer is read for those links alone.
    is_second_pass: bool,
    /// The bytes of the current file; its memory is used again for the next one.
    body: Vec<u8>,
    capture: Capture,
}

/// The file that is being read.
#[derive(Debug)]
struct Current {
    path: String,
    interest: Interest,
    /// Its other names.
    others: Vec<String>,
}

impl Collector {
    /// Begins an image.
    pub fn new(options: Options) -> Self {
        Self { options, ..Self::default() }
    }

    fn problem(&mut self, problem: Problem) {
        match self.problems.len() < MOST_PROBLEMS {
            true => self.problems.push(problem),
            false => self.more_problems += 1,
        }
    }

    /// The catalogue of all that was read, with what was wrong with the layers.
    pub fn finish(mut self, config: ImageConfig, mut problems: Vec<Problem>) -> Catalogue {
        if self.more_problems > 0 {
            let message = format!("{} more problems of the same kinds", self.more_problems);
            self.problems.push(Problem::error("image-more-problems", message));
        }
        problems.append(&mut self.problems);
        join::catalogue(self.files, self.layers, problems, config)
    }

    fn hold(&mut self, path: &str, fact: Fact) {
        if self.files.count() < MOST_FACTS {
            self.files.hold(path, fact);
            return;
        }
        let message = format!("more than {MOST_FACTS} files of interest: `{path}` and others are left out");
        self.problem(Problem::error("image-too-many-files", message));
    }
}

impl LayerReader for Collector {
    fn begin_layer(&mut self, layer: &Layer) {
        self.files.begin_layer(layer.reference.index);
        self.layers.push(layer.clone());
    }

    fn end_layer(&mut self, stored_bytes: u64, bytes: u64) {
        if let Some(layer) = self.layers.last_mut() {
            (layer.stored_bytes, layer.bytes) = (stored_bytes, bytes);
        }
    }

    fn again(&mut self) -> bool {
        self.is_second_pass = !self.is_second_pass && !self.links.is_empty();
        if !self.is_second_pass {
            self.links.clear();
        }
        self.is_second_pass
    }

    fn entry(&mut self, entry: &Entry<'_>) -> Want {
        self.current = None;
        if self.is_second_pass {
            return self.linked(entry);
        }
        if let Some(layer) = self.layers.last_mut() {
            layer.entries += 1;
            layer.whiteouts += u64::from(whiteout(entry.path).is_some());
        }
        match whiteout(entry.path) {
            Some(Whiteout::Path(path)) => self.files.remove(&path),
            Some(Whiteout::Below(path)) => self.files.hide_below(&path),
            Some(Whiteout::Other) => {}
            None => return self.content(entry),
        }
        Want::Nothing
    }

    fn bytes(&mut self, bytes: &[u8]) -> Want {
        let Some(current) = &self.current else { return Want::Nothing };
        let goes_on = match &current.interest {
            Interest::Program => self.capture.push(bytes),
            other => {
                let room = other.most_bytes().saturating_sub(self.body.len());
                self.body.extend_from_slice(&bytes[..bytes.len().min(room)]);
                bytes.len() <= room
            }
        };
        if goes_on {
            return Want::Bytes;
        }
        self.end(false);
        Want::Nothing
    }

    fn end(&mut self, whole: bool) {
        let Some(Current { path, interest, others }) = self.current.take() else { return };
        let body = std::mem::take(&mut self.body);
        let fact = match &interest {
            Interest::Program => self.capture.finish(self.options.functions).map(Fact::Program),
            _ if !whole => self.unread(&path, &interest),
            interest => self.understand(&path, interest, &body),
        };
        self.body = body;
        if let Some(fact) = fact {
            others.iter().for_each(|other| self.hold(other, fact.clone()));
            self.hold(&path, fact);
        }
    }
}

impl Collector {
    /// An entry that is no whiteout.
    fn content(&mut self, entry: &Entry<'_>) -> Want {
        match entry.kind {
            EntryKind::Folder => {
                self.files.folder(entry.path);
                Want::Nothing
            }
            EntryKind::Symlink(_) | EntryKind::Special => {
                self.files.replace(entry.path);
                Want::Nothing
            }
            EntryKind::HardLink(target) => {
                // A link to itself would lose what it links to.
                if target != entry.path {
                    self.files.replace(entry.path);
                    self.link(entry, target);
                }
                Want::Nothing
            }
            EntryKind::File => self.file(entry),
        }
    }

    /// Another name of a file. What is known of the file holds for it; where nothing is, the name may tell what to look for.
    fn link(&mut self, entry: &Entry<'_>, target: &str) {
        if self.files.link(entry.path, target) || self.links.len() >= MOST_LINKS {
            return;
        }
        // Every file has been looked at for a program, whatever its name.
        match Interest::of(entry, self.options.lock_files) {
            None | Some(Interest::Program | Interest::UnknownDatabase) => {}
            Some(_) => self.links.entry(target.to_owned()).or_default().push(entry.path.to_owned()),
        }
    }

    /// In the second pass: a file that links wait for is read under the name of the first.
    fn linked(&mut self, entry: &Entry<'_>) -> Want {
        let links = if entry.kind == EntryKind::File { self.links.remove(entry.path) } else { None };
        let Some((path, others)) = links.and_then(|mut links| Some((links.pop()?, links))) else {
            return Want::Nothing;
        };
        let Some(interest) = Interest::of(&Entry { path: &path, ..*entry }, self.options.lock_files) else {
            return Want::Nothing;
        };
        self.body.clear();
        self.current = Some(Current { path, interest, others });
        Want::Bytes
    }

    fn file(&mut self, entry: &Entry<'_>) -> Want {
        self.files.replace(entry.path);
        let Some(interest) = Interest::of(entry, self.options.lock_files) else { return Want::Nothing };
        self.body.clear();
        match interest {
            Interest::UnknownDatabase => {
                self.hold(entry.path, Fact::UnknownDatabase);
                return Want::Nothing;
            }
            Interest::Program => self.capture.begin(entry.size),
            _ => {}
        }
        self.current = Some(Current { path: entry.path.to_owned(), interest, others: Vec::new() });
        Want::Bytes
    }

    /// A file that breaks off or is longer than anybody reads.
    fn unread(&mut self, path: &str, interest: &Interest) -> Option<Fact> {
        if interest.is_database() {
            let message = format!("`{path}` is longer than {} bytes, or breaks off", interest.most_bytes());
            self.problem(Problem::error("image-database-too-long", message));
        }
        Some(Fact::Unreadable)
    }

    /// What a file says. `None` when it is not what its name promises.
    fn understand(&mut self, path: &str, interest: &Interest, body: &[u8]) -> Option<Fact> {
        let text = || String::from_utf8_lossy(body);
        match interest {
            Interest::Distribution => Some(Fact::Distribution(distribution::parse(path, &text()))),
            Interest::DpkgStatus => Some(Fact::Dpkg(dpkg::parse_status(&text()))),
            Interest::DpkgFiles(package) => Some(Fact::DpkgFiles(package.clone(), dpkg::parse_file_list(&text()))),
            Interest::Apk => Some(Fact::Apk(apk::parse_installed(&text()))),
            Interest::Rpm => Some(self.rpm(path, body)),
            Interest::RpmManifest => Some(Fact::Rpm(rpm::parse_container_manifest(&text()))),
            Interest::RpmJournal if body.is_empty() => None,
            Interest::RpmJournal => {
                let message = format!("`{path}` holds changes that are not in the database, and are not read");
                self.problem(Problem::error("image-database-journal", message));
                None
            }
            Interest::Python => {
                let package = python::parse_metadata(&text()).filter(|it| fits(&it.name, &it.version, &it.licences));
                Some(package.map_or(Fact::Unreadable, Fact::Python))
            }
            Interest::PythonArchive => {
                let package = python::read_archive(body).filter(|it| fits(&it.name, &it.version, &it.licences));
                Some(package.map_or(Fact::Unreadable, Fact::Python))
            }
            Interest::PythonRecord => Some(Fact::PythonFiles(programs_of_python(path, &text()))),
            // Many a `package.json` is no package's: it has no name, or no version.
            Interest::Node => node::parse_package(body).map(|it| match fits(&it.name, &it.version, &it.licences) {
                true => Fact::Node(it),
                false => Fact::Unreadable,
            }),
            Interest::Gem => {
                let gem =
                    ruby::parse_specification(&text(), path).filter(|it| fits(&it.name, &it.version, &it.licences));
                Some(gem.map_or(Fact::Unreadable, Fact::Gem))
            }
            Interest::Archive => Some(Fact::Archive(java::read_archive(body, path))),
            Interest::Lock(kind) => Some(self.lock(path, *kind, body)),
            Interest::Bill => Some(self.bill(path, body)),
            Interest::UnknownDatabase => Some(Fact::UnknownDatabase),
            Interest::Program => None,
        }
    }

    fn rpm(&mut self, path: &str, body: &[u8]) -> Fact {
        match rpm::parse_database(body) {
            Ok(database) => {
                if database.unreadable > 0 {
                    let message = format!("{} entries of `{path}` cannot be read", database.unreadable);
                    self.problem(Problem::error("image-database-entries", message));
                }
                Fact::Rpm(database)
            }
            Err(error) => {
                self.problem(Problem::error("image-database-unreadable", format!("`{path}`: {error}")));
                Fact::Unreadable
            }
        }
    }

    fn bill(&mut self, path: &str, body: &[u8]) -> Fact {
        let told = |message: &str| format!("`{path}`: {message}");
        match sbom::read_bill(body) {
            Ok(bill) => {
                let problems = bill.problems.into_iter().map(|it| Problem { message: told(&it.message), ..it });
                problems.for_each(|it| self.problem(it));
                Fact::Bill(bill.packages)
            }
            Err(error) => {
                self.problem(Problem::error("image-bill-unreadable", told(&error.to_string())));
                Fact::Unreadable
            }
        }
    }

    fn lock(&mut self, path: &str, kind: LockKind, body: &[u8]) -> Fact {
        match lock::parse(kind, &String::from_utf8_lossy(body)) {
            Ok(locked) => Fact::Lock(locked),
            Err(why) => {
                self.problem(Problem::error("image-lock-file-unreadable", format!("`{path}`: {why}")));
                Fact::Unreadable
            }
        }
    }
}

/// Whether somebody may have called a package so: each is kept, and an image has as many as it likes.
fn fits(name: &str, version: &str, licences: &[String]) -> bool {
    const LONGEST: usize = 4096;
    name.len() + version.len() + licences.iter().map(String::len).sum::<usize>() <= LONGEST
}

/// The programs that a package installed, as hashes of whole paths. The list's paths are relative to the folder that
/// the metadata's folder lies in.
fn programs_of_python(record: &str, text: &str) -> Vec<u64> {
    let folder = record.rsplitn(3, '/').nth(2).unwrap_or("");
    let absolute = python::programs_of_record(text).map(|path| {
        let mut parts: Vec<&str> = if path.starts_with('/') { Vec::new() } else { folder.split('/').collect() };
        for part in path.split('/').filter(|part| !part.is_empty() && *part != ".") {
            match part {
                ".." => drop(parts.pop()),
                part => parts.push(part),
            }
        }
        path_hash(&parts.join("/"))
    });
    absolute.collect()
}
