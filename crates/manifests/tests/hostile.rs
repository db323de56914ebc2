//! Input made to hurt: each is a problem with a place, found soon, and what stands beside it is still used.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use palisade_manifests::{LoadError, load, load_text};
use palisade_model::{Inventory, Outcome};

const GOOD: &str = "apiVersion: v1\nkind: Namespace\nmetadata: {name: good}\n";

/// A folder of its own for one test, removed at its end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("palisade-hostile-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).expect("the temporary folder can be written");
        Self(path)
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.join(name);
        fs::create_dir_all(path.parent().expect("a file lies in a folder")).expect("the folder can be made");
        fs::write(&path, content).expect("the file can be written");
        path
    }

    fn load(&self) -> Outcome<Inventory> {
        load(std::slice::from_ref(&self.0), io::empty()).expect("the folder exists")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Loads `document` with a good one behind it: the good one must be there, and the one problem is returned.
fn problem_of(document: &str) -> String {
    let started = Instant::now();
    let outcome = load_text("a.yaml", &format!("{document}\n---\n{GOOD}"));
    assert!(started.elapsed() < Duration::from_secs(20), "took {:?}", started.elapsed());
    assert_eq!(outcome.value.namespaces.len(), 1, "the document behind is used");
    let problems: Vec<String> = outcome.problems.iter().map(ToString::to_string).collect();
    assert_eq!(problems.len(), 1, "{problems:#?}");
    problems.into_iter().next().expect("there is one")
}

#[test]
fn an_alias_bomb_is_named() {
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..10 {
        let alias = format!("*a{}", level - 1);
        bomb += &format!("a{level}: &a{level} [{}]\n", vec![alias; 10].join(", "));
    }
    let problem = problem_of(&bomb);
    assert!(problem.contains("aliases and merge keys stand for more than 400000 nodes"), "{problem}");
}

#[test]
fn a_merge_bomb_is_named() {
    let keys: Vec<String> = (0..1000).map(|key| format!("k{key}: 1")).collect();
    let mut bomb = format!("a: &a {{{}}}\n", keys.join(", "));
    for line in 0..2000 {
        bomb += &format!("b{line}: {{<<: *a}}\n");
    }
    let problem = problem_of(&bomb);
    assert!(problem.contains("aliases and merge keys stand for more than 400000 nodes"), "{problem}");
}

#[test]
fn a_cyclic_alias_is_named() {
    assert_eq!(
        problem_of("a: &a\n  b: *a\n"),
        "a.yaml:2: cannot read the document, column 6: an anchor's value contains itself"
    );
}

#[test]
fn deep_nesting_is_named() {
    for document in ["[".repeat(100_000), "{a: ".repeat(100_000), "- ".repeat(100_000), "? ".repeat(100_000)] {
        let problem = problem_of(&document);
        assert!(problem.contains("nested deeper than 256 levels"), "{problem}");
    }
    let json = format!("{{\"a\": {}{}}}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(problem_of(&json).contains("nested deeper than 256 levels"));
}

#[test]
fn nul_and_control_characters_are_named() {
    assert_eq!(problem_of("a: b\nc: \0\n"), "a.yaml:2: cannot read the document, column 4: control character U+0000");
    assert_eq!(problem_of("a: \u{7}\n"), "a.yaml:1: cannot read the document, column 4: control character U+0007");
}

#[test]
fn invalid_utf8_loses_one_document_only() {
    let folder = Folder::new("utf8");
    folder.write("a.yaml", [b"a: b\nkind: \xff\n---\n", GOOD.as_bytes()].concat());
    let outcome = folder.load();
    assert_eq!(outcome.value.namespaces.len(), 1);
    assert_eq!(outcome.value.unreadable.len(), 1);
    let message = outcome.problems[0].to_string();
    assert!(message.ends_with("a.yaml:2: cannot read the document: not UTF-8: byte 0xff"), "{message}");
}

#[test]
fn a_huge_file_is_refused_without_being_read() {
    let folder = Folder::new("huge");
    folder.write("b.yaml", GOOD);
    let huge = File::create(folder.0.join("a.yaml")).expect("the file can be made");
    huge.set_len(1 << 30).expect("a sparse file takes no room");
    let started = Instant::now();
    let outcome = folder.load();
    assert!(started.elapsed() < Duration::from_secs(30), "took {:?}", started.elapsed());
    assert_eq!(outcome.value.namespaces.len(), 1);
    assert_eq!(outcome.value.unreadable.len(), 1, "it may hold a policy");
    assert!(outcome.problems[0].to_string().ends_with("a.yaml: larger than 256 MiB, not read"));
}

#[test]
fn an_endless_standard_input_ends() {
    let outcome = load(&["-".into()], io::repeat(b'#').take(1 << 40)).expect("standard input can be read");
    assert_eq!(outcome.problems[0].to_string(), "<stdin>: larger than 256 MiB, not read");
    assert_eq!(outcome.value.unreadable.len(), 1);
}

#[test]
fn a_hundred_thousand_documents_are_read() {
    let documents: String = (0..100_000)
        .map(|count| format!("---\napiVersion: v1\nkind: ServiceAccount\nmetadata: {{name: a{count}}}\n"))
        .collect();
    let outcome = load_text("a.yaml", &documents);
    assert_eq!(outcome.value.service_accounts.len(), 100_000);
    assert_eq!(outcome.problems, []);
}

#[test]
fn a_hundred_thousand_broken_documents_do_not_drown_the_reader() {
    let outcome = load_text("a.yaml", &format!("{GOOD}{}", "---\na: [\n".repeat(100_000)));
    assert_eq!(outcome.problems.len(), 10_001);
    assert_eq!(outcome.problems[10_000].message, "90000 more problems are not shown");
    assert_eq!(outcome.value.unreadable.len(), 100_000);
    assert_eq!(outcome.value.namespaces.len(), 1);
}

#[test]
fn a_mapping_of_a_hundred_thousand_keys_is_no_trap() {
    let keys: String = (0..100_000).map(|key| format!("k{key}: v\n")).collect();
    let outcome = load_text("a.yaml", &format!("apiVersion: v1\nkind: Namespace\nmetadata: {{name: a}}\n{keys}"));
    assert_eq!(outcome.value.namespaces.len(), 1);
    assert_eq!(outcome.problems.len(), 1_001);
}

#[test]
fn long_collections_take_linear_time() {
    let started = Instant::now();
    for (entry, open, close) in
        [("- a\n", "", ""), ("- a: b\n", "", ""), ("a, ", "[", "]"), ("a: b, ", "[", "]"), ("[], ", "[", "]")]
    {
        let text = format!("{open}{}{close}\n", entry.repeat(200_000));
        assert_eq!(load_text("a.yaml", &text).problems.len(), 1, "no object");
    }
    assert!(started.elapsed() < Duration::from_secs(60), "took {:?}", started.elapsed());
}

#[test]
fn every_key_given_twice_is_no_trap() {
    let keys: String = (0..50_000).map(|key| format!("k{key}: v\nk{key}: w\n")).collect();
    let outcome = load_text("a.yaml", &keys);
    assert_eq!(outcome.problems.len(), 1_001);
}

#[test]
fn links_in_circles_hidden_files_and_pipes_are_no_trap() {
    let folder = Folder::new("links");
    folder.write("sub/a.yaml", GOOD);
    folder.write(".hidden.yaml", "a: [\n");
    folder.write(".git/b.yaml", "a: [\n");
    folder.write("readme.md", "a: [\n");
    std::os::unix::fs::symlink(&folder.0, folder.0.join("sub/loop")).expect("a link can be made");
    std::os::unix::fs::symlink("nowhere", folder.0.join("gone.yaml")).expect("a link can be made");
    let outcome = folder.load();
    assert_eq!(outcome.value.namespaces.len(), 1);
    assert_eq!(outcome.problems.len(), 1);
    assert!(outcome.problems[0].to_string().contains("gone.yaml: No such file"), "{}", outcome.problems[0]);
}

#[test]
fn files_are_read_in_the_order_of_their_paths() {
    let folder = Folder::new("order");
    let account =
        |label: &str| format!("apiVersion: v1\nkind: ServiceAccount\nmetadata: {{name: a, labels: {{x: {label}}}}}\n");
    folder.write("b.yaml", account("second"));
    folder.write("a/z.yml", account("first"));
    folder.write("c.json", "{\"apiVersion\": \"v1\", \"kind\": \"Namespace\", \"metadata\": {\"name\": \"j\"}}");
    let outcome = folder.load();
    assert_eq!(outcome.value.service_accounts[0].meta.labels.value("x"), Some("second"));
    assert_eq!(outcome.value.namespaces.len(), 1);
}

#[test]
fn a_missing_path_is_an_error_of_its_own() {
    let error = load(&[Path::new("/no/such/file.yaml").to_owned()], io::empty()).expect_err("it does not exist");
    assert!(matches!(error, LoadError::Path { .. }));
    assert_eq!(error.to_string(), "cannot read `/no/such/file.yaml`");
    let error = load(&["-".into(), "-".into()], io::empty()).expect_err("it cannot be read twice");
    assert_eq!(error.to_string(), "standard input `-` is given more than once");
}

#[test]
fn an_empty_folder_is_said() {
    let folder = Folder::new("empty");
    let outcome = folder.load();
    assert!(outcome.problems[0].to_string().ends_with("no manifests in this folder"));
    assert!(outcome.value.is_empty());
}

#[test]
fn standard_input_and_files_make_one_set() {
    let folder = Folder::new("stdin");
    let file = folder.write("a.yaml", GOOD);
    let stdin = "apiVersion: v1\nkind: Namespace\nmetadata: {name: piped}\n";
    let outcome = load(&["-".into(), file], stdin.as_bytes()).expect("both can be read");
    let names: Vec<&str> = outcome.value.namespaces.iter().map(|namespace| namespace.meta.name()).collect();
    assert_eq!(names, ["good", "piped"]);
    assert_eq!(outcome.value.namespaces[1].meta.place.to_string(), "<stdin>:1");
}

#[test]
fn a_kustomization_without_a_kind_is_counted() {
    let folder = Folder::new("kustomize");
    folder.write("kustomization.yaml", "resources: [a.yaml]\n");
    folder.write("a.yaml", GOOD);
    let outcome = folder.load();
    assert_eq!(outcome.problems, []);
    assert_eq!(outcome.value.other_kinds.len(), 1);
}
