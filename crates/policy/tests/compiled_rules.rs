//! What is compiled for the kernel gives the answer of `judge`, looked up as the kernel does.

use std::net::IpAddr;
use std::sync::Arc;

use palisade_model::access_policy::{Action, Mode, PeerTarget, PodPeer};
use palisade_model::link::{End, Link, PodEnd, Which};
use palisade_model::network_policy::NetworkPolicyTarget;
use palisade_model::port::{PortMatch, PortRange, PortRule, Protocol};
use palisade_model::settings::{Guarded, MixedServices, Settings};
use palisade_model::verdict::{Decision, Judgement, Verdict};
use palisade_model::{Inventory, IpNet, Selector, Timestamp};
use palisade_policy::Model;
use palisade_policy::compile::{
    Carrier, Cell, ClassId, CompiledDecision, CompiledVerdict, DestinationId, Frontend, NodeRules, Reason,
    ReceiverCell, SourceId, Subject, reason,
};
use palisade_policy::dial::{Backend, BackendEnd, Dial};
use palisade_worlds::{anything, runnable};

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
                            if let Some(difference) = difference(&rules, &looked_up, &expected) {
                                panic!("{asked}: {difference}");
                            }
                            compared += 1;
                        }
                    }
                }
            }
        }
    }
    assert!(compared > 100_000, "only {compared} lookups were compared");
}

/// Worlds with anything that policies and clusters can have: both families, pods without address or node, Services
/// without selector, documents that cannot be read, rules that end.
#[test]
fn the_kernels_lookup_gives_the_engines_answer_in_stranger_worlds() {
    /// World 63 has an egress rule to everyone that names a port; world 591 a replica beside the one that a slice of
    /// another namespace names.
    const STRANGER_WORLDS: [std::ops::Range<u64>; 3] = [0..25, 63..64, 591..592];
    let mut compared = 0;
    for seed in STRANGER_WORLDS.into_iter().flatten() {
        let world = anything::generate(seed);
        let mut inventory = palisade_manifests::load_text("world", &world.yaml).value;
        inventory.unreadable.extend(world.unreadable.clone());
        let settings = Settings { mixed_services: MixedServices::JudgedOnThePacket, ..world.settings.clone() };
        let model = Model::new(Arc::new(inventory.clone()), settings).value;
        let mut addresses = addresses(&inventory);
        addresses.extend(of_family_six(&inventory));
        for node in &inventory.nodes {
            let rules = model.compile(node.meta.name(), 1, world.now);
            for (from, class) in senders(&rules, &model) {
                for address in &addresses {
                    for port in PORTS {
                        for protocol in [Protocol::Tcp, Protocol::Udp] {
                            let looked_up = look_up(&rules, &from, class, *address, protocol, port);
                            let expected = expected(&model, &from, *address, protocol, port, world.now);
                            let asked = format!("seed {seed}: {from:?} -> {address} {protocol} {port}");
                            if let Some(difference) = difference(&rules, &looked_up, &expected) {
                                panic!("{asked}: {difference}");
                            }
                            compared += 1;
                        }
                    }
                }
            }
        }
    }
    assert!(compared > 10_000, "only {compared} lookups were compared");
}

fn of_family_six(inventory: &Inventory) -> Vec<IpAddr> {
    let outside = ["2001:db8::1", "::1", "fe80::1"].into_iter().map(|text| text.parse().expect("a constant"));
    let pods = inventory.pods.iter().flat_map(|pod| pod.own_addresses().to_vec());
    let nodes = inventory.nodes.iter().flat_map(|node| node.addresses.clone());
    let services = inventory.services.iter().flat_map(|service| service.cluster_ips.clone());
    outside.chain(pods).chain(nodes).chain(services).filter(IpAddr::is_ipv6).collect()
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
    let cell = Cell { class, destination, carrier: protocol.into() };
    let position = rules.cells.binary_search_by_key(&cell, |(cell, _)| *cell).expect("each destination has its cell");
    let table = &rules.port_tables[rules.cells[position].1.0 as usize];
    let span = table.iter().find(|span| (span.first..=span.last).contains(&port)).expect("a table covers every port");
    rules.decisions[span.decision.0 as usize].clone()
}

enum Expected {
    /// The backends cannot be known.
    Undecided,
    /// A backend has no address yet to ask about.
    NotAsked,
    /// The answers, and whether a packet shows which of them holds when they differ.
    Judged(Vec<Judgement>, MixedServices),
    NoServicePort,
}

fn expected(model: &Model, from: &PodEnd, address: IpAddr, protocol: Protocol, port: u16, now: Timestamp) -> Expected {
    let ask = |to: IpAddr, port: u16| {
        let link = Link { from: End::Pod(from.clone()), to: End::Address(to), protocol, port };
        model.judge(&link, now).expect("the ends are in the world")
    };
    let dial = model.dial(address, protocol, port);
    let backends = match &dial {
        Dial::Direct => return Expected::Judged(vec![ask(address, port)], MixedServices::Refused),
        Dial::NoSuchPort { .. } => return Expected::NoServicePort,
        Dial::HostPort { backends } => backends.clone(),
        Dial::Service { service, port } => match model.backends(service, port, Some(address.is_ipv4())) {
            Ok(backends) => backends,
            Err(_) => return Expected::Undecided,
        },
    };
    if backends.iter().any(|backend| backend.address.is_none()) {
        return Expected::NotAsked;
    }
    let reached = |backend: &Backend| match backend.end {
        BackendEnd::Pod(_) => backend.address.expect("checked above"),
        BackendEnd::Address(address) => address,
    };
    let own = model.pod_named(&from.namespace, &from.name).expect("it was compiled").node.clone();
    let node_of = |address: IpAddr| {
        let nodes = &model.inventory().nodes;
        nodes.iter().find(|node| node.addresses.contains(&address)).map(|node| node.meta.reference.name.clone())
    };
    let is_seen = node_of(address).is_none_or(|node| Some(node) == own);
    let mixed = if is_seen { MixedServices::JudgedOnThePacket } else { MixedServices::Refused };
    // What `check` says of it.
    let said = model.mixed_service(own.as_deref(), Some(address));
    assert_eq!(said, mixed, "{from:?} -> {address}");
    Expected::Judged(backends.iter().map(|backend| ask(reached(backend), backend.port)).collect(), mixed)
}

/// In what the kernel's answer differs from the engine's.
fn difference(rules: &NodeRules, actual: &CompiledDecision, expected: &Expected) -> Option<String> {
    let (answers, mixed) = match expected {
        Expected::NoServicePort => {
            let fits = (actual.enforced.allowed, actual.enforced.reason) == (false, Reason::NoServicePort);
            return (!fits).then(|| format!("{:?}, not refused as no-service-port", actual.enforced));
        }
        Expected::Undecided => {
            let fits = (actual.enforced.allowed, actual.enforced.reason) == (false, Reason::Undecided);
            return (!fits).then(|| format!("{:?}, not undecided", actual.enforced));
        }
        Expected::NotAsked => return None,
        Expected::Judged(answers, mixed) => (answers, *mixed),
    };
    for (compiled, of) in [
        (actual.enforced, (|answer| &answer.enforced) as fn(&Judgement) -> &Decision),
        (actual.would_be, |answer| &answer.would_be),
    ] {
        let allowed = answers.iter().filter(|answer| of(answer).is_allowed()).count();
        let mut open = None;
        let wanted = match allowed {
            _ if answers.is_empty() => (false, Reason::NoEndpoints, None),
            count if count > 0 && count < answers.len() => {
                (mixed == MixedServices::JudgedOnThePacket, Reason::ServiceMixed, None)
            }
            count => {
                let (_, verdict) = of(&answers[0]).link();
                let why = match verdict {
                    Verdict::Allow(because) | Verdict::Deny(because) => reason(because),
                    Verdict::Undecided(missing) => {
                        open = Some(std::mem::discriminant(missing));
                        Reason::Undecided
                    }
                };
                (count > 0, why, verdict.rule().cloned())
            }
        };
        let CompiledVerdict { allowed, reason, rule, missing, end: _ } = compiled;
        let actual = (allowed, reason, rule.map(|position| rules.rules[position as usize].clone()));
        // Who are alike share an answer: of the fact its kind is theirs, and the name of one of them.
        let missing = missing.map(|position| &rules.missing[position as usize]);
        if actual != wanted || missing.map(std::mem::discriminant) != open {
            return Some(format!("{actual:?}, {missing:?}, not {wanted:?}"));
        }
    }
    None
}

/// A compiler with a mistake in it: it sees other objects than the engine.
type Fault = (&'static str, fn(&mut Inventory));

/// Mistakes that such compilers have had.
const FAULTS: [Fault; 16] = [
    ("drops except", |inventory| {
        each_block(inventory, |_, except| except.clear());
    }),
    ("ignores endPort", |inventory| {
        each_port(inventory, |port| {
            if let PortMatch::Range(range) = port.port {
                port.port = PortMatch::Range(PortRange::single(range.first()));
            }
        });
    }),
    ("swaps the families", |inventory| {
        each_block(inventory, |block, _| *block = "::/0".parse().expect("a constant"));
    }),
    ("takes a port without number for every protocol", |inventory| {
        each_port_list(inventory, |ports| {
            if ports.iter().any(|port| port.port == PortMatch::Any) {
                ports.clear();
            }
        });
    }),
    ("knows the named ports of the first container alone", |inventory| {
        for pod in inventory.pods.iter_mut().map(Arc::make_mut) {
            for port in pod.spec.containers.iter_mut().skip(1).flat_map(|container| &mut container.ports) {
                port.name = None;
            }
        }
    }),
    ("has stale addresses", |inventory| {
        if let [first, .., last] = inventory.pods.as_mut_slice() {
            std::mem::swap(&mut Arc::make_mut(first).addresses, &mut Arc::make_mut(last).addresses);
        }
    }),
    ("skips Deny", |inventory| {
        for policy in inventory.access_policies.iter_mut().map(Arc::make_mut) {
            policy.rules.retain(|rule| rule.action == Action::Allow);
        }
    }),
    ("enforces Audit", |inventory| {
        inventory.access_policies.iter_mut().map(Arc::make_mut).for_each(|policy| policy.mode = Mode::Enforce);
        inventory.perimeters.iter_mut().map(Arc::make_mut).for_each(|perimeter| perimeter.mode = Mode::Enforce);
    }),
    ("ignores the container", |inventory| each_pod_peer(inventory, |peer| peer.container = None)),
    ("ignores the program", |inventory| each_pod_peer(inventory, |peer| peer.program = None)),
    ("ignores the service account", |inventory| each_pod_peer(inventory, |peer| peer.service_account = None)),
    ("takes every namespace", |inventory| {
        each_network_policy_selector(inventory, |_, namespaces| {
            if let Some(selector) = namespaces {
                *selector = Selector::default();
            }
        });
    }),
    ("takes a podSelector alone for all namespaces", |inventory| {
        each_network_policy_selector(inventory, |pods, namespaces| {
            if pods.is_some() && namespaces.is_none() {
                *namespaces = Some(Selector::default());
            }
        });
    }),
    ("forgets what Perimeters except", |inventory| {
        inventory.perimeters.iter_mut().map(Arc::make_mut).for_each(|perimeter| perimeter.except.clear());
    }),
    ("forgets cluster-wide objects", |inventory| {
        inventory.access_policies.retain(|policy| policy.meta.reference.namespace.is_some());
        inventory.perimeters.retain(|perimeter| perimeter.meta.reference.namespace.is_some());
    }),
    ("closes no egress", |inventory| {
        inventory.network_policies.iter_mut().map(Arc::make_mut).for_each(|policy| policy.egress = None);
        inventory.perimeters.iter_mut().map(Arc::make_mut).for_each(|perimeter| perimeter.egress = false);
    }),
];

/// The comparison would be worth nothing if it let such mistakes through.
#[test]
fn seeded_faults_of_the_compiler_are_caught() {
    let now: Timestamp = "2026-01-01T00:00:00Z".parse().expect("a constant");
    for (name, fault) in FAULTS {
        let caught = (0..WORLDS).find_map(|seed| {
            let world = runnable::generate(seed);
            let inventory = palisade_manifests::load_text("world", &world.as_if_running).value;
            let model = Model::new(Arc::new(inventory.clone()), Settings::default()).value;
            let mut mistaken = inventory.clone();
            fault(&mut mistaken);
            let mistaken = Model::new(Arc::new(mistaken), Settings::default()).value;
            first_difference(&model, &mistaken, &addresses(&inventory), now).map(|difference| (seed, difference))
        });
        let (seed, difference) = caught.unwrap_or_else(|| panic!("a compiler that {name} is not caught"));
        println!("a compiler that {name}: world {seed}, {}", difference.chars().take(160).collect::<String>());
    }
}

fn first_difference(model: &Model, mistaken: &Model, addresses: &[IpAddr], now: Timestamp) -> Option<String> {
    for node in runnable::NODES {
        let rules = mistaken.compile(node, 1, now);
        // The processes are those that the engine tells apart: a compiler that merges some is caught.
        for (from, _) in senders(&model.compile(node, 1, now), model) {
            let class = class_of(&rules, &from);
            for address in addresses {
                for port in PORTS {
                    let looked_up = look_up(&rules, &from, class, *address, Protocol::Tcp, port);
                    let expected = expected(model, &from, *address, Protocol::Tcp, port, now);
                    if let Some(difference) = difference(&rules, &looked_up, &expected) {
                        return Some(format!("{from:?} -> {address} {port}: {difference}"));
                    }
                }
            }
        }
    }
    None
}

/// The class that the kernel gives a process.
fn class_of(rules: &NodeRules, from: &PodEnd) -> ClassId {
    let is_it = |subject: &&Subject| subject.namespace == from.namespace && subject.name == from.name;
    let subject = rules.subjects.iter().find(is_it).expect("it was compiled");
    let Which::Named(name) = &from.container else { return subject.class };
    let container = subject.containers.iter().find(|container| container.name == *name).expect("it was compiled");
    let named = container.programs.iter().find(|(path, _)| from.program == Which::Named(path.clone()));
    named.map_or(container.class, |(_, class)| *class)
}

fn each_block(inventory: &mut Inventory, change: fn(&mut IpNet, &mut Vec<IpNet>)) {
    let network = inventory.network_policies.iter_mut().map(Arc::make_mut);
    for peer in network
        .flat_map(|policy| policy.ingress.iter_mut().chain(&mut policy.egress).flatten())
        .flat_map(|rule| &mut rule.peers)
    {
        if let NetworkPolicyTarget::IpBlock { cidr, except } = &mut peer.target {
            change(cidr, except);
        }
    }
    for peer in inventory
        .access_policies
        .iter_mut()
        .map(Arc::make_mut)
        .flat_map(|policy| &mut policy.rules)
        .flat_map(|rule| &mut rule.to)
    {
        if let PeerTarget::Cidr { cidr, except } = &mut peer.target {
            change(cidr, except);
        }
    }
}

fn each_port_list(inventory: &mut Inventory, change: fn(&mut Vec<PortRule>)) {
    let network = inventory.network_policies.iter_mut().map(Arc::make_mut);
    network
        .flat_map(|policy| policy.ingress.iter_mut().chain(&mut policy.egress).flatten())
        .for_each(|rule| change(&mut rule.ports));
    inventory
        .access_policies
        .iter_mut()
        .map(Arc::make_mut)
        .flat_map(|policy| &mut policy.rules)
        .for_each(|rule| change(&mut rule.ports));
}

fn each_port(inventory: &mut Inventory, change: fn(&mut PortRule)) {
    let network = inventory.network_policies.iter_mut().map(Arc::make_mut);
    let rules = network.flat_map(|policy| policy.ingress.iter_mut().chain(&mut policy.egress).flatten());
    rules.flat_map(|rule| &mut rule.ports).for_each(change);
    let rules = inventory.access_policies.iter_mut().map(Arc::make_mut).flat_map(|policy| &mut policy.rules);
    rules.flat_map(|rule| &mut rule.ports).for_each(change);
}

fn each_pod_peer(inventory: &mut Inventory, change: fn(&mut PodPeer)) {
    let rules = inventory.access_policies.iter_mut().map(Arc::make_mut).flat_map(|policy| &mut policy.rules);
    for peer in rules.flat_map(|rule| rule.from.iter_mut().chain(&mut rule.to)) {
        if let PeerTarget::Pods(fields) = &mut peer.target {
            change(fields);
        }
    }
}

fn each_network_policy_selector(inventory: &mut Inventory, change: fn(&mut Option<Selector>, &mut Option<Selector>)) {
    let network = inventory.network_policies.iter_mut().map(Arc::make_mut);
    for peer in network
        .flat_map(|policy| policy.ingress.iter_mut().chain(&mut policy.egress).flatten())
        .flat_map(|rule| &mut rule.peers)
    {
        if let NetworkPolicyTarget::Pods { pod_selector, namespace_selector } = &mut peer.target {
            change(pod_selector, namespace_selector);
        }
    }
}

#[test]
fn the_receivers_lookup_gives_the_engines_answer() {
    let now: Timestamp = "2026-01-01T00:00:00Z".parse().expect("a constant");
    let mut compared = 0;
    for seed in 0..WORLDS {
        let world = runnable::generate(seed);
        let inventory = palisade_manifests::load_text("world", &world.as_if_running).value;
        let only_first = Guarded::Only([runnable::NODES[0].into()].into_iter().collect());
        for guarded in [Guarded::All, only_first] {
            let settings = Settings { guarded, ..Settings::default() };
            let model = Model::new(Arc::new(inventory.clone()), settings).value;
            // The receiver's node is guarded in both.
            let rules = model.compile(runnable::NODES[0], 1, now);
            for subject in rules.subjects.iter().filter(|subject| !subject.host_network) {
                for (from, source) in sources(&rules, &model, &inventory) {
                    for port in PORTS {
                        let to = End::Pod(PodEnd {
                            namespace: subject.namespace.clone(),
                            name: subject.name.clone(),
                            container: Which::Unsaid,
                            program: Which::Unsaid,
                            address: None,
                        });
                        let link = Link { from: from.clone(), to, protocol: Protocol::Tcp, port };
                        let enforcement = model.enforcement(&link, now).expect("the ends are in the world");
                        let expected = enforcement.receiver.expect("the receiver's node is guarded");
                        let cell = ReceiverCell { receiver: subject.receiver, source, carrier: Carrier::Tcp };
                        let position = rules
                            .receiver_cells
                            .binary_search_by_key(&cell, |(cell, _)| *cell)
                            .expect("each has its cell");
                        let table = &rules.port_tables[rules.receiver_cells[position].1.0 as usize];
                        let span = table.iter().find(|span| (span.first..=span.last).contains(&port));
                        let decision = &rules.decisions[span.expect("a table covers every port").decision.0 as usize];
                        let actual = [decision.enforced, decision.would_be];
                        for (compiled, of_engine) in actual.iter().zip([&expected.enforced, &expected.would_be]) {
                            let rule = compiled.rule.map(|position| &rules.rules[position as usize]);
                            let of_engine = &of_engine.ingress;
                            let asked = format!("seed {seed}: {link:?}");
                            assert_eq!((compiled.allowed, rule), (of_engine.is_allow(), of_engine.rule()), "{asked}");
                        }
                        compared += 1;
                    }
                }
            }
        }
    }
    assert!(compared > 10_000, "only {compared} lookups were compared");
}

/// Everybody whom the first node can tell by address: pods of the other node, the outside, and its
/// own processes.
fn sources(rules: &NodeRules, model: &Model, inventory: &Inventory) -> Vec<(End, SourceId)> {
    let looked_up = |address: IpAddr| {
        let covering = rules.sources.iter().filter(|(prefix, _)| prefix.contains(&address));
        covering.max_by_key(|(prefix, _)| prefix.prefix_len()).expect("the default routes are there").1
    };
    let elsewhere = model.pods().iter().filter(|pod| pod.node.as_deref() == Some(runnable::NODES[1]));
    let pods = elsewhere.flat_map(|pod| pod.addresses.clone()).filter(IpAddr::is_ipv4);
    let outside = ["203.0.113.10", "198.51.100.1"].into_iter().map(|text| text.parse().expect("a constant"));
    let mut sources: Vec<(End, SourceId)> =
        pods.chain(outside).map(|address| (End::Address(address), looked_up(address))).collect();
    sources.push((End::Node { name: runnable::NODES[0].into(), address: None }, SourceId::OWN_NODE_4));
    // Whoever comes from a node's address without a socket of that node is a stranger.
    for address in inventory.nodes.iter().flat_map(|node| &node.addresses).filter(|address| address.is_ipv4()) {
        assert_eq!(looked_up(*address), SourceId::STRANGER_4);
    }
    sources
}

/// Each Allow ends at another instant: only those that matter to a pair make its answers a chain.
#[test]
fn many_instants_make_no_more_answers_than_they_change() {
    const RULES: usize = 300;
    let mut yaml = String::from(
        "apiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n---\napiVersion: v1\nkind: Node\nmetadata: {name: node1}\nstatus: {addresses: [{type: InternalIP, address: 172.31.0.11}]}\n---\napiVersion: palisade.dev/v1alpha1\nkind: Perimeter\nmetadata: {name: default, namespace: a}\nspec: {subject: {selector: {}}}\n",
    );
    for pod in 0..8 {
        yaml.push_str(&format!(
            "---\napiVersion: v1\nkind: Pod\nmetadata: {{name: p{pod}, namespace: a}}\nspec: {{nodeName: node1, containers: [{{name: main, image: x}}]}}\nstatus: {{phase: Running, podIPs: [{{ip: 10.0.0.{}}}]}}\n",
            pod + 1
        ));
    }
    yaml.push_str("---\napiVersion: palisade.dev/v1alpha1\nkind: AccessPolicy\nmetadata: {name: many, namespace: a}\nspec:\n  rules:\n");
    for rule in 0..RULES {
        yaml.push_str(&format!(
            "  - {{action: Allow, from: [{{workload: p{}}}], to: [{{workload: p{}}}], ports: [{{port: {}}}], expires: \"20{}-01-01T00:00:00Z\"}}\n",
            rule % 8,
            (rule + 1) % 8,
            1000 + rule,
            30 + rule / 8
        ));
    }
    let loaded = palisade_manifests::load_text("world", &yaml);
    assert_eq!(loaded.problems, []);
    let model = Model::new(Arc::new(loaded.value), Settings::default()).value;
    let rules = model.compile("node1", 1, "2026-01-01T00:00:00Z".parse().expect("a constant"));
    // Two for each rule, of the sender's node and of the receiver's, and a handful of refusals.
    assert!(rules.decisions.len() < 2 * RULES + 50, "{} decisions", rules.decisions.len());
}

/// A node holds what its own pods can ask: here all others look like the outside to them.
#[test]
fn pods_and_rules_elsewhere_cost_no_answers() {
    let [few, many] = [10, 200].map(|elsewhere| {
        let mut yaml = String::from(
            "apiVersion: v1\nkind: Node\nmetadata: {name: node1}\n---\napiVersion: palisade.dev/v1alpha1\nkind: Perimeter\nmetadata: {name: default, namespace: a}\nspec: {subject: {selector: {}}}\n",
        );
        for pod in 0..elsewhere {
            let node = if pod < 2 { "node1" } else { "node2" };
            yaml.push_str(&format!(
                "---\napiVersion: v1\nkind: Pod\nmetadata: {{name: p{pod}, namespace: a}}\nspec: {{nodeName: {node}, containers: [{{name: main, image: x}}]}}\nstatus: {{phase: Running, podIPs: [{{ip: 10.0.0.{}}}]}}\n---\napiVersion: palisade.dev/v1alpha1\nkind: AccessPolicy\nmetadata: {{name: p{pod}, namespace: a}}\nspec: {{rules: [{{action: Allow, from: [{{workload: p{pod}}}], to: [{{workload: p{}}}, {{cidr: 100.64.{pod}.0/24}}]}}]}}\n",
                pod + 1,
                (pod + 1) % elsewhere
            ));
        }
        let model = Model::new(Arc::new(palisade_manifests::load_text("world", &yaml).value), Settings::default()).value;
        model.compile("node1", 1, "2026-01-01T00:00:00Z".parse().expect("a constant"))
    });
    assert_eq!(few.cells.len(), many.cells.len());
    assert_eq!(few.receiver_cells.len(), many.receiver_cells.len());
    assert_eq!(few.decisions.len(), many.decisions.len());
    assert_eq!(few.destinations.len(), many.destinations.len());
}
