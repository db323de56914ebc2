//! `palisade advisories`, as a reader sees it.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use expect_test::{Expect, expect};
use palisade_feeds::zip::Writer;

/// A folder that goes away with the test, with two exports in it.
struct World(PathBuf);

impl World {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("palisade-advisories-{}-{name}", std::process::id()));
        std::fs::create_dir_all(folder.join("exports")).expect("a folder");
        let mut writer = Writer::default();
        writer.add("GHSA-1.json", br#"{"id":"GHSA-1","modified":"2026-08-21T00:00:00Z","affected":[{"package":{"ecosystem":"npm","name":"a"}}]}"#);
        writer.add("GHSA-2.json", b"{");
        std::fs::write(folder.join("exports/npm.zip"), writer.finish()).expect("written");
        let catalogue = br#"{"catalogVersion":"2026.08.25","vulnerabilities":[{"cveID":"CVE-1"},{"cveID":"CVE-2"}]}"#;
        std::fs::write(folder.join("exports/kev.json"), catalogue).expect("written");
        Self(folder)
    }

    #[track_caller]
    fn session(&self, arguments: &[&str], expected: Expect) {
        let output = Command::new(env!("CARGO_BIN_EXE_palisade"))
            .args(arguments)
            .current_dir(&self.0)
            .env("PALISADE_ADVISORIES", self.0.join("store"))
            .stdin(Stdio::null())
            .output()
            .expect("the binary starts");
        let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.push_str(&String::from_utf8_lossy(&output.stderr));
        // Ages grow with the days.
        let text: Vec<String> = text
            .replace(&*self.0.to_string_lossy(), "FOLDER")
            .lines()
            .map(|line| {
                line.split(' ')
                    .map(|word| if word.parse::<u32>().is_ok_and(|it| it > 50) { "DAYS" } else { word })
                    .collect::<Vec<_>>()
                    .join(" ")
            })
            .collect();
        let code = output.status.code().filter(|code| *code != 0).map(|code| format!("[exit {code}]\n"));
        expected.assert_eq(&(text.join("\n") + "\n" + &code.unwrap_or_default()));
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn exports_are_imported_and_their_age_is_told() {
    let world = World::new("import");
    world.session(
        &["advisories", "status"],
        expect![[r#"
        there is no database of advisories in `FOLDER/store`

        hint: palisade advisories import FOLDER, with exports of OSV.dev in it
        [exit 3]
    "#]],
    );
    world.session(
        &["advisories", "import", "exports"],
        expect![[r#"
            SOURCE    RECORDS  NEWEST      AGE       DIGEST
            kev.json  2        2026-08-25  DAYS days   8c0d9145f4c5
            npm.zip   1        2026-08-21  DAYS days  a6f8f8e04a7f

            sha256:02e45078853a: 1 advisory, 2 known to be exploited
            left out: npm.zip: GHSA-2.json: it is no OSV record
        "#]],
    );
    world.session(
        &["advisories", "status"],
        expect![[r#"
            SOURCE    RECORDS  NEWEST      AGE       DIGEST
            kev.json  2        2026-08-25  DAYS days   8c0d9145f4c5
            npm.zip   1        2026-08-21  DAYS days  a6f8f8e04a7f

            sha256:02e45078853a: 1 advisory, 2 known to be exploited
        "#]],
    );
    world.session(
        &["advisories", "import", "no-such-folder"],
        expect![[r#"
        error: cannot read `no-such-folder`
          caused by: No such file or directory (os error 2)
        [exit 2]
    "#]],
    );
    world.session(
        &["advisories", "import", "store"],
        expect![[r#"
        error: no export of advisories in `store`
        [exit 2]
    "#]],
    );
}

#[test]
fn the_status_is_there_for_programs() {
    let world = World::new("json");
    world.session(
        &["advisories", "import", "exports", "-o", "json"],
        expect![[r#"
        {
          "version": 1,
          "sha256": "02e45078853a478c00088b992d36f2f6b1cdbfd203f21d6ea4ac3da615c684a1",
          "bytes": 662,
          "contents": {
            "sources": [
              {
                "name": "kev.json",
                "sha256": "8c0d9145f4c50bdb3b01539b78d40bfd5bb6eb61363e4bfa966bce8d9df70edd",
                "records": 2,
                "unreadable": 0,
                "newest": "2026-08-25"
              },
              {
                "name": "npm.zip",
                "sha256": "a6f8f8e04a7f69532945bee7a40a2e3b5b8db00e99468b3aa6e38d165e93a5c9",
                "records": 1,
                "unreadable": 1,
                "newest": "2026-08-21T00:00:00Z"
              }
            ],
            "ecosystems": {
              "npm": {
                "advisories": 1,
                "newest": "2026-08-21T00:00:00Z"
              }
            },
            "advisories": 1,
            "withdrawn": 0,
            "rangesOfCommits": 0,
            "exploited": 2,
            "exploitedVersion": "2026.08.25"
          }
        }
        left out: npm.zip: GHSA-2.json: it is no OSV record
    "#]],
    );
    assert!(Path::new(&world.0).join("store/current").exists());
}

#[test]
fn an_update_fetches_from_a_server_and_a_failed_one_says_what_is_used_now() {
    let world = World::new("update");
    let export = std::fs::read(world.0.join("exports/npm.zip")).expect("there");
    let catalogue = std::fs::read(world.0.join("exports/kev.json")).expect("there");
    let server = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = server.local_addr().expect("an address");
    let serving = std::thread::spawn(move || {
        // One connection a request, as many as the update makes.
        for _ in 0..3 {
            let (mut stream, _) = server.accept().expect("a connection");
            let mut request = String::new();
            BufRead::read_line(&mut BufReader::new(&stream), &mut request).expect("a request");
            let body: &[u8] = match request.split(' ').nth(1) {
                Some("/osv/npm/modified_id.csv") => b"2026-08-21T00:00:00Z,GHSA-1\n",
                Some("/osv/npm/all.zip") => &export,
                Some("/kev.json") => &catalogue,
                other => panic!("{other:?} was asked for"),
            };
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
            stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body)).expect("answered");
        }
    });
    let config =
        format!(r#"{{"osv":"http://{address}/osv","ecosystems":["npm"],"exploited":"http://{address}/kev.json"}}"#);
    std::fs::write(world.0.join("feeds.json"), config).expect("written");
    world.session(
        &["advisories", "update", "--config", "feeds.json"],
        expect![[r#"
        SOURCE    RECORDS  NEWEST      AGE       DIGEST
        kev.json  2        2026-08-25  DAYS days   8c0d9145f4c5
        npm.zip   1        2026-08-21  DAYS days  a6f8f8e04a7f

        sha256:02e45078853a: 1 advisory, 2 known to be exploited
        npm: fetched whole, 1 kB
        left out: npm.zip: GHSA-2.json: it is no OSV record
    "#]],
    );
    serving.join().expect("everything was asked for");
    std::fs::write(world.0.join("gone.json"), r#"{"osv":"http://127.0.0.1:1/osv","ecosystems":["npm"]}"#)
        .expect("written");
    world.session(
        &["advisories", "update", "--config", "gone.json"],
        expect![[r#"
        error: cannot fetch `http://127.0.0.1:1/osv/npm/modified_id.csv`: no connection: Connection refused (os error 111)

        hint: scans go on with the database that is there: palisade advisories status
        [exit 2]
    "#]],
    );
    world.session(
        &["advisories", "status"],
        expect![[r#"
        SOURCE    RECORDS  NEWEST      AGE       DIGEST
        kev.json  2        2026-08-25  DAYS days   8c0d9145f4c5
        npm.zip   1        2026-08-21  DAYS days  a6f8f8e04a7f

        sha256:02e45078853a: 1 advisory, 2 known to be exploited
    "#]],
    );
    std::fs::write(world.0.join("bad.json"), r#"{"url":"x"}"#).expect("written");
    world.session(
        &["advisories", "update", "--config", "bad.json"],
        expect![[r#"
        error: cannot use the configuration `bad.json`
          caused by: unknown field `url`, expected one of `osv`, `ecosystems`, `exploited` at line 1 column 6
        [exit 2]
    "#]],
    );
}
