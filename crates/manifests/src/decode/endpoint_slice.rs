//! `discovery.k8s.io/v1` EndpointSlice. Source: `ValidateEndpointSlice` of Kubernetes.

use std::collections::BTreeSet;
use std::net::IpAddr;

use palisade_model::service::{Endpoint, EndpointPort, EndpointSlice};
use palisade_model::{Meta, Name};

use super::port::read_protocol;
use crate::address::{parse_address, why_special};
use crate::at::At;
use crate::names;
use crate::report::{Report, WithHint};

/// Most addresses of an endpoint, endpoints and ports that the API server takes.
const MAX_ADDRESSES: usize = 100;
const MAX_ENDPOINTS: usize = 1_000;
const MAX_PORTS: usize = 20_000;

pub(super) fn decode(report: &mut Report, root: &At<'_, '_>, meta: Meta) -> EndpointSlice {
    let address_type = read_address_type(report, root);
    for (field, most) in [("endpoints", MAX_ENDPOINTS), ("ports", MAX_PORTS)] {
        if let Some(list) = root.field(field)
            && list.elements().len() > most
        {
            report.reject(&list, "invalid-value", &format!("has more than {most} entries"));
        }
    }
    EndpointSlice {
        service: meta.labels.value("kubernetes.io/service-name").map(Name::from),
        endpoints: root.list("endpoints", |at| read_endpoint(report, at, address_type)),
        ports: read_ports(report, root),
        meta,
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum AddressType {
    Ipv4,
    Ipv6,
    Name,
}

/// `None` when it is unknown, and the object is rejected.
fn read_address_type(report: &mut Report, root: &At<'_, '_>) -> Option<AddressType> {
    let text = root.text("addressType").unwrap_or_default();
    match text {
        "IPv4" => return Some(AddressType::Ipv4),
        "IPv6" => return Some(AddressType::Ipv6),
        "FQDN" => return Some(AddressType::Name),
        _ => {}
    }
    report
        .reject(root, "invalid-value", &format!("unknown `addressType` `{text}`"))
        .with_hint("use IPv4, IPv6 or FQDN");
    None
}

fn read_endpoint(report: &mut Report, at: &At<'_, '_>, address_type: Option<AddressType>) -> Endpoint {
    let count = at.field("addresses").map_or(0, |list| list.elements().len());
    if count == 0 {
        report.reject(at, "missing-field", "`addresses` is missing or empty").with_hint("give the endpoint an address");
    } else if count > MAX_ADDRESSES {
        report.reject(at, "invalid-value", &format!("has more than {MAX_ADDRESSES} addresses"));
    }
    check_name(report, at, "hostname", names::check_label);
    check_name(report, at, "nodeName", names::check_subdomain);
    let addresses = at.list("addresses", |address| read_address(report, address, address_type));
    let pod = at
        .field("targetRef")
        .filter(|target| target.text("kind") == Some("Pod"))
        .and_then(|target| target.non_empty("name"))
        .map(Name::from);
    Endpoint {
        addresses: addresses.into_iter().flatten().collect(),
        ready: at.field("conditions").and_then(|conditions| conditions.boolean("ready")).unwrap_or(true),
        pod,
    }
}

/// A name that may be missing, but not empty.
fn check_name(report: &mut Report, at: &At<'_, '_>, field: &'static str, check: fn(&str) -> Result<(), &'static str>) {
    if let Some(name) = at.field(field)
        && let Some(text) = name.as_text()
        && let Err(why) = check(text)
    {
        report.reject(&name, "invalid-value", &format!("`{text}` {why}"));
    }
}

/// The address, or `None` in a slice of names: they cannot be compared.
fn read_address(report: &mut Report, at: &At<'_, '_>, address_type: Option<AddressType>) -> Option<IpAddr> {
    let text = at.as_text().unwrap_or_default();
    let address = match address_type? {
        AddressType::Name => {
            let name = text.strip_suffix('.').unwrap_or(text);
            if let Err(why) = names::check_subdomain(name) {
                report.reject(at, "invalid-value", &format!("`{text}` {why}"));
            } else if !name.contains('.') {
                report.reject(
                    at,
                    "invalid-value",
                    &format!("`{text}` must have at least two parts, as in `db.example`"),
                );
            }
            return None;
        }
        AddressType::Ipv4 => parse_address(text).filter(IpAddr::is_ipv4),
        // Only these must be written as Go writes them.
        AddressType::Ipv6 => parse_address(text).filter(|address| address.is_ipv6() && address.to_string() == text),
    };
    let why = match address {
        None => Some("is no address of the slice's `addressType`"),
        Some(address) => why_special(address),
    };
    if let Some(why) = why {
        report.reject(at, "invalid-value", &format!("`{text}` {why}"));
    }
    address
}

fn read_ports(report: &mut Report, root: &At<'_, '_>) -> Vec<EndpointPort> {
    let mut seen = BTreeSet::new();
    let ports = root.list("ports", |at| {
        let name = at.text("name").unwrap_or_default();
        if !seen.insert(name) {
            report.reject(at, "duplicate", &format!("two ports have the name `{name}`"));
        }
        if !name.is_empty()
            && let Err(why) = names::check_label(name)
        {
            report.reject(at, "invalid-value", &format!("name `{name}` {why}"));
        }
        read_port(report, at)
    });
    ports.into_iter().flatten().collect()
}

/// `None` for a number that is no port: the API server takes any number here, and nothing can listen on it.
fn read_port(report: &mut Report, at: &At<'_, '_>) -> Option<EndpointPort> {
    let protocol = read_protocol(report, at)?;
    let port = match at.field("port").and_then(|port| Some((port.as_integer()?, port))) {
        None => None,
        Some((number, port_at)) => match names::check_port(number) {
            Ok(port) => Some(port),
            Err(why) => {
                report
                    .warn(&port_at, "invalid-value", &format!("port {number} {why}: nothing is reached by it"))
                    .with_hint("the API server takes it; correct the number");
                return None;
            }
        },
    };
    Some(EndpointPort { name: at.non_empty("name").map(Name::from), protocol, port })
}
