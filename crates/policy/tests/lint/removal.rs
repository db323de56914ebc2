//! What lint calls without effect is taken out of random worlds, and no answer changes.

use std::collections::BTreeMap;
use std::sync::Arc;

use palisade_manifests::load_text;
use palisade_model::finding::{Finding, Subject};
use palisade_model::link::{End, Link, OWN_NODE, PodEnd, Which};
use palisade_model::network_policy::NetworkPolicy;
use palisade_model::settings::Settings;
use palisade_model::tiered_policy::{PodScope, Tier, TierAction, TieredPeer, TieredPolicy, TieredRule, TieredTarget};
use palisade_model::verdict::Judgement;
use palisade_model::{Inventory, Kind, Labels, Meta, ObjectRef, Place, Protocol, Selector};
use palisade_policy::Model;
use palisade_worlds::{World, anything};

use crate::lint;

/// How many worlds; `PALISADE_WORLDS` sets another number, `PALISADE_SEED` the first seed.
const WORLDS: u64 = 100;

/// How often each rule must have spoken, or the test says too little.
const FLOOR: usize = 5;

/// Rules whose findings name a rule of a policy that can go.
const OF_RULES: [&str; 5] = ["contained-rule", "overridden-allow", "idle-allow", "idle-deny", "shadowed-tier-rule"];

/// Rules whose findings name a policy that can go.
const OF_POLICIES: [&str; 2] = ["duplicate-policy", "selector-matches-nothing"];

/// Findings about a rule that several others cover, and none of them alone.
const TOGETHER: &str = "together";

#[test]
fn what_is_called_without_effect_has_none() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let first = number("PALISADE_SEED").unwrap_or(0);
    let count = number("PALISADE_WORLDS").unwrap_or(WORLDS);
    let mut spoken: BTreeMap<String, usize> = BTreeMap::new();
    for seed in first..first + count {
        let world = anything::generate(seed);
        let whole = doubled(load_text("world.yaml", &world.yaml).value, seed);
        let findings = lint(whole.clone(), Vec::new(), world.now);
        let before = words(&whole, &world);
        // One by one, so that a wrong one is named; then all at once.
        let removable: Vec<&Finding> = findings.iter().filter(|finding| can_go(finding)).collect();
        for finding in &removable {
            *spoken.entry(finding.rule.to_string()).or_default() += 1;
            if finding.message.ends_with(" together") || finding.message.contains(" match first") {
                *spoken.entry(TOGETHER.to_owned()).or_default() += 1;
            }
            let mut without = whole.clone();
            remove(&mut without, &[finding]);
            assert_eq!(first_difference(&before, &words(&without, &world)), None, "seed {seed}: {finding:#?}");
        }
        let mut without = whole.clone();
        remove(&mut without, &removable);
        assert_eq!(first_difference(&before, &words(&without, &world)), None, "seed {seed}, all: {removable:#?}");
    }
    println!("{spoken:?}");
    if count >= WORLDS {
        for rule in OF_RULES.into_iter().chain(OF_POLICIES).chain([TOGETHER]) {
            assert!(spoken.get(rule).copied().unwrap_or_default() >= FLOOR, "{rule} speaks too rarely: {spoken:?}");
        }
    }
}

fn can_go(finding: &Finding) -> bool {
    // A policy is named as a whole when its own selector matches nothing.
    let policy = OF_POLICIES.contains(&&*finding.rule) && !finding.message.starts_with("peer");
    policy || OF_RULES.contains(&&*finding.rule)
}

/// The world with rules of its policies once more, elsewhere and narrower: what people do, and generators do not.
fn doubled(mut inventory: Inventory, seed: u64) -> Inventory {
    let picked = |position: usize| (seed as usize + position).is_multiple_of(3);
    let again: Vec<_> =
        inventory.network_policies.iter().enumerate().filter(|(position, _)| picked(*position)).collect();
    let again = again.into_iter().map(|(position, policy)| {
        let mut shared = Arc::clone(policy);
        let copy = Arc::make_mut(&mut shared);
        copy.meta.reference.name = format!("zz-{position}").into();
        if (seed as usize).is_multiple_of(2) {
            for rule in copy.ingress.iter_mut().chain(&mut copy.egress).flatten() {
                rule.peers.truncate(1);
                rule.ports.truncate(1);
            }
        }
        shared
    });
    let mut again: Vec<_> = again.collect();
    again.extend(halves(&inventory, seed));
    inventory.network_policies.extend(again);
    let again: Vec<_> =
        inventory.access_policies.iter().enumerate().filter(|(position, _)| picked(*position)).collect();
    let again = again.into_iter().map(|(position, policy)| {
        let mut shared = Arc::clone(policy);
        let copy = Arc::make_mut(&mut shared);
        copy.meta.reference.name = format!("zz-{position}").into();
        for rule in &mut copy.rules {
            rule.from.truncate(1);
            rule.to.truncate(1);
            if (seed as usize).is_multiple_of(4) {
                rule.action = palisade_model::access_policy::Action::Allow;
            }
        }
        shared
    });
    let again: Vec<_> = again.collect();
    inventory.access_policies.extend(again);
    if seed.is_multiple_of(5) {
        let everyone = || PodScope { namespace_selector: Selector::default(), pod_selector: Selector::default() };
        let place = Place::new("added.yaml", 1);
        let peer = TieredPeer { place: place.clone(), target: TieredTarget::Pods(everyone()) };
        let accept =
            TieredRule { place: place.clone(), name: None, action: TierAction::Accept, peers: vec![peer], ports: None };
        let meta = Meta {
            reference: ObjectRef { kind: Kind::ClusterNetworkPolicy, namespace: None, name: "accepts-all".into() },
            place: place.clone(),
            labels: Labels::default(),
            annotations: Labels::default(),
            uid: None,
            owner: None,
        };
        inventory.tiered_policies.push(Arc::new(TieredPolicy {
            meta,
            tier: Tier::Admin,
            priority: 0,
            subject: everyone(),
            ingress: vec![accept.clone()],
            egress: vec![accept],
        }));
    }
    for policy in inventory.tiered_policies.iter_mut().map(Arc::make_mut) {
        let first = policy.egress.first().cloned();
        policy.egress.extend(first.filter(|_| seed.is_multiple_of(3)));
        let first = policy.ingress.first().cloned();
        policy.ingress.extend(first.filter(|_| seed.is_multiple_of(5)));
    }
    inventory
}

/// Policies named before the ones that they are of, of which lint therefore tells: their rules say together what those of another say alone: of some the first peer and the rest, of others the ports.
fn halves(inventory: &Inventory, seed: u64) -> Vec<Arc<NetworkPolicy>> {
    let picked = |position: usize| (seed as usize + position) % 3 == 1;
    let policies = inventory.network_policies.iter().enumerate().filter(|(position, _)| picked(*position));
    let halves = policies.flat_map(|(position, policy)| {
        [true, false].map(|is_first| {
            let mut shared = Arc::clone(policy);
            let copy = Arc::make_mut(&mut shared);
            copy.meta.reference.name = format!("0-{position}-{is_first}").into();
            for rule in copy.ingress.iter_mut().chain(&mut copy.egress).flatten() {
                match (is_first, rule.peers.len() > 1, rule.ports.len() > 1) {
                    (true, true, _) => rule.peers.truncate(1),
                    (false, true, _) => drop(rule.peers.remove(0)),
                    (true, false, true) => rule.ports.truncate(1),
                    (false, false, true) => drop(rule.ports.remove(0)),
                    (_, false, false) => {}
                }
            }
            shared
        })
    });
    halves.collect()
}

fn remove(inventory: &mut Inventory, findings: &[&Finding]) {
    let object = |finding: &Finding| match &finding.subject {
        Some(Subject::Object(object)) => object.clone(),
        Some(Subject::Image(_)) | None => panic!("{finding:?} is of no object"),
    };
    let mut parts: Vec<(ObjectRef, String, usize)> = Vec::new();
    let mut policies: Vec<ObjectRef> = Vec::new();
    for finding in findings {
        if OF_POLICIES.contains(&&*finding.rule) {
            policies.push(object(finding));
            continue;
        }
        let part = finding.part.as_deref().expect("a rule of a policy");
        let (list, rest) = part.split_once('[').expect("an index");
        let index = rest.split_once(']').and_then(|(index, _)| index.parse().ok()).expect("an index");
        parts.push((object(finding), list.to_owned(), index));
    }
    // The last first, so that the others keep their places.
    parts.sort_by_key(|(object, list, index)| std::cmp::Reverse((*index, object.clone(), list.clone())));
    parts.dedup();
    for (object, list, index) in parts {
        let network =
            inventory.network_policies.iter_mut().map(Arc::make_mut).find(|policy| policy.meta.reference == object);
        let access =
            inventory.access_policies.iter_mut().map(Arc::make_mut).find(|policy| policy.meta.reference == object);
        let tiered =
            inventory.tiered_policies.iter_mut().map(Arc::make_mut).find(|policy| policy.meta.reference == object);
        match (network, access, tiered, list.as_str()) {
            (Some(policy), _, _, "ingress") => drop(policy.ingress.as_mut().expect("it has one").remove(index)),
            (Some(policy), _, _, _) => drop(policy.egress.as_mut().expect("it has one").remove(index)),
            (_, Some(policy), _, _) => drop(policy.rules.remove(index)),
            (_, _, Some(policy), "ingress") => drop(policy.ingress.remove(index)),
            (_, _, Some(policy), _) => drop(policy.egress.remove(index)),
            (None, None, None, _) => panic!("{object} is not there"),
        }
    }
    inventory.network_policies.retain(|policy| !policies.contains(&policy.meta.reference));
    inventory.perimeters.retain(|policy| !policies.contains(&policy.meta.reference));
    inventory.tiered_policies.retain(|policy| !policies.contains(&policy.meta.reference));
}

/// What each end says, enforced and would-be, of the world's links, of every pair of pods, and of outside.
fn words(inventory: &Inventory, world: &World) -> BTreeMap<Link, [String; 4]> {
    let model = Model::new(Arc::new(inventory.clone()), Settings::of(inventory)).value;
    let mut links = world.links.clone();
    let pod = |pod: &palisade_policy::PodFacts| {
        End::Pod(PodEnd {
            namespace: pod.namespace.clone(),
            name: pod.name.clone(),
            container: Which::Unsaid,
            program: Which::Unsaid,
            address: None,
        })
    };
    let others = [
        End::Address([203, 0, 113, 7].into()),
        End::Address([169, 254, 169, 254].into()),
        End::Node { name: OWN_NODE.into(), address: None },
    ];
    for from in model.pods() {
        let ends = model.pods().iter().map(pod).chain(others.clone());
        for to in ends {
            for (protocol, port) in [(Protocol::Tcp, 8080), (Protocol::Udp, 53)] {
                links.push(Link { from: pod(from), to: to.clone(), protocol, port });
                links.push(Link { from: to.clone(), to: pod(from), protocol, port });
            }
        }
    }
    let judged = links.into_iter().filter_map(|link| Some((link.clone(), model.judge(&link, world.now).ok()?)));
    judged.map(|(link, judgement)| (link, each_end(&judgement))).collect()
}

fn each_end(judgement: &Judgement) -> [String; 4] {
    let Judgement { enforced, would_be } = judgement;
    [&enforced.egress, &enforced.ingress, &would_be.egress, &would_be.ingress].map(|verdict| verdict.word().to_owned())
}

/// A link, what was said of it, and what is said now.
type Difference<'w> = (&'w Link, &'w [String; 4], Option<&'w [String; 4]>);

fn first_difference<'w>(
    before: &'w BTreeMap<Link, [String; 4]>,
    after: &'w BTreeMap<Link, [String; 4]>,
) -> Option<Difference<'w>> {
    let pairs = before.iter().map(|(link, words)| (link, words, after.get(link)));
    let differs = |link: &Link, words: &[String; 4], other: Option<&[String; 4]>| {
        let Some(other) = other else { return true };
        // Of a sender whose program is not said, an Allow and a Deny of that program are both open questions; without the
        // Allow the question is closed.
        let is_closed = |before: &str| leaves_open(&link.from) && before == "undecided";
        words.iter().zip(other).any(|(before, after)| before != after && !is_closed(before))
    };
    pairs.into_iter().find(|(link, words, other)| differs(link, words, *other))
}

fn leaves_open(end: &End) -> bool {
    match end {
        End::Pod(pod) => pod.container == Which::Unsaid || pod.program == Which::Unsaid,
        End::Node { .. } | End::Address(_) => false,
    }
}

#[test]
fn the_order_of_objects_changes_no_finding() {
    for seed in 0..50 {
        let world = anything::generate(seed);
        let mut inventory = load_text("world.yaml", &world.yaml).value;
        let before = lint(inventory.clone(), Vec::new(), world.now);
        inventory.network_policies.reverse();
        inventory.access_policies.reverse();
        inventory.tiered_policies.reverse();
        inventory.perimeters.reverse();
        inventory.pods.reverse();
        assert_eq!(lint(inventory, Vec::new(), world.now), before, "seed {seed}");
    }
}
