//! An update fetches what has changed, and one that fails leaves everything as it was.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Mutex;

use palisade_feeds::store::Store;
use palisade_feeds::update::{Change, Feeds, Fetch, update};
use palisade_feeds::zip::Writer;

/// What a server has, and what it was asked for.
#[derive(Default)]
struct Server {
    files: BTreeMap<String, Vec<u8>>,
    asked: Mutex<Vec<String>>,
}

impl Fetch for Server {
    fn fetch(&self, url: &str, limit: u64) -> Result<Vec<u8>, String> {
        let path = url.strip_prefix("http://osv/").ok_or("another server")?;
        self.asked.lock().expect("one thread").push(path.to_owned());
        let bytes = self.files.get(path).ok_or("404 Not Found")?;
        if bytes.len() as u64 > limit { Err("too large".into()) } else { Ok(bytes.clone()) }
    }
}

fn record(id: &str, modified: &str, name: &str) -> String {
    format!(
        r#"{{"id":"{id}","modified":"{modified}","affected":[{{"package":{{"ecosystem":"npm","name":"{name}"}},
        "ranges":[{{"type":"SEMVER","events":[{{"introduced":"0"}}]}}]}}]}}"#
    )
}

impl Server {
    /// The export of npm with these records, whole and one by one.
    fn publish(&mut self, records: &[(&str, &str, &str)]) {
        let (mut writer, mut list) = (Writer::default(), String::new());
        for (id, modified, name) in records {
            let json = record(id, modified, name);
            writer.add(&format!("{id}.json"), json.as_bytes());
            list += &format!("{modified},{id}\n");
            self.files.insert(format!("npm/{id}.json"), json.into_bytes());
        }
        self.files.insert("npm/all.zip".into(), writer.finish());
        self.files.insert("npm/modified_id.csv".into(), list.into_bytes());
    }

    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock().expect("one thread"))
    }
}

struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn world(name: &str) -> (Folder, Store, Feeds) {
    let folder = std::env::temp_dir().join(format!("palisade-update-{}-{name}", std::process::id()));
    let feeds = Feeds { osv: "http://osv".into(), ecosystems: vec!["npm".into()], exploited: None };
    (Folder(folder.clone()), Store::new(folder), feeds)
}

fn packages(store: &Store) -> Vec<usize> {
    let opened = store.current().expect("a database");
    let database = opened.database();
    ["a", "b", "c"].map(|name| database.concerning("npm", name).expect("whole").len()).to_vec()
}

#[test]
fn the_first_update_is_whole_and_later_ones_fetch_what_has_changed() {
    let (_folder, store, feeds) = world("delta");
    let mut server = Server::default();
    server.publish(&[("GHSA-1", "2026-01-01T00:00:00Z", "a"), ("GHSA-2", "2026-01-01T00:00:00Z", "b")]);
    let (changes, _) = update(&store, &feeds, &server).expect("updated");
    assert!(matches!(changes["npm"], Change::Whole { .. }));
    assert_eq!(server.asked(), ["npm/modified_id.csv", "npm/all.zip"]);
    let (changes, _) = update(&store, &feeds, &server).expect("updated");
    assert_eq!((&changes["npm"], server.asked()), (&Change::None, vec!["npm/modified_id.csv".to_owned()]));
    server.publish(&[
        ("GHSA-1", "2026-02-01T00:00:00Z", "c"),
        ("GHSA-3", "2026-02-02T00:00:00Z", "c"),
        ("GHSA-2", "2026-01-01T00:00:00Z", "b"),
    ]);
    let (changes, _) = update(&store, &feeds, &server).expect("updated");
    assert_eq!(changes["npm"], Change::Records { count: 2 });
    assert_eq!(server.asked(), ["npm/modified_id.csv", "npm/GHSA-1.json", "npm/GHSA-3.json"]);
    assert_eq!(packages(&store), [0, 1, 2], "the changed record is the one that counts");
    server.publish(&[
        ("GHSA-4", "2026-03-01T00:00:00Z", "a"),
        ("GHSA-1", "2026-02-01T00:00:00Z", "c"),
        ("GHSA-3", "2026-02-02T00:00:00Z", "c"),
        ("GHSA-2", "2026-01-01T00:00:00Z", "b"),
    ]);
    update(&store, &feeds, &server).expect("updated");
    assert_eq!(packages(&store), [1, 1, 2], "earlier changes stay");
}

#[test]
fn an_update_that_fails_leaves_the_database_and_is_done_again() {
    let (_folder, store, feeds) = world("fails");
    let mut server = Server::default();
    server.publish(&[("GHSA-1", "2026-01-01T00:00:00Z", "a")]);
    update(&store, &feeds, &server).expect("updated");
    let before = store.current().expect("a database").sha256;
    server.publish(&[("GHSA-1", "2026-01-01T00:00:00Z", "a"), ("GHSA-2", "2026-02-01T00:00:00Z", "b")]);
    let record = server.files.remove("npm/GHSA-2.json").expect("published");
    let error = update(&store, &feeds, &server).expect_err("a record is missing");
    assert_eq!(error.to_string(), "cannot fetch `http://osv/npm/GHSA-2.json`: 404 Not Found");
    assert_eq!(store.current().expect("a database").sha256, before);
    server.files.insert("npm/GHSA-2.json".into(), record);
    let (changes, _) = update(&store, &feeds, &server).expect("updated");
    assert_eq!((&changes["npm"], packages(&store)), (&Change::Records { count: 1 }, vec![1, 1, 0]));
}

#[test]
fn an_answer_that_is_no_export_is_refused() {
    let (_folder, store, feeds) = world("html");
    let mut server = Server::default();
    server.files.insert("npm/modified_id.csv".into(), b"x".to_vec());
    server.files.insert("npm/all.zip".into(), b"<html>too many requests</html>".to_vec());
    let error = update(&store, &feeds, &server).expect_err("no archive");
    assert_eq!(error.to_string(), "`http://osv/npm/all.zip` is no export of advisories");
    assert!(store.current().is_err());
}
