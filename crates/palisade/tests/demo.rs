//! The demo, as a stranger sees it: everything goes as it should, and nothing stays behind.

use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

/// Whether labs can run here; says SKIPPED when not, and fails instead in CI.
fn can_run() -> bool {
    let root = std::fs::metadata("/proc/self").is_ok_and(|us| std::os::unix::fs::MetadataExt::uid(&us) == 0);
    assert!(root || std::env::var_os("CI").is_none(), "this test needs root, and CI must run it");
    if !root {
        println!("SKIPPED: needs root");
    }
    root
}

fn palisade(arguments: &[&str]) -> Output {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("crates/palisade is two levels deep");
    Command::new(env!("CARGO_BIN_EXE_palisade")).args(arguments).current_dir(root).output().expect("the binary starts")
}

/// What a lab called `name` would leave: its folder, its cgroup, its processes.
fn left_behind(name: &str) -> Vec<String> {
    let mut left = Vec::new();
    let state = Path::new("/run/palisade").join(name);
    if state.exists() {
        left.push(state.display().to_string());
    }
    for mount in ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"] {
        let cgroup = Path::new(mount).join(format!("palisade-{name}"));
        if cgroup.exists() {
            left.push(cgroup.display().to_string());
        }
    }
    let mounts = std::fs::read_to_string("/proc/self/mounts").expect("procfs is mounted");
    left.extend(mounts.lines().filter(|line| line.contains(&format!("/{name}/"))).map(str::to_owned));
    for entry in std::fs::read_dir("/proc").expect("procfs is mounted").flatten() {
        let command = std::fs::read_to_string(entry.path().join("cmdline")).unwrap_or_default();
        if command.split('\0').any(|word| word == name) {
            left.push(command.replace('\0', " "));
        }
    }
    left
}

#[test]
fn the_application_works_and_the_intruder_is_refused() {
    if !can_run() {
        return;
    }
    let name = format!("demo-{}", std::process::id());
    let output = palisade(&["demo", "--name", &name]);
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{text}\n{errors}");
    let (_, summary) = text.split_once("\nSummary\n").expect("a summary");
    assert_eq!(summary.matches("refused    refused").count(), 6, "{summary}");
    assert_eq!(summary.matches("allowed    allowed").count(), 1, "{summary}");
    assert!(summary.contains(" 0 records lost"), "{summary}");
    assert_eq!(text.matches("HTTP/1.1 200 OK").count(), 2, "the visitor is answered, before and after\n{text}");
    assert_eq!(left_behind(&name), Vec::<String>::new());
}

#[test]
fn an_interrupted_demo_leaves_nothing() {
    if !can_run() {
        return;
    }
    let name = format!("demo-int-{}", std::process::id());
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("crates/palisade is two levels deep");
    let mut demo = Command::new(env!("CARGO_BIN_EXE_palisade"))
        .args(["demo", "--name", &name])
        .current_dir(root)
        .stdout(std::process::Stdio::null())
        .spawn()
        .expect("the binary starts");
    let agent = Path::new("/run/palisade").join(&name).join("agent.sock");
    let deadline = Instant::now() + Duration::from_secs(30);
    while !agent.exists() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(20));
    }
    let kill = Command::new("kill").args(["-INT", &demo.id().to_string()]).status().expect("kill runs");
    assert!(kill.success());
    let status = demo.wait().expect("the demo ends");
    assert_eq!(status.code(), Some(1), "an interrupted demo is no success");
    assert_eq!(left_behind(&name), Vec::<String>::new());
}
