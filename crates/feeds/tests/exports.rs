//! Exports become a database: whole, the same from the same, and with what could not be used.

use std::path::{Path, PathBuf};

use palisade_feeds::store::{self, Store};
use palisade_feeds::zip::Writer;

/// A folder that goes away with the test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("palisade-feeds-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a folder");
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

impl std::ops::Deref for Folder {
    type Target = Path;

    fn deref(&self) -> &Path {
        &self.0
    }
}

fn record(id: &str, ecosystem: &str, name: &str, modified: &str) -> String {
    format!(
        r#"{{"id":"{id}","modified":"{modified}","affected":[{{"package":{{"ecosystem":"{ecosystem}","name":"{name}"}},
        "ranges":[{{"type":"ECOSYSTEM","events":[{{"introduced":"0"}}]}}]}}]}}"#
    )
}

fn archive(path: &Path, records: &[(&str, String)]) {
    let mut writer = Writer::default();
    for (name, record) in records {
        writer.add(name, record.as_bytes());
    }
    std::fs::write(path, writer.finish()).expect("written");
}

fn two_exports(folder: &Path) {
    archive(
        &folder.join("PyPI.zip"),
        &[
            ("PYSEC-2.json", record("PYSEC-2", "PyPI", "b", "2024-01-02T00:00:00Z")),
            ("PYSEC-1.json", record("PYSEC-1", "PyPI", "a", "2024-01-01T00:00:00Z")),
        ],
    );
    archive(
        &folder.join("AlmaLinux.zip"),
        &[("ALSA-2022_1.json", record("ALSA-2022:1", "AlmaLinux:9", "c", "2023-01-01T00:00:00Z"))],
    );
}

#[test]
fn the_same_exports_give_the_same_bytes_in_any_order() {
    let folder = Folder::new("same");
    two_exports(&folder);
    let import = |name: &str, paths: &[&str]| {
        let paths: Vec<PathBuf> = paths.iter().map(|path| folder.join(path)).collect();
        let store = Store::new(folder.join(name));
        let imported = store.import(&paths).expect("imported");
        (
            imported.sha256.clone(),
            std::fs::read(folder.join(name).join(format!("{}.db", imported.sha256))).expect("there"),
        )
    };
    let (digest, bytes) = import("one", &["PyPI.zip", "AlmaLinux.zip"]);
    assert_eq!(import("two", &["AlmaLinux.zip", "PyPI.zip"]), (digest.clone(), bytes.clone()));
    assert_eq!(import("three", &["."]), (digest.clone(), bytes.clone()));
    assert_eq!(palisade_feeds::mapped::sha256(&bytes), digest, "it is named by its digest");
    // Another record is another database.
    archive(
        &folder.join("AlmaLinux.zip"),
        &[("A.json", record("ALSA-2022:1", "AlmaLinux:9", "d", "2023-01-01T00:00:00Z"))],
    );
    assert_ne!(import("four", &["."]).0, digest);
}

#[test]
fn what_cannot_be_used_is_told_and_costs_nothing_else() {
    let folder = Folder::new("broken");
    archive(
        &folder.join("npm.zip"),
        &[
            ("GHSA-1.json", record("GHSA-1", "npm", "a", "2024-01-01T00:00:00Z")),
            ("GHSA-2.json", "{".into()),
            ("README.md", "no record".into()),
        ],
    );
    let store = Store::new(folder.join("store"));
    let imported = store.import(&[folder.to_path_buf()]).expect("imported");
    assert_eq!(
        (imported.unreadable, imported.examples),
        (1, vec!["npm.zip: GHSA-2.json: it is no OSV record".to_owned()])
    );
    let opened = store.current().expect("a database");
    let contents = opened.database().contents().clone();
    assert_eq!((contents.advisories, contents.sources[0].records, contents.sources[0].unreadable), (1, 1, 1));
    std::fs::write(folder.join("npm.zip"), b"no zip").expect("written");
    let error = store.import(&[folder.to_path_buf()]).expect_err("no archive");
    assert!(error.to_string().starts_with("cannot use `"), "{error}");
    assert_eq!(store.current().expect("the old one stays").sha256, opened.sha256);
}

#[test]
fn the_database_before_is_kept_and_older_ones_go() {
    let folder = Folder::new("previous");
    let store = Store::new(folder.join("store"));
    assert!(store.current().is_err());
    let mut digests = Vec::new();
    for day in 1..=3 {
        archive(
            &folder.join("npm.zip"),
            &[("A.json", record("GHSA-1", "npm", "a", &format!("2024-01-0{day}T00:00:00Z")))],
        );
        digests.push(store.import(&[folder.join("npm.zip")]).expect("imported").sha256);
        // The same again changes nothing.
        store.import(&[folder.join("npm.zip")]).expect("imported");
    }
    assert_eq!(store.current().expect("there").sha256, digests[2]);
    assert_eq!(store.previous().expect("there").sha256, digests[1]);
    let databases = std::fs::read_dir(store.folder()).expect("a folder").flatten();
    assert_eq!(databases.filter(|it| it.path().extension().is_some_and(|it| it == "db")).count(), 2);
}

#[test]
fn a_folder_of_exports_is_used_as_it_is_and_kept_by_its_digest() {
    let folder = Folder::new("direct");
    two_exports(&folder);
    let cache = folder.join("cache");
    let opened = store::open(&folder, Some(&cache)).expect("a database");
    let kept = opened.path.clone().expect("it was kept");
    assert_eq!(opened.database().contents().advisories, 3);
    assert_eq!(store::open(&folder, Some(&cache)).expect("a database").path, Some(kept));
    let in_memory = store::open(&folder, None).expect("a database");
    assert_eq!((in_memory.path.as_deref(), in_memory.database().contents()), (None, opened.database().contents()));
    assert!(store::open(&folder.join("cache"), None).is_err(), "no exports in there");
}

#[test]
fn the_shared_exports_are_read_whole() {
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/advisories");
    if !shared.exists() {
        assert!(std::env::var_os("CI").is_none(), "../shared/advisories is missing");
        return println!("SKIPPED: ../shared/advisories is not there");
    }
    let opened = store::open(&shared, None).expect("a database");
    let contents = opened.database().contents().clone();
    let records: Vec<(&str, u64, u64)> =
        contents.sources.iter().map(|source| (&*source.name, source.records, source.unreadable)).collect();
    assert_eq!(
        records,
        [
            ("AlmaLinux.zip", 200, 0),
            ("Alpine.zip", 1974, 0),
            ("Debian.zip", 657, 0),
            ("Go.zip", 4291, 0),
            ("Maven.zip", 2, 0),
            ("PyPI.zip", 2661, 0),
            ("RubyGems.zip", 982, 0),
            ("Rust.zip", 1206, 0),
            ("kev.json.gz", 1404, 0),
            ("npm.zip", 10, 0),
        ]
    );
    assert_eq!((contents.advisories, contents.exploited), (11_983, Some(1404)));
    assert!(contents.ecosystems["Alpine:v3.11"].advisories > 1000);
}
