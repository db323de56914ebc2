//! What a rule says of protocols and ports.

use palisade_model::tiered_policy::TieredPort;
use palisade_model::{Kind, PortRange, Protocol};

use super::Dialect;
use crate::at::At;
use crate::decode::port::{read_checked_protocol, read_port_number};
use crate::report::{Checked, Report, WithHint};

pub(super) fn is_name(port: &TieredPort) -> bool {
    matches!(port, TieredPort::Name(_))
}

/// One entry of `protocols` (v1alpha2) or `ports` (v1alpha1).
pub(super) fn read_ports(report: &mut Report, at: &At<'_, '_>, dialect: Dialect) -> Option<TieredPort> {
    let known: &[&str] = match dialect.kind {
        Kind::ClusterNetworkPolicy => &["tcp", "udp", "sctp", "destinationNamedPort"],
        _ => &["portNumber", "namedPort", "portRange"],
    };
    // The API server drops what it does not know, and then looks how many there are.
    let given: Vec<&str> = known.iter().copied().filter(|name| at.field(name).is_some()).collect();
    let [field] = given[..] else {
        let message = if given.is_empty() { "names no protocol" } else { "has more than one field" };
        report.reject(at, "invalid-value", message).with_hint("make each an entry of its own: start it with `-`");
        return None;
    };
    let entry = at.field(field)?;
    match (field, dialect.kind) {
        ("tcp", Kind::ClusterNetworkPolicy) => read_destination_port(report, &entry, Protocol::Tcp),
        ("udp", Kind::ClusterNetworkPolicy) => read_destination_port(report, &entry, Protocol::Udp),
        ("sctp", Kind::ClusterNetworkPolicy) => read_destination_port(report, &entry, Protocol::Sctp),
        ("destinationNamedPort", Kind::ClusterNetworkPolicy) => read_name(report, &entry),
        ("namedPort", Kind::AdminNetworkPolicy | Kind::BaselineAdminNetworkPolicy) => read_name(report, &entry),
        ("portNumber", Kind::AdminNetworkPolicy | Kind::BaselineAdminNetworkPolicy) => {
            let protocol = read_checked_protocol(report, &entry, Checked::ByNobody)?;
            let port = read_number(report, &entry, "port")?;
            Some(TieredPort::Numbers(protocol, Some(PortRange::single(port))))
        }
        ("portRange", Kind::AdminNetworkPolicy | Kind::BaselineAdminNetworkPolicy) => {
            let protocol = read_checked_protocol(report, &entry, Checked::ByNobody)?;
            let range = read_range(report, &entry, false)?;
            Some(TieredPort::Numbers(protocol, Some(range)))
        }
        _ => unreachable!("one of those that are known to the dialect"),
    }
}

/// `tcp: {destinationPort: {number: 80}}`. An entry without fields is not accepted.
fn read_destination_port(report: &mut Report, at: &At<'_, '_>, protocol: Protocol) -> Option<TieredPort> {
    let Some(port) = at.field("destinationPort") else {
        report
            .reject(at, "missing-field", "`destinationPort` is missing")
            .with_hint("for every port write `destinationPort: {range: {start: 1, end: 65535}}`");
        return None;
    };
    let range = match (port.field("number"), port.field("range")) {
        (Some(_), None) => PortRange::single(read_number(report, &port, "number")?),
        (None, Some(range)) => read_range(report, &range, true)?,
        (Some(_), Some(_)) | (None, None) => {
            report.reject(&port, "invalid-value", "wants either `number` or `range`");
            return None;
        }
    };
    Some(TieredPort::Numbers(protocol, Some(range)))
}

fn read_name(report: &mut Report, at: &At<'_, '_>) -> Option<TieredPort> {
    let name = at.as_text()?;
    if name.is_empty() {
        report.warn(at, "empty-name", "names no port: matches nothing");
    }
    Some(TieredPort::Name(name.into()))
}

fn read_number(report: &mut Report, at: &At<'_, '_>, name: &'static str) -> Option<u16> {
    match at.field(name) {
        Some(number) => read_port_number(report, &number),
        None => {
            report.reject(at, "missing-field", &format!("`{name}` is missing"));
            None
        }
    }
}

/// v1alpha2 wants `start` before `end`. v1alpha1 takes any two: what is the wrong way round has no port in it.
fn read_range(report: &mut Report, at: &At<'_, '_>, is_strict: bool) -> Option<PortRange> {
    let (start, end) = (read_number(report, at, "start")?, read_number(report, at, "end")?);
    match PortRange::new(start, end) {
        Ok(range) if start < end || !is_strict => Some(range),
        Ok(_) | Err(_) if is_strict => {
            report
                .reject(at, "invalid-value", &format!("`start` {start} does not lie before `end` {end}"))
                .with_hint("for one port use `number`");
            None
        }
        Ok(_) | Err(_) => {
            report.warn(at, "empty-range", &format!("`end` {end} lies before `start` {start}: matches no port"));
            None
        }
    }
}
