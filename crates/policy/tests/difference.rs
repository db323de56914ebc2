//! What a change opens and closes is what `judge` says otherwise of a pair of pods on a port, and nothing else.

use std::sync::Arc;

use palisade_model::link::{End, Link, PodEnd, Which};
use palisade_model::port::Protocol;
use palisade_model::verdict::Word;
use palisade_model::{Name, Timestamp};
use palisade_policy::compile::Carrier;
use palisade_policy::difference::{Change, Difference, difference};
use palisade_policy::map::{Family, Subject};
use palisade_policy::{Model, PodFacts};
use palisade_worlds::anything;

/// One of each kind, and the borders of what the worlds' rules name.
const PORTS: [u16; 7] = [0, 53, 80, 8000, 8080, 9000, 65535];

#[test]
fn the_difference_is_where_judge_says_something_else() {
    let (mut changed, mut same) = (0, 0);
    for seed in 0..60 {
        let world = anything::generate(seed);
        let documents: Vec<&str> = world.yaml.split("---\n").filter(|text| !text.trim().is_empty()).collect();
        let policies = (0..documents.len()).filter(|at| is_policy(documents[*at]));
        // One policy less, and another in Audit.
        for dropped in policies.step_by(3) {
            let without: Vec<&str> =
                documents.iter().enumerate().filter(|(at, _)| *at != dropped).map(|(_, text)| *text).collect();
            let [old, new] = [&documents, &without].map(|documents| {
                let inventory = palisade_manifests::load_text("world", &documents.join("---\n")).value;
                Model::new(Arc::new(inventory), world.settings.clone()).value
            });
            let found = difference(&old, &new, world.now);
            let (of_changed, of_same) = compare(seed, &old, &new, &found, world.now);
            changed += of_changed;
            same += of_same;
            let back = difference(&new, &old, world.now);
            assert_eq!(mirrored(&back), mirrored_words(&found), "seed {seed}: the way back is the mirror");
        }
    }
    assert!(changed > 2_000 && same > 50_000, "{changed} links changed, {same} did not");
}

fn is_policy(document: &str) -> bool {
    document.lines().any(|line| line.starts_with("kind: ") && (line.ends_with("Policy") || line.ends_with("Perimeter")))
}

type Mirrored = std::collections::BTreeSet<(Subject, Subject, Word, Word, Option<Family>, String)>;

fn mirrored(difference: &Difference) -> Mirrored {
    let of = |change: &Change| {
        let (from, to) = (change.from.clone(), change.to.clone());
        (from, to, change.after, change.before, change.family, format!("{:?}", change.ports))
    };
    difference.changes.iter().map(of).collect()
}

fn mirrored_words(difference: &Difference) -> Mirrored {
    let of = |change: &Change| {
        let (from, to) = (change.from.clone(), change.to.clone());
        (from, to, change.before, change.after, change.family, format!("{:?}", change.ports))
    };
    difference.changes.iter().map(of).collect()
}

fn compare(seed: u64, old: &Model, new: &Model, found: &Difference, now: Timestamp) -> (usize, usize) {
    let (mut changed, mut same) = (0, 0);
    let is_party = |pod: &&PodFacts| pod.decides() && !new.spec(pod).host_network;
    for from in new.pods().iter().filter(is_party) {
        for to in new.pods().iter().filter(is_party).filter(|to| to.index != from.index && have_common_family(from, to))
        {
            let relevant: Vec<&Change> = found.changes.iter().filter(|change| is_of(&change.to, to, None)).collect();
            for container in new.spec(from).containers.iter().map(|container| &container.name) {
                let relevant: Vec<&&Change> =
                    relevant.iter().filter(|change| is_sender(found, &change.from, from, container)).collect();
                for protocol in Protocol::ALL {
                    for port in PORTS {
                        let link = link(from, to, container, protocol, port);
                        let word = |model: &Model| {
                            let judgement = model.judge(&link, now).expect("the pods are in both");
                            Word::from(judgement.enforced.link().1)
                        };
                        let expected = Some((word(old), word(new))).filter(|(before, after)| before != after);
                        let told = relevant.iter().find(|change| has(change, family(from, to), protocol, port));
                        let told = told.map(|change| (change.before, change.after));
                        assert_eq!(told, expected, "seed {seed}: {link:?}");
                        if expected.is_some() { changed += 1 } else { same += 1 }
                    }
                }
            }
        }
    }
    (changed, same)
}

fn link(from: &PodFacts, to: &PodFacts, container: &Name, protocol: Protocol, port: u16) -> Link {
    let end = |pod: &PodFacts, container, program| {
        let (namespace, name) = (pod.namespace.clone(), pod.name.clone());
        End::Pod(PodEnd { namespace, name, container, program, address: None })
    };
    let from = end(from, Which::Named(container.clone()), Which::Other);
    Link { from, to: end(to, Which::Unsaid, Which::Unsaid), protocol, port }
}

/// The family that a link without a said address has.
fn family(from: &PodFacts, to: &PodFacts) -> Family {
    let has_four = |pod: &PodFacts| pod.addresses.is_empty() || pod.addresses.iter().any(|address| address.is_ipv4());
    if has_four(from) && has_four(to) { Family::IPv4 } else { Family::IPv6 }
}

fn have_common_family(from: &PodFacts, to: &PodFacts) -> bool {
    let has = |pod: &PodFacts, v4: bool| {
        pod.addresses.is_empty() || pod.addresses.iter().any(|address| address.is_ipv4() == v4)
    };
    [true, false].into_iter().any(|v4| has(from, v4) && has(to, v4))
}

fn has(change: &Change, family: Family, protocol: Protocol, port: u16) -> bool {
    let mut ports = change.ports.iter().filter(|(carrier, _)| *carrier == Carrier::from(protocol));
    change.family.is_none_or(|own| own == family)
        && ports.any(|(_, spans)| spans.iter().any(|(first, last)| (*first..=*last).contains(&port)))
}

/// Whether the subject has the pod; its process aside, unless one is given.
fn is_of(subject: &Subject, pod: &PodFacts, process: Option<&Which>) -> bool {
    let Some(part) = subject.part() else { return false };
    let is_pod = part.pods.is_empty() || part.pods.contains(&pod.name);
    let is_process = match (process, &part.process) {
        (None, _) | (_, None) => true,
        (Some(container), Some(own)) => {
            own.container == *container && matches!(own.program, Which::Other | Which::Unsaid)
        }
    };
    (&part.namespace, &part.workload) == (&pod.namespace, &pod.workload) && is_pod && is_process
}

fn is_sender(found: &Difference, subject: &Subject, pod: &PodFacts, container: &Name) -> bool {
    let named = Which::Named(container.clone());
    if is_of(subject, pod, Some(&named)) {
        return true;
    }
    let is_named = found.senders.iter().any(|subject| {
        let process = subject.part().and_then(|part| part.process.as_ref());
        is_of(subject, pod, None) && process.is_some_and(|process| process.container == named)
    });
    !is_named && is_of(subject, pod, Some(&Which::Other))
}
