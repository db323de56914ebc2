//! What each layer costs at connect, on small requests and on bulk, beside none and beside nftables.

use std::fs;
use std::time::Duration;

use crate::figures::{percentile, ratio};
use crate::lab::{Agent, Lab};
use crate::load::Load;
use crate::packet_filter::PacketFilter;
use crate::world::{LOAD_PORT, PORT, client, open_to_container, servers};

/// How the client's node is guarded.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Layer {
    Bare,
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

const LAYERS: [(Layer, &str); 9] = [
    (Layer::Bare, "no agent"),
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
/// A link that nobody holds any more is let go of by the kernel a moment later.
const LET_GO: Duration = Duration::from_millis(200);

/// How much is measured of each layer in one round.
struct Amount {
    rounds: usize,
    connects: usize,
    requests: usize,
    bulk: Duration,
}

#[derive(Default)]
struct Measured {
    connects: Vec<u64>,
    requests: Vec<u64>,
    late_requests: Vec<u64>,
    bulk: Vec<u64>,
}

pub fn measure(quick: bool) {
    let amount = match quick {
        true => Amount { rounds: 1, connects: 50, requests: 50, bulk: Duration::from_millis(50) },
        false => Amount { rounds: 7, connects: 2000, requests: 20_000, bulk: Duration::from_secs(1) },
    };
    let lab = Lab::up("bench-layers", &open_to_container(SERVERS + 1), 1);
    let mut server = Load::start(&lab, "bench/server-0");
    server.tell("serve");
    let mut load = Load::start(&lab, "bench/client");
    let mut measured: Vec<Measured> = LAYERS.iter().map(|_| Measured::default()).collect();
    for _ in 0..amount.rounds {
        for ((layer, _), measured) in LAYERS.iter().zip(&mut measured) {
            let guard = Guarded::new(&lab, *layer);
            one_round(&lab, &amount, &mut load, measured);
            drop(guard);
            lab.palisade(&["agent", "unload"]);
        }
    }
    print(&amount, &mut measured);
}

fn one_round(lab: &Lab, amount: &Amount, load: &mut Load, measured: &mut Measured) {
    let targets = servers(lab, SERVERS);
    let mut client = client(lab);
    for target in targets.iter().cycle().take(amount.connects / 10) {
        client.call(target);
    }
    let times = targets.iter().cycle().take(amount.connects).map(|target| client.call(target));
    measured.connects.extend(times.map(|answer| {
        assert!(answer.ok, "the rule allows it: {answer:?}");
        answer.micros
    }));
    let to = lab.address_of("server-0", LOAD_PORT);
    load.tell(&format!("requests {to} {}", amount.requests / 10));
    let requests = load.tell(&format!("requests {to} {}", amount.requests));
    measured.requests.push(requests[0]);
    measured.late_requests.push(requests[1]);
    measured.bulk.extend(load.tell(&format!("bulk {to} {}", amount.bulk.as_millis())));
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
            Layer::Bare => return guarded,
            Layer::PacketFilter { established_first } => {
                let client = lab.address_of("client", 0);
                let client = client.split(':').next().unwrap_or_default();
                let filter = PacketFilter::new(lab, client, &[PORT, LOAD_PORT], PEER_RULES, established_first);
                guarded._filter = Some(filter);
                return guarded;
            }
            _ => {}
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
            _ => guarded._agent = Some(agent),
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
    std::thread::sleep(LET_GO);
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

fn print(amount: &Amount, measured: &mut [Measured]) {
    println!("two pods of one node, {} rounds of all variants in turn", amount.rounds);
    println!(
        "  {} connects a round to {SERVERS} servers; {} requests of 100 bytes on a kept connection; bulk on one connection",
        amount.connects, amount.requests
    );
    println!(
        "  {:<36} {:>7} {:>7} {:>6} {:>6} | {:>9} {:>9} {:>6} | {:>8} {:>6}",
        "", "con p50", "p99 us", "x", "p99 x", "req p50ns", "p99", "x", "MB/s", "x"
    );
    let mut base = None;
    for ((_, name), layer) in LAYERS.iter().zip(measured) {
        let connect = (percentile(&mut layer.connects, 50), percentile(&mut layer.connects, 99));
        let request = (percentile(&mut layer.requests, 50), percentile(&mut layer.late_requests, 50));
        let bulk = percentile(&mut layer.bulk, 50);
        let (base_connect, base_request, base_bulk) = *base.get_or_insert((connect, request, bulk));
        println!(
            "  {name:<36} {:>7} {:>7} {:>6.2} {:>6.2} | {:>9} {:>9} {:>6.2} | {:>8} {:>6.2}",
            connect.0,
            connect.1,
            ratio(connect.0, base_connect.0),
            ratio(connect.1, base_connect.1),
            request.0,
            request.1,
            ratio(request.0, base_request.0),
            bulk / 1_000_000,
            ratio(bulk, base_bulk)
        );
    }
}
