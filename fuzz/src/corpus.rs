//! Good inputs to begin with.

#[path = "../../crates/archive/tests/images/elf_writer.rs"]
mod elf_writer;

use std::collections::BTreeSet;
use std::io;
use std::path::Path;

use palisade_feeds::zip::Writer;
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
            Kind::Files => inputs.extend([jar(), go_program()]),
            Kind::Layers => inputs.extend(layers(&files(&root.join("corpus/files"))?)),
            Kind::Exports => inputs.push(export(&files(&root.join("corpus/documents"))?)),
            Kind::Signatures | Kind::Documents | Kind::Words => {}
        }
        let words = words(&inputs);
        Ok(Self { inputs, words })
    }
}

/// A jar with coordinates, as a file of an image.
fn jar() -> Vec<u8> {
    let mut writer = Writer::default();
    writer
        .add("META-INF/MANIFEST.MF", b"Manifest-Version: 1.0\nImplementation-Title: a\nImplementation-Version: 1.0\n");
    writer.add("META-INF/maven/g/a/pom.properties", b"groupId=g\nartifactId=a\nversion=1.0\n");
    writer.add("g/A.class", b"\xca\xfe\xba\xbe");
    [&b"app/a-1.0.jar\n"[..], &writer.finish()].concat()
}

/// A Go program as the linker writes it since Go 1.20, as a file of an image: build information and names of functions.
fn go_program() -> Vec<u8> {
    let modules = "path\texample.test/app\nmod\texample.test/app\t(devel)\t\ndep\tgolang.org/x/net\tv0.1.0\th1:x=\n\
                   =>\texample.test/net\tv0.2.0\th1:y=\nbuild\tGOOS=linux\nbuild\tGOARCH=amd64\n";
    let mut build_info = b"\xff Go buildinf:\x08\x02".to_vec();
    build_info.resize(32, 0);
    let guarded = [&[b'<'; 16][..], modules.as_bytes(), &[b'>'; 16]].concat();
    for text in [b"go1.20.1", &guarded[..]] {
        let mut length = text.len();
        while length >= 0x80 {
            build_info.push(length as u8 | 0x80);
            length >>= 7;
        }
        build_info.push(length as u8);
        build_info.extend(text);
    }
    let names = b"runtime.main\0main.main\0golang.org/x/net/html.(*Tokenizer).Next\0";
    const FUNCTIONS: u64 = 3;
    const HEADER: u64 = 8 + 8 * 8;
    let end = HEADER + names.len() as u64;
    let mut table = b"\xf1\xff\xff\xff\0\0\x01\x08".to_vec();
    // Functions, files, start of the code, names, units, files' names, positions, functions' descriptions.
    let words = [FUNCTIONS, 1, elf_writer::ADDRESS, HEADER, end, end, end, end];
    table.extend(words.iter().flat_map(|word| word.to_le_bytes()));
    table.extend(names);
    table.extend([0; 64]);
    let program = elf_writer::elf(&[(".go.buildinfo", &build_info), (".gopclntab", &table)]);
    [&b"usr/bin/app\n"[..], &program].concat()
}

fn export(records: &[Vec<u8>]) -> Vec<u8> {
    let mut writer = Writer::default();
    records.iter().enumerate().for_each(|(at, record)| writer.add(&format!("{at}.json"), record));
    writer.finish()
}

/// The files as one archive, plain: each with its path in a header of ustar.
fn layers(files: &[Vec<u8>]) -> Option<Vec<u8>> {
    let mut tar = Vec::new();
    for file in files {
        let line = file.iter().position(|byte| *byte == b'\n')?;
        let (path, body) = (&file[..line], &file[line + 1..]);
        let mut block = [0u8; 512];
        let mut put = |at: usize, bytes: &[u8]| block[at..at + bytes.len()].copy_from_slice(bytes);
        put(0, &path[..path.len().min(100)]);
        put(100, b"0000755\0");
        put(124, format!("{:011o}\0", body.len()).as_bytes());
        put(148, b"        ");
        put(156, b"0");
        put(257, b"ustar\x0000");
        let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
        block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        tar.extend_from_slice(&block);
        tar.extend_from_slice(body);
        tar.resize(tar.len().next_multiple_of(512), 0);
    }
    tar.extend([0; 1024]);
    Some(tar)
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

#[cfg(test)]
mod tests {
    use super::go_program;
    use crate::target::go_functions;

    #[test]
    fn the_program_of_the_corpus_has_modules_and_functions() {
        assert_eq!(go_functions(&go_program()), Some((1, 3)));
    }
}
