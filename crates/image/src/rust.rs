//! Rust programs: the crates that `cargo auditable` wrote into them.
//!
//! Source: the format of `.dep-v0`, zlib-compressed JSON.

use serde::Deserialize;

use crate::elf::Elf;

/// A crate of a program.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Crate {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Where it came from.
    pub source: CrateSource,
}

/// Where a crate came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum CrateSource {
    /// The public registry.
    CratesIo,
    /// A repository, another registry, or a kind that is not known.
    Elsewhere,
    /// The workspace that the program was built in.
    Local,
}

/// The list is some kilobytes; more than this, once inflated, is a bomb.
const MOST_BYTES: usize = 8 << 20;

/// Crates of one program.
const MOST_CRATES: usize = 20_000;

#[derive(Deserialize)]
struct Dependencies {
    packages: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
    version: String,
    #[serde(default)]
    source: String,
    #[serde(default)]
    kind: Option<String>,
}

/// The crates that a program says that it was built of, sorted. `None` when it does not say, or not readably.
pub fn read_crates(elf: &Elf<'_>) -> Option<Vec<Crate>> {
    let section = elf.section(".dep-v0")?;
    let bytes = elf.section_bytes(section)?;
    let json = miniz_oxide::inflate::decompress_to_vec_zlib_with_limit(bytes, MOST_BYTES).ok()?;
    let dependencies: Dependencies = serde_json::from_slice(&json).ok()?;
    let mut crates: Vec<Crate> = dependencies
        .packages
        .into_iter()
        .take(MOST_CRATES)
        // What only built it is not in it.
        .filter(|it| it.kind.as_deref() != Some("build"))
        .map(|it| Crate {
            source: match it.source.as_str() {
                "crates.io" => CrateSource::CratesIo,
                "local" => CrateSource::Local,
                _ => CrateSource::Elsewhere,
            },
            name: it.name,
            version: it.version,
        })
        .collect();
    crates.sort();
    crates.dedup();
    Some(crates)
}

/// Whether the compiler was rustc: it names itself, and its panics name the files of the standard library.
pub fn is_rust(elf: &Elf<'_>) -> bool {
    let comment = elf.section(".comment").and_then(|section| elf.section_bytes(section)).unwrap_or(&[]);
    memchr::memmem::find(comment, b"rustc version").is_some()
        || memchr::memmem::find(elf.spans().all(), b"/rustc/").is_some()
}
