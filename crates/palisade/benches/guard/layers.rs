//! What each layer costs at connect, on small requests, on datagrams and on bulk, beside none and beside nftables.

use std::fs;
use std::time::Duration;

use crate::figures::{Beside, Rounds, in_turn, percentile};
use crate::lab::{Agent, Caller, Lab};
use crate::load::Load;
use crate::packet_filter::PacketFilter;
use crate::world::{LOAD_PORT, PORT, client, open_to_container, servers};

/// How the client's node is guarded.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Layer {
    /// The programs at connect alone, nobody reads.
    Connects,
    /// The programs at the veths alone, nobody reads.
    Veths,
    /// Both, but not the programs that see packets inside a pod.
    NotInside,
    /// All judge and record; nobody reads the records.
    DeadAgent,
    Agent,
    /// And somebody watches.
    Observed,
    /// No Palisade, but so many rules of nftables.
    PacketFilter {
        established_first: bool,
    },
}

const LAYERS: [(Layer, &str); 8] = [
    (Layer::Connects, "hooks at connect alone, agent killed"),
    (Layer::Veths, "veth programs alone, agent killed"),
    (Layer::NotInside, "both, agent killed"),
    (Layer::DeadAgent, "and inside pods, agent killed"),
    (Layer::Agent, "agent running"),
    (Layer::Observed, "agent running, observed"),
    (Layer::PacketFilter { established_first: true }, "nftables, 1,000 rules, known first"),
    (Layer::PacketFilter { established_first: false }, "nftables, 1,000 rules, each packet"),
];

/// Servers that the client connects to in turn: the kernel looks ever longer for a free port to one of them, since ports
/// rest for a minute after each connection.
const SERVERS: usize = 20;
/// Rules of the peer.
const PEER_RULES: usize = 1000;
/// A link that nobody holds any more is let go of by the kernel a moment later, and so is what was installed or taken away.
const SETTLES: Duration = Duration::from_millis(500);

/// How much is measured of each layer in one round.
struct Amount {
    rounds: usize,
    connects: usize,
    requests: usize,
    queries: usize,
    bulk: Duration,
}

/// What was measured of one layer in one round.
#[derive(Clone, Copy, Default)]
struct Measured {
    /// p50 and p99, in microseconds.
    connects: [u64; 2],
    /// p50 and p99, in nanoseconds.
    requests: [u64; 2],
    /// p50 and p99, in nanoseconds.
    queries: [u64; 2],
    /// Bytes a second.
    bulk: u64,
}

/// The figures of one layer, in the order in which they are printed.
#[derive(Default)]
struct Figures {
    connect: Rounds,
    late_connect: Rounds,
    request: Rounds,
    late_request: Rounds,
    query: Rounds,
    bulk: Rounds,
}

impl Figures {
    fn add(&mut self, before: Measured, one: Measured, after: Measured) {
        let beside = |of: fn(Measured) -> u64| Beside::new(of(one), of(before), of(after));
        self.connect.push(beside(|one| one.connects[0]));
        self.late_connect.push(beside(|one| one.connects[1]));
        self.request.push(beside(|one| one.requests[0]));
        self.late_request.push(beside(|one| one.requests[1]));
        self.query.push(beside(|one| one.queries[0]));
        self.bulk.push(beside(|one| one.bulk));
    }
}

pub fn measure(quick: bool) {
    let amount = match quick {
        true => Amount { rounds: 1, connects: 50, requests: 50, queries: 50, bulk: Duration::from_millis(50) },
        false => {
            Amount { rounds: 8, connects: 2000, requests: 10_000, queries: 1000, bulk: Duration::from_millis(700) }
        }
    };
    let lab = Lab::up("bench-layers", &open_to_container(SERVERS + 1), 1);
    let mut server = Load::start(&lab, "bench/server-0");
    server.tell("serve");
    let mut traffic = Traffic { client: client(&lab), load: Load::start(&lab, "bench/client"), lab: &lab };
    let mut figures: Vec<Figures> = LAYERS.iter().map(|_| Figures::default()).collect();
    let mut bare = vec![traffic.measure(&amount)];
    for round in 0..amount.rounds {
        for (index, (layer, _)) in in_turn(&LAYERS, round) {
            let guard = Guarded::new(&lab, *layer);
            let measured = traffic.measure(&amount);
            drop(guard);
            lab.palisade(&["agent", "unload"]);
            let before = bare[bare.len() - 1];
            let after = traffic.measure(&amount);
            bare.push(after);
            figures[index].add(before, measured, after);
        }
    }
    print(&amount, &bare, &figures);
}

/// Who connects and sends, the same for all that is measured.
struct Traffic<'a> {
    client: Caller,
    load: Load,
    lab: &'a Lab,
}

impl Traffic<'_> {
    fn measure(&mut self, amount: &Amount) -> Measured {
        std::thread::sleep(SETTLES);
        let targets = servers(self.lab, SERVERS);
        for target in targets.iter().cycle().take(amount.connects / 10) {
            self.client.call(target);
        }
        let times = targets.iter().cycle().take(amount.connects).map(|target| {
            let answer = self.client.call(target);
            assert!(answer.ok, "the rule allows it: {answer:?}");
            answer.micros
        });
        let mut times: Vec<u64> = times.collect();
        let to = self.lab.address_of("server-0", LOAD_PORT);
        self.load.tell(&format!("requests {to} {}", amount.requests / 10));
        let requests = self.load.tell(&format!("requests {to} {}", amount.requests));
        // Each is a flow, of which a pod may begin so many within half a minute.
        let queries = self.load.tell(&format!("queries {to} {}", amount.queries));
        let bulk = self.load.tell(&format!("bulk {to} {}", amount.bulk.as_millis()));
        Measured {
            connects: [percentile(&mut times, 50), percentile(&mut times, 99)],
            requests: [requests[0], requests[1]],
            queries: [queries[0], queries[1]],
            bulk: bulk[0],
        }
    }
}

/// What a layer needs while it is measured.
struct Guarded {
    _agent: Option<Agent>,
    _observer: Option<Observer>,
    _filter: Option<PacketFilter>,
}

impl Guarded {
    fn new(lab: &Lab, layer: Layer) -> Self {
        let mut guarded = Self { _agent: None, _observer: None, _filter: None };
        match layer {
            Layer::PacketFilter { established_first } => {
                let client = lab.address_of("client", 0);
                let client = client.split(':').next().unwrap_or_default();
                let filter = PacketFilter::new(lab, client, &[PORT, LOAD_PORT], PEER_RULES, established_first);
                guarded._filter = Some(filter);
                return guarded;
            }
            Layer::Connects | Layer::Veths | Layer::NotInside | Layer::DeadAgent | Layer::Agent | Layer::Observed => {}
        }
        let agent = lab.agent();
        agent.wait_until_guarded(lab);
        match layer {
            Layer::Connects => {
                drop(agent);
                remove_links(lab, sees_packets);
            }
            Layer::Veths => {
                drop(agent);
                remove_links(lab, |name| !name.starts_with("veth_"));
            }
            Layer::NotInside => {
                drop(agent);
                remove_links(lab, |name| name.starts_with("inside_"));
            }
            Layer::DeadAgent => drop(agent),
            Layer::Observed => {
                guarded._agent = Some(agent);
                guarded._observer = Some(Observer::start(lab));
            }
            Layer::Agent | Layer::PacketFilter { .. } => guarded._agent = Some(agent),
        }
        guarded
    }
}

/// Whether the program of that link runs for packets.
fn sees_packets(name: &str) -> bool {
    ["veth_", "uplink_", "inside_"].iter().any(|kind| name.starts_with(kind))
}

/// Takes away what holds programs of one kind in place.
fn remove_links(lab: &Lab, which: impl Fn(&str) -> bool) {
    let folders =
        |path: std::path::PathBuf| fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut removed = 0;
    for generation in folders(lab.state().join("bpf")).flat_map(folders) {
        for link in folders(generation.join("links")) {
            if which(&link.file_name().unwrap_or_default().to_string_lossy()) {
                fs::remove_file(&link).expect("a pin can be removed");
                removed += 1;
            }
        }
    }
    assert!(removed > 0, "there were links of this kind");
}

/// A reader of the records, ended when dropped.
pub struct Observer(std::process::Child);

impl Observer {
    pub fn start(lab: &Lab) -> Self {
        let mut command = lab.command(&["observe", "-o", "json"]);
        Self(command.stdout(std::process::Stdio::null()).spawn().expect("the binary starts"))
    }
}

impl Drop for Observer {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn print(amount: &Amount, bare: &[Measured], figures: &[Figures]) {
    println!(
        "two pods of one node, {} rounds of all variants in turn, each between two measurements without agent",
        amount.rounds
    );
    println!(
        "  {} connects a time to {SERVERS} servers; {} requests of 100 bytes on a kept connection; {} datagrams and answers, a socket each; bulk on one connection",
        amount.connects, amount.requests, amount.queries
    );
    println!(
        "  x: to what was measured just before and after without agent; the median, and where half of the rounds lie"
    );
    println!(
        "  {:<36} {:>7} {:>16} {:>7} {:>16} | {:>9} {:>16} {:>9} | {:>9} {:>16} | {:>6} {:>16}",
        "", "con p50", "x", "p99 us", "x", "req p50ns", "x", "p99", "udp p50ns", "x", "MB/s", "x"
    );
    let middle = |of: fn(&Measured) -> u64| percentile(&mut bare.iter().map(of).collect::<Vec<_>>(), 50);
    println!(
        "  {:<36} {:>7} {:>16} {:>7} {:>16} | {:>9} {:>16} {:>9} | {:>9} {:>16} | {:>6} {:>16}",
        "no agent",
        middle(|one| one.connects[0]),
        "",
        middle(|one| one.connects[1]),
        "",
        middle(|one| one.requests[0]),
        "",
        middle(|one| one.requests[1]),
        middle(|one| one.queries[0]),
        "",
        middle(|one| one.bulk) / 1_000_000,
        ""
    );
    for ((_, name), of) in LAYERS.iter().zip(figures) {
        println!(
            "  {name:<36} {:>7} {:>16} {:>7} {:>16} | {:>9} {:>16} {:>9} | {:>9} {:>16} | {:>6} {:>16}",
            of.connect.value(),
            of.connect.ratio().to_string(),
            of.late_connect.value(),
            of.late_connect.ratio().to_string(),
            of.request.value(),
            of.request.ratio().to_string(),
            of.late_request.value(),
            of.query.value(),
            of.query.ratio().to_string(),
            of.bulk.value() / 1_000_000,
            of.bulk.ratio().to_string()
        );
    }
}
