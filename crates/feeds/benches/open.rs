//! What a database of 300,000 advisories costs: to make, to open, to ask. `cargo bench -p palisade-feeds`.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use palisade_feeds::store::{self, Store};
use palisade_feeds::zip::Writer;

const ADVISORIES: usize = 300_000;
const OPENINGS: usize = 100;
const QUESTIONS: usize = 1_000;

fn main() {
    let folder = std::env::temp_dir().join(format!("palisade-bench-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let export = export(&folder);
    let store = Store::new(folder.join("store"));
    let begin = Instant::now();
    let imported = store.import(&[export]).expect("imported");
    println!("import of {ADVISORIES} advisories: {:.1} s, {} MB", begin.elapsed().as_secs_f64(), imported.size >> 20);
    let mut took: Vec<Duration> = (0..OPENINGS)
        .map(|_| {
            let begin = Instant::now();
            let opened = store.current().expect("a database");
            assert_eq!(opened.database().contents().advisories, ADVISORIES as u64);
            begin.elapsed()
        })
        .collect();
    took.sort();
    println!("open: median {:?}, worst of {OPENINGS} {:?}", took[OPENINGS / 2], took[OPENINGS - 1]);
    let opened = store::open(&store.folder().join(format!("{}.db", imported.sha256)), None).expect("a database");
    let database = opened.database();
    let begin = Instant::now();
    let found: usize = (0..QUESTIONS)
        .map(|number| database.concerning("npm", &format!("package-{}", number * 97)).expect("whole").len())
        .sum();
    println!("{QUESTIONS} packages asked for: {:?}, {found} advisories", begin.elapsed());
    std::fs::remove_dir_all(folder).expect("removed");
}

fn export(folder: &std::path::Path) -> PathBuf {
    let mut writer = Writer::default();
    for number in 0..ADVISORIES {
        let id = format!("GHSA-{number:08}");
        let record = format!(
            r#"{{"id":"{id}","aliases":["CVE-2020-{number}"],"modified":"2026-01-01T00:00:00Z","summary":"a matter of some length, as most of them have one",
            "severity":[{{"type":"CVSS_V3","score":"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H"}}],
            "affected":[{{"package":{{"ecosystem":"npm","name":"package-{}"}},"ranges":[{{"type":"SEMVER","events":[{{"introduced":"0"}},{{"fixed":"1.{number}.0"}}]}}]}}]}}"#,
            number / 3
        );
        writer.add(&format!("{id}.json"), record.as_bytes());
    }
    let path = folder.join("npm.zip");
    std::fs::write(&path, writer.finish()).expect("written");
    path
}
