//! What is compiled for the kernel gives the answer of `judge`, looked up as the kernel does.

use std::net::IpAddr;
use std::sync::Arc;

use palisade_model::link::{End, Link, PodEnd, Which};
use palisade_model::port::Protocol;
use palisade_model::settings::Settings;
use palisade_model::verdict::{Decision, Judgement, Verdict};
use palisade_model::{Inventory, Timestamp};
use palisade_policy::Model;
use palisade_policy::compile::{
    Cell, ClassId, CompiledDecision, CompiledVerdict, DestinationId, Frontend, NodeRules, Reason, ServiceWord, reason,
};
use palisade_policy::dial::{BackendEnd, Dial};
use palisade_worlds::runnable;

/// Enough to meet every kind of peer, port and Service several times.
const WORLDS: u64 = 60;
/// One of each kind, and the borders of what the worlds' rules name.
const PORTS: [u16; 8] = [0, 80, 8000, 8001, 8080, 8081, 9000, 65535];

#[test]
fn the_kernels_lookup_gives_the_engines_answer() {
    let now: Timestamp = "2026-01-01T00:00:00Z".parse().expect("a constant");
    let mut compared = 0;
    for seed in 0..WORLDS {
        let world = runnable::generate(seed);
        let inventory = palisade_manifests::load_text("world", &world.as_if_running).value;
        let model = Model::new(Arc::new(inventory.clone()), Settings::default()).value;
        let addresses = addresses(&inventory);
        for node in &inventory.nodes {
            let rules = model.compile(node.meta.name(), 1, now);
            for (from, class) in senders(&rules, &model) {
                for address in &addresses {
                    for port in PORTS {
                        for protocol in [Protocol::Tcp, Protocol::Udp] {
                            let looked_up = look_up(&rules, &from, class, *address, protocol, port);
                            let expected = expected(&model, &from, *address, protocol, port, now);
                            let asked = format!("seed {seed}: {from:?} -> {address} {protocol} {port}");
                            compare(&rules, looked_up, &expected, &asked);
                            compared += 1;
                        }
                    }
                }
            }
        }
    }
    assert!(compared > 100_000, "only {compared} lookups were compared");
}

fn addresses(inventory: &Inventory) -> Vec<IpAddr> {
    let outside = ["203.0.113.10", "198.51.100.1", "127.0.0.1", "0.0.0.0", "169.254.169.254", "169.254.1.1"];
    let outside = outside.into_iter().map(|text| text.parse().expect("a constant"));
    let pods = inventory.pods.iter().flat_map(|pod| pod.own_addresses().to_vec());
    let nodes = inventory.nodes.iter().flat_map(|node| node.addresses.clone());
    let services = inventory.services.iter().flat_map(|service| service.cluster_ips.clone());
    outside.chain(pods).chain(nodes).chain(services).filter(IpAddr::is_ipv4).collect()
}

/// Every process that the rules tell apart, and its class.
fn senders(rules: &NodeRules, model: &Model) -> Vec<(PodEnd, ClassId)> {
    let mut senders = Vec::new();
    for subject in rules.subjects.iter().filter(|subject| !subject.host_network) {
        let end = |container: Which, program: Which| PodEnd {
            namespace: subject.namespace.clone(),
            name: subject.name.clone(),
            container,
            program,
            address: None,
        };
        senders.push((end(Which::Other, Which::Other), subject.class));
        for container in &subject.containers {
            let named = || Which::Named(container.name.clone());
            senders.push((end(named(), Which::Other), container.class));
            for (program, class) in &container.programs {
                senders.push((end(named(), Which::Named(program.clone())), *class));
            }
            let pod = model.pod_named(&subject.namespace, &subject.name).expect("it was compiled");
            assert_eq!(container.programs.len(), model.named_programs(pod, &container.name).len());
        }
    }
    senders
}

fn look_up(
    rules: &NodeRules,
    from: &PodEnd,
    class: ClassId,
    address: IpAddr,
    protocol: Protocol,
    port: u16,
) -> CompiledDecision {
    let frontend = Frontend { address, protocol, port };
    let of_service = rules.frontends.iter().find(|(candidate, _)| *candidate == frontend).map(|(_, id)| *id);
    let destination = of_service.unwrap_or_else(|| {
        let covering = rules.destinations.iter().filter(|(prefix, _)| prefix.contains(&address));
        let (_, found) = covering.max_by_key(|(prefix, _)| prefix.prefix_len()).expect("the default routes are there");
        let own =
            rules.subjects.iter().find(|subject| subject.namespace == from.namespace && subject.name == from.name);
        match own {
            Some(own) if own.identity == found.subject => DestinationId::SELF,
            _ => found.id,
        }
    });
    let cell = Cell { class, destination, protocol };
    let position = rules.cells.binary_search_by_key(&cell, |(cell, _)| *cell).expect("each destination has its cell");
    let table = &rules.port_tables[rules.cells[position].1.0 as usize];
    let span = table.iter().find(|span| (span.first..=span.last).contains(&port)).expect("a table covers every port");
    rules.decisions[span.decision.0 as usize].clone()
}

enum Expected {
    Judged(Vec<Judgement>),
    NoServicePort,
}

fn expected(model: &Model, from: &PodEnd, address: IpAddr, protocol: Protocol, port: u16, now: Timestamp) -> Expected {
    let ask = |to: End, port: u16| {
        let link = Link { from: End::Pod(from.clone()), to, protocol, port };
        model.judge(&link, now).expect("the ends are in the world")
    };
    match model.dial(address, protocol, port) {
        Dial::Direct => Expected::Judged(vec![ask(End::Address(address), port)]),
        Dial::NoSuchPort { .. } => Expected::NoServicePort,
        Dial::Service { service, port } => {
            let backends = model.backends(service, port, Some(true)).expect("the worlds' Services have backends");
            let answers = backends.iter().map(|backend| match backend.end {
                BackendEnd::Pod(_) => ask(End::Address(backend.address.expect("it runs")), backend.port),
                BackendEnd::Address(address) => ask(End::Address(address), backend.port),
            });
            let answers: Vec<_> = answers.collect();
            Expected::Judged(answers)
        }
    }
}

fn compare(rules: &NodeRules, actual: CompiledDecision, expected: &Expected, asked: &str) {
    let answers = match expected {
        Expected::NoServicePort => {
            assert_eq!((actual.enforced.allowed, actual.enforced.reason), (false, Reason::NoServicePort), "{asked}");
            return;
        }
        Expected::Judged(answers) => answers,
    };
    for (compiled, of) in [
        (actual.enforced, (|answer| &answer.enforced) as fn(&Judgement) -> &Decision),
        (actual.would_be, |answer| &answer.would_be),
    ] {
        let allowed = answers.iter().filter(|answer| of(answer).is_allowed()).count();
        let word = match allowed {
            _ if answers.is_empty() => ServiceWord::NoEndpoints,
            0 => ServiceWord::Denied,
            count if count == answers.len() => ServiceWord::Allowed,
            _ => ServiceWord::Mixed,
        };
        let wanted = match word {
            ServiceWord::NoEndpoints => (false, Reason::NoEndpoints, None),
            ServiceWord::Mixed => (false, Reason::ServiceMixed, None),
            ServiceWord::Allowed | ServiceWord::Denied => {
                let (_, verdict) = of(&answers[0]).link();
                let why = match verdict {
                    Verdict::Allow(because) | Verdict::Deny(because) => reason(because),
                    Verdict::Undecided(_) => Reason::Undecided,
                };
                (word == ServiceWord::Allowed, why, verdict.rule().cloned())
            }
        };
        let CompiledVerdict { allowed, reason, rule, end: _ } = compiled;
        let rule = rule.map(|position| rules.rules[position as usize].clone());
        assert_eq!((allowed, reason, rule), wanted, "{asked}");
    }
}
