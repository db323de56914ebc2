//! Service. Source: `ValidateService` of Kubernetes.

mod cluster_ips;

use std::collections::BTreeSet;
use std::net::IpAddr;

use palisade_model::service::{Exposure, ExternalTraffic, InternalTraffic, Service, ServicePort, TargetPort};
use palisade_model::{IpNet, Meta, Name};

use super::metadata::read_labels;
use super::port::{NumberOrName, read_number_or_name, read_port_number, read_protocol_or_empty};
use crate::address::{parse_address, parse_block, why_special};
use crate::at::At;
use crate::names;
use crate::report::{Report, WithHint};
use cluster_ips::{ClusterIps, read_cluster_ips};

pub(super) fn decode(report: &mut Report, root: &At<'_, '_>, meta: Meta) -> Service {
    let Some(spec) = root.field("spec") else {
        report.reject(root, "missing-field", "`spec.ports` is missing").with_hint("add the ports of the Service");
        return empty(meta);
    };
    let exposure = read_exposure(report, &spec);
    let ClusterIps { headless, addresses } = read_cluster_ips(report, &spec, &exposure);
    let ports = read_ports(report, &spec, &exposure);
    if ports.is_empty() && report.is_good() && !headless && !matches!(exposure, Exposure::ExternalName(_)) {
        report
            .reject(&spec, "missing-field", "`ports` is missing or empty")
            .with_hint("add `ports: [{port: 80}]`, or `clusterIP: None`");
    }
    let external_ips = read_external_ips(report, &spec);
    check_traffic(report, &spec, &exposure, !external_ips.is_empty());
    let selector = spec.field("selector").map(|_| read_labels(report, &spec, "selector", names::check_value));
    Service {
        selector: selector.filter(|selector| !selector.0.is_empty()),
        cluster_ips: addresses,
        external_ips,
        load_balancer_ips: read_load_balancer(root, |at| at.text("ip").and_then(parse_address)),
        publish_not_ready: spec.boolean("publishNotReadyAddresses").unwrap_or(false),
        external_traffic: match spec.text("externalTrafficPolicy") {
            Some("Local") => ExternalTraffic::Local,
            Some(_) | None => ExternalTraffic::Cluster,
        },
        internal_traffic: match spec.text("internalTrafficPolicy") {
            Some("Local") => InternalTraffic::Local,
            Some(_) | None => InternalTraffic::Cluster,
        },
        source_ranges: read_source_ranges(root, &spec, &exposure),
        allocates_node_ports: spec.boolean("allocateLoadBalancerNodePorts").unwrap_or(true),
        load_balancer_hostnames: read_load_balancer(root, |at| at.non_empty("hostname").map(Name::from)),
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
        external_traffic: ExternalTraffic::Cluster,
        internal_traffic: InternalTraffic::Cluster,
        source_ranges: Vec::new(),
        allocates_node_ports: true,
        load_balancer_hostnames: Vec::new(),
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

fn read_ports(report: &mut Report, spec: &At<'_, '_>, exposure: &Exposure) -> Vec<ServicePort> {
    let Some(list) = spec.field("ports") else { return Vec::new() };
    let needs_names = list.elements().count() > 1;
    let (mut names_seen, mut numbers_seen, mut node_ports_seen) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
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
        if let Some(node_port) = port.node_port
            && !node_ports_seen.insert((port.protocol, node_port))
        {
            report.reject(&at, "duplicate", &format!("two entries for node port {node_port} {}", port.protocol));
        }
        if port.node_port.is_some() && *exposure == Exposure::ClusterIp {
            report
                .reject(&at, "invalid-value", "`nodePort` may not stand on a Service of type ClusterIP")
                .with_hint("remove `nodePort`, or make it `type: NodePort`");
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
    if let Some(protocol) = at.text("appProtocol")
        && let Err(why) = names::check_key(protocol)
    {
        report.reject(at, "invalid-value", &format!("`appProtocol` `{protocol}` {why}"));
    }
    let protocol = read_protocol_or_empty(report, at)?;
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

fn read_external_ips(report: &mut Report, spec: &At<'_, '_>) -> Vec<IpAddr> {
    let addresses = spec.list("externalIPs", |at| {
        let text = at.as_text().unwrap_or_default();
        let address = parse_address(text);
        let why = match address {
            None => Some("is no address"),
            Some(address) => why_special(address),
        };
        if let Some(why) = why {
            report.reject(at, "invalid-value", &format!("`{text}` {why}"));
        }
        address
    });
    addresses.into_iter().flatten().collect()
}

/// What says who may come and where to it goes; only whether the API server takes it matters here.
fn check_traffic(report: &mut Report, spec: &At<'_, '_>, exposure: &Exposure, has_external_ips: bool) {
    const SCOPES: [&str; 2] = ["Cluster", "Local"];
    for (field, empty_is_missing, known) in [
        ("sessionAffinity", true, ["None", "ClientIP"]),
        ("externalTrafficPolicy", true, SCOPES),
        ("internalTrafficPolicy", false, SCOPES),
    ] {
        let Some(text) = spec.text(field).filter(|text| !(text.is_empty() && empty_is_missing)) else { continue };
        if !known.contains(&text) {
            report
                .reject(spec, "invalid-value", &format!("unknown `{field}` `{text}`"))
                .with_hint(format!("use {} or {}", known[0], known[1]));
        }
    }
    let is_open = match exposure {
        Exposure::NodePort | Exposure::LoadBalancer => true,
        Exposure::ClusterIp => has_external_ips,
        Exposure::ExternalName(_) => false,
    };
    if spec.non_empty("externalTrafficPolicy").is_some() && !is_open {
        report
            .reject(spec, "invalid-value", "`externalTrafficPolicy` needs a Service that the outside can reach")
            .with_hint("remove it, or make it `type: NodePort` or `LoadBalancer`");
    }
    let Some(ranges) = spec.field("loadBalancerSourceRanges").filter(|list| list.elements().len() > 0) else { return };
    if *exposure != Exposure::LoadBalancer {
        report
            .reject(&ranges, "invalid-value", "may stand on a Service of type LoadBalancer alone")
            .with_hint("remove it, or make it `type: LoadBalancer`");
    }
    for range in ranges.elements() {
        let text = range.as_text().unwrap_or_default();
        if parse_block(text.trim()).is_none() {
            report.reject(&range, "invalid-value", &format!("`{text}` is no CIDR block"));
        }
    }
}

/// What `read` finds in the entries of `status.loadBalancer.ingress`; an Ingress has the same.
pub(super) fn read_load_balancer<T>(root: &At<'_, '_>, read: impl Fn(&At<'_, '_>) -> Option<T>) -> Vec<T> {
    let Some(status) = root.field("status") else { return Vec::new() };
    let Some(balancer) = status.field("loadBalancer") else { return Vec::new() };
    balancer.list("ingress", |at| read(at)).into_iter().flatten().collect()
}

/// Who may come by the load balancer, by the field or else the older annotation.
///
/// Source: `GetLoadBalancerSourceRanges` of `k8s.io/cloud-provider/service/helpers`: the field wins when it is not empty.
fn read_source_ranges(root: &At<'_, '_>, spec: &At<'_, '_>, exposure: &Exposure) -> Vec<IpNet> {
    const ANNOTATION: &str = "service.beta.kubernetes.io/load-balancer-source-ranges";
    if *exposure != Exposure::LoadBalancer {
        return Vec::new();
    }
    let block = |text: &str| parse_block(text.trim()).map(|block| block.net);
    let listed = spec.list("loadBalancerSourceRanges", |at| at.as_text().and_then(block));
    if !listed.is_empty() {
        return listed.into_iter().flatten().collect();
    }
    let Some(metadata) = root.field("metadata") else { return Vec::new() };
    let Some(annotations) = metadata.field("annotations") else { return Vec::new() };
    annotations.text(ANNOTATION).into_iter().flat_map(|text| text.split(',')).filter_map(block).collect()
}
