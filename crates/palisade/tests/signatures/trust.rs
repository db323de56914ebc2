//! Roots of trust from a repository that go-tuf made: taken when they are newer and whole, and never otherwise.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

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

/// Python's own server of files; it ends with the value.
struct Files(Child, String);

impl Files {
    fn serve(folder: &Folder) -> Self {
        let mut server = Command::new("python3");
        server.args(["-u", "-m", "http.server", "0", "--bind", "127.0.0.1", "--directory"]).arg(&folder.0);
        let mut child = server.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("python3 starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("it is piped"))
            .read_line(&mut line)
            .expect("it says where it listens");
        let port = line.split_whitespace().skip_while(|word| *word != "port").nth(1).expect("a port").to_owned();
        Self(child, format!("http://127.0.0.1:{port}"))
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_root_of_trust_is_brought_up_to_date_over_http() {
    let (Some(tools), Some(shared)) = (tools(), fixtures()) else { return };
    let folder = Folder::new("tuf-http");
    folder.copy(&shared.join("tuf-targets/trusted_root.json"), "trusted_root.json");
    let repository = |name: &str, version: &str, seed: &str| {
        tools.run("tuf", &folder, &[name, "trusted_root.json", version, "30", seed]);
    };
    let files = Files::serve(&folder);
    let address = files.1.clone();
    let update = |from: &str, more: &[&str]| {
        let told = shown(&folder, &[&["trust", "trust", "--from", &format!("{address}/{from}")][..], more].concat());
        told.replace(&address, "http://SERVER")
    };
    let kept = || fs::read_to_string(folder.0.join("trust/trusted_root.json")).unwrap_or_default();
    let first = fs::read_to_string(folder.0.join("trusted_root.json")).expect("a root");
    repository("one", "1", "ours");
    let mut text = update("one", &["--root", "one/1.root.json"]);
    assert_eq!(kept(), first);
    let second = format!("{first}\n");
    folder.write("trusted_root.json", &second);
    repository("two", "2", "ours");
    text += &update("two/", &[]);
    assert_eq!(kept(), second);
    // What is older, of somebody else, changed, not there, or endless is not taken.
    text += &update("one", &[]);
    repository("stranger", "3", "theirs");
    text += &update("stranger", &[]);
    folder.write("trusted_root.json", first.replace("rekor.sigstore.dev", "rekor.example.com"));
    repository("changed", "3", "ours");
    let target = fs::read_dir(folder.0.join("changed/targets")).expect("targets").flatten().next().expect("a target");
    fs::write(target.path(), first.replace("rekor.sigstore.dev", "rekor.example.org")).expect("written");
    text += &update("changed", &[]);
    repository("long", "3", "ours");
    fs::write(folder.0.join("long/timestamp.json"), " ".repeat(64 << 20)).expect("written");
    text += &update("long", &[]);
    text += &update("nowhere", &[]);
    drop(files);
    let gone = update("two", &[]);
    assert!(gone.contains("error: transport error: ") && gone.ends_with("exit code 2\n"), "{gone}");
    assert_eq!(kept(), second);
    expect![[r#"
        trust/trusted_root.json: updated, version 1 of http://SERVER/one
        trust/trusted_root.json: updated, version 2 of http://SERVER/two/
        error: rollback detected for timestamp: trusted version 2 > new version 1

        hint: what was there stays; verification goes on with it
        exit code 2
        error: signature threshold not met for role timestamp: 0/1 valid signatures

        hint: what was there stays; verification goes on with it
        exit code 2
        error: integrity check failed: trusted_root.json: sha256 mismatch

        hint: what was there stays; verification goes on with it
        exit code 2
        error: transport error: http://SERVER/long/timestamp.json: longer than 16384 bytes

        hint: what was there stays; verification goes on with it
        exit code 2
        error: transport error: timestamp.json not found

        hint: what was there stays; verification goes on with it
        exit code 2
    "#]]
    .assert_eq(&text);
}
