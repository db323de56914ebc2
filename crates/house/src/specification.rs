//! Each promise of `SPECIFICATION.md` says what holds it: a test that exists, or "not yet".

use std::collections::BTreeSet;

use crate::sources::SourceFile;

/// Promises without an answer, numbers given twice, and tests that are not there.
///
/// A promise is a row `| id | promise | held by |`. A test is written `` `crate::function` ``, the crate by its folder.
pub fn check(specification: &str, files: &[SourceFile]) -> Vec<String> {
    let mut findings = Vec::new();
    let mut ids = BTreeSet::new();
    for (index, line) in specification.lines().enumerate() {
        let Some((id, held_by)) = promise(line) else { continue };
        let place = format!("SPECIFICATION.md:{}", index + 1);
        if !ids.insert(id) {
            findings.push(format!("{place}: `{id}` is there already"));
        }
        let mut names = quoted(held_by).filter_map(|name| name.split_once("::")).peekable();
        if names.peek().is_none() && !held_by.starts_with("not yet") && !held_by.starts_with("in force, no test yet") {
            findings.push(format!("{place}: `{id}` names no test: write `crate::function`, or `not yet`"));
        }
        for (folder, function) in names {
            if !files.iter().any(|file| defines(file, folder, function)) {
                findings.push(format!("{place}: no function `{function}` in crates/{folder}"));
            }
        }
    }
    findings
}

/// The id and the last cell of a promise; `None` for any other line.
fn promise(line: &str) -> Option<(&str, &str)> {
    let cells: Vec<&str> = line.strip_prefix("| ")?.strip_suffix(" |")?.split(" | ").collect();
    let (id, held_by) = (*cells.first()?, *cells.last()?);
    let digits = id.trim_start_matches(|letter: char| letter.is_ascii_uppercase());
    let is_id = digits.len() < id.len() && !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    (is_id && cells.len() == 3).then_some((id, held_by))
}

/// What stands between backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

fn defines(file: &SourceFile, folder: &str, function: &str) -> bool {
    file.path.starts_with(format!("crates/{folder}")) && file.text.contains(&format!("fn {function}("))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_promise_names_a_test_that_is_there_or_says_not_yet() {
        let files = [SourceFile { path: "crates/lab/tests/lab.rs".into(), text: "fn down_leaves_nothing() {}".into() }];
        let specification = "\
| id | promise | held by |
| --- | --- | --- |
| L1 | nothing stays | `lab::down_leaves_nothing` |
| L2 | later | not yet |
| L2 | twice | not yet: soon |
| L3 | gone | `lab::gone`, `lab::down_leaves_nothing` |
| L4 | silent | somehow |
";
        assert_eq!(
            check(specification, &files),
            [
                "SPECIFICATION.md:5: `L2` is there already",
                "SPECIFICATION.md:6: no function `gone` in crates/lab",
                "SPECIFICATION.md:7: `L4` names no test: write `crate::function`, or `not yet`",
            ]
        );
    }
}
