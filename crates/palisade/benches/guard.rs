//! What guarding costs, and how soon it holds; in the lab, as a user would run it.
//!
//! `cargo bench -p palisade` as root. Each figure stands beside its baseline of the same run.

#[path = "../tests/lab/lab.rs"]
#[allow(dead_code, reason = "shared with the tests, which use the rest")]
mod lab;

use std::fmt::Write as _;
use std::process::Child;
use std::time::{Duration, Instant};

use lab::{Caller, Lab};

/// "Permission denied": what a refused connect returns.
const EACCES: i32 = 13;

fn main() {
    if !lab::can_run() {
        return;
    }
    // `cargo test --benches` only wants to know that it runs.
    let quick = std::env::args().any(|argument| argument == "--test");
    connect_latency(if quick { 1 } else { 7 }, if quick { 50 } else { 2000 });
    memory(if quick { &[3] } else { &[10, 100] });
    policy_change(if quick { 2 } else { 40 });
    new_pod(if quick { 2 } else { 20 });
}

// Connect

/// How the client's node is guarded.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Layer {
    Bare,
    /// The programs judge and record; nobody reads the records.
    DeadAgent,
    Agent,
    /// And somebody watches.
    Observed,
}

/// Servers that the client connects to in turn.
const SERVERS: usize = 20;

fn connect_latency(rounds: usize, tries: usize) {
    // Many servers: the kernel looks ever longer for a free port to one of them, since ports rest
    // for a minute after each connection.
    let lab = Lab::up("bench-connect", &world(SERVERS + 1), 1);
    let targets: Vec<String> = (0..SERVERS).map(|server| lab.address_of(&format!("server-{server}"), 8080)).collect();
    let layers = [
        (Layer::Bare, "no agent"),
        (Layer::DeadAgent, "agent killed, its programs judge"),
        (Layer::Agent, "agent running"),
        (Layer::Observed, "agent running, observed"),
    ];
    let mut micros: Vec<Vec<u64>> = vec![Vec::new(); layers.len()];
    for _ in 0..rounds {
        for (position, (layer, _)) in layers.iter().enumerate() {
            let agent = (*layer != Layer::Bare).then(|| {
                let agent = lab.agent();
                agent.wait_until_guarded(&lab);
                agent
            });
            let (agent, _observer) = match (layer, agent) {
                (Layer::DeadAgent, agent) => {
                    drop(agent);
                    (None, None)
                }
                (Layer::Observed, agent) => (agent, Some(observer(&lab))),
                (_, agent) => (agent, None),
            };
            let mut client = client(&lab);
            for target in targets.iter().cycle().take(tries / 10) {
                client.call(target);
            }
            let times = targets.iter().cycle().take(tries).map(|target| client.call(target));
            micros[position].extend(times.map(|answer| {
                assert!(answer.ok, "the rule allows it: {answer:?}");
                answer.micros
            }));
            drop(client);
            drop(agent);
            lab.palisade(&["agent", "unload"]);
        }
    }
    println!("connect to a pod of the same node, {} each, rounds of all variants in turn", rounds * tries);
    println!("  {:<36} {:>9} {:>9} {:>7} {:>7}", "", "p50 us", "p99 us", "p50 x", "p99 x");
    let (bare_50, bare_99) = (percentile(&mut micros[0], 50), percentile(&mut micros[0], 99));
    for ((_, name), times) in layers.iter().zip(&mut micros) {
        let (p50, p99) = (percentile(times, 50), percentile(times, 99));
        println!("  {name:<36} {p50:>9} {p99:>9} {:>7.2} {:>7.2}", ratio(p50, bare_50), ratio(p99, bare_99));
    }
}

/// A reader of the records, ended when dropped.
fn observer(lab: &Lab) -> Running {
    let mut command = lab.command(&["observe", "-o", "json"]);
    Running(command.stdout(std::process::Stdio::null()).spawn().expect("the binary starts"))
}

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

// Memory

fn memory(sizes: &[usize]) {
    println!("\nmemory of a node");
    println!("  {:>5} {:>11} {:>14} {:>14} {:>15}", "pods", "containers", "agent KiB", "kernel KiB", "of it programs");
    for size in sizes {
        let lab = Lab::up("bench-memory", &world(*size), 1);
        let agent = lab.agent();
        agent.wait_until_guarded(&lab);
        let status = agent.ask(r#"{"status":{}}"#).expect("the agent answers");
        let node = &status["nodes"][0];
        let programs: u64 = node["kernelBytesByProgram"]
            .as_object()
            .into_iter()
            .flatten()
            .filter_map(|(_, bytes)| bytes.as_u64())
            .sum();
        println!(
            "  {:>5} {:>11} {:>14} {:>14} {:>15}",
            node["pods"],
            node["containers"],
            status["residentBytes"].as_u64().unwrap_or(0) / 1024,
            node["kernelBytes"].as_u64().unwrap_or(0) / 1024,
            programs / 1024
        );
    }
}

// How soon

/// From the rename of the policy file to the first connect that is judged by it, both ways.
fn policy_change(rounds: usize) {
    let yaml = world(10);
    let lab = Lab::up("bench-policy", &yaml, 1);
    let agent = lab.agent();
    agent.wait_until_guarded(&lab);
    let targets: Vec<String> = (0..9).map(|server| lab.address_of(&format!("server-{server}"), 8080)).collect();
    let mut targets = targets.iter().cycle();
    let mut client = client(&lab);
    let mut connect = || {
        // Not faster than a server accepts.
        std::thread::sleep(Duration::from_micros(200));
        client.call(targets.next().expect("they go round"))
    };
    assert!(connect().ok, "the rule allows it before it is changed");
    let denied = yaml.replace("action: Allow", "action: Deny");
    let (mut refusing, mut allowing, mut seen) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        refusing.push(time_until(&lab, &denied, || connect().errno == Some(EACCES)));
        let status = agent.ask(r#"{"status":{}}"#).expect("the agent answers");
        seen.push(status["lastChangeMicroseconds"].as_u64().unwrap_or(0));
        allowing.push(time_until(&lab, &yaml, || connect().ok));
    }
    println!("\nfrom the rename of a policy file, {} pods, {rounds} times", 10);
    print_times("to the first refused connect", &mut refusing);
    print_times("to the first allowed connect", &mut allowing);
    print_times("of it, from seen to in the kernel", &mut seen);
}

fn time_until(lab: &Lab, yaml: &str, mut holds: impl FnMut() -> bool) -> u64 {
    let begun = Instant::now();
    lab.replace(yaml);
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(10), "the change never holds");
    }
    micros(begun)
}

/// From the request to add a pod, and from its appearance in the cluster, to guarded.
fn new_pod(rounds: usize) {
    let lab = Lab::up("bench-pod", &world(10), 1);
    let agent = lab.agent();
    agent.wait_until_guarded(&lab);
    let (mut whole, mut guarding) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        let name = format!("new-{round}");
        let file = lab.manifests().with_file_name(format!("{name}.yaml"));
        std::fs::write(&file, pod(&name)).expect("it can be written");
        let begun = Instant::now();
        let mut adding =
            lab.command(&["lab", "pod", "add", "-f", &file.display().to_string()]).spawn().expect("it starts");
        let uid = wait_for(|| uid_of(&lab, &name));
        let appeared = Instant::now();
        wait_for(|| agent.is_guarded(&uid).then_some(()));
        whole.push(micros(begun));
        guarding.push(micros(appeared));
        assert!(adding.wait().expect("it ends").success(), "the pod is added");
    }
    println!("\na new pod, beside 10 others, {rounds} times");
    print_times("from the request to guarded", &mut whole);
    print_times("from its appearance to guarded", &mut guarding);
}

fn uid_of(lab: &Lab, name: &str) -> Option<String> {
    let inventory = lab.inventory();
    let pod = inventory.pods.iter().find(|pod| pod.meta.name().starts_with(name))?;
    pod.meta.uid.as_ref().map(ToString::to_string)
}

fn wait_for<T>(look: impl Fn() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "it never comes");
        std::thread::sleep(Duration::from_micros(500));
    }
}

// The world

/// A client, a server, and others beside them; all closed, opened by container and program.
fn world(pods: usize) -> String {
    let mut yaml = String::from("apiVersion: v1\nkind: Namespace\nmetadata: {name: bench}\n");
    yaml.push_str("---\napiVersion: palisade.dev/v1alpha1\nkind: Perimeter\nmetadata: {name: default, namespace: bench}\nspec: {subject: {selector: {}}, except: [dns, kubelet]}\n");
    yaml.push_str("---\napiVersion: palisade.dev/v1alpha1\nkind: AccessPolicy\nmetadata: {name: client, namespace: bench}\nspec: {rules: [{action: Allow, from: [{workload: client, container: main, program: /app/client}], to: [{selector: {}}], ports: [{port: 8080}]}]}\n");
    yaml.push_str(&pod("client"));
    for server in 0..pods.saturating_sub(1) {
        yaml.push_str(&pod(&format!("server-{server}")));
    }
    yaml
}

fn pod(name: &str) -> String {
    let mut yaml = String::new();
    let _ = write!(
        yaml,
        "---\napiVersion: v1\nkind: Pod\nmetadata: {{name: {name}, namespace: bench, labels: {{app: {name}}}, annotations: {{lab.palisade.dev/program.main: /app/client}}}}\nspec: {{containers: [{{name: main, image: bench, ports: [{{name: http, containerPort: 8080}}]}}]}}\n"
    );
    yaml
}

fn client(lab: &Lab) -> Caller {
    Caller::start(lab, "bench/client", "main", "/app/client")
}

// Numbers

fn micros(begun: Instant) -> u64 {
    u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX)
}

fn percentile(values: &mut [u64], percent: usize) -> u64 {
    values.sort_unstable();
    values[(values.len() - 1) * percent / 100]
}

fn ratio(value: u64, base: u64) -> f64 {
    value as f64 / base.max(1) as f64
}

fn print_times(what: &str, micros: &mut [u64]) {
    let mut millis = |percent| percentile(micros, percent) as f64 / 1000.0;
    println!("  {what:<36} p50 {:>7.1} ms   p90 {:>7.1} ms   max {:>7.1} ms", millis(50), millis(90), millis(100));
}
