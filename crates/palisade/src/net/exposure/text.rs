//! The ways in, for a person at a terminal of 80 columns.

use std::fmt::Write as _;

use palisade_model::verdict::Verdict;
use palisade_policy::doors::{Door, DoorKind, ServedBy, ToldBy};
use palisade_policy::exposure::{Exposed, Exposure, Guard, Neighbour, Newcomer, Openness, Step, Way};

use crate::answer::{render_verdict, shown_port};
use crate::terminal::{Colour, Tone};

/// Where lines are broken.
const WIDTH: usize = 80;

/// Before what is told of a way, below its first line.
const INDENT: usize = 13;

pub(super) fn render(exposure: &Exposure, newcomer: Option<&Newcomer>, from: &str, colour: Colour) -> String {
    let mut text = String::new();
    for workload in &exposure.workloads {
        render_workload(&mut text, workload, colour);
    }
    if !exposure.notes.is_empty() {
        let _ = writeln!(text, "doors that lead nowhere, or are not known");
        for note in &exposure.notes {
            text.push_str(&wrapped(&note.to_string(), 2, 4));
            if let Some(hint) = &note.hint {
                text.push_str(&wrapped(&format!("hint: {hint}"), 4, 4));
            }
        }
        text.push('\n');
    }
    if let Some(newcomer) = newcomer {
        render_newcomer(&mut text, newcomer, colour);
    }
    let _ = writeln!(text, "{}", summary(exposure, from));
    text
}

/// `3 ways in from world: 1 open to it, 2 guarded`
pub(super) fn summary(exposure: &Exposure, from: &str) -> String {
    let ways = || exposure.workloads.iter().flat_map(|workload| &workload.ways);
    let count = |openness| ways().filter(|way| way.openness == openness).count();
    let counts = [
        (count(Openness::Unguarded), "without any guard"),
        (count(Openness::Guarded), "guarded"),
        (count(Openness::Undecided), "undecided"),
        (count(Openness::Closed), "closed"),
    ];
    let shown: Vec<String> =
        counts.iter().filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}")).collect();
    match ways().count() {
        0 => format!("no way in from {from}"),
        1 => format!("1 way in from {from}: {}", shown.join(", ")),
        total => format!("{total} ways in from {from}: {}", shown.join(", ")),
    }
}

fn render_workload(text: &mut String, workload: &Exposed, colour: Colour) {
    let name = if workload.namespace.is_empty() {
        workload.workload.clone()
    } else {
        format!("{} {}", workload.namespace, workload.workload)
    };
    let _ = writeln!(text, "{}", colour.paint(Tone::Strong, &name));
    for way in &workload.ways {
        let word = word(way.openness);
        let gap = " ".repeat("undecided".len() - word.len());
        let head = wrapped(
            &format!("{}\u{a0}->\u{a0}{}", door(&way.door), shown_port(way.protocol, way.port)),
            INDENT,
            INDENT,
        );
        let painted = colour.paint(tone(way.openness), word);
        let _ = write!(text, "  {painted}{gap}  {}", head.trim_start());
        for line in details(way) {
            text.push_str(&wrapped(&line, INDENT, INDENT + 2));
        }
    }
    text.push('\n');
}

pub(super) fn word(openness: Openness) -> &'static str {
    match openness {
        Openness::Unguarded => "OPEN",
        Openness::Guarded => "guarded",
        Openness::Undecided => "undecided",
        Openness::Closed => "closed",
    }
}

fn tone(openness: Openness) -> Tone {
    match openness {
        Openness::Unguarded => Tone::Bad,
        Openness::Guarded | Openness::Undecided => Tone::Caution,
        Openness::Closed => Tone::Good,
    }
}

/// The door in a few words.
pub(super) fn door(door: &Door) -> String {
    let port = door.port.map(|port| shown_port(door.protocol, port));
    let known = port.clone().unwrap_or_else(|| "that the cluster chooses".to_owned());
    let addresses = door.addresses.join(", ");
    let service =
        door.service.as_ref().map(|service| format!("Service {} {}", service.name, service.port)).unwrap_or_default();
    match door.kind {
        DoorKind::LoadBalancer if addresses.is_empty() => format!("load balancer, port {known}, {service}"),
        DoorKind::LoadBalancer => format!("load balancer {addresses}, port {known}, {service}"),
        DoorKind::NodePort => format!("every node, port {known}, {service}"),
        DoorKind::ExternalIp => format!("external address {addresses}, port {known}, {service}"),
        DoorKind::HostPort if addresses == "node" => format!("its node, port {known} (hostPort)"),
        DoorKind::HostPort => format!("{addresses} of its node, port {known} (hostPort)"),
        DoorKind::HostNetwork => format!("its node, port {known} (host network)"),
        DoorKind::PodAddress if addresses.is_empty() => "its own address".to_owned(),
        DoorKind::PodAddress => format!("its own address {addresses}"),
        DoorKind::Ingress => format!("{}: {}, {service}", door.object, requests(door)),
        DoorKind::Gateway => {
            let gateway = door.gateway.as_deref().unwrap_or_default();
            format!("Gateway {gateway}, {}: {}, {service}", door.object, requests(door))
        }
    }
}

/// `shop.example.com/cart/*`
fn requests(door: &Door) -> String {
    let hosts: Vec<&str> = door.hosts.iter().map(|host| &**host).collect();
    let hosts = if hosts.is_empty() { "any host".to_owned() } else { hosts.join(", ") };
    match door.matches[..] {
        [] => hosts,
        [ref one] if one.starts_with('/') && door.hosts.len() == 1 => format!("{hosts}{one}"),
        _ => format!("{hosts} {}", door.matches.join(" or ")),
    }
}

/// What is told below a way.
fn details(way: &Way) -> Vec<String> {
    let mut lines = Vec::new();
    let is_through = way.steps.len() > 1;
    if let Some(ServedBy::Pods { told_by: ToldBy::Settings, .. }) = &way.served_by {
        lines.push("served by the gateways that ClusterSettings names".to_owned());
    }
    for step in &way.steps {
        let said = said_of_step(way, step);
        lines.push(if is_through { format!("{}: {said}", link(step)) } else { said });
        if let Some(would_be) = &step.would_be {
            lines.push(format!("with the policies in Audit enforced: {}", render_verdict(would_be)));
        }
        for (blocks, lead) in [(&step.only_from, "only from"), (&step.not_from, "but not from")] {
            if !blocks.is_empty() {
                let blocks: Vec<String> = blocks.iter().map(ToString::to_string).collect();
                lines.push(format!("{lead} {}", blocks.join(", ")));
            }
        }
    }
    if is_through && way.openness == Openness::Unguarded {
        lines.push("no policy has a say on the way".to_owned());
    }
    lines.extend(way.guards.iter().filter_map(said_of_guard));
    if way.pods[0] < way.pods[1] {
        lines.push(format!("so for {} of its {} pods", way.pods[0], way.pods[1]));
    }
    lines
}

fn link(step: &Step) -> String {
    let port = step.port.map(|port| format!(" {port}")).unwrap_or_default();
    format!("{} -> {}{port}", step.from, step.to)
}

fn said_of_step(way: &Way, step: &Step) -> String {
    match &step.verdict {
        _ if step.is_assumed => "taken as reached: nothing in the input leads there".to_owned(),
        Verdict::Allow(_) if way.door.is_beyond_policy() => {
            "nothing guards it: no policy holds on the host network".to_owned()
        }
        Verdict::Allow(because) if because.rule().is_none() && way.steps.len() == 1 => {
            "nothing guards it: no policy closes the pods for ingress".to_owned()
        }
        verdict => render_verdict(verdict),
    }
}

/// What a load balancer adds; policies are told with the step that they decide.
pub(super) fn said_of_guard(guard: &Guard) -> Option<String> {
    match guard {
        Guard::Policy { .. } => None,
        Guard::SourceRanges { ranges } => {
            let ranges: Vec<String> = ranges.iter().map(ToString::to_string).collect();
            Some(format!("the load balancer takes {} alone (loadBalancerSourceRanges)", ranges.join(", ")))
        }
        Guard::InternalLoadBalancer { annotation } => {
            Some(format!("the load balancer is in the provider's own network ({annotation})"))
        }
    }
}

fn render_newcomer(text: &mut String, newcomer: &Newcomer, colour: Colour) {
    let labels: Vec<String> = newcomer.labels.0.iter().map(|(key, value)| format!("{key}={value}")).collect();
    let labels = if labels.is_empty() { "without labels".to_owned() } else { labels.join(",") };
    let head = format!("a newcomer in {} {labels}", newcomer.namespace);
    let _ = writeln!(text, "{}", colour.paint(Tone::Strong, &head));
    let _ = writeln!(text, "  could reach");
    let mut listed = newcomer_lines(&newcomer.reaches);
    listed.push(format!("world: {}", render_verdict(&newcomer.reaches_world)));
    listed.iter().for_each(|line| text.push_str(&wrapped(line, 4, 6)));
    let _ = writeln!(text, "  could be reached on TCP {} by", newcomer.port);
    let by = senders_lines(&newcomer.reached_by);
    by.iter().for_each(|line| text.push_str(&wrapped(line, 4, 6)));
    match &newcomer.exposed {
        None => {
            let _ = writeln!(text, "  no door leads to it\n");
        }
        Some(exposed) => {
            let _ = writeln!(text, "  and these doors lead to it");
            for way in &exposed.ways {
                text.push_str(&wrapped(&format!("{}: {}", word(way.openness), door(&way.door)), 4, 6));
            }
            text.push('\n');
        }
    }
}

/// Who could reach it, and how many could not.
pub(super) fn senders_lines(neighbours: &[Neighbour]) -> Vec<String> {
    let named = |wanted: &str| {
        let passes = |neighbour: &&Neighbour| neighbour.ports.iter().any(|port| port.verdict.word() == wanted);
        let names = neighbours.iter().filter(passes);
        names.map(|neighbour| format!("{} {}", neighbour.namespace, neighbour.workload)).collect::<Vec<_>>()
    };
    let (allowed, undecided) = (named("allowed"), named("undecided"));
    match allowed.len() {
        0 if undecided.is_empty() => return vec!["nobody".to_owned()],
        1.. if allowed.len() == neighbours.len() => return vec![format!("every workload ({})", allowed.len())],
        _ => {}
    }
    let refused = neighbours.len() - allowed.len() - undecided.len();
    let mut lines = allowed;
    lines.extend(undecided.into_iter().map(|name| format!("{name} (undecided)")));
    match refused {
        0 => {}
        1 => lines.push("1 other workload cannot".to_owned()),
        _ => lines.push(format!("{refused} other workloads cannot")),
    }
    lines
}

/// A line for each workload with what passes or is not known, and one that counts those that refuse.
pub(super) fn newcomer_lines(neighbours: &[Neighbour]) -> Vec<String> {
    let mut refused = 0;
    let mut lines: Vec<String> = neighbours
        .iter()
        .filter_map(|neighbour| {
            let ports = |wanted: &str| {
                let of_word = neighbour.ports.iter().filter(|port| port.verdict.word() == wanted);
                of_word.map(|port| shown_port(port.protocol, port.port)).collect::<Vec<_>>().join(", ")
            };
            let (allowed, undecided) = (ports("allowed"), ports("undecided"));
            if allowed.is_empty() && undecided.is_empty() {
                refused += 1;
                return None;
            }
            let open = if undecided.is_empty() { String::new() } else { format!(" (undecided: {undecided})") };
            Some(format!("{} {} {allowed}{open}", neighbour.namespace, neighbour.workload))
        })
        .collect();
    match refused {
        0 => {}
        _ if lines.is_empty() => lines.push(format!("no workload: {refused} refuse")),
        1 => lines.push("1 other workload refuses".to_owned()),
        _ => lines.push(format!("{refused} other workloads refuse")),
    }
    lines
}

/// `line` broken at spaces that may be broken at, indented by `first` and then by `rest`.
fn wrapped(line: &str, first: usize, rest: usize) -> String {
    let mut text = " ".repeat(first);
    let mut column = first;
    for (position, word) in line.split(' ').enumerate() {
        let width = word.chars().count();
        if position > 0 && column + 1 + width > WIDTH {
            text.push('\n');
            text.push_str(&" ".repeat(rest));
            column = rest;
        } else if position > 0 {
            text.push(' ');
            column += 1;
        }
        text.push_str(word);
        column += width;
    }
    text.push('\n');
    text.replace('\u{a0}', " ")
}
