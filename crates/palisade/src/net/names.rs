//! Many subjects in few words.

use std::collections::BTreeSet;

use palisade_model::link::Which as Asked;
use palisade_policy::map::{ProcessName, Subject, WorkloadPart};

/// A terminal's usual width.
const WIDTH: usize = 80;

/// As many exceptions to `everyone` as are told by name.
const FEW: usize = 3;

/// The names of `senders`, with `everyone`, `every pod`, `NAMESPACE/*`, a workload or a container for all that these words
/// mean; who `is_itself` the receiver need not be among them.
pub(super) fn collapsed(
    all: &[&Subject],
    senders: &BTreeSet<&Subject>,
    is_itself: impl Fn(&Subject) -> bool,
) -> Vec<String> {
    let has_all = |wanted: &dyn Fn(&Subject) -> bool| {
        let mut meant = all.iter().filter(|subject| wanted(subject)).peekable();
        meant.peek().is_some() && meant.all(|subject| senders.contains(subject) || is_itself(subject))
    };
    if has_all(&|_| true) {
        return vec!["everyone".to_owned()];
    }
    let others: Vec<&&Subject> =
        all.iter().filter(|subject| !senders.contains(**subject) && !is_itself(subject)).collect();
    if others.len() <= FEW && senders.len() > others.len() + FEW {
        let mut names: Vec<String> = others.iter().map(ToString::to_string).collect();
        names[0].insert_str(0, "everyone but ");
        return names;
    }
    let every_pod = has_all(&|subject| subject.part().is_some());
    let mut names = Vec::new();
    if every_pod {
        names.push("every pod".to_owned());
    }
    for subject in senders {
        let Some(part) = subject.part() else {
            names.push(subject.to_string());
            continue;
        };
        if every_pod {
            continue;
        }
        let same_pods = |other: &WorkloadPart| {
            (&other.namespace, &other.workload, &other.pods) == (&part.namespace, &part.workload, &part.pods)
        };
        let same_container = |other: &WorkloadPart| {
            let container = |part: &WorkloadPart| part.process.as_ref().map(|process| process.container.clone());
            same_pods(other) && container(other) == container(part)
        };
        let is = |wanted: &dyn Fn(&WorkloadPart) -> bool| has_all(&|other| other.part().is_some_and(wanted));
        let several = |namespace: &str| {
            let mut workloads: Vec<_> =
                all.iter().filter_map(|other| other.part()).filter(|part| *part.namespace == *namespace).collect();
            workloads.dedup_by(|a, b| a.workload == b.workload);
            workloads.len() > 1
        };
        let whole = |process| Subject::Workload(WorkloadPart { process, ..part.clone() }).to_string();
        let name = if several(&part.namespace) && is(&|other| other.namespace == part.namespace) {
            format!("{}/*", part.namespace)
        } else if is(&same_pods) {
            whole(None)
        } else if is(&same_container) {
            let container = |process: &ProcessName| ProcessName { program: Asked::Unsaid, ..process.clone() };
            whole(part.process.as_ref().map(container))
        } else {
            subject.to_string()
        };
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// `names` with commas between them, in lines that fit beside `indent`.
pub(super) fn wrapped(names: &[String], indent: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for (position, name) in names.iter().enumerate() {
        let comma = if position + 1 < names.len() { "," } else { "" };
        let line = lines.last_mut().expect("it begins with one");
        if line.is_empty() {
            line.push_str(name);
        } else if indent + line.len() + 1 + name.len() + comma.len() <= WIDTH {
            line.push(' ');
            line.push_str(name);
        } else {
            lines.push(name.clone());
        }
        lines.last_mut().expect("it begins with one").push_str(comma);
    }
    lines
}
