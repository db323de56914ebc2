//! The commands on a running lab as scripts meet them: what they print, with which code they end, and what they say when
//! the disk is full.

#[path = "lab/lab.rs"]
#[allow(dead_code, reason = "shared with other tests, which use the rest")]
mod lab;

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use lab::Lab;

const WORLD: &str = "\
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop, annotations: {lab.palisade.dev/program.main: /app/main}}
spec: {containers: [{name: main, image: x, ports: [{containerPort: 8080}]}]}
";

fn ended(lab: &Lab, arguments: &[&str]) -> (Option<i32>, String) {
    told(lab.command(arguments).output().expect("the binary starts"))
}

fn told(output: Output) -> (Option<i32>, String) {
    let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    (output.status.code(), text)
}

#[test]
fn commands_on_a_lab_end_with_codes_that_scripts_can_tell_apart() {
    if !lab::can_run() {
        return;
    }
    let lab = Lab::up("codes", WORLD, 1);

    let (code, said) = ended(&lab, &["lab", "exec", "shop/web", "--", "/no/such/program"]);
    assert_eq!(code, Some(127), "as a shell says it: {said}");
    assert!(said.contains("/no/such/program"), "{said}");
    assert_eq!(ended(&lab, &["lab", "exec", "shop/web", "--", "sh", "-c", "exit 7"]).0, Some(7));
    assert_eq!(ended(&lab, &["lab", "exec", "shop/none", "--", "true"]).0, Some(2));

    let file = lab.manifests().with_file_name("more.yaml");
    let add = |text: &str| {
        std::fs::write(&file, text).expect("it can be written");
        ended(&lab, &["lab", "pod", "add", "-f", &file.display().to_string()])
    };
    let (_, pod) = WORLD.split_once("---\n").expect("a Namespace and a Pod");
    let (code, said) = add(&pod.replace("name: web", "name: more"));
    assert_eq!((code, said.trim()), (Some(0), "added Pod shop/more"), "{said}");
    let (code, said) = add("kind: ConfigMap\napiVersion: v1\nmetadata: {name: x}\n");
    assert_eq!(code, Some(1), "nothing in it that a lab takes: {said}");
    let (code, said) = add("a: [");
    assert_eq!(code, Some(2), "it cannot be read: {said}");
    assert!(said.contains("more.yaml"), "it says where: {said}");

    let (code, said) = ended(&lab, &["agent", "status"]);
    assert_eq!(code, Some(2), "no agent: {said}");
    let agent = lab.agent();
    agent.wait_until_guarded(&lab);
    assert_eq!(ended(&lab, &["agent", "status"]).0, Some(0));
    // Whoever takes the pins away takes the guard away; it is told until the agent has made them anew.
    let begun = Instant::now();
    let mut codes = std::collections::BTreeSet::new();
    while !codes.contains(&Some(1)) && begun.elapsed() < Duration::from_secs(30) {
        let links = pins(&lab).into_iter().map(|generation| generation.join("links"));
        for link in links.flat_map(|links| std::fs::read_dir(links).into_iter().flatten().flatten()) {
            let _ = std::fs::remove_file(link.path());
        }
        codes.insert(ended(&lab, &["agent", "status"]).0);
    }
    assert!(codes.contains(&Some(1)), "{codes:?}");
}

fn pins(lab: &Lab) -> Vec<PathBuf> {
    let below = std::fs::read_dir(lab.state().join("bpf/node1")).into_iter().flatten().flatten();
    below.map(|entry| entry.path()).collect()
}

#[test]
fn logs_follow_what_a_container_prints() {
    if !lab::can_run() {
        return;
    }
    let lab = Lab::up("logs", WORLD, 1);
    // What another process of the container writes is no log of it; what its first one writes is.
    let write = |word: &str| {
        lab.palisade(&["lab", "exec", "shop/web", "--", "sh", "-c", &format!("echo {word} >> /proc/1/fd/1")]);
    };
    write("before");
    let mut following =
        lab.command(&["lab", "logs", "shop/web", "-f"]).stdout(Stdio::piped()).spawn().expect("the binary starts");
    let mut lines = BufReader::new(following.stdout.take().expect("piped")).lines().map_while(Result::ok);
    assert!(lines.any(|line| line.contains("before")), "it begins with what there is");
    write("after");
    assert!(lines.any(|line| line.contains("after")), "and goes on with what comes");
    following.kill().expect("it still follows");
    following.wait().expect("it ends");
    let (code, said) = ended(&lab, &["lab", "logs", "shop/web"]);
    assert_eq!(code, Some(0));
    assert!(said.contains("before") && said.contains("after"), "{said}");
}

/// Runs a script in a mount namespace of its own, where `/run` is a file system of that size. (Another lab's end may remove
/// `/run/palisade`, and with it whatever is mounted there anywhere.)
fn on_a_small_disk(size: &str, script: &str) -> (Option<i32>, String) {
    let script = format!("mount -t tmpfs -o size={size} tmpfs /run && {{ {script}\n}}");
    let mut command = Command::new("unshare");
    command.args(["--mount", "--propagation", "private", "sh", "-c", &script]);
    command.env("PALISADE", env!("CARGO_BIN_EXE_palisade")).env_remove("PALISADE_LAB").stdin(Stdio::null());
    told(command.output().expect("unshare is there"))
}

/// A file of a lab's manifests, and the lab's name; nothing of the lab may be left in the end.
struct Small {
    name: String,
    file: PathBuf,
}

impl Small {
    fn new(name: &str) -> Self {
        let name = format!("{name}-{}", std::process::id());
        let file = std::env::temp_dir().join(format!("palisade-{name}.yaml"));
        let mut made = std::fs::File::create(&file).expect("a temporary file can be made");
        made.write_all(WORLD.as_bytes()).expect("it can be written");
        Self { name, file }
    }

    fn is_gone(&self) -> bool {
        let cgroups = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"];
        !cgroups.iter().any(|mount| Path::new(mount).join(format!("palisade-{}", self.name)).exists())
    }

    fn wait_until_gone(&self) {
        let begun = Instant::now();
        while !self.is_gone() {
            assert!(begun.elapsed() < Duration::from_secs(30), "something is left of lab {}", self.name);
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.file);
    }
}

#[test]
fn a_lab_on_a_full_disk_says_so_and_leaves_nothing() {
    if !lab::can_run() {
        return;
    }
    for size in ["4k", "16k"] {
        let small = Small::new("full");
        let (name, file) = (&small.name, small.file.display());
        let script = format!("\"$PALISADE\" lab up --detach --name {name} -f {file}");
        let (code, said) = on_a_small_disk(size, &script);
        assert_eq!(code, Some(2), "{size}: {said}");
        assert!(said.contains("No space left on device") && said.contains("/run/palisade"), "{size}: {said}");
        small.wait_until_gone();
    }
}

#[test]
fn an_agent_on_a_full_disk_guards_and_a_lab_tells_that_its_files_are_stale() {
    if !lab::can_run() {
        return;
    }
    let small = Small::new("filled");
    let (name, file) = (&small.name, small.file.display());
    // Filled when the lab is up, then an agent starts, then a pod changes, then there is room again.
    let script = format!(
        "\"$PALISADE\" lab up --detach --name {name} -f {file} || exit 20
        dd if=/dev/zero of=/run/palisade/filler bs=4k 2>/dev/null
        \"$PALISADE\" agent run --name {name} &
        agent=$!
        for try in $(seq 300); do \"$PALISADE\" agent status --name {name} >/dev/null 2>&1 && break; sleep 0.1; done
        \"$PALISADE\" agent status --name {name} || exit 21
        \"$PALISADE\" lab pod relabel --name {name} shop/web a=b
        for try in $(seq 300); do \"$PALISADE\" lab status --name {name} | grep 'No space left' && break; sleep 0.1; done
        rm /run/palisade/filler
        for try in $(seq 300); do \"$PALISADE\" lab status --name {name} | grep -q 'No space left' || break; sleep 0.1; done
        \"$PALISADE\" lab status --name {name} | grep 'No space left' && exit 22
        grep -q 'a: \"*b' /run/palisade/{name}/cluster/pods.yaml || exit 23
        kill $agent; wait $agent
        \"$PALISADE\" lab down --name {name}"
    );
    let (code, said) = on_a_small_disk("1m", &script);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("what lives is not told"), "{said}");
    small.wait_until_gone();
}
