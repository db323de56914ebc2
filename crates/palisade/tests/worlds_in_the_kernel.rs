//! Random small worlds in the lab, every try really made, and the engine's answer held against
//! what the kernel did and what the record says.
//!
//! A refusal needs its own record: a timeout without one is a failure.
//! `PALISADE_WORLDS` sets the number of worlds, `PALISADE_SEED` the first seed.

#[path = "lab/lab.rs"]
#[allow(dead_code, reason = "shared with other tests, which use the rest")]
mod lab;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::SocketAddr;

use palisade_lab::stand_in::attempt;
use palisade_model::flow::{FlowOutcome, FlowRecord, FlowVerdict, VerdictWord};
use palisade_model::link::{End, Link, Which};
use palisade_model::settings::Settings;
use palisade_model::verdict::{Decision, Judgement, Verdict};
use palisade_model::{Inventory, Protocol, Timestamp};
use palisade_policy::Model;
use palisade_policy::compile::{Reason, ServiceWord, reason};
use palisade_worlds::Coverage;
use palisade_worlds::runnable::{self, Dial, Family, Program, RunnableWorld, Target, Try};

use lab::Lab;

/// How many worlds `make test` runs.
const WORLDS: u64 = 20;
/// How often each word of the coverage must decide over all of them.
const FLOOR: u64 = 20;
/// Where a program is dropped into a running container.
const DROPPED: &str = "/tmp/dropped";
/// "Permission denied": what a refused connect returns.
const EACCES: i32 = 13;
/// "Connection refused": a reset.
const ECONNREFUSED: i32 = 111;

#[test]
fn the_kernel_does_what_the_engine_says() {
    if !lab::can_run() {
        return;
    }
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let first = number("PALISADE_SEED").unwrap_or(0);
    let count = number("PALISADE_WORLDS").unwrap_or(WORLDS);
    let mut coverage = Coverage::default();
    let (mut tried, mut allowed) = (0, 0);
    let mut failures = String::new();
    for seed in first..first + count {
        let world = runnable::generate(seed);
        let outcome = run(&world, &mut coverage);
        println!("world {seed}: {} tries, {} allowed", outcome.tried, outcome.allowed);
        tried += outcome.tried;
        allowed += outcome.allowed;
        failures.push_str(&outcome.failures);
    }
    println!("{allowed} of {tried} tries allowed\n{coverage}");
    assert!(failures.is_empty(), "{failures}");
    if count >= WORLDS {
        let share = allowed * 100 / tried;
        assert!((20..=80).contains(&share), "{share} % of the tries are allowed");
        assert_eq!(coverage.below(Coverage::RUNNABLE, FLOOR), [], "these decide too rarely");
    }
}

/// Pod, container and program.
type Process = (String, String, String);

#[derive(Default)]
struct RunOutcome {
    tried: usize,
    allowed: usize,
    failures: String,
}

fn run(world: &RunnableWorld, coverage: &mut Coverage) -> RunOutcome {
    let lab = Lab::up(&format!("kernel-{}", world.seed), &world.yaml, 2);
    let agent = lab.agent();
    agent.wait_until_guarded(&lab);
    let inventory = lab.inventory();
    let model = Model::new(std::sync::Arc::new(inventory.clone()), Settings::default()).value;
    let now = Timestamp::now();
    let mut groups: BTreeMap<Process, Vec<Made<'_>>> = BTreeMap::new();
    // Each try over TCP and IPv4, and in turn over another protocol and family.
    let others = [
        (Protocol::Tcp, Family::V6, Socket::Connected),
        (Protocol::Udp, Family::V4, Socket::Connected),
        (Protocol::Udp, Family::V6, Socket::Unconnected),
        (Protocol::Udp, Family::V4, Socket::Unconnected),
        (Protocol::Udp, Family::V6, Socket::Connected),
    ];
    let tries = world.tries.iter().zip(others.iter().cycle()).flat_map(|(each, other)| {
        [&(Protocol::Tcp, Family::V4, Socket::Connected), other]
            .map(|(protocol, family, socket)| Some((each, each.dial_over(&inventory, *protocol, *family)?, *socket)))
    });
    for (each, dial, socket) in tries.flatten() {
        let path = match &each.from.program {
            Program::OfImage(path) => path.clone(),
            Program::Dropped => DROPPED.to_owned(),
        };
        let pod = format!("{}/{}", dial.pod.0, dial.pod.1);
        groups.entry((pod, each.from.container.clone(), path)).or_default().push((each, dial, socket));
    }
    let mut outcome = RunOutcome::default();
    let mut made = Vec::new();
    for ((pod, container, program), tries) in groups {
        if program == DROPPED {
            lab.drop_program(&pod, &container, DROPPED);
        }
        let attempts: Vec<attempt::Try> = tries.iter().map(attempt).collect();
        let answers = lab.try_all(&pod, &container, &program, &attempts);
        assert_eq!(answers.len(), tries.len(), "each try has its answer");
        made.push((pod, container, program, tries, answers));
    }
    let wanted: usize = made.iter().map(|(.., answers)| answers.len()).sum();
    let is_ours =
        |record: &FlowRecord| made.iter().any(|(pod, container, program, ..)| is_from(record, pod, container, program));
    let records = agent.records(wanted, is_ours);
    for (pod, container, program, tries, answers) in made {
        let mut own = records.iter().filter(|record| is_from(record, &pod, &container, &program));
        for ((each, dial, _), answer) in tries.iter().zip(answers) {
            outcome.tried += 1;
            let Some(record) = own.next() else {
                let _ = writeln!(
                    outcome.failures,
                    "seed {}: {pod}:{container}:{program} -> {:?}: no record (the call said {answer:?})",
                    world.seed, each.to
                );
                continue;
            };
            let expected = Expected::of(&model, &inventory, (each, dial), record.backend, now, coverage);
            outcome.allowed += usize::from(expected.enforced.allowed);
            let who = format!(
                "seed {}: {pod}:{container}:{program} -> {:?} {}:{}",
                world.seed, each.to, dial.address, dial.port
            );
            for wrong in expected.compare(record, &answer, each, dial) {
                let _ = writeln!(outcome.failures, "{who}: {wrong}");
            }
        }
    }
    outcome
}

/// A try, what is dialled, and by what kind of socket.
type Made<'a> = (&'a Try, Dial, Socket);

/// How a datagram is sent; TCP always connects.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Socket {
    Connected,
    Unconnected,
}

fn attempt((_, dial, socket): &Made<'_>) -> attempt::Try {
    /// Nobody has to answer a datagram, and nothing here is far away.
    const PATIENCE_MS: u64 = 40;
    let mut attempt = attempt::Try::tcp(std::net::SocketAddr::new(dial.address, dial.port).to_string());
    if dial.protocol == Protocol::Udp {
        attempt.udp = true;
        attempt.unconnected = *socket == Socket::Unconnected;
        attempt.timeout_ms = PATIENCE_MS;
    }
    attempt
}

fn is_from(record: &FlowRecord, pod: &str, container: &str, program: &str) -> bool {
    let from = &record.from;
    let full =
        format!("{}/{}", from.namespace.as_deref().unwrap_or_default(), from.name.as_deref().unwrap_or_default());
    full == pod && from.container.as_deref() == Some(container) && from.program.as_deref() == Some(program)
}

/// What the engine says of one try.
struct Expected {
    enforced: ExpectedVerdict,
    would_be: ExpectedVerdict,
    program_is_named: bool,
    to: (&'static str, Option<String>),
    /// Of a Service whose backends differ: the packet was judged, so a refusal is a reset or silence.
    on_the_packet: bool,
}

struct ExpectedVerdict {
    allowed: bool,
    /// Reason and rule; to a Service, of any of its backends.
    because: Vec<(String, Option<String>)>,
}

impl Expected {
    fn of(
        model: &Model,
        inventory: &Inventory,
        (each, dial): (&Try, &Dial),
        backend: Option<SocketAddr>,
        now: Timestamp,
        coverage: &mut Coverage,
    ) -> Self {
        let answers: Vec<Judgement> =
            dial.links.iter().map(|link| model.judge(link, now).expect("the ends are in the lab")).collect();
        for (link, answer) in dial.links.iter().zip(&answers) {
            coverage.count(inventory, link, &answer.enforced);
        }
        let is_service = matches!(each.to, Target::Service { .. });
        let word = model.service_verdict(&answers);
        // Which backend a connection goes to is chance; what it gets there is not.
        let is_it = |link: &Link, backend: SocketAddr| {
            let has = |address: &std::net::IpAddr| *address == backend.ip();
            link.port == backend.port()
                && match &link.to {
                    End::Pod(pod) => {
                        model.pod_named(&pod.namespace, &pod.name).is_some_and(|pod| pod.addresses.iter().any(has))
                    }
                    End::Address(address) => has(address),
                    End::Node { .. } => false,
                }
        };
        let on_the_packet = word.enforced == ServiceWord::Mixed && backend.is_some();
        let answers = match backend {
            Some(backend) if on_the_packet => {
                let reached = dial.links.iter().zip(answers).filter(|(link, _)| is_it(link, backend));
                reached.map(|(_, answer)| answer).collect()
            }
            Some(_) | None => answers,
        };
        let word = if on_the_packet { model.service_verdict(&answers) } else { word };
        let no_such_port = is_service && !service_has_port(inventory, each, dial.protocol);
        let verdict = |word: ServiceWord, of: fn(&Judgement) -> &Decision| {
            let fixed =
                |reason: Reason| ExpectedVerdict { allowed: false, because: vec![(reason.as_str().to_owned(), None)] };
            match word {
                ServiceWord::NoEndpoints if no_such_port => fixed(Reason::NoServicePort),
                ServiceWord::NoEndpoints => fixed(Reason::NoEndpoints),
                ServiceWord::Mixed => fixed(Reason::ServiceMixed),
                ServiceWord::Allowed | ServiceWord::Denied => ExpectedVerdict {
                    allowed: word == ServiceWord::Allowed,
                    because: answers.iter().map(|answer| because(of(answer).link().1)).collect(),
                },
            }
        };
        let named = match (&dial.links.first().map(|link| &link.from), &each.from.program) {
            (Some(End::Pod(pod)), Program::OfImage(path)) => {
                let facts = model.pod_named(&pod.namespace, &pod.name).expect("it is in the lab");
                let Which::Named(container) = &pod.container else { panic!("tries name their container") };
                model.named_programs(facts, container).contains(path.as_str())
            }
            _ => false,
        };
        Self {
            enforced: verdict(word.enforced, |answer| &answer.enforced),
            would_be: verdict(word.would_be, |answer| &answer.would_be),
            program_is_named: named,
            to: receiver(inventory, each),
            on_the_packet,
        }
    }

    fn compare(&self, record: &FlowRecord, answer: &attempt::Answer, each: &Try, dial: &Dial) -> Vec<String> {
        let mut wrong = Vec::new();
        compare_verdict("verdict", &self.enforced, &record.verdict, &mut wrong);
        compare_verdict("would-be verdict", &self.would_be, &record.would_be, &mut wrong);
        if (record.dialled.address, record.dialled.port) != (dial.address, dial.port) {
            wrong.push(format!("dialled {:?}", record.dialled));
        }
        if !dial.links.is_empty() && record.from.program_named != Some(self.program_is_named) {
            wrong.push(format!("program named: {:?}, not {}", record.from.program_named, self.program_is_named));
        }
        let to = (record.to.kind.as_str(), record.to.name.clone());
        if to.0 != self.to.0 || (self.to.1.is_some() && to.1 != self.to.1) {
            wrong.push(format!("receiver {to:?}, not {:?}", self.to));
        }
        let refused = match self.on_the_packet && dial.protocol == Protocol::Udp {
            false => answer.errno == Some(if self.on_the_packet { ECONNREFUSED } else { EACCES }),
            // Nobody says so.
            true => !answer.ok && !self.enforced.allowed,
        };
        if refused == self.enforced.allowed {
            wrong.push(format!("the call said {answer:?}, and the engine allowed: {}", self.enforced.allowed));
        }
        let outcome_fits = match record.outcome {
            FlowOutcome::Refused | FlowOutcome::NoEndpoints => refused,
            FlowOutcome::Established => answer.ok,
            FlowOutcome::NobodyListens => !answer.ok && !refused,
            FlowOutcome::TimedOut
            | FlowOutcome::Unreachable
            | FlowOutcome::NeverSent
            | FlowOutcome::Pending
            | FlowOutcome::Failed => false,
            FlowOutcome::Sent => dial.protocol == Protocol::Udp && !refused,
        };
        if !outcome_fits {
            wrong.push(format!("outcome {:?} but the call said {answer:?} ({:?})", record.outcome, each.to));
        }
        wrong
    }
}

fn because(verdict: &Verdict) -> (String, Option<String>) {
    let reason = match verdict {
        Verdict::Allow(because) | Verdict::Deny(because) => reason(because),
        Verdict::Undecided(_) => Reason::Undecided,
    };
    (reason.as_str().to_owned(), verdict.rule().map(ToString::to_string))
}

fn compare_verdict(which: &str, expected: &ExpectedVerdict, actual: &FlowVerdict, wrong: &mut Vec<String>) {
    let allowed = actual.verdict == VerdictWord::Allowed;
    let because = (actual.reason.clone(), actual.rule.clone());
    if allowed != expected.allowed || !expected.because.contains(&because) {
        let wanted = if expected.allowed { "allowed" } else { "denied" };
        wrong.push(format!("{which} {actual:?}, not {wanted} by one of {:?}", expected.because));
    }
}

fn service_has_port(inventory: &Inventory, each: &Try, protocol: Protocol) -> bool {
    let Target::Service { namespace, name } = &each.to else { return false };
    let is_it = |meta: &palisade_model::Meta| meta.namespace() == namespace && meta.name() == name;
    let service = inventory.services.iter().find(|service| is_it(&service.meta));
    service.is_some_and(|service| service.ports.iter().any(|port| port.port == each.port && port.protocol == protocol))
}

/// The kind of the receiver and its name, as a record shows them.
fn receiver(inventory: &Inventory, each: &Try) -> (&'static str, Option<String>) {
    match &each.to {
        Target::Pod(pod) if *pod == each.from.pod => ("own-address", None),
        Target::Pod(pod) => {
            let of = |pod: &runnable::PodOf| pod.find(inventory).map(|pod| pod.meta.reference.clone());
            match of(pod) == of(&each.from.pod) {
                true => ("own-address", None),
                false => ("pod", of(pod).map(|reference| reference.name.to_string())),
            }
        }
        Target::OwnPod | Target::Loopback => ("own-address", None),
        Target::Service { name, .. } => ("service", Some(name.clone())),
        Target::Node(name) => ("node", Some(name.clone())),
        Target::Outside(_) => ("world", None),
    }
}
