//! The map as a graph: a node for each workload, an edge for each link, namespaces as groups.
//!
//! Source of the forms: the DOT language of Graphviz; Mermaid's flow charts.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use palisade_policy::map::Subject;
use palisade_policy::reach::Reach;

use super::ports::{Which, shown_pair};
use super::rows::is_itself;
use super::{Ends, Scope};

/// A graph's nodes by group (a namespace; none = outside), and its edges with the ports on them.
struct Graph {
    groups: BTreeMap<Option<String>, BTreeSet<Subject>>,
    edges: BTreeMap<(Subject, Subject), String>,
}

impl Graph {
    fn of(reach: &mut Reach<'_>, scope: &Scope) -> Self {
        let ends = Ends::of(reach);
        let mut graph = Self { groups: BTreeMap::new(), edges: BTreeMap::new() };
        for (subject, _) in &ends.to.all {
            if scope.has(None, subject.namespace().map(|name| &**name)) && subject.namespace().is_some() {
                graph.add(subject);
            }
        }
        reach.for_each(|reach, from, to, pair| {
            let ports = shown_pair(reach, pair, Which::Allowed);
            if ports.is_empty() {
                return;
            }
            for from in ends.from.of_class[from].iter().map(|position| ends.from.subject(*position)) {
                for to in ends.to.of_class[to].iter().map(|position| ends.to.subject(*position)) {
                    if scope.has_subjects(from, to) && !is_itself(from, to, reach) {
                        graph.add(from);
                        graph.add(to);
                        graph.edges.insert((from.clone(), to.clone()), ports.clone());
                    }
                }
            }
        });
        graph
    }

    fn add(&mut self, subject: &Subject) {
        let group = subject.namespace().map(ToString::to_string);
        self.groups.entry(group).or_default().insert(subject.clone());
    }

    /// A number for each node, in the order of groups.
    fn numbers(&self) -> BTreeMap<&Subject, usize> {
        self.groups.values().flatten().zip(0..).collect()
    }
}

pub(super) fn write_dot(output: &mut impl Write, reach: &mut Reach<'_>, scope: &Scope) -> io::Result<()> {
    let graph = Graph::of(reach, scope);
    let numbers = graph.numbers();
    writeln!(output, "digraph palisade {{\n  rankdir=LR;\n  node [shape=box, style=rounded];")?;
    for (position, (group, subjects)) in graph.groups.iter().enumerate() {
        let indent = match group {
            Some(namespace) => {
                writeln!(output, "  subgraph cluster_{position} {{\n    label={};", dot_text(namespace))?;
                "    "
            }
            None => "  ",
        };
        for subject in subjects {
            writeln!(output, "{indent}n{} [label={}];", numbers[subject], dot_text(&short(subject)))?;
        }
        if group.is_some() {
            writeln!(output, "  }}")?;
        }
    }
    for ((from, to), ports) in &graph.edges {
        writeln!(output, "  n{} -> n{} [label={}];", numbers[from], numbers[to], dot_text(ports))?;
    }
    writeln!(output, "}}")
}

pub(super) fn write_mermaid(output: &mut impl Write, reach: &mut Reach<'_>, scope: &Scope) -> io::Result<()> {
    let graph = Graph::of(reach, scope);
    let numbers = graph.numbers();
    writeln!(output, "flowchart LR")?;
    for (position, (group, subjects)) in graph.groups.iter().enumerate() {
        let indent = match group {
            Some(namespace) => {
                writeln!(output, "  subgraph g{position}[{}]", mermaid_text(namespace))?;
                "    "
            }
            None => "  ",
        };
        for subject in subjects {
            writeln!(output, "{indent}n{}[{}]", numbers[subject], mermaid_text(&short(subject)))?;
        }
        if group.is_some() {
            writeln!(output, "  end")?;
        }
    }
    for ((from, to), ports) in &graph.edges {
        writeln!(output, "  n{} -->|{}| n{}", numbers[from], mermaid_text(ports), numbers[to])?;
    }
    Ok(())
}

/// The subject without its namespace, which its group says.
fn short(subject: &Subject) -> String {
    let full = subject.to_string();
    match subject.namespace() {
        Some(namespace) => full.strip_prefix(&format!("{namespace}/")).map_or(full.clone(), str::to_owned),
        None => full,
    }
}

/// A string of DOT.
fn dot_text(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// A text of Mermaid: it has no escapes but entities.
fn mermaid_text(text: &str) -> String {
    format!("\"{}\"", text.replace('&', "#amp;").replace('"', "#quot;").replace('<', "#lt;").replace('>', "#gt;"))
}
