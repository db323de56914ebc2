//! What `explain` proposes against the brute force: each change turns the link, and turns else what it says.

use std::collections::BTreeMap;
use std::sync::Arc;

use palisade_manifests::load_text;
use palisade_model::link::{End, Link, OWN_NODE, PodEnd, Which};
use palisade_model::settings::Settings;
use palisade_model::{Inventory, Protocol, Timestamp};
use palisade_policy::change::{Change, Changes, EditAction};
use palisade_policy::compare::Word;
use palisade_policy::{Grant, Model, PodFacts};
use palisade_worlds::{World, anything};

/// How many worlds; `PALISADE_WORLDS` sets another number.
const WORLDS: u64 = 20;
/// In which every link of everybody is compared, by a brute force that takes its time.
const WORLDS_AS_A_WHOLE: u64 = 6;
/// So many links of such a world are asked about.
const LINKS: usize = 4;

/// Ports that the worlds' rules and pods name, and others.
const PORTS: [u16; 9] = [1, 53, 80, 443, 5000, 8001, 8002, 8080, 9000];

fn word(inventory: &Inventory, settings: &Settings, link: &Link, now: Timestamp) -> Option<Word> {
    Some(Word::from(palisade_oracle::judge(inventory, settings, link, now).ok()?.enforced.link().1))
}

fn worlds(count: u64) -> impl Iterator<Item = (World, Inventory, Model)> {
    let count = std::env::var("PALISADE_WORLDS").ok().and_then(|text| text.parse().ok()).unwrap_or(count);
    (0..count).map(|seed| {
        let world = anything::generate(seed);
        let mut inventory = load_text("world.yaml", &world.yaml).value;
        inventory.unreadable.extend(world.unreadable.iter().cloned());
        let model = Model::new(Arc::new(inventory.clone()), world.settings.clone()).value;
        (world, inventory, model)
    })
}

fn changes(model: &Model, link: &Link, now: Timestamp) -> Option<Changes> {
    Some(model.explain(link, now, Grant::Process).ok()?.changes)
}

#[test]
fn a_change_turns_the_link_by_the_brute_force_too() {
    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    let (mut opened, mut closed) = (0, 0);
    for (world, inventory, model) in worlds(WORLDS) {
        for link in &world.links {
            let Some(found) = changes(&model, link, world.now) else { continue };
            for change in &found.found {
                let mut after = inventory.clone();
                change.apply(&mut after);
                let is = word(&after, &world.settings, link, world.now);
                assert_eq!(is, found.to, "seed {}: {link:?}\n{:#?}", world.seed, change.edits);
                for edit in &change.edits {
                    *kinds.entry(kind(&edit.action)).or_default() += 1;
                }
                match found.to {
                    Some(Word::Allowed) => opened += 1,
                    Some(Word::Denied | Word::Undecided) | None => closed += 1,
                }
            }
        }
    }
    println!("{opened} opened, {closed} closed: {kinds:?}");
    assert!(opened > 250 && closed > 250, "{opened} opened, {closed} closed");
    for kind in ["add", "insert", "replace", "remove", "create"] {
        assert!(kinds.get(kind).is_some_and(|count| *count > 10), "{kind}: {kinds:?}");
    }
}

fn kind(action: &EditAction) -> &'static str {
    match action {
        EditAction::Add { .. } => "add",
        EditAction::Insert { .. } => "insert",
        EditAction::Replace { .. } => "replace",
        EditAction::Remove { .. } => "remove",
        EditAction::Create { .. } => "create",
    }
}

#[test]
fn a_change_turns_else_what_it_says_and_no_more() {
    let (mut checked, mut turned) = (0, 0);
    for (world, inventory, model) in worlds(WORLDS_AS_A_WHOLE) {
        for link in world.links.iter().take(LINKS) {
            let Some(found) = changes(&model, link, world.now) else { continue };
            for change in found.found.iter().rev().take(1) {
                let mut after = inventory.clone();
                change.apply(&mut after);
                let after_model = Model::new(Arc::new(after.clone()), world.settings.clone()).value;
                each_that_is_said_is_true(&world, [&inventory, &after], change);
                turned += nothing_else_turns(&world, [&inventory, &after], [&model, &after_model], link, change);
                checked += 1;
            }
        }
    }
    println!("{checked} changes, {turned} other links");
    assert!(checked > 10 && turned > 50, "{checked} changes, {turned} other links");
}

fn each_that_is_said_is_true(world: &World, [before, after]: [&Inventory; 2], change: &Change) {
    for turned in change.also_opens.links.iter().chain(&change.also_closes.links) {
        for port in turned.ports.ranges().iter().flat_map(|range| [range.first(), range.last()]) {
            let (from, to) = turned.ends.clone();
            let link = Link { from, to, protocol: turned.protocol, port };
            let words = [before, after].map(|inventory| word(inventory, &world.settings, &link, world.now));
            // The brute force does not know an own node that is reached.
            if words != [None, None] {
                assert_eq!(words, [Some(turned.was), Some(turned.is)], "seed {}: {link:?}", world.seed);
            }
        }
    }
}

fn nothing_else_turns(
    world: &World,
    [before, after]: [&Inventory; 2],
    models: [&Model; 2],
    asked: &Link,
    change: &Change,
) -> usize {
    let mut turned = 0;
    let asked_pods = [&asked.from, &asked.to].map(|end| {
        models[0]
            .render_ends(&Link { from: end.clone(), to: end.clone(), ..asked.clone() }, world.now)
            .map(|ends| ends.0)
            .unwrap_or_default()
    });
    for (from, from_group) in ends(models, Side::From) {
        for (to, to_group) in ends(models, Side::To) {
            if !matches!((&from, &to), (End::Pod(_), _) | (_, End::Pod(_))) || same_pod(&from, &to) {
                continue;
            }
            for (protocol, port) in Protocol::ALL.into_iter().flat_map(|protocol| PORTS.map(|port| (protocol, port))) {
                let link = Link { from: from.clone(), to: to.clone(), protocol, port };
                let [was, is] = [before, after].map(|inventory| word(inventory, &world.settings, &link, world.now));
                if was == is || was != Some(Word::Allowed) && is != Some(Word::Allowed) {
                    continue;
                }
                let list = if is == Some(Word::Allowed) { &change.also_opens } else { &change.also_closes };
                let is_said = list.links.iter().any(|one| {
                    one.ends.1 == to
                        && is_sender(&one.ends.0, &from)
                        && one.protocol == protocol
                        && one.ports.contains(port)
                });
                let is_asked = (protocol, port) == (asked.protocol, asked.port)
                    && (same_group(models[0], &asked.from, &from, &from_group)
                        || same_group(models[0], &asked.from, &asked.from, &from_group)
                            && turns_whole(world, [before, after], models, &link))
                    && same_group(models[0], &asked.to, &to, &to_group);
                turned += 1;
                assert!(
                    is_said || is_asked || list.is_cut,
                    "seed {}: asked {asked:?} ({asked_pods:?})\nnot said: {was:?} to {is:?} {link:?}\nby {:#?}\nsaid: {:#?}",
                    world.seed,
                    change.edits,
                    list.links
                );
            }
        }
    }
    turned
}

/// Whether each process of the sender's pod gets what this one gets: then the pod is one.
fn turns_whole(world: &World, [before, after]: [&Inventory; 2], models: [&Model; 2], link: &Link) -> bool {
    let words = |from: &End| {
        let link = Link { from: from.clone(), ..link.clone() };
        [before, after].map(|inventory| word(inventory, &world.settings, &link, world.now))
    };
    let of_one = words(&link.from);
    let processes = ends(models, Side::From).into_iter().map(|(end, _)| end).filter(|end| same_pod(end, &link.from));
    processes.into_iter().all(|end| words(&end) == of_one)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    From,
    To,
}

/// Pods with their processes, somebody outside, and the own node; and what they are replicas of.
fn ends(models: [&Model; 2], side: Side) -> Vec<(End, String)> {
    let asked = |pod: &&PodFacts| {
        let named = models[0].pod_named(&pod.namespace, &pod.name).expect("it is in the model");
        pod.decides() && !models[0].spec(pod).host_network && named.index == pod.index
    };
    let mut ends = Vec::new();
    for pod in models[0].pods().iter().filter(asked) {
        let group = format!("{}/{}", pod.namespace, pod.workload.name);
        let end = |container: Which, program: Which| {
            let (namespace, name) = (pod.namespace.clone(), pod.name.clone());
            End::Pod(PodEnd { namespace, name, container, program, address: None })
        };
        if side == Side::To {
            ends.push((end(Which::Unsaid, Which::Unsaid), group));
            continue;
        }
        for container in &models[0].spec(pod).containers {
            let named = models.iter().flat_map(|model| {
                let pod = model.pod_named(&pod.namespace, &pod.name).expect("the same pods");
                model.named_programs(pod, &container.name)
            });
            let programs: std::collections::BTreeSet<_> = named.collect();
            for program in programs.into_iter().map(Which::Named).chain([Which::Other]) {
                ends.push((end(Which::Named(container.name.clone()), program), group.clone()));
            }
        }
    }
    if let Some(address) = models[0].world_address(true) {
        ends.push((End::Address(address), "world".to_owned()));
    }
    ends.push((End::Node { name: OWN_NODE.into(), address: None }, "node".to_owned()));
    ends
}

/// Whether what is said of `said` holds for `sender`: the same process, or the pod as a whole.
fn is_sender(said: &End, sender: &End) -> bool {
    match (said, sender) {
        (End::Pod(said), End::Pod(sender)) => {
            let pod = (&said.namespace, &said.name) == (&sender.namespace, &sender.name);
            let process = (&said.container, &said.program) == (&sender.container, &sender.program);
            pod && (said.container == Which::Unsaid || process)
        }
        _ => said == sender,
    }
}

fn same_pod(from: &End, to: &End) -> bool {
    match (from, to) {
        (End::Pod(from), End::Pod(to)) => (&from.namespace, &from.name) == (&to.namespace, &to.name),
        _ => false,
    }
}

/// Whether an end is of the group that was asked about: the same pod, or a replica; container and program too.
fn same_group(model: &Model, asked: &End, end: &End, group: &str) -> bool {
    let of_pod = |pod: &PodFacts| format!("{}/{}", pod.namespace, pod.workload.name) == group;
    match asked {
        End::Pod(asked) => {
            let is_process = match end {
                End::Pod(end) => {
                    asked.container == Which::Unsaid
                        || end.container == Which::Unsaid
                        || asked.container == end.container
                            && (asked.program == Which::Unsaid || asked.program == end.program)
                }
                End::Node { .. } | End::Address(_) => true,
            };
            is_process && model.pod_named(&asked.namespace, &asked.name).is_some_and(of_pod)
        }
        End::Address(address) => match model.pods().iter().find(|pod| pod.addresses.contains(address)) {
            Some(pod) => of_pod(pod),
            None => group == "world",
        },
        End::Node { .. } => group == "node",
    }
}
