//! Service. Source: `ValidateService` of Kubernetes.

use std::collections::BTreeSet;
use std::net::IpAddr;

use palisade_model::service::{Exposure, Service, ServicePort, TargetPort};
use palisade_model::{Meta, Name};

use super::metadata::read_labels;
use super::port::{NumberOrName, read_number_or_name, read_port_number, read_protocol};
use crate::address::parse_address;
use crate::at::At;
use crate::names;
use crate::report::{Report, WithHint};

pub(super) fn decode(report: &mut Report, root: &At<'_, '_>, meta: Meta) -> Service {
    let Some(spec) = root.field("spec") else {
        report.reject(root, "missing-field", "`spec.ports` is missing").with_hint("add the ports of the Service");
        return empty(meta);
    };
    let exposure = read_exposure(report, &spec);
    let headless = spec.text("clusterIP") == Some("None");
    let ports = read_ports(report, &spec);
    if ports.is_empty() && report.is_good() && !headless && !matches!(exposure, Exposure::ExternalName(_)) {
        report
            .reject(&spec, "missing-field", "`ports` is missing or empty")
            .with_hint("add `ports: [{port: 80}]`, or `clusterIP: None`");
    }
    Service {
        selector: spec.field("selector").map(|_| read_labels(report, &spec, "selector", names::check_value)),
        cluster_ips: if headless { Vec::new() } else { read_cluster_ips(report, &spec) },
        external_ips: read_addresses(report, &spec, "externalIPs"),
        load_balancer_ips: read_load_balancer_ips(root),
        publish_not_ready: spec.boolean("publishNotReadyAddresses").unwrap_or(false),
        meta,
        exposure,
        headless,
        ports,
    }
}

fn empty(meta: Meta) -> Service {
    Service {
        meta,
        exposure: Exposure::ClusterIp,
        selector: None,
        cluster_ips: Vec::new(),
        headless: false,
        external_ips: Vec::new(),
        load_balancer_ips: Vec::new(),
        ports: Vec::new(),
        publish_not_ready: false,
    }
}

fn read_exposure(report: &mut Report, spec: &At<'_, '_>) -> Exposure {
    match spec.non_empty("type") {
        None | Some("ClusterIP") => Exposure::ClusterIp,
        Some("NodePort") => Exposure::NodePort,
        Some("LoadBalancer") => Exposure::LoadBalancer,
        Some("ExternalName") => {
            let name = spec.text("externalName").unwrap_or_default();
            if let Err(why) = names::check_subdomain(name.strip_suffix('.').unwrap_or(name)) {
                report
                    .reject(spec, "invalid-value", &format!("`externalName` `{name}` {why}"))
                    .with_hint("give the DNS name that the Service stands for");
            }
            Exposure::ExternalName(name.to_owned())
        }
        Some(other) => {
            report
                .reject(spec, "invalid-value", &format!("unknown type `{other}`"))
                .with_hint("use ClusterIP, NodePort, LoadBalancer or ExternalName");
            Exposure::ClusterIp
        }
    }
}

fn read_ports(report: &mut Report, spec: &At<'_, '_>) -> Vec<ServicePort> {
    let Some(list) = spec.field("ports") else { return Vec::new() };
    let needs_names = list.elements().count() > 1;
    let (mut names_seen, mut numbers_seen) = (BTreeSet::new(), BTreeSet::new());
    let mut ports = Vec::new();
    for at in list.elements() {
        let Some(port) = read_port(report, &at) else { continue };
        match &port.name {
            None if needs_names => {
                report
                    .reject(&at, "missing-field", "a port of several needs a `name`")
                    .with_hint("add `name: ...` to each port");
            }
            Some(name) if !names_seen.insert(name.clone()) => {
                report.reject(&at, "duplicate", &format!("two ports have the name `{name}`"));
            }
            None | Some(_) => {}
        }
        if !numbers_seen.insert((port.protocol, port.port)) {
            report.reject(&at, "duplicate", &format!("two entries for port {} {}", port.port, port.protocol));
        }
        ports.push(port);
    }
    ports
}

fn read_port(report: &mut Report, at: &At<'_, '_>) -> Option<ServicePort> {
    let name = at.non_empty("name");
    if let Some(name) = name
        && let Err(why) = names::check_label(name)
    {
        report.reject(at, "invalid-value", &format!("name `{name}` {why}"));
    }
    let protocol = read_protocol(report, at)?;
    let Some(port_at) = at.field("port") else {
        report.reject(at, "missing-field", "`port` is missing");
        return None;
    };
    let port = read_port_number(report, &port_at)?;
    let target = match at.field("targetPort").filter(|target| !is_unset(target)) {
        None => TargetPort::Number(port),
        Some(target) => match read_number_or_name(report, &target)? {
            NumberOrName::Number(number) => TargetPort::Number(number),
            NumberOrName::Name(name) => TargetPort::Name(name.into()),
        },
    };
    let node_port = match at.field("nodePort").filter(|node_port| node_port.as_integer() != Some(0)) {
        None => None,
        Some(node_port) => Some(read_port_number(report, &node_port)?),
    };
    Some(ServicePort { name: name.map(Name::from), protocol, port, target, node_port })
}

/// Defaulting treats 0 and empty text as missing. Source: `SetDefaults_Service`.
fn is_unset(target: &At<'_, '_>) -> bool {
    target.as_integer() == Some(0) || target.as_text() == Some("")
}

fn read_cluster_ips(report: &mut Report, spec: &At<'_, '_>) -> Vec<IpAddr> {
    let all = read_addresses(report, spec, "clusterIPs");
    if !all.is_empty() {
        return all;
    }
    let Some(at) = spec.field("clusterIP") else { return Vec::new() };
    let text = at.as_text().unwrap_or_default();
    if text.is_empty() {
        return Vec::new();
    }
    let address = parse_address(text);
    if address.is_none() {
        report
            .reject(&at, "invalid-value", &format!("`{text}` is no address"))
            .with_hint("remove the line, or write `None` for a headless Service");
    }
    address.into_iter().collect()
}

fn read_addresses(report: &mut Report, spec: &At<'_, '_>, name: &'static str) -> Vec<IpAddr> {
    let addresses = spec.list(name, |at| {
        let text = at.as_text().unwrap_or_default();
        let address = parse_address(text);
        if address.is_none() && text != "None" {
            report.reject(at, "invalid-value", &format!("`{text}` is no address"));
        }
        address
    });
    addresses.into_iter().flatten().collect()
}

fn read_load_balancer_ips(root: &At<'_, '_>) -> Vec<IpAddr> {
    let Some(status) = root.field("status") else { return Vec::new() };
    let Some(balancer) = status.field("loadBalancer") else { return Vec::new() };
    balancer.list("ingress", |at| at.text("ip").and_then(parse_address)).into_iter().flatten().collect()
}
