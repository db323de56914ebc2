//! The engine against the brute force, over random worlds.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;

use palisade_manifests::load_text;
use palisade_model::access_policy::{AccessPolicy, Action, Mode};
use palisade_model::link::Link;
use palisade_model::settings::{Guarded, Settings};
use palisade_model::tiered_policy::{Tier, TierAction};
use palisade_model::verdict::{Because, Decision, Judgement, Verdict};
use palisade_model::{Effect, Inventory, Name, Timestamp};
use palisade_policy::{Grant, Model};
use palisade_worlds::{Candidate, Coverage, RunnableWorld, World, anything, choose, runnable};

/// How many worlds; `PALISADE_WORLDS` sets another number, `PALISADE_SEED` the first seed.
const WORLDS: u64 = 2_000;

/// How often each word of the coverage must decide.
const FLOOR: u64 = 20;

fn seeds(count: u64) -> std::ops::Range<u64> {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let first = number("PALISADE_SEED").unwrap_or(0);
    first..first + number("PALISADE_WORLDS").unwrap_or(count)
}

fn inventory(world: &World, yaml: &str) -> Inventory {
    let mut inventory = load_text("world.yaml", yaml).value;
    inventory.unreadable.extend(world.unreadable.iter().cloned());
    inventory
}

fn by_oracle(inventory: &Inventory, settings: &Settings, link: &Link, now: Timestamp) -> Option<Judgement> {
    palisade_oracle::judge(inventory, settings, link, now).ok()
}

fn by_engine(model: &Model, link: &Link, now: Timestamp) -> Option<Judgement> {
    model.judge(link, now).ok()
}

fn model(inventory: Inventory, settings: &Settings) -> Model {
    Model::new(Arc::new(inventory), settings.clone()).value
}

#[test]
fn the_engine_says_what_the_brute_force_says() {
    let mut coverage = Coverage::default();
    let (mut allowed, mut asked) = (0, 0);
    let mut disagreements = Vec::new();
    for seed in seeds(WORLDS) {
        let world = anything::generate(seed);
        let inventory = inventory(&world, &world.yaml);
        let model = model(inventory.clone(), &world.settings);
        let without_passes = without_passes(&inventory);
        for link in &world.links {
            let expected = by_oracle(&inventory, &world.settings, link, world.now);
            let actual = by_engine(&model, link, world.now);
            if expected != actual {
                disagreements.push((seed, link.clone()));
            }
            let Some(judgement) = expected else { continue };
            coverage.count(&inventory, link, &judgement.enforced);
            for (tier, without) in &without_passes {
                let other = by_oracle(without, &world.settings, link, world.now).expect("the same ends");
                if words(&other.enforced) != words(&judgement.enforced) {
                    coverage.count_pass(*tier);
                }
            }
            asked += 1;
            allowed += usize::from(judgement.enforced.is_allowed());
        }
    }
    println!("{allowed} of {asked} allowed\n{coverage}");
    if !disagreements.is_empty() {
        panic!("{}", report(&disagreements));
    }
    if seeds(WORLDS).end - seeds(WORLDS).start >= WORLDS {
        assert_eq!(coverage.below(&Coverage::all(), FLOOR), [], "these decide too rarely");
        let share = allowed * 100 / asked;
        assert!((20..=80).contains(&share), "{share} % allowed");
    }
}

/// For each tier that has some: the inventory without its rules that Pass.
fn without_passes(inventory: &Inventory) -> Vec<(Tier, Inventory)> {
    let mut found = Vec::new();
    for tier in [Tier::Admin, Tier::Baseline] {
        let mut without = inventory.clone();
        for policy in without.tiered_policies.iter_mut().map(Arc::make_mut).filter(|policy| policy.tier == tier) {
            policy.ingress.retain(|rule| rule.action != TierAction::Pass);
            policy.egress.retain(|rule| rule.action != TierAction::Pass);
        }
        if without != *inventory {
            found.push((tier, without));
        }
    }
    found
}

fn words(decision: &Decision) -> [&'static str; 2] {
    [decision.egress.word(), decision.ingress.word()]
}

/// How many of a world's connections the lab has time for.
const TRIES: usize = 48;

/// Worlds of `make test` in the lab; so many must meet every word.
const LAB_WORLDS: u64 = 40;

#[test]
fn forty_worlds_for_the_lab_meet_everything() {
    let now = Timestamp::from_second(1_800_000_000).expect("an instant");
    let mut coverage = Coverage::default();
    let mut odd = Vec::new();
    for seed in seeds(LAB_WORLDS) {
        let world = runnable::generate(seed);
        let (chosen, met) = choose_tries(&world, &coverage, now);
        coverage = met;
        let share = chosen.iter().filter(|allowed| **allowed).count() * 100 / chosen.len();
        if !(20..=80).contains(&share) {
            odd.push((seed, share));
        }
    }
    println!("{coverage}\noutside of 20 to 80 %: {odd:?}");
    assert_eq!(coverage.below(Coverage::RUNNABLE, 1), [], "these never decide");
    assert!((odd.len() as u64) < LAB_WORLDS / 10, "too many worlds are open or closed: {odd:?}");
}

/// Whether each chosen connection is allowed, engine and brute force of one mind, and what was met.
fn choose_tries(world: &RunnableWorld, so_far: &Coverage, now: Timestamp) -> (Vec<bool>, Coverage) {
    let outcome = load_text("world.yaml", &world.as_if_running);
    let settings = Settings::of(&outcome.value);
    let model = model(outcome.value.clone(), &settings);
    let mut candidates = Vec::new();
    for attempt in &world.tries {
        let seed = world.seed;
        let dial = attempt.dial(&outcome.value).unwrap_or_else(|| panic!("seed {seed}: {attempt:?} leads nowhere"));
        let mut coverage = Coverage::default();
        let mut allowed = !dial.links.is_empty();
        for link in &dial.links {
            let expected = by_oracle(&outcome.value, &settings, link, now).expect("known ends");
            assert_eq!(Some(&expected), by_engine(&model, link, now).as_ref(), "seed {seed}: {}", shown(link));
            coverage.count(&outcome.value, link, &expected.enforced);
            allowed &= expected.enforced.is_allowed();
        }
        candidates.push(Candidate { item: allowed, coverage, allowed });
    }
    let mut met = so_far.clone();
    (choose(candidates, &mut met, TRIES), met)
}

#[test]
fn what_the_user_writes_for_the_lab_has_no_problem_that_changes_answers() {
    for seed in seeds(LAB_WORLDS) {
        for yaml in [runnable::generate(seed).yaml, runnable::generate(seed).as_if_running] {
            let problems = load_text("world.yaml", &yaml).problems;
            let serious: Vec<_> = problems.iter().filter(|it| it.effect == Effect::MayChangeAnswers).collect();
            assert!(serious.is_empty(), "seed {seed}: {serious:?}");
        }
    }
}

#[test]
fn explain_agrees_with_check() {
    for seed in seeds(WORLDS / 10) {
        let world = anything::generate(seed);
        let model = model(inventory(&world, &world.yaml), &world.settings);
        for link in &world.links {
            let Some(judgement) = by_engine(&model, link, world.now) else { continue };
            let explanation = model.explain(link, world.now, Grant::Process).expect("judge knew the ends");
            assert_eq!(explanation.judgement, judgement, "seed {seed}: {}", shown(link));
            for (end, enforced) in
                [(&explanation.egress, &judgement.enforced.egress), (&explanation.ingress, &judgement.enforced.ingress)]
            {
                assert_eq!(&end.enforced, enforced, "seed {seed}: {}", shown(link));
                if let Verdict::Allow(Because::Rule { rule }) | Verdict::Deny(Because::Rule { rule }) = enforced {
                    let shows_it = end.rules.iter().any(|shown| shown.rule == *rule && shown.covers == Some(true));
                    assert!(shows_it, "seed {seed}: {}: {rule} decided and is not shown", shown(link));
                }
                if let Verdict::Deny(Because::Closed { closed_by }) = enforced {
                    let shows_it = end.closed_by.contains(closed_by);
                    assert!(shows_it, "seed {seed}: {}: {closed_by} closed it and is not shown", shown(link));
                }
            }
        }
    }
}

#[test]
fn a_consent_that_explain_prints_opens_the_link() {
    let (mut applied, mut failed) = (0, Vec::new());
    for seed in seeds(WORLDS / 10) {
        let world = anything::generate(seed);
        let model = model(inventory(&world, &world.yaml), &world.settings);
        for link in &world.links {
            let Ok(explanation) = model.explain(link, world.now, Grant::Process) else { continue };
            if explanation.consents.is_empty() {
                continue;
            }
            let consents: Vec<String> = explanation.consents.iter().map(|it| format!("---\n{}\n", it.yaml)).collect();
            let yaml = format!("{}{}", world.yaml, consents.concat());
            let after = by_oracle(&inventory(&world, &yaml), &world.settings, link, world.now).expect("known ends");
            applied += 1;
            if !after.enforced.is_allowed() {
                failed.push((seed, link.clone(), consents.concat(), after.enforced));
            }
        }
    }
    assert!(applied > 100, "{applied} consents were tried");
    for (seed, link, consents, decision) in failed.iter().take(3) {
        println!("seed {seed}: {}\n{consents}{}\n{}\n", shown(link), decision.egress, decision.ingress);
    }
    assert!(failed.is_empty(), "{} of {applied} consents do not open the link", failed.len());
}

#[test]
fn who_is_guarded_decides_what_comes_about() {
    let guarded = [&[][..], &["node1"], &["node2"], &["node1", "node2"]];
    for seed in seeds(WORLDS / 10) {
        let mut world = anything::generate(seed);
        let nodes = guarded[seed as usize % guarded.len()];
        world.settings.guarded = Guarded::Only(nodes.iter().map(|name| Name::from(*name)).collect());
        let inventory = inventory(&world, &world.yaml);
        let model = model(inventory.clone(), &world.settings);
        for link in &world.links {
            let expected = palisade_oracle::judge_at(&inventory, &world.settings, link, world.now).ok();
            let actual = model.enforcement(link, world.now).ok();
            assert_eq!(
                expected.as_ref().map(palisade_oracle::Judged::passes),
                actual.as_ref().map(|it| it.is_allowed()),
                "seed {seed}: guarded {nodes:?}: {}\n{expected:?}",
                shown(link),
            );
        }
    }
}

#[test]
fn the_order_of_documents_changes_nothing() {
    for seed in seeds(WORLDS / 10) {
        let world = anything::generate(seed);
        let backwards: String = documents(&world.yaml).into_iter().rev().collect();
        let one = model(inventory(&world, &world.yaml), &world.settings);
        let other = model(inventory(&world, &backwards), &world.settings);
        for link in &world.links {
            // Lines differ, so only the words are compared.
            let words = |model: &Model| {
                by_engine(model, link, world.now).map(|judgement| {
                    [
                        judgement.enforced.egress,
                        judgement.enforced.ingress,
                        judgement.would_be.egress,
                        judgement.would_be.ingress,
                    ]
                    .map(|verdict| (verdict.word(), verdict.rule().map(|rule| (rule.object.clone(), rule.rule))))
                })
            };
            assert_eq!(words(&one), words(&other), "seed {seed}: {link}", link = shown(link));
        }
    }
}

#[test]
fn an_allow_removes_no_path_and_a_deny_adds_none() {
    for seed in seeds(WORLDS / 5) {
        let world = anything::generate(seed);
        let before = inventory(&world, &world.yaml);
        for action in [Action::Allow, Action::Deny] {
            let Some(after) = with_one_more(&before, seed, action) else { continue };
            let (old, new) = (model(before.clone(), &world.settings), model(after, &world.settings));
            for link in &world.links {
                let allowed = |model: &Model| by_engine(model, link, world.now).map(|it| it.enforced.is_allowed());
                let (old, new) = (allowed(&old), allowed(&new));
                match action {
                    Action::Allow => assert!(old <= new, "seed {seed}: an Allow closed {}", shown(link)),
                    Action::Deny => assert!(old >= new, "seed {seed}: a Deny opened {}", shown(link)),
                }
            }
        }
    }
}

#[test]
fn audit_changes_nothing_enforced_and_would_be_is_what_enforcing_would_do() {
    for seed in seeds(WORLDS / 5) {
        let world = anything::generate(seed);
        let all = inventory(&world, &world.yaml);
        let (mut without, mut enforced) = (all.clone(), all.clone());
        without.access_policies.retain(|policy| policy.mode == Mode::Enforce);
        without.perimeters.retain(|perimeter| perimeter.mode == Mode::Enforce);
        enforced.access_policies.iter_mut().map(Arc::make_mut).for_each(|policy| policy.mode = Mode::Enforce);
        enforced.perimeters.iter_mut().map(Arc::make_mut).for_each(|perimeter| perimeter.mode = Mode::Enforce);
        let models = [all, without, enforced].map(|inventory| model(inventory, &world.settings));
        for link in &world.links {
            let [all, without, enforced] = models.each_ref().map(|model| by_engine(model, link, world.now));
            let (Some(all), Some(without), Some(enforced)) = (all, without, enforced) else { continue };
            assert_eq!(all.enforced, without.enforced, "seed {seed}: {}", shown(link));
            assert_eq!(words(&all.would_be), words(&enforced.enforced), "seed {seed}: {}", shown(link));
        }
    }
}

/// The same inventory with one policy more: a copy of an existing one, of one action, enforced.
fn with_one_more(inventory: &Inventory, seed: u64, action: Action) -> Option<Inventory> {
    let model = inventory.access_policies.get(seed as usize % inventory.access_policies.len().max(1))?;
    let mut copy = AccessPolicy::clone(model);
    copy.meta.reference.name = "one-more".into();
    copy.mode = Mode::Enforce;
    for rule in &mut copy.rules {
        rule.action = action;
        rule.expires = None;
    }
    let mut after = inventory.clone();
    after.access_policies.push(Arc::new(copy));
    after.access_policies.sort_by(|a, b| a.meta.reference.cmp(&b.meta.reference));
    Some(after)
}

fn documents(yaml: &str) -> Vec<String> {
    yaml.split("---\n").filter(|text| !text.is_empty()).map(|text| format!("---\n{text}")).collect()
}

/// How many disagreements there are of each sort, and one of each in full.
fn report(disagreements: &[(u64, Link)]) -> String {
    let mut sorts: BTreeMap<String, (usize, u64, Link)> = BTreeMap::new();
    for (seed, link) in disagreements {
        let world = anything::generate(*seed);
        let sort = sort(&ask(&world, &world.yaml, link));
        sorts.entry(sort).or_insert((0, *seed, link.clone())).0 += 1;
    }
    let mut out = String::new();
    for (sort, (count, seed, link)) in sorts {
        let example = disagreement(&anything::generate(seed), &link, &sort);
        let _ = writeln!(out, "\n======== {count} times {sort}, first\n{example}");
    }
    let _ = writeln!(out, "{} links are judged differently", disagreements.len());
    out
}

type Answers = (Option<Judgement>, Option<Judgement>);

fn ask(world: &World, yaml: &str, link: &Link) -> Answers {
    let inventory = inventory(world, yaml);
    let expected = by_oracle(&inventory, &world.settings, link, world.now);
    let actual = by_engine(&model(inventory, &world.settings), link, world.now);
    (expected, actual)
}

/// The step by which each of the two decided, at the first end where they differ.
fn sort((expected, actual): &Answers) -> String {
    let (Some(expected), Some(actual)) = (expected, actual) else {
        return format!("brute force: known {}, engine: known {}", expected.is_some(), actual.is_some());
    };
    let ends = |judgement: &Judgement| {
        let Judgement { enforced, would_be } = judgement.clone();
        [enforced.egress, enforced.ingress, would_be.egress, would_be.ingress]
    };
    let differing = ends(expected).into_iter().zip(ends(actual)).find(|(expected, actual)| expected != actual);
    differing
        .map(|(expected, actual)| format!("brute force: {}, engine: {}", step(&expected), step(&actual)))
        .unwrap_or_default()
}

fn step(verdict: &Verdict) -> String {
    let step = match verdict {
        Verdict::Undecided(missing) => format!("{missing:?}"),
        Verdict::Allow(because) | Verdict::Deny(because) => format!("{because:?}"),
    };
    let step = step.split([' ', '{', '(']).next().unwrap_or_default().to_owned();
    format!("{} by {step}", verdict.word())
}

/// What a person needs to find the fault: the seed, the fewest documents, and both answers.
fn disagreement(world: &World, link: &Link, wanted: &str) -> String {
    let disagrees = |yaml: &str| {
        let answers = ask(world, yaml, link);
        answers.0 != answers.1 && sort(&answers) == wanted
    };
    let mut kept = documents(&world.yaml);
    let mut index = 0;
    while index < kept.len() {
        let mut fewer = kept.clone();
        fewer.remove(index);
        if disagrees(&fewer.concat()) { kept = fewer } else { index += 1 }
    }
    let yaml = kept.concat();
    let (expected, actual) = ask(world, &yaml, link);
    let mut out = format!("seed {}: {}\n\n{yaml}\n", world.seed, shown(link));
    if !world.unreadable.is_empty() {
        let _ = writeln!(out, "unreadable: {:?}", world.unreadable);
    }
    let _ = writeln!(out, "settings: {:?}", world.settings);
    let _ = writeln!(out, "link: {link:?}\n");
    for (name, judgement) in [("brute force", expected), ("engine", actual)] {
        let _ = writeln!(out, "{name}:");
        match judgement {
            None => out.push_str("  unknown end\n"),
            Some(Judgement { enforced, would_be }) => {
                let _ = writeln!(out, "  enforced egress   {}", enforced.egress);
                let _ = writeln!(out, "  enforced ingress  {}", enforced.ingress);
                let _ = writeln!(out, "  would-be egress   {}", would_be.egress);
                let _ = writeln!(out, "  would-be ingress  {}", would_be.ingress);
            }
        }
    }
    out
}

fn shown(link: &Link) -> String {
    format!("{} -> {} {}/{}", link.from, link.to, link.protocol, link.port)
}
