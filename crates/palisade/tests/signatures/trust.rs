//! Roots of trust from a repository that go-tuf made: taken when they are newer and whole, and never otherwise.

use std::fs;

use expect_test::expect;

use crate::session::{Folder, fixtures, shown};
use crate::tools::tools;

#[test]
fn a_root_of_trust_is_brought_up_to_date_and_never_back() {
    let (Some(tools), Some(shared)) = (tools(), fixtures()) else { return };
    let folder = Folder::new("tuf");
    folder.copy(&shared.join("tuf-targets/trusted_root.json"), "trusted_root.json");
    let repository = |name: &str, version: &str, days: &str, seed: &str| {
        tools.run("tuf", &folder, &[name, "trusted_root.json", version, days, seed]);
    };
    let update = |from: &str, more: &[&str]| shown(&folder, &[&["trust", "trust", "--from", from][..], more].concat());
    let kept = || fs::read_to_string(folder.0.join("trust/trusted_root.json")).unwrap_or_default();
    let first = fs::read_to_string(folder.0.join("trusted_root.json")).expect("a root");
    repository("one", "1", "30", "ours");
    let mut text = update("one", &[]);
    text += &update("one", &["--root", "one/1.root.json"]);
    assert_eq!(kept(), first);
    text += &update("one", &[]);

    let second = format!("{first}\n");
    folder.write("trusted_root.json", &second);
    repository("two", "2", "30", "ours");
    text += &update("two", &[]);
    assert_eq!(kept(), second);

    // From here on nothing is taken, and what is there stays.
    text += &update("one", &[]);
    repository("expired", "3", "-1", "ours");
    let expired = update("expired", &[]);
    let (told, rest) = expired.split_once(" expired at ").expect("it says when");
    text += &format!("{told} expired{}", rest.split_at(rest.find('\n').expect("a line")).1);
    repository("stranger", "3", "30", "theirs");
    text += &update("stranger", &[]);
    folder.write("trusted_root.json", first.replace("rekor.sigstore.dev", "rekor.example.com"));
    repository("changed", "3", "30", "ours");
    let target = fs::read_dir(folder.0.join("changed/targets")).expect("targets").flatten().next().expect("a target");
    fs::write(target.path(), first.replace("rekor.sigstore.dev", "rekor.example.org")).expect("written");
    text += &update("changed", &[]);
    folder.write("trusted_root.json", "{}");
    repository("empty", "4", "30", "ours");
    text += &update("empty", &[]);
    text += &update("nowhere", &[]);
    assert_eq!(kept(), second);
    expect![[r#"
        error: `trust` has no root of TUF yet

        hint: name the one that you have from a source that you trust: --root root.json
        exit code 2
        trust/trusted_root.json: updated, version 1 of one
        trust/trusted_root.json: nothing new, version 1 of one
        trust/trusted_root.json: updated, version 2 of two
        error: rollback detected for timestamp: trusted version 2 > new version 1

        hint: what was there stays; verification goes on with it
        exit code 2
        error: timestamp metadata expired

        hint: what was there stays; verification goes on with it
        exit code 2
        error: signature threshold not met for role timestamp: 0/1 valid signatures

        hint: what was there stays; verification goes on with it
        exit code 2
        error: integrity check failed: trusted_root.json: sha256 mismatch

        hint: what was there stays; verification goes on with it
        exit code 2
        error: the new `trusted_root.json` cannot be used
          caused by: no trusted root: failed to parse JSON: missing field `mediaType` at line 1 column 2
        exit code 2
        error: transport error: timestamp.json not found

        hint: what was there stays; verification goes on with it
        exit code 2
    "#]]
    .assert_eq(&text);
}
