//! Compilers with a mistake in them: the agent is given other objects than the engine, and the tries have to show it.
//!
//! The agent reads a state folder of its own beside the lab's: the same nodes and containers, and manifests and live objects
//! that were changed as the mistake would have it. So what is tried is all of the way from the files to the kernel and back.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use palisade_model::settings::Settings;
use palisade_model::{Inventory, Timestamp};
use palisade_policy::Model;
use palisade_worlds::runnable::{self, Try};
use serde_json::{Map, Value, json};

use crate::block_yaml;
use crate::lab::Lab;
use crate::sender::because;
use crate::ways;

/// What a compiler gets wrong, and how it would see the objects of a file.
type Mistake = (&'static str, fn(&mut Vec<Value>));

/// Mistakes that such compilers have had.
const MISTAKES: [Mistake; 14] = [
    ("drops except", |objects| each_with(objects, "except", |parent| _ = parent.remove("except"))),
    ("ignores endPort", |objects| each_with(objects, "endPort", |parent| _ = parent.remove("endPort"))),
    ("swaps the families", |objects| {
        each_with(objects, "cidr", |parent| {
            let is_six = parent["cidr"].as_str().is_some_and(|cidr| cidr.contains(':'));
            parent.insert("cidr".into(), json!(if is_six { "0.0.0.0/0" } else { "::/0" }));
            parent.remove("except");
        });
    }),
    ("skips Deny", |objects| {
        for object in of_kinds(objects, &["AccessPolicy", "ClusterAccessPolicy"]) {
            if let Some(rules) = object["spec"]["rules"].as_array_mut() {
                rules.retain(|rule| rule["action"] != "Deny");
            }
        }
    }),
    ("lets what is passed on skip every Deny", |objects| {
        for object in objects {
            let accepts = if object["kind"] == "ClusterNetworkPolicy" { "Accept" } else { "Allow" };
            each_in(object, "action", &mut |parent| {
                if parent["action"] == "Pass" {
                    parent.insert("action".into(), json!(accepts));
                }
            });
        }
    }),
    ("takes a baseline for the administrators' own", |objects| {
        each_with(objects, "tier", |parent| _ = parent.insert("tier".into(), json!("Admin")));
    }),
    ("knows the named ports of the first container alone", |objects| {
        each_with(objects, "containers", |parent| {
            let containers = parent["containers"].as_array_mut().into_iter().flatten();
            for port in containers.skip(1).flat_map(|container| container["ports"].as_array_mut().into_iter().flatten())
            {
                port.as_object_mut().map(|port| port.remove("name"));
            }
        });
    }),
    ("has stale addresses", |objects| {
        let has_address = |object: &&mut Value| object["status"]["podIP"].is_string();
        let mut pods: Vec<&mut Value> = objects.iter_mut().filter(has_address).collect();
        if let [first, .., last] = pods.as_mut_slice() {
            for field in ["podIP", "podIPs"] {
                let (one, other) = (first["status"][field].take(), last["status"][field].take());
                first["status"][field] = other;
                last["status"][field] = one;
            }
        }
    }),
    ("enforces Audit", |objects| each_with(objects, "mode", |parent| _ = parent.remove("mode"))),
    ("ignores the container", |objects| {
        each_with(objects, "container", |parent| {
            parent.remove("container");
            parent.remove("program");
        });
    }),
    ("ignores the program", |objects| each_with(objects, "program", |parent| _ = parent.remove("program"))),
    ("takes a podSelector alone for all namespaces", |objects| {
        for object in of_kinds(objects, &["NetworkPolicy"]) {
            each_in(object, "podSelector", &mut |parent| {
                parent.entry("namespaceSelector").or_insert(json!({}));
            });
        }
    }),
    ("forgets what Perimeters except", |objects| {
        for object in of_kinds(objects, &["Perimeter", "ClusterPerimeter"]) {
            object["spec"].as_object_mut().map(|spec| spec.remove("except"));
        }
    }),
    ("forgets cluster-wide objects", |objects| {
        objects.retain(|object| object["kind"] != "ClusterPerimeter" && object["kind"] != "ClusterAccessPolicy");
    }),
];

/// Worlds that mistakes are looked for in.
const WORLDS: u64 = 30;
/// So many tries of a world at least have to come out otherwise.
const TRIES_MIN: usize = 3;
/// More are not made.
const TRIES_MAX: usize = 10;

/// Fails when a mistake is not seen, or one where there is none.
pub fn are_caught() {
    let mut worlds: Vec<(u64, Vec<&str>)> = (0..WORLDS).map(|seed| (seed, likely_in(seed))).collect();
    let mut left = MISTAKES.to_vec();
    while !left.is_empty() {
        // The world that shows the most of what is left.
        worlds.sort_by_key(|(seed, likely)| {
            (left.iter().filter(|(name, _)| likely.contains(name)).count(), u64::MAX - seed)
        });
        let names: Vec<&str> = left.iter().map(|(name, _)| *name).collect();
        let (seed, _) = worlds.pop().unwrap_or_else(|| panic!("no world shows a compiler that {names:?}"));
        let caught = caught_by(seed, &left);
        left.retain(|(name, _)| !caught.contains(name));
    }
}

/// Runs a world with each of the mistakes that turn enough of its tries.
fn caught_by(seed: u64, mistakes: &[Mistake]) -> Vec<&'static str> {
    let world = runnable::generate(seed);
    let lab = Lab::up(&format!("mistakes-{seed}"), &world.yaml, 2);
    let right = lab.inventory();
    let mut caught = Vec::new();
    let mut tried = Vec::new();
    for (name, change) in mistakes {
        let beside = Beside::new(&lab, *change, &world.yaml);
        let wrong = palisade_manifests::load_lab(&beside.folder).expect("the state can be read").value;
        let turned = turned(&world.tries, &right, wrong);
        if turned.len() < TRIES_MIN {
            continue;
        }
        let seen = seen(&lab, seed, &beside, &turned);
        assert!(!seen.is_empty(), "a compiler that {name} is not caught by world {seed}");
        let first = seen.lines().next().unwrap_or_default().chars().take(240).collect::<String>();
        println!("a compiler that {name}: {first}");
        tried.extend(turned.into_iter().take(2));
        caught.push(*name);
    }
    let control = Beside::new(&lab, |_| {}, &world.yaml);
    assert_eq!(seen(&lab, seed, &control, &tried), "", "world {seed}, without a mistake");
    caught
}

/// The mistakes that turn enough tries of a world as it would run.
fn likely_in(seed: u64) -> Vec<&'static str> {
    let world = runnable::generate(seed);
    let load = |text: &str| palisade_manifests::load_text("world", text).value;
    let (right, objects) = (load(&world.as_if_running), block_yaml::parse(&world.as_if_running));
    let likely = MISTAKES.into_iter().filter(|(_, change)| {
        let mut changed = objects.clone();
        change(&mut changed);
        changed != objects && turned(&world.tries, &right, load(&block_yaml::render(&changed))).len() >= TRIES_MIN
    });
    likely.map(|(name, _)| name).collect()
}

/// The tries of which the engine says something else with the objects that are wrong.
fn turned(tries: &[Try], right: &Inventory, wrong: Inventory) -> Vec<Try> {
    let now = Timestamp::now();
    let model = |inventory: Inventory| Model::new(Arc::new(inventory.clone()), Settings::of(&inventory)).value;
    let (with_right, with_wrong) = (model(right.clone()), model(wrong));
    let turns = |each: &&Try| {
        let links = each.dial(right).map(|dial| dial.links).unwrap_or_default();
        // Without the rules' places: the objects are in other files.
        let verdict = |model: &Model, link| {
            let judgement = model.judge(link, now).ok()?;
            let (_, verdict) = judgement.enforced.link();
            Some((verdict.word(), because(verdict)))
        };
        links.len() == 1 && verdict(&with_right, &links[0]) != verdict(&with_wrong, &links[0])
    };
    tries.iter().filter(turns).take(TRIES_MAX).cloned().collect()
}

/// What is not as the engine says when the agent reads the objects beside.
fn seen(lab: &Lab, seed: u64, beside: &Beside, tries: &[Try]) -> String {
    let agent = lab.agent_beside(&beside.name);
    agent.wait_until_guarded(lab);
    let wrong = ways::all_guarded(lab, &agent, seed, tries);
    drop(agent);
    lab.palisade_on(&beside.name, &["agent", "unload"]);
    wrong
}

/// A state folder beside the lab's, with other objects; removed when dropped.
struct Beside {
    name: String,
    folder: PathBuf,
}

impl Beside {
    fn new(lab: &Lab, mistake: fn(&mut Vec<Value>), yaml: &str) -> Self {
        let name = format!("{}-beside", lab.name());
        let folder = lab.state().with_file_name(&name);
        let cluster = folder.join("cluster");
        fs::create_dir_all(&cluster).expect("a folder can be made");
        let changed = |text: &str| {
            let mut objects = block_yaml::parse(text);
            mistake(&mut objects);
            block_yaml::render(&objects)
        };
        for file in fs::read_dir(lab.state().join("cluster")).expect("the lab runs").flatten() {
            let text = fs::read_to_string(file.path()).expect("it can be read");
            write(&cluster.join(file.file_name()), &changed(&text));
        }
        write(&folder.join("world.yaml"), &changed(yaml));
        let state = fs::read_to_string(lab.state().join("lab.json")).expect("the lab runs");
        let mut state: Value = serde_json::from_str(&state).expect("it is JSON");
        state["name"] = json!(name);
        state["manifests"] = json!([folder.join("world.yaml")]);
        state["cluster"] = json!(cluster);
        write(&folder.join("lab.json"), &state.to_string());
        Self { name, folder }
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn write(path: &Path, text: &str) {
    fs::write(path, text).expect("it can be written");
}

fn of_kinds<'o>(objects: &'o mut [Value], kinds: &[&str]) -> impl Iterator<Item = &'o mut Value> {
    objects.iter_mut().filter(|object| object["kind"].as_str().is_some_and(|kind| kinds.contains(&kind)))
}

/// Changes every mapping below the objects' `spec` that has that field.
fn each_with(objects: &mut [Value], field: &str, mut change: impl FnMut(&mut Map<String, Value>)) {
    objects.iter_mut().for_each(|object| each_in(object, field, &mut change));
}

fn each_in(value: &mut Value, field: &str, change: &mut impl FnMut(&mut Map<String, Value>)) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| each_in(item, field, change)),
        Value::Object(fields) => {
            fields.values_mut().for_each(|value| each_in(value, field, change));
            if fields.contains_key(field) {
                change(fields);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
