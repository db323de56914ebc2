//! `palisade inventory`: what was understood of the manifests.

use std::fmt::Write as _;
use std::io::{self, Write as _};

use palisade_model::access_policy::{AccessPolicy, Action, Mode};
use palisade_model::gateway::Route;
use palisade_model::ingress::{Ingress, IngressBackend};
use palisade_model::network_policy::{NetworkPolicy, NetworkPolicyRule};
use palisade_model::perimeter::Perimeter;
use palisade_model::pod::{ContainerPort, PodSpec};
use palisade_model::service::{Exposure, ServicePort, TargetPort};
use palisade_model::settings::{ClusterSettings, UnknownPods};
use palisade_model::tiered_policy::{Tier, TieredPolicy};
use palisade_model::{Inventory, Meta, Outcome, Problem, Protocol};
use serde::Serialize;

use crate::arguments::{InventoryArguments, OutputFormat};
use crate::exit::ExitStatus;
use crate::failure::Failure;
use crate::input;
use crate::report;
use crate::settings::{Settings, Source};
use crate::table::Table;

/// The version of the JSON form; it rises when a field changes its meaning.
const VERSION: u32 = 1;

/// The JSON form.
#[derive(Serialize)]
struct Report<'a> {
    version: u32,
    inventory: &'a Inventory,
    problems: &'a [Problem],
}

/// Prints every object that was understood, and what was not.
pub fn run(arguments: &InventoryArguments, _settings: &Settings) -> Result<ExitStatus, Failure> {
    let input = input::read(&Source::from(&arguments.manifests))?;
    let mut output = io::stdout().lock();
    match arguments.output {
        OutputFormat::Text => {
            write!(output, "{}", render(&input))?;
            input::print_problems(&input.problems);
        }
        OutputFormat::Json => {
            let body = Report { version: VERSION, inventory: &input.value, problems: &input.problems };
            report::write_json(&mut output, &body)?;
        }
    }
    Ok(input::status(&input))
}

/// The inventory for a person: one table for those who talk, one for Services, one for what leads to these from outside,
/// one for policies.
fn render(input: &Outcome<Inventory>) -> String {
    let inventory = &input.value;
    let mut text = String::new();
    for table in [workloads(inventory), services(inventory), doors(inventory), policies(inventory)] {
        if !table.is_empty() {
            let _ = writeln!(text, "{table}");
        }
    }
    text.push_str(&summary(input));
    text
}

fn workloads(inventory: &Inventory) -> Table {
    let mut table = Table::new(&["NAMESPACE", "KIND", "NAME", "PODS", "CONTAINERS", "PORTS", "PLACE"]);
    let owned = inventory.workloads.iter();
    let mut rows: Vec<_> =
        owned.map(|workload| row(&workload.meta, workload.replicas.to_string(), &workload.spec)).collect();
    let alone = inventory.pods.iter().filter(|pod| pod.meta.owner.is_none());
    rows.extend(alone.map(|pod| row(&pod.meta, "1".into(), &pod.spec)));
    table.sorted_rows(rows);
    table
}

fn row(meta: &Meta, pods: String, spec: &PodSpec) -> [String; 7] {
    let containers: Vec<&str> = spec.containers.iter().map(|container| &*container.name).collect();
    let ports: Vec<String> = spec.containers.iter().flat_map(|container| &container.ports).map(port).collect();
    [
        meta.namespace().to_owned(),
        meta.reference.kind.to_string(),
        meta.name().to_owned(),
        pods,
        containers.join(", "),
        ports.join(", "),
        meta.place.to_string(),
    ]
}

/// `http 8080`, `53/UDP`: as short as it stays clear.
fn port(port: &ContainerPort) -> String {
    let name = port.name.as_ref().map(|name| format!("{name} ")).unwrap_or_default();
    format!("{name}{}{}", port.number, unless_tcp(port.protocol))
}

fn unless_tcp(protocol: Protocol) -> String {
    match protocol {
        Protocol::Tcp => String::new(),
        Protocol::Udp | Protocol::Sctp => format!("/{protocol}"),
    }
}

fn services(inventory: &Inventory) -> Table {
    let mut table = Table::new(&["NAMESPACE", "SERVICE", "TYPE", "PORTS", "SELECTS", "PLACE"]);
    for service in &inventory.services {
        let exposure = match &service.exposure {
            Exposure::ClusterIp if service.headless => "headless".to_owned(),
            Exposure::ClusterIp => "ClusterIP".to_owned(),
            Exposure::NodePort => "NodePort".to_owned(),
            Exposure::LoadBalancer => "LoadBalancer".to_owned(),
            Exposure::ExternalName(name) => format!("ExternalName {name}"),
        };
        let ports: Vec<String> = service.ports.iter().map(service_port).collect();
        let selects = service.selector.iter().flat_map(|labels| labels.0.iter());
        let selects: Vec<String> = selects.map(|(key, value)| format!("{key}={value}")).collect();
        let meta = &service.meta;
        let place = meta.place.to_string();
        let cells = [meta.namespace(), meta.name(), &exposure, &ports.join(", "), &selects.join(","), &place];
        table.row(cells);
    }
    table
}

fn service_port(port: &ServicePort) -> String {
    let target = match &port.target {
        TargetPort::Number(number) if *number == port.port => String::new(),
        TargetPort::Number(number) => format!("->{number}"),
        TargetPort::Name(name) => format!("->{name}"),
    };
    let node = port.node_port.map(|node| format!(" (node {node})")).unwrap_or_default();
    format!("{}{}{target}{node}", port.port, unless_tcp(port.protocol))
}

fn doors(inventory: &Inventory) -> Table {
    let mut table = Table::new(&["NAMESPACE", "DOOR", "NAME", "LEADS", "PLACE"]);
    let row = |meta: &Meta, leads: String| {
        let (kind, place) = (meta.reference.kind.to_string(), meta.place.to_string());
        [meta.namespace().to_owned(), kind, meta.name().to_owned(), leads, place]
    };
    let mut rows: Vec<_> = inventory.ingresses.iter().map(|it| row(&it.meta, describe_ingress(it))).collect();
    rows.extend(inventory.gateways.iter().map(|gateway| {
        let listeners = gateway.listeners.iter();
        let listeners: Vec<String> =
            listeners.map(|listener| format!("{} {}", listener.protocol, listener.port)).collect();
        row(&gateway.meta, listeners.join(", "))
    }));
    rows.extend(inventory.routes.iter().map(|route| row(&route.meta, describe_route(route))));
    table.sorted_rows(rows);
    table
}

/// `shop.example.com -> web, cart`
fn describe_ingress(ingress: &Ingress) -> String {
    let paths = ingress.rules.iter().flat_map(|rule| &rule.paths).map(|path| &path.backend);
    let to = ingress.default_backend.iter().chain(paths).map(|backend| match backend {
        IngressBackend::Service { name, .. } => name.to_string(),
        IngressBackend::Resource { kind, name } => format!("{kind} {name}"),
    });
    let hosts = ingress.rules.iter().map(|rule| rule.host.as_deref().unwrap_or("*").to_owned());
    leads(hosts, to)
}

fn describe_route(route: &Route) -> String {
    let backends = route.rules.iter().flat_map(|rule| &rule.backends);
    leads(route.hostnames.iter().map(ToString::to_string), backends.map(|backend| backend.name.to_string()))
}

fn leads(hosts: impl Iterator<Item = String>, to: impl Iterator<Item = String>) -> String {
    let (hosts, to) = (distinct(hosts), distinct(to));
    let hosts = if hosts.is_empty() { "*" } else { &hosts };
    if to.is_empty() { hosts.to_owned() } else { format!("{hosts} -> {to}") }
}

/// Each name once, in the order of the manifest.
fn distinct(names: impl Iterator<Item = String>) -> String {
    let mut seen: Vec<String> = Vec::new();
    for name in names {
        if !seen.contains(&name) {
            seen.push(name);
        }
    }
    seen.join(", ")
}

fn policies(inventory: &Inventory) -> Table {
    let mut table = Table::new(&["NAMESPACE", "POLICY", "NAME", "MODE", "WHAT", "PLACE"]);
    let row = |meta: &Meta, mode: Mode, what: String| {
        let mode = match mode {
            Mode::Enforce => "Enforce",
            Mode::Audit => "Audit",
        };
        let (kind, place) = (meta.reference.kind.to_string(), meta.place.to_string());
        [meta.namespace().to_owned(), kind, meta.name().to_owned(), mode.to_owned(), what, place]
    };
    let network_policies = inventory.network_policies.iter();
    let mut rows: Vec<_> =
        network_policies.map(|policy| row(&policy.meta, Mode::Enforce, describe_network_policy(policy))).collect();
    let perimeters = inventory.perimeters.iter();
    rows.extend(perimeters.map(|perimeter| row(&perimeter.meta, perimeter.mode, describe_perimeter(perimeter))));
    let access_policies = inventory.access_policies.iter();
    rows.extend(access_policies.map(|policy| row(&policy.meta, policy.mode, describe_access_policy(policy))));
    let tiered = inventory.tiered_policies.iter();
    rows.extend(tiered.map(|policy| row(&policy.meta, Mode::Enforce, describe_tiered_policy(policy))));
    rows.extend(inventory.settings.iter().map(|it| row(&it.meta, Mode::Enforce, describe_settings(it))));
    table.sorted_rows(rows);
    table
}

fn describe_tiered_policy(policy: &TieredPolicy) -> String {
    let tier = match policy.tier {
        Tier::Admin => "admin",
        Tier::Baseline => "baseline",
    };
    let rules = [("ingress", policy.ingress.len()), ("egress", policy.egress.len())];
    let rules: Vec<String> = rules
        .iter()
        .filter(|(_, count)| *count > 0)
        .map(|(word, count)| format!("{word} with {}", plural(*count, "rule")))
        .collect();
    let rules = if rules.is_empty() { "no rules".to_owned() } else { rules.join(", ") };
    format!("{tier} tier, priority {}: {rules}", policy.priority)
}

fn describe_settings(settings: &ClusterSettings) -> String {
    let gateways = plural(settings.gateways.len(), "gateway");
    let dns = settings.dns_service.as_ref().map(|(namespace, name)| format!(", dns by {namespace}/{name}"));
    let unknown_pods = match settings.unknown_pods {
        UnknownPods::Refuse => "",
        UnknownPods::Record => ", unknown pods are only recorded",
    };
    format!("{gateways}{}{unknown_pods}", dns.unwrap_or_default())
}

fn describe_network_policy(policy: &NetworkPolicy) -> String {
    let direction = |word: &str, rules: &Option<Vec<NetworkPolicyRule>>| {
        rules.as_ref().map(|rules| format!("{word} with {}", plural(rules.len(), "rule")))
    };
    let closed: Vec<String> =
        [direction("ingress", &policy.ingress), direction("egress", &policy.egress)].into_iter().flatten().collect();
    match closed.is_empty() {
        true => "closes nothing".to_owned(),
        false => format!("closes {}", closed.join(", ")),
    }
}

fn describe_perimeter(perimeter: &Perimeter) -> String {
    let directions = match (perimeter.ingress, perimeter.egress) {
        (true, true) => "ingress, egress",
        (true, false) => "ingress",
        (false, true) => "egress",
        (false, false) => "nothing",
    };
    let except: Vec<&str> = perimeter.except.iter().map(|entity| entity.as_str()).collect();
    match except.is_empty() {
        true => format!("closes {directions}"),
        false => format!("closes {directions} except {}", except.join(", ")),
    }
}

fn describe_access_policy(policy: &AccessPolicy) -> String {
    let count = |action| policy.rules.iter().filter(|rule| rule.action == action).count();
    let counts = [(count(Action::Allow), "Allow"), (count(Action::Deny), "Deny")];
    let words: Vec<String> =
        counts.iter().filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}")).collect();
    words.join(", ")
}

/// What the tables do not show, counted.
fn summary(input: &Outcome<Inventory>) -> String {
    let inventory = &input.value;
    let counts = [
        (inventory.namespaces.len(), "namespace"),
        (inventory.nodes.len(), "node"),
        (inventory.service_accounts.len(), "service account"),
        (inventory.pods.iter().filter(|pod| pod.meta.owner.is_some()).count(), "pod of a workload"),
        (inventory.endpoint_slices.len(), "endpoint slice"),
        (inventory.ingress_classes.len(), "ingress class"),
        (inventory.gateway_classes.len(), "gateway class"),
        (inventory.reference_grants.len(), "reference grant"),
    ];
    let mut text = String::new();
    let counted: Vec<String> =
        counts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| plural(*count, what)).collect();
    if !counted.is_empty() {
        let _ = writeln!(text, "also {}", counted.join(", "));
    }
    for ((version, kind), count) in &inventory.other_kinds {
        let _ = writeln!(text, "not read: {count} {kind} ({version})");
    }
    for unreadable in &inventory.unreadable {
        let _ = writeln!(text, "may be a policy, but cannot be read: {}", unreadable.place);
    }
    if !input.problems.is_empty() {
        let _ = writeln!(text, "{}", plural(input.problems.len(), "problem"));
    }
    if inventory.is_empty() {
        let _ = writeln!(text, "no objects");
    }
    text
}

/// `1 node`, `2 nodes`, `2 pods of a workload`.
fn plural(count: usize, what: &str) -> String {
    match (count, what.split_once(' ')) {
        (1, _) => format!("1 {what}"),
        (_, Some((_, "class"))) => format!("{count} {what}es"),
        (_, Some((noun, rest))) if rest.starts_with("of ") => format!("{count} {noun}s {rest}"),
        (_, _) => format!("{count} {what}s"),
    }
}
