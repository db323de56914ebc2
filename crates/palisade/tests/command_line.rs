//! What the binary prints and with which code it ends, as a reader sees it.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use expect_test::{Expect, expect, expect_file};

/// Runs `palisade` at the root of the repository and holds what it prints against `expected`:
/// standard output, then standard error, then the exit code when it is not 0.
#[track_caller]
fn session(arguments: &[&str], expected: Expect) {
    expected.assert_eq(&run(arguments, ""));
}

fn run(arguments: &[&str], input: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("crates/palisade is two levels deep");
    let mut child = Command::new(env!("CARGO_BIN_EXE_palisade"))
        .args(arguments)
        .current_dir(root)
        .env_remove("PALISADE_LAB")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let mut stdin = child.stdin.take().expect("piped");
    // The command may end without reading it.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    let output = child.wait_with_output().expect("the binary ends");
    let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.push_str(&String::from_utf8_lossy(&output.stderr));
    match output.status.code() {
        Some(0) => {}
        Some(code) => text.push_str(&format!("[exit {code}]\n")),
        None => text.push_str("[killed]\n"),
    }
    text
}

#[test]
fn help_teaches_by_example() {
    for (command, file) in [
        (vec!["--help"], "palisade"),
        (vec!["inventory", "--help"], "inventory"),
        (vec!["check", "--help"], "check"),
        (vec!["explain", "--help"], "explain"),
        (vec!["lab", "--help"], "lab"),
        (vec!["lab", "up", "--help"], "lab-up"),
        (vec!["lab", "exec", "--help"], "lab-exec"),
        (vec!["lab", "pod", "--help"], "lab-pod"),
        (vec!["agent", "--help"], "agent"),
        (vec!["observe", "--help"], "observe"),
        (vec!["demo", "--help"], "demo"),
    ] {
        let path = format!("help/{file}.txt");
        expect_file![Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(path)].assert_eq(&run(&command, ""));
    }
}

#[test]
fn without_manifests_and_without_a_lab_there_is_a_hint() {
    session(
        &["inventory", "--name", "no-such-lab"],
        expect![[r#"
        error: no manifests given, and no lab `no-such-lab` runs

        hint: name files or folders with -f, `-` for standard input
        hint: sudo palisade lab up -f examples/shop
        [exit 2]
    "#]],
    );
}

#[test]
fn wrong_usage_ends_with_2() {
    session(
        &["inventry"],
        expect![[r#"
        error: unrecognized subcommand 'inventry'

          tip: a similar subcommand exists: 'inventory'

        Usage: palisade <COMMAND>

        For more information, try '--help'.
        [exit 2]
    "#]],
    );
    session(
        &["check", "shop/web"],
        expect![[r#"
        error: the following required arguments were not provided:
          <TO>

        Usage: palisade check <FROM> <TO> [PORT]

        For more information, try '--help'.
        [exit 2]
    "#]],
    );
    session(
        &["lab", "up", "-f", "x", "--nodes", "3"],
        expect![[r#"
        error: invalid value '3' for '--nodes <N>': 3 is not in 1..=2

        For more information, try '--help'.
        [exit 2]
    "#]],
    );
    session(
        &["observe", "--name", "../etc"],
        expect![[r#"
        error: invalid value '../etc' for '--name <NAME>': expected a-z, 0-9 and `-`, at most 32 of them

        For more information, try '--help'.
        [exit 2]
    "#]],
    );
    session(
        &["check", "--at", "tomorrow", "a/b", "c/d"],
        expect![[r#"
        error: invalid value 'tomorrow' for '--at <TIME>': failed to parse four digit integer as year: invalid digit, expected 0-9 but got t

        For more information, try '--help'.
        [exit 2]
    "#]],
    );
}

#[test]
fn observe_without_an_agent_says_how_to_start_one() {
    session(
        &["observe", "--socket", "/nonexistent/agent.sock"],
        expect![[r#"
        error: no agent answers on `/nonexistent/agent.sock`
          caused by: No such file or directory (os error 2)

        hint: sudo palisade agent run
        [exit 2]
    "#]],
    );
}
