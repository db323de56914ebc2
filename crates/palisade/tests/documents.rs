//! The manifests in the documents are good ones.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("crates/palisade is two levels deep").to_owned()
}

/// The indented blocks of `text` that are manifests.
fn manifests(text: &str) -> Vec<String> {
    let mut blocks = vec![String::new()];
    for line in text.lines() {
        match line.strip_prefix("    ") {
            Some(code) => {
                let block = blocks.last_mut().expect("never empty");
                block.push_str(code);
                block.push('\n');
            }
            None => blocks.push(String::new()),
        }
    }
    blocks.into_iter().filter(|block| block.starts_with("apiVersion:")).collect()
}

#[test]
fn manifests_in_the_documents_have_no_problem() {
    for (name, count) in [("README.md", 1), ("docs/policy-reference.md", 3)] {
        let found = manifests(&fs::read_to_string(root().join(name)).expect("a file of the repository"));
        assert_eq!(found.len(), count, "{name}");
        for manifest in found {
            let mut inventory = Command::new(env!("CARGO_BIN_EXE_palisade"))
                .args(["inventory", "-f", "-"])
                .stdin(Stdio::piped())
                .stdout(Stdio::null())
                .stderr(Stdio::piped())
                .spawn()
                .expect("the binary starts");
            let mut stdin = inventory.stdin.take().expect("piped");
            stdin.write_all(manifest.as_bytes()).expect("it reads");
            drop(stdin);
            let output = inventory.wait_with_output().expect("the binary ends");
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success() && !said.contains("problem"), "{name}:\n{manifest}\n{said}");
        }
    }
}
