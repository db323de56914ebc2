//! Ports of a policy's rule, protocols and port numbers.

use palisade_model::port::{PortMatch, PortRule};
use palisade_model::{PortRange, Protocol};

use crate::at::At;
use crate::names;
use crate::report::{Checked, Report, WithHint};
use crate::yaml::Shape;

/// One entry of a rule's `ports`. Source: `ValidateNetworkPolicyPort`.
pub(super) fn read_port_rule(report: &mut Report, at: &At<'_, '_>) -> Option<PortRule> {
    let protocol = read_protocol(report, at)?;
    let end_port = at.field("endPort");
    let Some(port) = at.field("port") else {
        if let Some(end_port) = end_port {
            report
                .reject(&end_port, "invalid-value", "may not stand without `port`")
                .with_hint("add `port`, the first port of the range");
        }
        return Some(PortRule { protocol, port: PortMatch::Any });
    };
    if let Some(name) = port.as_text() {
        return read_named_port(report, &port, end_port, protocol, name);
    }
    let first = read_port_number(report, &port)?;
    let last = match end_port {
        None => first,
        Some(end_port) => read_port_number(report, &end_port)?,
    };
    let Ok(range) = PortRange::new(first, last) else {
        report
            .reject(at, "invalid-value", &format!("`endPort` {last} lies before `port` {first}"))
            .with_hint("give `endPort` a number from `port` on");
        return None;
    };
    Some(PortRule { protocol, port: PortMatch::Range(range) })
}

fn read_named_port(
    report: &mut Report,
    port: &At<'_, '_>,
    end_port: Option<At<'_, '_>>,
    protocol: Protocol,
    name: &str,
) -> Option<PortRule> {
    if let Some(end_port) = end_port {
        report
            .reject(&end_port, "invalid-value", "may not stand beside a `port` by name")
            .with_hint("give `port` a number");
        return None;
    }
    check_port_name(report, port, name)?;
    Some(PortRule { protocol, port: PortMatch::Name(name.to_owned()) })
}

/// The `protocol` of `parent`, TCP when missing.
pub(super) fn read_protocol(report: &mut Report, parent: &At<'_, '_>) -> Option<Protocol> {
    read_checked_protocol(report, parent, Checked::ByTheServer)
}

/// The same, and who checks it.
pub(super) fn read_checked_protocol(report: &mut Report, parent: &At<'_, '_>, checked: Checked) -> Option<Protocol> {
    let Some(at) = parent.field("protocol") else { return Some(Protocol::Tcp) };
    let text = at.as_text()?;
    // Exact case, as in the API: `tcp` is rejected there.
    let protocol = Protocol::ALL.into_iter().find(|protocol| protocol.as_str() == text);
    if protocol.is_none() {
        report
            .fault(checked, &at, "invalid-value", &format!("unknown protocol `{text}`"))
            .with_hint("use TCP, UDP or SCTP");
    }
    protocol
}

/// The same for the ports of containers and Services, where empty text is missing, too.
///
/// In those types `protocol` is no pointer. Source: `SetDefaults_Service` and `SetDefaults_ContainerPort` of Kubernetes.
pub(super) fn read_protocol_or_empty(report: &mut Report, parent: &At<'_, '_>) -> Option<Protocol> {
    if parent.text("protocol") == Some("") { Some(Protocol::Tcp) } else { read_protocol(report, parent) }
}

/// The port number at `at`.
pub(super) fn read_port_number(report: &mut Report, at: &At<'_, '_>) -> Option<u16> {
    let number = at.as_integer()?;
    match names::check_port(number) {
        Ok(port) => Some(port),
        Err(why) => {
            report.reject(at, "invalid-value", &format!("port {number} {why}"));
            None
        }
    }
}

/// A port's name at `at`, checked; the hint helps with a number in quotes.
pub(super) fn check_port_name(report: &mut Report, at: &At<'_, '_>, name: &str) -> Option<()> {
    let Err(why) = names::check_port_name(name) else { return Some(()) };
    let is_number = name.bytes().all(|byte| byte.is_ascii_digit()) && !name.is_empty();
    if is_number {
        report
            .reject(at, "invalid-value", &format!("string `{name}` is a port's name, not its number"))
            .with_hint(format!("write {name} without quotes"));
    } else {
        report.reject(at, "invalid-value", &format!("port name `{name}` {why}"));
    }
    None
}

/// A port by number or name.
pub(super) enum NumberOrName<'d> {
    Number(u16),
    Name(&'d str),
}

/// The port at `at`, an int-or-string.
pub(super) fn read_number_or_name<'d>(report: &mut Report, at: &At<'d, '_>) -> Option<NumberOrName<'d>> {
    match at.value.shape() {
        Shape::Text(name) => check_port_name(report, at, name).map(|()| NumberOrName::Name(name)),
        _ => read_port_number(report, at).map(NumberOrName::Number),
    }
}
