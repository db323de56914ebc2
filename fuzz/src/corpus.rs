//! Good inputs to begin with.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;

use palisade_worlds::anything;

use crate::target::{Kind, Target};

/// How many random worlds stand beside the files.
const WORLDS: u64 = 24;

/// Inputs, and the words in them.
pub struct Corpus {
    pub(crate) inputs: Vec<Vec<u8>>,
    /// Each word once, sorted: field names, values, punctuation.
    pub(crate) words: Vec<Vec<u8>>,
}

impl Corpus {
    /// The files of `fuzz/corpus/NAME`, and what can be made for the kind of target.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn of(target: &Target) -> io::Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut inputs = files(&root.join("corpus").join(target.kind.folder()))?;
        match target.kind {
            Kind::Manifests => {
                inputs.extend(files(&root.join("../examples/shop"))?);
                inputs.extend((0..WORLDS).map(|seed| anything::generate(seed).yaml.into_bytes()));
            }
            Kind::Signatures | Kind::Words => {}
        }
        let words = words(&inputs);
        Ok(Self { inputs, words })
    }
}

fn files(folder: &Path) -> io::Result<Vec<Vec<u8>>> {
    let mut paths: Vec<_> = std::fs::read_dir(folder)?.collect::<Result<Vec<_>, _>>()?;
    paths.sort_by_key(std::fs::DirEntry::path);
    paths.into_iter().filter(|entry| entry.path().is_file()).map(|entry| std::fs::read(entry.path())).collect()
}

fn words(inputs: &[Vec<u8>]) -> Vec<Vec<u8>> {
    /// What YAML gives a meaning to, numbers at an edge, and what text must survive.
    const ALWAYS: [&str; 36] = [
        "\n", "  ", "\t", ": ", "- ", "? ", "{}", "[]", "{", "}", "[", "]", ",", "&a ", "*a", "!!int ", "|\n", ">-\n",
        "'", "\"", "#", "---\n", "...\n", "~", "null", "yes", "0x10", "0", "65535", "65536", "-1", "1e9", "<<: ",
        "\u{feff}", "\r", "é",
    ];
    let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_./".contains(byte);
    let found = inputs.iter().flat_map(|input| input.split(|byte| !is_word(byte))).filter(|word| word.len() > 1);
    let all: BTreeSet<Vec<u8>> =
        found.map(<[u8]>::to_vec).chain(ALWAYS.iter().map(|word| word.as_bytes().to_vec())).collect();
    all.into_iter().collect()
}
