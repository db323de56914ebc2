//! What a source file may be called and what a crate's root must say.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Names that say nothing about what is inside.
const EMPTY_NAMES: &[&str] = &["mod.rs", "utils.rs", "helpers.rs", "common.rs", "manager.rs"];

/// The crates that touch the kernel, and the one that maps files, and therefore contain `unsafe`, each block with its
/// reason.
const MAY_HAVE_UNSAFE: &[&str] = &["bpf", "lab", "agent", "feeds"];

/// A file of the workspace: its path below the root, and its text.
#[derive(Debug, Clone)]
pub struct SourceFile {
    pub path: PathBuf,
    pub text: String,
}

/// Reads every Rust file below `root/crates`, in the order of the paths.
///
/// # Errors
/// When a folder or file cannot be read.
pub fn read_rust_files(root: &Path) -> io::Result<Vec<SourceFile>> {
    let mut files = Vec::new();
    let mut folders = vec![root.join("crates")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            let path = entry.path();
            if entry.file_type()?.is_dir() {
                if entry.file_name() != "target" {
                    folders.push(path);
                }
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(SourceFile {
                    text: fs::read_to_string(&path)?,
                    path: path.strip_prefix(root).unwrap_or(&path).to_owned(),
                });
            }
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

/// Files with an empty name, roots that allow `unsafe`, `unsafe` blocks without a reason, and tests that are skipped in CI.
pub fn check(files: &[SourceFile]) -> Vec<String> {
    let mut findings = Vec::new();
    for file in files {
        let shown = file.path.display();
        let name = file.path.file_name().and_then(|name| name.to_str());
        if name.is_some_and(|name| EMPTY_NAMES.contains(&name)) {
            findings.push(format!("`{shown}`: name the file after what is in it"));
        }
        if let Some(folder) = crate_of_root(&file.path)
            && !MAY_HAVE_UNSAFE.contains(&folder)
            && !file.text.contains("#![forbid(unsafe_code)]")
        {
            findings.push(format!("`{shown}`: add `#![forbid(unsafe_code)]`"));
        }
        if skips_in_ci(&file.text) {
            findings
                .push(format!("`{shown}`: a test that cannot run fails with CI=true: ask `palisade_peers::or_skip`"));
        }
        for line in unsafe_without_reason(&file.text) {
            findings.push(format!("`{shown}:{line}`: an `unsafe` block needs a `// SAFETY:` comment"));
        }
    }
    findings
}

/// Crates that the code map in `architecture` does not name as `` `crates/<folder>` ``.
pub fn check_code_map(files: &[SourceFile], architecture: &str) -> Vec<String> {
    files
        .iter()
        .filter_map(|file| crate_of_root(&file.path))
        .filter(|folder| !architecture.contains(&format!("`crates/{folder}`")))
        .map(|folder| format!("ARCHITECTURE.md: the code map lacks `crates/{folder}`"))
        .collect()
}

/// Whether a test of the file says that it is skipped, and nothing in the file asks for CI.
fn skips_in_ci(text: &str) -> bool {
    text.contains(&format!("(\"{}: ", "SKIPPED")) && !text.contains("\"CI\"")
}

/// The folder of the crate when `path` is its root: `crates/<folder>/src/{lib,main}.rs`.
fn crate_of_root(path: &Path) -> Option<&str> {
    let parts: Vec<&str> = path.iter().map(|part| part.to_str().unwrap_or("")).collect();
    match parts.as_slice() {
        ["crates", folder, "src", "lib.rs" | "main.rs"] => Some(folder),
        _ => None,
    }
}

/// How many lines above an `unsafe` block its comment may start.
const COMMENT_REACH: usize = 8;

/// Lines (from 1) that open an `unsafe` block with no `SAFETY:` on it or shortly above it.
fn unsafe_without_reason(text: &str) -> Vec<usize> {
    let lines: Vec<&str> = text.lines().collect();
    let opens = format!("{} {{", "unsafe");
    let implements = format!("{} impl ", "unsafe");
    (0..lines.len())
        .filter(|&index| {
            let code = lines[index].split("//").next().unwrap_or("");
            let quoted = code.contains('"') && !code.trim_end().ends_with('{');
            !quoted && (code.contains(&opens) || code.trim_start().starts_with(&implements))
        })
        .filter(|&index| {
            let from = index.saturating_sub(COMMENT_REACH);
            !lines[from..=index].iter().any(|line| line.contains("SAFETY:"))
        })
        .map(|index| index + 1)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, text: &str) -> SourceFile {
        SourceFile { path: path.into(), text: text.into() }
    }

    #[test]
    fn a_root_without_forbid_and_an_empty_name_are_found() {
        let files = [
            file("crates/model/src/lib.rs", "pub mod port;"),
            file("crates/model/src/port/mod.rs", ""),
            file("crates/bpf/src/lib.rs", "pub mod load;"),
        ];
        assert_eq!(
            check(&files),
            [
                "`crates/model/src/lib.rs`: add `#![forbid(unsafe_code)]`",
                "`crates/model/src/port/mod.rs`: name the file after what is in it",
            ]
        );
    }

    #[test]
    fn a_test_that_is_skipped_in_ci_is_found() {
        let skips = format!("println!(\"{}: no Go\");", "SKIPPED");
        assert!(skips_in_ci(&skips));
        assert!(!skips_in_ci(&format!("if std::env::var_os(\"CI\").is_some() {{ panic!() }} {skips}")));
        assert!(!skips_in_ci("let Some(program) = CRANE.get() else { return };"));
    }

    #[test]
    fn an_unsafe_block_needs_its_reason() {
        let bare = format!("fn f() {{\n    {} {{ g() }}\n}}\n", "unsafe");
        let reasoned = format!("fn f() {{\n    // SAFETY: g has no precondition\n    {} {{ g() }}\n}}\n", "unsafe");
        assert_eq!(unsafe_without_reason(&bare), [2]);
        assert!(unsafe_without_reason(&reasoned).is_empty());
    }

    #[test]
    fn a_crate_that_the_code_map_lacks_is_found() {
        let files = [file("crates/model/src/lib.rs", "")];
        assert_eq!(
            check_code_map(&files, "| `crates/policy` |"),
            ["ARCHITECTURE.md: the code map lacks `crates/model`"]
        );
        assert!(check_code_map(&files, "| `crates/model` |").is_empty());
    }
}
