//! The demo, as a stranger sees it: everything goes as it should, and nothing stays behind.

use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

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
        if command.contains(&format!("--name\0{name}\0")) {
            left.push(command.replace('\0', " "));
        }
    }
    left
}

/// What a lab must not touch: the links, addresses, routes, firewall and forwarding of this machine's own network.
fn machine() -> String {
    let mut text = String::new();
    for command in [
        "ip -o link",
        "ip -o address",
        "ip route show table all",
        "ip -6 route show table all",
        "ip rule",
        "nft list ruleset",
    ] {
        let mut words = command.split(' ');
        let output = Command::new(words.next().unwrap_or_default()).args(words).output();
        let output = output.unwrap_or_else(|error| panic!("{command}: {error}"));
        text.push_str(&format!("$ {command}\n{}", String::from_utf8_lossy(&output.stdout)));
    }
    for setting in
        ["ipv4/ip_forward", "ipv4/conf/all/rp_filter", "ipv4/conf/all/route_localnet", "ipv6/conf/all/forwarding"]
    {
        let value = std::fs::read_to_string(Path::new("/proc/sys/net").join(setting)).unwrap_or_default();
        text.push_str(&format!("{setting} = {value}"));
    }
    text
}

/// The name of the demo's lab: only one demo runs at a time.
const NAME: &str = "demo";

#[test]
fn the_demo_ends_well_and_the_machine_is_as_before() {
    if !palisade_peers::is_root_or_skip() {
        return;
    }
    let before = machine();
    the_application_works_and_the_intruder_is_refused();
    assert_eq!(left_behind(NAME), Vec::<String>::new());
    an_interrupt_ends_it(&before);
    assert_eq!(left_behind(NAME), Vec::<String>::new());
    a_kill_leaves_nothing_behind();
    assert_eq!(machine(), before);
}

fn the_application_works_and_the_intruder_is_refused() {
    let output = palisade(&["demo"]);
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{text}\n{errors}");
    let (before, intruder) = text.split_once("\nAn intruder\n").expect("an intruder");
    for link in [
        "edge/gateway envoy /usr/local/bin/envoy -> shop/web 80",
        "shop/web nginx /usr/sbin/nginx -> shop/orders 8080",
        "shop/web log-shipper /fluent-bit/bin/fluent-bit -> data/logs 24224",
        "shop/payments payments /app/payments -> world 203.0.113.10 443",
    ] {
        assert!(before.contains(&format!("allowed  {link}\n")), "`{link}` is allowed\n{text}");
    }
    assert!(!before.contains("REFUSED"), "the application works\n{text}");
    assert!(before.contains("HTTP/1.1 200 OK"), "the visitor is served\n{text}");
    assert_eq!(intruder.matches("REFUSED").count(), 9, "{text}");
    assert!(intruder.contains("; 0 records lost\n"), "{text}");
    assert!(intruder.contains("everything came out as the policies say"), "{text}");
}

/// Kills a demo, which then cannot clean up, once its agent answers.
fn a_kill_leaves_nothing_behind() {
    let mut demo = started();
    let scratch = std::env::temp_dir().join(format!("palisade-demo-{}", demo.id()));
    assert!(scratch.exists(), "it runs the example from `{}`", scratch.display());
    demo.kill().expect("killed");
    demo.wait().expect("the demo ends");
    let deadline = Instant::now() + Duration::from_secs(20);
    while (scratch.exists() || !left_behind(NAME).is_empty()) && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(left_behind(NAME), Vec::<String>::new());
    assert!(!scratch.exists(), "`{}` stays", scratch.display());
}

/// Interrupts a demo once its agent answers; the machine's own network is `before` all the while.
fn an_interrupt_ends_it(before: &str) {
    let mut demo = started();
    assert_eq!(machine(), before);
    let kill = Command::new("kill").args(["-INT", &demo.id().to_string()]).status().expect("kill runs");
    assert!(kill.success());
    demo.wait().expect("the demo ends");
}

/// A demo whose agent answers.
fn started() -> Child {
    let demo = Command::new(env!("CARGO_BIN_EXE_palisade"))
        .arg("demo")
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdout(Stdio::null())
        .spawn()
        .expect("the binary starts");
    let agent = Path::new("/run/palisade").join(NAME).join("agent.sock");
    let deadline = Instant::now() + Duration::from_secs(60);
    while !agent.exists() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(agent.exists(), "the agent answers");
    demo
}
