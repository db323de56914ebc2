//! Which files belong to which package of the distribution, at eight bytes a file.

use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};

/// The files of one package. Paths are kept as hashes: a full Debian has half a million.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OwnedFiles(Vec<u64>);

impl OwnedFiles {
    /// Adds a path, absolute or not.
    pub fn push(&mut self, path: &str) {
        self.0.push(path_hash(path));
    }

    /// The hashes of the paths.
    pub fn hashes(&self) -> &[u64] {
        &self.0
    }
}

/// One number for each path; the same one for what merged `/usr` makes the same file.
///
/// Databases name files where the package put them (`/lib/x`), layers where the folder's link leads (`/usr/lib/x`).
pub fn path_hash(path: &str) -> u64 {
    let path = path.trim_start_matches("./").trim_start_matches('/');
    let merged = path.strip_prefix("usr/").filter(|rest| is_merged(rest)).unwrap_or(path);
    BuildHasherDefault::<DefaultHasher>::default().hash_one(merged.trim_end_matches('/'))
}

/// Whether the folder lies in `/usr` on merged systems: `bin`, `sbin`, `lib`, `lib64`, `lib32`, `libx32`, `libo32`.
fn is_merged(path: &str) -> bool {
    let first = path.split('/').next().unwrap_or("");
    matches!(first, "bin" | "sbin" | "lib" | "lib64" | "lib32" | "libx32" | "libo32")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merged_usr_is_one_place() {
        assert_eq!(path_hash("/lib/x.so"), path_hash("usr/lib/x.so"));
        assert_eq!(path_hash("./bin/sh"), path_hash("/usr/bin/sh"));
        assert_ne!(path_hash("/usr/share/x"), path_hash("/share/x"));
        assert_ne!(path_hash("/usr/library/x"), path_hash("/library/x"));
    }
}
