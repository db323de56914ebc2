//! The manifests in the documents are good ones.

use std::fs;

use crate::session::{root, run};

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
            let (_, said, code) = run("inventory -f -", &manifest);
            assert!(code == 0 && !said.contains("problem"), "{name}:\n{manifest}\n{said}");
        }
    }
}
