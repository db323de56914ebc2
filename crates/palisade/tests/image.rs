//! `palisade image sbom` and `inspect`, as a reader sees them, on images that the test writes.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use expect_test::{Expect, expect};

/// A folder that is removed with it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("palisade-image-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).expect("a folder of the test");
        Self(path)
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.0.join(name);
        fs::create_dir_all(path.parent().expect("a file lies in a folder")).expect("a folder of the test");
        fs::write(path, text).expect("a file of the test");
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Standard output, standard error and the exit code, in the folder.
fn run(folder: &Path, arguments: &[&str]) -> (String, String, i32) {
    let output = Command::new(env!("CARGO_BIN_EXE_palisade"))
        .arg("image")
        .args(arguments)
        .current_dir(folder)
        .env("SOURCE_DATE_EPOCH", "1700000000")
        .output()
        .expect("the binary starts");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("the binary writes UTF-8");
    (text(output.stdout), text(output.stderr), output.status.code().expect("it exits"))
}

#[track_caller]
fn session(folder: &Folder, arguments: &[&str], expected: Expect) {
    let (output, errors, code) = run(&folder.0, arguments);
    let code = if code == 0 { String::new() } else { format!("exit code {code}\n") };
    expected.assert_eq(&format!("{output}{errors}{code}"));
}

fn root(name: &str) -> Folder {
    let folder = Folder::new(name);
    folder.write("root/etc/os-release", "ID=debian\nVERSION_ID=\"12\"\nPRETTY_NAME=\"Debian GNU/Linux 12\"\n");
    folder.write(
        "root/var/lib/dpkg/status",
        "Package: zlib1g\nStatus: install ok installed\nVersion: 1:1.2.13\nArchitecture: amd64\nSource: zlib\n",
    );
    folder.write("root/app/node_modules/ws/package.json", r#"{"name":"ws","version":"7.4.5","license":"MIT"}"#);
    folder.write("root/app/x.jar", "no archive");
    folder
}

#[test]
fn the_bill_of_a_root_folder() {
    let folder = root("bill");
    session(
        &folder,
        &["sbom", "root"],
        expect![[r#"
        ECOSYSTEM  PACKAGE  VERSION   LAYER  PATH
        debian 12  zlib1g   1:1.2.13  0      /var/lib/dpkg/status
        npm        ws       7.4.5     0      /app/node_modules/ws/package.json

        2 packages
        not identified: 1 files; `palisade image inspect` lists them
    "#]],
    );
    session(
        &folder,
        &["inspect", "root"],
        expect![[r#"
        image           root
        distribution    Debian GNU/Linux 12
        packages        1 debian 12, 1 npm
        not identified  1 files

        LAYER  SIZE   FILES  REMOVES  STEP
        0      213 B  11     0

        NOT IDENTIFIED  WHY
        /app/x.jar      unreadable
    "#]],
    );
    let bill = |form| run(&folder.0, &["sbom", "root", "-o", form]);
    let (cyclonedx, errors, code) = bill("cyclonedx-json");
    assert_eq!((errors.as_str(), code, &cyclonedx), ("", 0, &bill("cyclonedx-json").0));
    assert!(cyclonedx.contains("\"timestamp\": \"2023-11-14T22:13:20Z\""), "{cyclonedx}");
    // What it wrote is read in the place of the image.
    fs::write(folder.0.join("bill.json"), &cyclonedx).expect("a file of the test");
    fs::write(folder.0.join("bill.spdx.json"), bill("spdx-json").0).expect("a file of the test");
    for name in ["bill.json", "bill.spdx.json"] {
        let again: serde_json::Value =
            serde_json::from_str(&run(&folder.0, &["sbom", name, "-o", "json"]).0).expect("JSON");
        let packages = again["image"]["packages"].as_array().expect("packages").iter();
        let purls: Vec<&str> = packages.filter_map(|it| it["purl"].as_str()).collect();
        let zlib = "pkg:deb/debian/zlib1g@1:1.2.13?arch=amd64&distro=debian-12&upstream=zlib";
        assert_eq!(purls, [zlib, "pkg:npm/ws@7.4.5"], "{name}");
    }
}

#[test]
fn the_bill_of_a_folder_of_sources_has_what_its_lock_files_name() {
    let folder = Folder::new("sources");
    folder.write("src/web/package-lock.json", r#"{"packages":{"node_modules/ws":{"version":"7.4.5"}}}"#);
    folder.write("src/api/go.mod", "module example.test/api\n\nrequire golang.org/x/text v0.3.0\n");
    session(
        &folder,
        &["sbom", "src"],
        expect![[r#"
        ECOSYSTEM  PACKAGE            VERSION  LAYER  PATH
        npm        ws                 7.4.5    0      /web/package-lock.json
        Go         golang.org/x/text  v0.3.0   0      /api/go.mod

        2 packages
    "#]],
    );
}

#[test]
fn what_is_no_image_and_what_is_not_whole_ends_with_its_own_code() {
    let folder = Folder::new("codes");
    folder.write("x.tar", "no archive");
    folder.write("bill.json", "{\"a\": 1}");
    folder.write("root/var/lib/rpm/rpmdb.sqlite", "no database");
    folder.write("root/etc/os-release", "ID=fedora\n");
    session(
        &folder,
        &["sbom", "x.tar"],
        expect![[r#"
        error: `x.tar` is no image: no OCI layout, no archive of `docker save`, no folder
        exit code 2
    "#]],
    );
    session(
        &folder,
        &["sbom", "./nowhere"],
        expect![[r#"
        error: cannot read `./nowhere`
          caused by: No such file or directory (os error 2)
        exit code 2
    "#]],
    );
    session(
        &folder,
        &["sbom", "bill.json"],
        expect![[r#"
            error: neither CycloneDX, SPDX 2 nor syft's JSON
            exit code 2
        "#]],
    );
    session(
        &folder,
        &["sbom", "root"],
        expect![[r#"
        0 packages
        not identified: 1 files; `palisade image inspect` lists them
        problem: `var/lib/rpm/rpmdb.sqlite`: not an SQLite database
        exit code 3
    "#]],
    );
}
