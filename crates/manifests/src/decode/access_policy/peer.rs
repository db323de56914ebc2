//! One entry of `from` or `to`: which fields may stand together, and what each may hold.

use palisade_model::access_policy::{Action, Peer, PeerTarget, PodPeer, WorkloadRef};
use palisade_model::workload::WorkloadKind;
use palisade_model::{Kind, Meta, Name};

use crate::at::At;
use crate::decode::label_selector::read_selector;
use crate::decode::network_policy::read_block_with_except;
use crate::decode::perimeter::read_entity;
use crate::names;
use crate::report::{Report, WithHint};

/// The side of a rule that a peer stands on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    From,
    To,
}

impl Side {
    pub(super) fn field(self) -> &'static str {
        match self {
            Self::From => "from",
            Self::To => "to",
        }
    }
}

/// Fields that may stand beside `service`: they say where the Service lies.
const BESIDE_SERVICE: [&str; 2] = ["namespace", "namespaceSelector"];

pub(super) fn read_peer(report: &mut Report, at: &At<'_, '_>, side: Side, action: Action, meta: &Meta) -> Option<Peer> {
    let place = report.place(at.line());
    let given: Vec<&str> = at.fields().filter(|(_, value)| !value.value.is_null()).map(|(name, _)| name).collect();
    if given.is_empty() {
        report
            .reject(at, "missing-field", "the peer names nobody")
            .with_hint("`selector: {}` is every pod of the namespace, `entity: world` the outside");
        return None;
    }
    check_alone(report, at, &given)?;
    let target = if given.contains(&"cidr") || given.contains(&"except") {
        let (cidr, except) = read_block_with_except(report, at)?;
        PeerTarget::Cidr { cidr, except }
    } else if let Some(entity) = at.field("entity") {
        PeerTarget::Entity(read_entity(report, &entity)?)
    } else if let Some(fqdn) = at.field("fqdn") {
        PeerTarget::Fqdn(read_fqdn(report, &fqdn, side, action)?)
    } else {
        PeerTarget::Pods(read_pod_peer(report, at, side, meta)?)
    };
    Some(Peer { place, target })
}

/// `cidr` (with `except`), `entity`, `fqdn` and `service` name a party by themselves.
fn check_alone(report: &mut Report, at: &At<'_, '_>, given: &[&str]) -> Option<()> {
    for alone in ["cidr", "entity", "fqdn", "service"] {
        if !given.contains(&alone) {
            continue;
        }
        let may_stand_beside = |other: &str| match alone {
            "cidr" => other == "except",
            "service" => BESIDE_SERVICE.contains(&other),
            _ => false,
        };
        if let Some(other) = given.iter().find(|other| **other != alone && !may_stand_beside(other)) {
            report
                .reject(at, "invalid-value", &format!("`{alone}` may not stand beside `{other}` in one peer"))
                .with_hint("fields of one peer must all hold; make it two peers, each with its own `-`");
            return None;
        }
    }
    Some(())
}

fn read_pod_peer(report: &mut Report, at: &At<'_, '_>, side: Side, meta: &Meta) -> Option<PodPeer> {
    let peer = PodPeer {
        workload: read_workload(report, at),
        selector: read_selector(report, at, "selector"),
        namespace: read_name(report, at, "namespace", names::check_label),
        namespace_selector: read_selector(report, at, "namespaceSelector"),
        service_account: read_name(report, at, "serviceAccount", names::check_subdomain),
        service: read_name(report, at, "service", names::check_label),
        container: read_name(report, at, "container", names::check_label),
        program: read_program(report, at),
    };
    if peer.service.is_some() && side == Side::From {
        report
            .reject(at, "invalid-value", "a `service` does not send")
            .with_hint("name the pods behind it: `workload` or `selector`");
        return None;
    }
    let says_namespace = peer.namespace.is_some() || peer.namespace_selector.is_some();
    if meta.reference.kind == Kind::ClusterAccessPolicy && !says_namespace {
        report
            .reject(at, "missing-field", "a pod peer of a ClusterAccessPolicy needs `namespace` or `namespaceSelector`")
            .with_hint("`namespaceSelector: {}` is all namespaces");
        return None;
    }
    Some(peer)
}

fn read_name(
    report: &mut Report,
    parent: &At<'_, '_>,
    name: &'static str,
    check: fn(&str) -> Result<(), &'static str>,
) -> Option<Name> {
    let at = parent.field(name)?;
    let text = at.as_text()?;
    if let Err(why) = check(text) {
        report.reject(&at, "invalid-value", &format!("`{text}` {why}"));
    }
    Some(text.into())
}

fn read_workload(report: &mut Report, parent: &At<'_, '_>) -> Option<WorkloadRef> {
    let at = parent.field("workload")?;
    let text = at.as_text()?;
    let (kind, name) = match text.split_once('/') {
        Some((kind, name)) => (Some(kind), name),
        None => (None, text),
    };
    if let Err(why) = names::check_subdomain(name) {
        report
            .reject(&at, "invalid-value", &format!("workload name `{name}` {why}"))
            .with_hint("write `web` or `Deployment/web`");
    }
    let kind = match kind.map(str::parse::<WorkloadKind>) {
        None => None,
        Some(Ok(kind)) => Some(kind),
        Some(Err(error)) => {
            report.reject(&at, "invalid-value", &error.to_string());
            return None;
        }
    };
    Some(WorkloadRef { kind, name: name.into() })
}

/// A path as the kernel shows it: absolute and without detours.
fn read_program(report: &mut Report, parent: &At<'_, '_>) -> Option<Name> {
    const LONGEST_PATH: usize = 4096;
    let at = parent.field("program")?;
    let text = at.as_text()?;
    let mut parts = text.split('/');
    let is_absolute = parts.next() == Some("") && text.len() > 1;
    let is_plain = parts.all(|part| !matches!(part, "" | "." | ".."));
    if !is_absolute || !is_plain || text.len() > LONGEST_PATH || text.contains('\0') {
        report
            .reject(&at, "invalid-value", &format!("`{text}` is no absolute path"))
            .with_hint("give the path in the container's image, as in /usr/sbin/nginx");
    }
    Some(text.into())
}

fn read_fqdn(report: &mut Report, at: &At<'_, '_>, side: Side, action: Action) -> Option<String> {
    let text = at.as_text()?;
    if side == Side::From {
        report
            .reject(at, "invalid-value", "a name cannot be known of a sender")
            .with_hint("use `cidr` or `entity: world` in `from`");
        return None;
    }
    if action == Action::Deny {
        report
            .reject(
                at,
                "invalid-value",
                "`fqdn` may not stand in a Deny: whoever answers by another name would pass it",
            )
            .with_hint("close the pods by a Perimeter and allow the names that they need");
        return None;
    }
    let name = text.strip_suffix('.').unwrap_or(text);
    let is_valid = names::check_subdomain(name.strip_prefix("*.").unwrap_or(name)).is_ok() && name.contains('.');
    if !is_valid {
        report
            .reject(at, "invalid-value", &format!("`{text}` is no DNS name"))
            .with_hint("write it in lower case, as in api.example.com or *.example.com");
        return None;
    }
    Some(name.to_owned())
}
