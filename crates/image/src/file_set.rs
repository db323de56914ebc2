//! What is known by path, over the layers: an upper layer replaces, hides and removes what lower ones have.

use std::collections::BTreeMap;
use std::ops::Bound;

/// Something known of a file, and the layer that the file is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held<T> {
    /// The layer's index.
    pub layer: u32,
    /// What is known.
    pub fact: T,
}

/// What is known of the files of the layers so far. It holds only files that somebody asked for: an image has a million.
#[derive(Debug, Clone)]
pub struct FileSet<T> {
    files: BTreeMap<Box<str>, Held<T>>,
    layer: u32,
}

impl<T> Default for FileSet<T> {
    fn default() -> Self {
        Self { files: BTreeMap::new(), layer: 0 }
    }
}

impl<T: Clone> FileSet<T> {
    /// From now on, entries are of this layer, which is above the ones before.
    pub fn begin_layer(&mut self, layer: u32) {
        self.layer = layer;
    }

    /// An entry that is no folder: whatever lower layers have at its path and below it is gone, and an earlier entry
    /// of this layer at the same path as well.
    pub fn replace(&mut self, path: &str) {
        self.files.remove(path);
        self.hide_below(path);
    }

    /// A folder: a file of a lower layer at its path is gone; what lies below stays.
    pub fn folder(&mut self, path: &str) {
        self.files.remove(path);
    }

    /// A whiteout: what lower layers have at the path and below it is gone.
    pub fn remove(&mut self, path: &str) {
        if self.files.get(path).is_some_and(|held| held.layer < self.layer) {
            self.files.remove(path);
        }
        self.hide_below(path);
    }

    /// What lower layers have below `path` is gone; the empty path is the root.
    pub fn hide_below(&mut self, path: &str) {
        let prefix = if path.is_empty() { String::new() } else { format!("{path}/") };
        let from: (Bound<&str>, Bound<&str>) = (Bound::Included(&prefix), Bound::Unbounded);
        let hidden: Vec<Box<str>> = self
            .files
            .range::<str, _>(from)
            .take_while(|(path, _)| path.starts_with(&prefix))
            .filter(|(_, held)| held.layer < self.layer)
            .map(|(path, _)| path.clone())
            .collect();
        for path in hidden {
            self.files.remove(&path);
        }
    }

    /// Something known of the file at `path` of this layer.
    pub fn hold(&mut self, path: &str, fact: T) {
        self.files.insert(path.into(), Held { layer: self.layer, fact });
    }

    /// The same of another name of the file; false when nothing is known of it.
    pub fn link(&mut self, path: &str, target: &str) -> bool {
        match self.files.get(target).map(|held| held.fact.clone()) {
            Some(fact) => {
                self.hold(path, fact);
                true
            }
            None => false,
        }
    }

    /// How many files are known.
    pub fn count(&self) -> usize {
        self.files.len()
    }

    /// All that is known, by path.
    pub fn into_files(self) -> BTreeMap<Box<str>, Held<T>> {
        self.files
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::{Whiteout, whiteout};

    /// Entries of layers between `|`; a folder ends with a slash.
    fn check(layers: &str, expected: &str) {
        let mut files = FileSet::default();
        for (layer, entries) in layers.split('|').enumerate() {
            files.begin_layer(layer as u32);
            for entry in entries.split_whitespace() {
                match whiteout(entry) {
                    Some(Whiteout::Path(path)) => files.remove(&path),
                    Some(Whiteout::Below(path)) => files.hide_below(&path),
                    Some(Whiteout::Other) => {}
                    None => match entry.strip_suffix('/') {
                        Some(folder) => files.folder(folder),
                        None => {
                            files.replace(entry);
                            files.hold(entry, ());
                        }
                    },
                }
            }
        }
        let left: Vec<String> =
            files.into_files().into_iter().map(|(path, held)| format!("{path}@{}", held.layer)).collect();
        assert_eq!(left.join(" "), expected, "{layers}");
    }

    #[test]
    fn upper_layers_win() {
        check("a/x b/y | a/x", "a/x@1 b/y@0");
        check("a/x a/y | .wh.a", "");
        check("a/x a.b | .wh.a", "a.b@0");
        check("a/x a/y/z | a/.wh.x", "a/y/z@0");
        check("a/x/1 a/y | a/.wh..wh..opq a/n", "a/n@1");
        check("a/x | a/n a/.wh..wh..opq", "a/n@1");
        check("a/x | a/x a/.wh.x", "a/x@1");
        check("a/x | a", "a@1");
        check("a | a/ a/x", "a/x@1");
        check("a/x | a/", "a/x@0");
        check("a/x b | .wh..wh..opq c", "c@1");
        check("a/x | .wh.a | a/x", "a/x@2");
    }
}
