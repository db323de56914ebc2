//! The program in a folder of the test's own, and the fixtures.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use expect_test::Expect;

/// A folder that is removed with it.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("palisade-signatures-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).expect("a folder of the test");
        Self(path)
    }

    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let path = self.0.join(name);
        fs::create_dir_all(path.parent().expect("a file lies in a folder")).expect("a folder of the test");
        fs::write(path, bytes).expect("a file of the test");
    }

    /// Takes a fixture over.
    pub fn copy(&self, from: &Path, name: &str) {
        let to = self.0.join(name);
        if from.is_dir() {
            for entry in fs::read_dir(from).expect("a fixture").flatten() {
                self.copy(&entry.path(), &format!("{name}/{}", entry.file_name().to_string_lossy()));
            }
        } else {
            fs::create_dir_all(to.parent().expect("a file lies in a folder")).expect("a folder of the test");
            fs::copy(from, to).expect("a fixture is copied");
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The fixtures; none where they are not, which the test says.
pub fn fixtures() -> Option<PathBuf> {
    palisade_peers::shared("signatures")
}

/// Standard output, standard error and the exit code of `palisade image`, in the folder.
pub fn run(folder: &Folder, arguments: &[&str]) -> (String, String, i32) {
    let output = Command::new(env!("CARGO_BIN_EXE_palisade"))
        .arg("image")
        .args(arguments)
        .current_dir(&folder.0)
        .env("SOURCE_DATE_EPOCH", "1790000000")
        .env_remove("PALISADE_KEY_PASSWORD")
        .output()
        .expect("the binary starts");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("the binary writes UTF-8");
    (text(output.stdout), text(output.stderr), output.status.code().expect("it exits"))
}

/// All of it as one text.
pub fn shown(folder: &Folder, arguments: &[&str]) -> String {
    let (output, errors, code) = run(folder, arguments);
    let code = if code == 0 { String::new() } else { format!("exit code {code}\n") };
    format!("{output}{errors}{code}")
}

#[track_caller]
pub fn session(folder: &Folder, arguments: &[&str], expected: Expect) {
    let shown = shown(folder, arguments);
    let is_text = !arguments.contains(&"json");
    let output = shown.lines().take_while(|line| is_text && !line.starts_with("error:"));
    let widest = output.map(|line| line.chars().count()).max().unwrap_or(0);
    assert!(widest <= 80, "a line of {widest} columns: {shown}");
    expected.assert_eq(&shown);
}

/// The line that says why, and the exit code.
pub fn verdict(folder: &Folder, arguments: &[&str]) -> String {
    let (output, errors, code) = run(folder, &[arguments, &["-o", "json"]].concat());
    let report: serde_json::Value =
        serde_json::from_str(&output).unwrap_or_else(|error| panic!("{error}: {output}{errors}"));
    let answer = &report["answers"][0];
    let reasons = answer["reasons"].as_array().expect("a list").iter().filter_map(|it| it.as_str());
    format!(
        "{} {code}: {}\n{errors}",
        answer["verdict"].as_str().expect("a word"),
        reasons.collect::<Vec<_>>().join("; ")
    )
}
