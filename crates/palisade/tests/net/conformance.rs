//! The network policy API's own conformance suite, as it is published: its manifests, and what its tests say of them before
//! they begin to change them.
//!
//! The tests are Go. Their questions stand in them one like the other, and are read from the text: `GetPod` or `Get` names the
//! server, `PokeServer` the client, protocol, port and whether it connects. The pods are those of StatefulSets, by their numbers.

use std::fmt::Write as _;
use std::path::Path;

use palisade_peers::{go, or_skip};
use serde_json::{Value, json};

use crate::session::run;

/// AdminNetworkPolicy v1alpha1 in the first, ClusterNetworkPolicy v1alpha2 in the second, v1beta1 in the third.
const RELEASES: [&str; 3] = ["v0.1.7", "v0.2.0", "v0.3.0"];

/// The suites have that many questions about manifests as they stand; fewer would mean that they are no longer found.
const LEAST: usize = 350;

/// What makes a test go on with another world than its manifests say.
const CHANGES: [&str; 6] = [".Patch(", ".Update(", ".Create(", ".Delete(", "DeepCopy()", "SetPodLabel("];

#[test]
fn the_conformance_suite_as_it_is_published_gets_its_answers() {
    let (mut asked, mut allowed) = (0, 0);
    let mut differences = String::new();
    for release in RELEASES {
        let module = format!("sigs.k8s.io/network-policy-api@{release}");
        let Some(folder) = or_skip(go::sources("schema", &module)) else { return };
        let folder = folder.join("conformance");
        let mut tests: Vec<_> = std::fs::read_dir(folder.join("tests"))
            .expect("the module has its suite")
            .map(|entry| entry.expect("a file").path())
            .collect();
        tests.sort();
        for test in tests {
            let text = std::fs::read_to_string(&test).expect("Go is text");
            let cells = cells(&text);
            if cells.is_empty() {
                continue;
            }
            asked += cells.len();
            allowed += cells.iter().filter(|cell| cell[4] == true).count();
            let answered = answers(&folder, &manifests(&text), &cells);
            for (ours, theirs) in answered.iter().zip(&cells).filter(|(ours, theirs)| ours != theirs) {
                let name = test.file_name().unwrap_or_default().to_string_lossy();
                let _ = writeln!(differences, "{release} {name}: {ours}, and the suite {}", theirs[4]);
            }
        }
    }
    println!("{asked} questions, {allowed} connect");
    assert!(differences.is_empty(), "{differences}");
    assert!(asked >= LEAST, "{asked} questions are found");
    assert!((asked / 4..asked).contains(&allowed), "{allowed} of {asked} connect");
}

/// The files that a test brings.
fn manifests(test: &str) -> Vec<&str> {
    let list = test.split_once("Manifests:").and_then(|(_, rest)| rest.split_once('{')).map_or("", |(_, list)| list);
    let list = list.split_once('}').map_or("", |(list, _)| list);
    list.split('"').skip(1).step_by(2).collect()
}

/// The questions of a test before it changes something, each as a probe with its answer.
fn cells(test: &str) -> Vec<Value> {
    let after = test.split_once("Manifests:").map_or("", |(_, rest)| rest);
    let code: String = after.lines().map(|line| line.split("//").next().unwrap_or_default()).collect();
    let end = CHANGES.iter().filter_map(|change| code.find(change)).min().unwrap_or(code.len());
    let mut cells = Vec::new();
    let mut server = String::new();
    let calls = code[..end].replace("s.Client.Get(", "kubernetes.Get(");
    for call in calls.split("kubernetes.").skip(1) {
        let quoted: Vec<&str> = call.split('"').skip(1).step_by(2).collect();
        match (call.split('(').next().unwrap_or_default(), quoted.as_slice()) {
            ("GetPod", [namespace, name, ..]) => server = format!("{namespace}/{name}"),
            ("Get", [namespace, name, ..]) if call.contains("}, serverPod)") => server = format!("{namespace}/{name}"),
            ("PokeServer", [namespace, name, protocol, ..]) if call.contains("serverPod.Status.PodIP") => {
                let (port, rest) =
                    call.split_once("int32(").and_then(|(_, rest)| rest.split_once(')')).expect("a port");
                let port: u16 = port.parse().expect("a port is a number");
                let connects = match rest.split(')').next().and_then(|rest| rest.rsplit(' ').next()) {
                    Some("true") => true,
                    Some("false") => false,
                    _ => panic!("whether it connects is not said: {call}"),
                };
                let client = format!("{namespace}/{name}");
                cells.push(json!([client, server, port, protocol.to_uppercase(), connects]));
            }
            _ => {}
        }
    }
    cells
}

fn answers(folder: &Path, manifests: &[&str], cells: &[Value]) -> Vec<Value> {
    let asked: Vec<&[Value]> = cells.iter().map(|cell| &cell.as_array().expect("a list")[..4]).collect();
    let probes = std::env::temp_dir().join(format!("palisade-conformance-{}.json", std::process::id()));
    std::fs::write(&probes, json!(asked).to_string()).expect("it can be written");
    let files = ["base/manifests.yaml"].iter().chain(manifests);
    let texts = files.map(|file| std::fs::read_to_string(folder.join(file)).expect("the module brings its manifests"));
    let world: Vec<String> = texts.map(|text| rendered(&text)).collect();
    let command = format!("net matrix -f - --probes {} -o json", probes.display());
    let (out, problems, code) = run(&command, &world.join("\n---\n"));
    std::fs::remove_file(&probes).expect("it was written");
    assert!(code == 0 && !problems.contains("problem:"), "{manifests:?}: {problems}");
    serde_json::from_str(&out).expect("it answers JSON")
}

/// With ports of the host where the suite has `{{ index .HostNetworkPorts 0 }}`.
fn rendered(text: &str) -> String {
    let mut parts = text.split("{{");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (which, rest) = part.split_once("}}").expect("what begins ends");
        let which: String = which.chars().filter(char::is_ascii_digit).collect();
        let _ = write!(out, "3434{which}{rest}");
    }
    out
}
