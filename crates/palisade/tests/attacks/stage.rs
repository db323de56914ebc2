//! One world, bare or guarded, in which attacks are made one after the other.

use std::cell::{Cell, RefCell};
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::net::IpAddr;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use palisade_lab::{PodStatus, RunningLab};
use palisade_model::flow::{FlowRecord, VerdictWord};

use super::capture::{Capture, Trace};
use super::frame::Mac;
use super::lab::{Agent, Lab};
use super::tool::{self, system};
use super::world;

const DEADLINE: Duration = Duration::from_secs(20);
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// A pod, as attacks need it.
#[derive(Clone)]
pub struct Pod {
    pub status: PodStatus,
    /// The link layer's addresses of its interface and of the node's end.
    pub mac: Mac,
    pub gateway_mac: Mac,
    /// The name of the node's end.
    pub link: String,
}

impl Pod {
    pub fn v4(&self) -> IpAddr {
        self.address(IpAddr::is_ipv4)
    }

    pub fn v6(&self) -> IpAddr {
        self.address(IpAddr::is_ipv6)
    }

    fn address(&self, family: fn(&IpAddr) -> bool) -> IpAddr {
        self.status.addresses.iter().copied().find(family).expect("pods have both families")
    }

    pub fn pid(&self, container: &str) -> u32 {
        let named = self.status.containers.iter().find(|it| it.name == container);
        named.and_then(|it| it.pid).expect("the container lives")
    }

    fn namespace(&self) -> PathBuf {
        let living = self.status.containers.iter().find_map(|container| container.pid);
        PathBuf::from(format!("/proc/{}/ns/net", living.expect("the pod lives")))
    }
}

/// A world with its agent, if it has one.
pub struct Stage {
    pub lab: Lab,
    pub is_guarded: bool,
    agent: RefCell<Option<Agent>>,
    records: Arc<Mutex<Vec<FlowRecord>>>,
    running: RunningLab,
    /// This executable, open for every process that is started from here.
    executable: File,
    pub orders: Pod,
    pub victim: Capture,
    next: Cell<u32>,
}

impl Stage {
    /// A world that nobody guards: here each attack must work, else its being stopped elsewhere says nothing.
    pub fn bare(name: &str) -> Self {
        Self::new(name, false)
    }

    /// A guarded world.
    pub fn guarded(name: &str) -> Self {
        Self::new(name, true)
    }

    fn new(name: &str, guarded: bool) -> Self {
        let lab = Lab::up(name, &world::yaml(), 2);
        let agent = guarded.then(|| lab.agent());
        if let Some(agent) = &agent {
            agent.wait_until_guarded(&lab);
        }
        let running = RunningLab::open(&name.parse().expect("a good name")).expect("the lab runs");
        let executable = File::open("/proc/self/exe").expect("a test has an executable");
        // SAFETY: plain fcntl on an open descriptor; what is started from here is to have it.
        system::check(unsafe { libc::fcntl(executable.as_raw_fd(), libc::F_SETFD, 0) }).expect("it is open");
        let orders = pod_of(&running, &lab, "orders");
        let victim = Capture::open(&orders.namespace(), "eth0").expect("the victim's network can be watched");
        let records = Arc::default();
        if guarded {
            follow(&lab, &records);
        }
        Self {
            lab,
            is_guarded: guarded,
            agent: RefCell::new(agent),
            records,
            running,
            executable,
            orders,
            victim,
            next: Cell::new(0),
        }
    }

    /// The pod of that name.
    pub fn pod(&self, name: &str) -> Pod {
        pod_of(&self.running, &self.lab, name)
    }

    /// The network namespace of the first node.
    pub fn node(&self) -> PathBuf {
        self.running.file().nodes[0].netns.clone()
    }

    pub fn watch(&self, pod: &Pod) -> Capture {
        self.watch_on(pod, "eth0")
    }

    pub fn watch_on(&self, pod: &Pod, interface: &str) -> Capture {
        Capture::open(&pod.namespace(), interface).expect("a pod's network can be watched")
    }

    /// Listens for datagrams on the first node.
    pub fn listen_on_node(&self, address: &str) -> Capture {
        let address = address.parse().expect("an address");
        Capture::listen(&self.node(), address).expect("a node can listen")
    }

    /// Where the nodes' packets to the outside arrive.
    pub fn watch_world(&self) -> Capture {
        Capture::open(&self.running.file().world, "underlay").expect("the world's network can be watched")
    }

    /// A number that no other attack has.
    pub fn number(&self) -> u32 {
        self.next.set(self.next.get() + 1);
        self.next.get()
    }

    /// The intruder's program, as a path that works in every container: no file of theirs.
    pub fn tool(&self) -> String {
        format!("/proc/self/fd/{}", self.executable.as_raw_fd())
    }

    /// Runs a command in a container (`pod:container`, `node/NAME`, `world`) to its end; its output.
    pub fn run(&self, place: &str, command: &[&str]) -> String {
        let output = self.command(place, command).output().expect("the binary starts");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        text + &String::from_utf8_lossy(&output.stderr)
    }

    /// Runs the intruder's program in a container.
    pub fn attack(&self, place: &str, arguments: &[&str]) -> String {
        self.run(place, &[&[self.tool().as_str(), tool::ATTACK], arguments].concat())
    }

    /// The same, going on in the background after it said `ready`.
    pub fn start(&self, place: &str, arguments: &[&str]) -> Running {
        self.start_command(place, &[&[self.tool().as_str(), tool::ATTACK], arguments].concat())
    }

    /// Runs the intruder's program in the background.
    pub fn background(&self, place: &str, arguments: &[&str]) -> Child {
        self.background_command(place, &[&[self.tool().as_str(), tool::ATTACK], arguments].concat())
    }

    pub fn background_command(&self, place: &str, command: &[&str]) -> Child {
        let mut command = self.command(place, command);
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the binary starts")
    }

    pub fn start_command(&self, place: &str, command: &[&str]) -> Running {
        let mut child = self
            .command(place, command)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the binary starts");
        let stdin = child.stdin.take();
        let mut stdout = BufReader::new(child.stdout.take().expect("piped"));
        let mut first = String::new();
        stdout.read_line(&mut first).expect("it can be read");
        Running { child, stdin, stdout, first: first.trim().to_owned() }
    }

    fn command(&self, place: &str, command: &[&str]) -> std::process::Command {
        let (place, container) = place.split_once(':').unwrap_or((place, ""));
        let full = match place {
            "world" => place.to_owned(),
            "vault" => format!("bank/{place}"),
            named if named.contains('/') => place.to_owned(),
            pod => format!("shop/{pod}"),
        };
        let mut arguments = vec!["lab", "exec", &full];
        if !container.is_empty() {
            arguments.extend(["-c", container]);
        }
        arguments.push("--");
        arguments.extend(command);
        self.lab.command(&arguments)
    }

    /// How many records there are.
    pub fn records(&self) -> usize {
        self.records.lock().expect("nobody panics with it").len()
    }

    /// Waits for a record, after the first `before`, of something of that pod that was denied.
    pub fn denied(&self, before: usize, pod: &str, container: Option<&str>) -> bool {
        let fits = |record: &FlowRecord| {
            record.verdict.verdict == VerdictWord::Denied
                && record.from.name.as_deref() == Some(pod)
                && (container.is_none() || record.from.container.as_deref() == container)
        };
        within(Duration::from_secs(3), || {
            self.records.lock().expect("nobody panics with it")[before..].iter().any(fits)
        })
    }

    /// A counter of the first node, or the sum of those whose name starts with it.
    pub fn counter(&self, name: &str) -> u64 {
        let agent = self.agent.borrow();
        let Some(answer) = agent.as_ref().and_then(|agent| agent.ask(r#"{"status":{}}"#)) else { return 0 };
        let nodes = answer["nodes"].as_array().cloned().unwrap_or_default();
        let counters = nodes.iter().filter_map(|node| node["counters"].as_object());
        let named = counters.flat_map(|counters| counters.iter().filter(|(key, _)| key.starts_with(name)));
        named.filter_map(|(_, value)| value.as_u64()).sum()
    }

    /// Ends the agent without a word.
    pub fn kill_agent(&self) {
        self.agent.replace(None);
    }

    /// Ends the agent without a word and starts another.
    pub fn restart_agent(&self) {
        if self.agent.replace(None).is_none() {
            return;
        }
        let agent = self.lab.agent();
        agent.wait_until_guarded(&self.lab);
        self.agent.replace(Some(agent));
        follow(&self.lab, &self.records);
    }
}

/// A process of the intruder that waits for a line.
pub struct Running {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
    /// What it said first.
    pub first: String,
}

impl Running {
    /// The process that started it.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it says next.
    pub fn next_line(&mut self) -> String {
        let mut line = String::new();
        self.stdout.read_line(&mut line).expect("it can be read");
        line.trim().to_owned()
    }

    /// Lets it go on, and gives the rest of what it says.
    pub fn go_on(mut self) -> String {
        if let Some(mut stdin) = self.stdin.take() {
            let _ = writeln!(stdin);
        }
        let mut rest = self.first.clone() + "\n";
        let _ = std::io::Read::read_to_string(&mut self.stdout, &mut rest);
        let _ = self.child.wait();
        rest
    }
}

/// What came of an attack.
pub struct Outcome {
    /// Whether it reached the victim, or whatever else the intruder wanted.
    pub arrived: bool,
    /// What the intruder's program said.
    pub said: String,
}

impl Stage {
    /// Makes an attack on the orders pod and looks for its trace there.
    pub fn at_orders(&self, trace: Trace, attack: impl FnOnce() -> String) -> Outcome {
        self.at(&self.victim, trace, attack)
    }

    pub fn at(&self, victim: &Capture, trace: Trace, attack: impl FnOnce() -> String) -> Outcome {
        victim.forget();
        let said = attack();
        Outcome { arrived: victim.saw(trace), said }
    }
}

/// Whether `condition` holds within `limit`.
pub fn within(limit: Duration, condition: impl Fn() -> bool) -> bool {
    let begun = Instant::now();
    while !condition() {
        if begun.elapsed() > limit {
            return false;
        }
        std::thread::sleep(LOOK_AGAIN);
    }
    true
}

fn pod_of(running: &RunningLab, lab: &Lab, name: &str) -> Pod {
    let begun = Instant::now();
    let status = loop {
        let status = running.status().expect("the lab answers");
        let lives = |pod: &PodStatus| pod.name == name && pod.containers.iter().all(|it| it.pid.is_some());
        if let Some(pod) = status.pods.into_iter().find(lives) {
            break pod;
        }
        assert!(begun.elapsed() < DEADLINE, "no pod {name}");
        std::thread::sleep(LOOK_AGAIN);
    };
    let IpAddr::V4(address) = status.addresses[0] else { panic!("the first address is IPv4") };
    let [_, _, node, part] = address.octets();
    let link = format!("pod-{node}-{part}");
    let of_node = lab.palisade(&["lab", "exec", &format!("node/node{node}"), "--", "ip", "-o", "link", "show", &link]);
    let full = format!("{}/{}", status.namespace, status.name);
    let own = lab.palisade(&["lab", "exec", &full, "--", "cat", "/sys/class/net/eth0/address"]);
    let after = of_node.split("link/ether ").nth(1).unwrap_or_default().to_owned();
    Pod { mac: mac(&own), gateway_mac: mac(&after), link, status }
}

fn mac(text: &str) -> Mac {
    let word = text.split_whitespace().next().unwrap_or_default();
    let bytes: Option<Vec<u8>> = word.split(':').map(|byte| u8::from_str_radix(byte, 16).ok()).collect();
    bytes.and_then(|bytes| bytes.try_into().ok()).unwrap_or_else(|| panic!("no address of a link: {text}"))
}

/// Collects the agent's records from now on.
fn follow(lab: &Lab, records: &Arc<Mutex<Vec<FlowRecord>>>) {
    let mut stream = UnixStream::connect(lab.state().join("agent.sock")).expect("the agent answers");
    writeln!(stream, r#"{{"observe":{{"since":"now"}}}}"#).expect("the agent reads");
    let kept = Arc::clone(records);
    std::thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            if let Ok(record) = serde_json::from_str(&line) {
                kept.lock().expect("nobody panics with it").push(record);
            }
        }
    });
}
