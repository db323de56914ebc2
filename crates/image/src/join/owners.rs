//! Whose a file is: of a package of the distribution, or of a package of a language.

use std::collections::{HashMap, HashSet};

use super::Files;
use crate::collector::Fact;
use crate::owned::{OwnedFiles, path_hash};

/// The owners of the files that something is known of.
#[derive(Debug, Default)]
pub struct Owners {
    /// Packages of the distribution by the hash of the path.
    packages: HashMap<u64, String>,
    /// Programs that packages of Python have installed.
    python: HashSet<u64>,
    /// The folders of packages of Node.
    node: HashSet<Box<str>>,
    /// The folders of gems: `nokogiri-1.15.4-x86_64-linux`.
    gems: HashSet<String>,
}

impl Owners {
    /// Goes through the lists of files once, for the files that are known alone: the lists name every file there is.
    pub fn of(files: &Files) -> Self {
        let mut owners = Self::default();
        let asked: HashMap<u64, u32> = files.iter().map(|(path, held)| (path_hash(path), held.layer)).collect();
        for (path, held) in files {
            match &held.fact {
                Fact::DpkgFiles(package, files) => owners.add(package, files, held.layer, &asked),
                Fact::Apk(packages) => {
                    packages.iter().for_each(|it| owners.add(&it.name, &it.files, held.layer, &asked));
                }
                Fact::Rpm(database) => {
                    database.packages.iter().for_each(|it| owners.add(&it.name, &it.files, held.layer, &asked));
                }
                Fact::PythonFiles(programs) => owners.python.extend(programs),
                Fact::Node(_) => drop(owners.node.insert(path.trim_end_matches("package.json").into())),
                Fact::Gem(gem) => {
                    let platform = if gem.platform.is_empty() { String::new() } else { format!("-{}", gem.platform) };
                    owners.gems.insert(format!("{}-{}{platform}", gem.name, gem.version));
                    owners.gems.insert(format!("{}-{}", gem.name, gem.version));
                }
                Fact::Distribution(_)
                | Fact::Dpkg(_)
                | Fact::UnknownDatabase
                | Fact::Python(_)
                | Fact::Archive(_)
                | Fact::Program(_)
                | Fact::Lock(_)
                | Fact::Bill(_)
                | Fact::Unreadable => {}
            }
        }
        owners
    }

    /// A file of a layer above its list was put there by somebody else: it is not the package's any more.
    fn add(&mut self, package: &str, files: &OwnedFiles, layer: u32, asked: &HashMap<u64, u32>) {
        for hash in files.hashes() {
            if asked.get(hash).is_some_and(|of| *of <= layer) {
                self.packages.entry(*hash).or_insert_with(|| package.to_owned());
            }
        }
    }

    /// The package of the distribution that the file is of.
    pub fn package(&self, path: &str) -> Option<&str> {
        self.packages.get(&path_hash(path)).map(String::as_str)
    }

    /// Whether a package of Python, Node or Ruby has brought the file.
    pub fn is_of_a_language(&self, path: &str) -> bool {
        self.python.contains(&path_hash(path))
            || path
                .match_indices('/')
                .any(|(at, _)| self.node.contains(&path[..=at]) && path[..at].contains("node_modules/"))
            || path.split('/').any(|part| self.gems.contains(part))
    }
}
