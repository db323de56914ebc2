//! Runs the binary.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use expect_test::Expect;

/// The root of the repository.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("crates/palisade is two levels deep")
}

/// Standard output and standard error, and the exit code.
pub fn run(arguments: &str, input: &str) -> (String, String, i32) {
    run_in(root(), arguments, input)
}

/// The same in another folder.
pub fn run_in(folder: &Path, arguments: &str, input: &str) -> (String, String, i32) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_palisade"))
        .args(arguments.split_whitespace())
        .current_dir(folder)
        .env_remove("PALISADE_LAB")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let mut stdin = child.stdin.take().expect("piped");
    let input = input.to_owned();
    let writer = std::thread::spawn(move || {
        // The command may end without reading it.
        let _ = stdin.write_all(input.as_bytes());
    });
    let output = child.wait_with_output().expect("the binary ends");
    writer.join().expect("it does not panic");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr), output.status.code().expect("it is not killed"))
}

#[track_caller]
pub fn shows(arguments: &str, expected: Expect) {
    let (output, errors, code) = run(arguments, "");
    let code = if code == 0 { String::new() } else { format!("[exit {code}]\n") };
    expected.assert_eq(&format!("{output}{errors}{code}"));
}

/// A published application, beside the project in development and in CI alone.
pub fn published(name: &str) -> Option<PathBuf> {
    palisade_peers::shared(&format!("apps/{name}"))
}
