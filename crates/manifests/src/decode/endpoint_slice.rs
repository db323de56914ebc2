//! `discovery.k8s.io/v1` EndpointSlice.

use palisade_model::service::{Endpoint, EndpointPort, EndpointSlice};
use palisade_model::{Meta, Name};

use super::port::{read_port_number, read_protocol};
use crate::address::parse_address;
use crate::at::At;
use crate::report::{Report, WithHint};

pub(super) fn decode(report: &mut Report, root: &At<'_, '_>, meta: Meta) -> EndpointSlice {
    let address_type = root.text("addressType").unwrap_or_default();
    if !matches!(address_type, "IPv4" | "IPv6" | "FQDN") {
        report
            .reject(root, "invalid-value", &format!("unknown `addressType` `{address_type}`"))
            .with_hint("use IPv4, IPv6 or FQDN");
    }
    EndpointSlice {
        service: meta.labels.value("kubernetes.io/service-name").map(Name::from),
        endpoints: root.list("endpoints", |at| read_endpoint(report, at, address_type)),
        ports: root.list("ports", |at| read_port(report, at)).into_iter().flatten().collect(),
        meta,
    }
}

fn read_endpoint(report: &mut Report, at: &At<'_, '_>, address_type: &str) -> Endpoint {
    let addresses = at.list("addresses", |address| {
        let text = address.as_text().unwrap_or_default();
        let parsed = parse_address(text);
        // A slice of names has no addresses that could be compared.
        if parsed.is_none() && address_type != "FQDN" {
            report.reject(address, "invalid-value", &format!("`{text}` is no address"));
        }
        parsed
    });
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

fn read_port(report: &mut Report, at: &At<'_, '_>) -> Option<EndpointPort> {
    let protocol = read_protocol(report, at)?;
    let port = match at.field("port") {
        None => None,
        Some(port) => Some(read_port_number(report, &port)?),
    };
    Some(EndpointPort { name: at.non_empty("name").map(Name::from), protocol, port })
}
