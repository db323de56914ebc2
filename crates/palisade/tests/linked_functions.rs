//! The same functions are found linked in stripped programs as govulncheck finds in their unstripped twins.
//!
//! The programs in `peers/programs/linked` import modules with known vulnerabilities, and call some of the vulnerable functions and
//! not others. `PALISADE_GO_PROGRAMS` says how many of them are built; all of them in `make soak`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use palisade_feeds::zip;
use palisade_peers::programs::GOVULNCHECK;
use palisade_peers::{go, shared};
use serde_json::{Value, json};

/// So many are enough to see that it works, and are built in a minute.
const PROGRAMS: usize = 6;

type Found = BTreeMap<String, BTreeSet<String>>;

#[test]
fn stripped_programs_have_what_govulncheck_finds_in_their_twins() {
    let (Some(shared), Some(tool)) = (shared("advisories/Go.zip"), GOVULNCHECK.get()) else { return };
    let count = std::env::var("PALISADE_GO_PROGRAMS").ok().and_then(|count| count.parse().ok()).unwrap_or(PROGRAMS);
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("linked");
    let programs = programs(count);
    build(&programs, &target.join("whole"), "");
    build(&programs, &target.join("root/bin"), "-s -w");
    let database = govulncheck_database(&shared, &target.join("db"));
    let ours = scan(&target, &shared);
    let mut differences = Vec::new();
    let (mut linked, mut absent) = (0, 0);
    for program in &programs {
        let theirs = govulncheck(&tool, &database, &target.join("whole").join(program));
        let path = format!("/bin/{program}");
        let empty = BTreeSet::new();
        let here = |kind: &str| ours.get(&format!("{path} {kind}")).unwrap_or(&empty);
        linked += here("true").len();
        absent += here("false").len();
        // What cannot be told stays a finding: it is held against what govulncheck says of whole packages.
        let stays: BTreeSet<&String> = here("true").union(here("null")).collect();
        for id in theirs.iter().filter(|id| !stays.contains(id)) {
            differences.push(format!("{program}: govulncheck finds {id} linked, and we do not"));
        }
        for id in here("true").iter().filter(|id| !theirs.contains(*id)) {
            differences.push(format!("{program}: we find {id} linked, and govulncheck does not"));
        }
        for id in here("false").iter().filter(|id| theirs.contains(*id)) {
            differences.push(format!("{program}: {id} is said to be absent"));
        }
    }
    println!("{} programs: {linked} findings linked, {absent} not", programs.len());
    assert!(linked > 0 && absent > 0, "both happen: {linked} linked, {absent} not");
    assert!(differences.is_empty(), "{differences:#?}");
}

fn programs(count: usize) -> Vec<String> {
    let sources = fs::read_dir(go::module("linked")).expect("the programs are there");
    let folders = sources.flatten().filter(|it| it.path().is_dir());
    let mut programs: Vec<String> = folders.map(|it| it.file_name().to_string_lossy().into_owned()).collect();
    programs.sort();
    programs.truncate(count);
    programs
}

fn build(programs: &[String], to: &Path, linker: &str) {
    fs::create_dir_all(to).expect("a folder");
    let packages: Vec<String> = programs.iter().map(|program| format!("./{program}")).collect();
    go::build("linked", &packages, linker, to).unwrap_or_else(|why| panic!("{why}"));
}

/// Writes the export in the form of Go's own database: an index of modules, and a file for each advisory.
fn govulncheck_database(export: &Path, folder: &Path) -> String {
    let archive = fs::read(export).expect("it is there");
    let mut modules: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    fs::create_dir_all(folder.join("ID")).expect("a folder");
    fs::create_dir_all(folder.join("index")).expect("a folder");
    for entry in zip::entries(&archive).expect("an archive") {
        let record = zip::unpack(&archive, &entry, 1 << 24).expect("a record");
        let advisory: Value = serde_json::from_slice(&record).expect("JSON");
        let id = advisory["id"].as_str().expect("an id").to_owned();
        for affected in advisory["affected"].as_array().into_iter().flatten() {
            let module = affected["package"]["name"].as_str().expect("a name").to_owned();
            modules.entry(module).or_default().insert(id.clone());
        }
        fs::write(folder.join("ID").join(format!("{id}.json")), record).expect("written");
    }
    let time = "2026-08-21T00:00:00Z";
    let modules: Vec<Value> = modules
        .into_iter()
        .map(|(path, ids)| {
            let vulns: Vec<Value> = ids.into_iter().map(|id| json!({"id": id, "modified": time})).collect();
            json!({"path": path, "vulns": vulns})
        })
        .collect();
    let write =
        |name: &str, value: &Value| fs::write(folder.join("index").join(name), value.to_string()).expect("written");
    write("modules.json", &modules.into());
    write("db.json", &json!({"modified": time}));
    write("vulns.json", &json!([]));
    format!("file://{}", folder.display())
}

/// The advisories whose functions govulncheck finds in a program.
fn govulncheck(tool: &Path, database: &str, program: &Path) -> BTreeSet<String> {
    let output = Command::new(tool)
        .args(["-mode", "binary", "-format", "json", "-db", database])
        .arg(program)
        .output()
        .expect("govulncheck runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let messages = serde_json::Deserializer::from_slice(&output.stdout).into_iter::<Value>();
    messages
        .map(|message| message.expect("JSON"))
        .filter_map(|message| {
            let finding = message.get("finding")?;
            finding["trace"][0].get("function")?;
            finding["osv"].as_str().map(str::to_owned)
        })
        .collect()
}

/// Our findings: `PATH REACHABLE` and the ids.
fn scan(target: &Path, export: &Path) -> Found {
    let output = Command::new(env!("CARGO_BIN_EXE_palisade"))
        .args(["image", "scan", "-o", "json", "--advisories"])
        .arg(export)
        .arg(target.join("root"))
        .env("XDG_CACHE_HOME", target.join("cache"))
        .output()
        .expect("the binary starts");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
        panic!("{error}: {}", String::from_utf8_lossy(&output.stderr));
    });
    let mut found = Found::new();
    for finding in report["findings"].as_array().expect("a list") {
        let key = format!("{} {}", finding["path"].as_str().expect("a path"), finding["reachable"]);
        let ids = finding["advisories"].as_array().expect("a list").iter().filter_map(Value::as_str);
        found.entry(key).or_default().extend(ids.map(str::to_owned));
    }
    found
}
