//! `palisade net matrix` beside cyclonus, the Kubernetes network policy SIG's conformance tool: every pair of pods of each
//! step of its own suite, and of worlds of random policies, as cyclonus's evaluator expects it.
//!
//! Two things cyclonus takes otherwise than the API says, and is not asked: a pod's traffic to itself, and NotIn where the
//! label is absent. `PALISADE_WORLDS` sets the number of random worlds, `PALISADE_SEED` the first seed.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use palisade_peers::programs::CYCLONUS;
use serde_json::Value;

/// Worlds of random policies that `make test` compares.
const WORLDS: u64 = 200;
/// Cells of a world that are shown when it differs.
const SHOWN: usize = 3;

#[test]
fn every_cell_is_as_cyclonus_expects_it() {
    let Some(cyclonus) = CYCLONUS.get() else { return };
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let (worlds, seed) = (number("PALISADE_WORLDS").unwrap_or(WORLDS), number("PALISADE_SEED").unwrap_or(1));
    let arguments = [worlds, seed].map(|number| number.to_string());
    let mut asked = Command::new(cyclonus).args(arguments).stdout(Stdio::piped()).spawn().expect("it was just built");
    let lines = BufReader::new(asked.stdout.take().expect("piped")).lines();
    let folder = std::env::temp_dir().join(format!("palisade-cyclonus-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a temporary folder can be made");
    let (mut cells, mut allowed, mut compared) = (0, 0, 0);
    let mut differences = String::new();
    for line in lines {
        let world: Value = serde_json::from_str(&line.expect("it writes text")).expect("it writes JSON");
        let expected = world["expected"].as_array().expect("a list");
        let answered = matrix(&folder, &world["manifests"], expected);
        assert_eq!(answered.len(), expected.len(), "{}", world["name"]);
        compared += 1;
        cells += expected.len();
        allowed += expected.iter().filter(|cell| cell[4] == true).count();
        let differ = answered.iter().zip(expected).filter(|(ours, theirs)| ours != theirs);
        for (ours, theirs) in differ.take(SHOWN) {
            let _ = writeln!(differences, "{}: {ours}, and cyclonus {}", world["name"], theirs[4]);
        }
    }
    assert!(asked.wait().expect("it ends").success());
    let _ = std::fs::remove_dir_all(&folder);
    println!("{cells} cells of {compared} worlds, {} % of them allowed", allowed * 100 / cells.max(1));
    assert!(compared > worlds, "its suite was compared, too");
    assert!((20..=80).contains(&(allowed * 100 / cells)), "both answers are frequent");
    assert!(differences.is_empty(), "{differences}");
}

/// The probes without their last word, with ours behind each.
fn matrix(folder: &Path, manifests: &Value, expected: &[Value]) -> Vec<Value> {
    let probes: Vec<&[Value]> = expected.iter().map(|cell| &cell.as_array().expect("a list")[..4]).collect();
    let [objects, asked] = ["objects.json", "probes.json"].map(|name| folder.join(name));
    std::fs::write(&objects, manifests.to_string()).expect("it can be written");
    std::fs::write(&asked, serde_json::to_string(&probes).expect("JSON")).expect("it can be written");
    let output = Command::new(env!("CARGO_BIN_EXE_palisade"))
        .args(["net", "matrix", "-o", "json", "-f"])
        .arg(&objects)
        .arg("--probes")
        .arg(&asked)
        .output()
        .expect("the binary starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("a list of JSON")
}
