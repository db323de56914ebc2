//! A Service's own addresses and their families.

use std::net::IpAddr;

use palisade_model::service::Exposure;

use crate::address::parse_address;
use crate::at::At;
use crate::report::{Report, WithHint};

/// What `clusterIP` and `clusterIPs` say together.
pub(super) struct ClusterIps {
    /// `clusterIP: None`.
    pub(super) headless: bool,
    pub(super) addresses: Vec<IpAddr>,
}

/// Source: `ValidateServiceClusterIPsRelatedFields`.
pub(super) fn read_cluster_ips(report: &mut Report, spec: &At<'_, '_>, exposure: &Exposure) -> ClusterIps {
    let first = spec.non_empty("clusterIP");
    let headless = first == Some("None");
    let list = spec.field("clusterIPs").filter(|list| list.elements().len() > 0);
    if matches!(exposure, Exposure::ExternalName(_)) {
        forbid_on_a_name(report, spec, first.is_some() || list.is_some());
        return ClusterIps { headless: false, addresses: Vec::new() };
    }
    if headless && *exposure != Exposure::ClusterIp {
        report
            .reject(spec, "invalid-value", "`clusterIP: None` may stand on a Service of type ClusterIP alone")
            .with_hint("remove `clusterIP`, or make it `type: ClusterIP`");
    }
    if let Some(list) = &list
        && list.elements().next().and_then(|at| at.as_text()).unwrap_or_default() != first.unwrap_or_default()
    {
        report
            .reject(list, "invalid-value", "the first entry must be that of `clusterIP`")
            .with_hint("give `clusterIP` the first address of the list");
    }
    let addresses = match (&list, spec.field("clusterIP").filter(|_| first.is_some())) {
        (Some(list), _) => list.elements().enumerate().map(|(index, at)| read_cluster_ip(report, &at, index)).collect(),
        (None, Some(at)) => vec![read_cluster_ip(report, &at, 0)],
        (None, None) => Vec::new(),
    };
    if headless && addresses.len() > 1 {
        report.reject(spec, "invalid-value", "`None` must be the only entry of `clusterIPs`");
    }
    check_families(report, spec, &addresses, headless);
    ClusterIps { headless, addresses: addresses.into_iter().flatten().collect() }
}

fn forbid_on_a_name(report: &mut Report, spec: &At<'_, '_>, has_address: bool) {
    let has_families = spec.field("ipFamilies").is_some_and(|list| list.elements().len() > 0);
    let field = match (has_address, has_families, spec.field("ipFamilyPolicy").is_some()) {
        (true, _, _) => "clusterIP",
        (_, true, _) => "ipFamilies",
        (_, _, true) => "ipFamilyPolicy",
        (false, false, false) => return,
    };
    report
        .reject(spec, "invalid-value", &format!("`{field}` may not stand on a Service of type ExternalName"))
        .with_hint(format!("remove `{field}`"));
}

/// The address; `None` for a first entry `None`, and for what is no address and rejected.
fn read_cluster_ip(report: &mut Report, at: &At<'_, '_>, index: usize) -> Option<IpAddr> {
    let text = at.as_text().unwrap_or_default();
    let address = parse_address(text);
    if address.is_none() && !(index == 0 && text == "None") {
        report
            .reject(at, "invalid-value", &format!("`{text}` is no address"))
            .with_hint("remove the line, or write `None` for a headless Service");
    }
    address
}

fn check_families(report: &mut Report, spec: &At<'_, '_>, addresses: &[Option<IpAddr>], headless: bool) {
    let families = spec.list("ipFamilies", |at| match at.as_text() {
        Some("IPv4") => Some(Family::V4),
        Some("IPv6") => Some(Family::V6),
        other => {
            let other = other.unwrap_or_default();
            report.reject(at, "invalid-value", &format!("unknown family `{other}`")).with_hint("use IPv4 or IPv6");
            None
        }
    });
    let written: Vec<Option<Family>> = addresses.iter().map(|address| address.map(Family::of)).collect();
    for (field, list) in [("ipFamilies", &families), ("clusterIPs", &written)] {
        let is_twice = (1..list.len()).any(|index| list[index].is_some() && list[..index].contains(&list[index]));
        if is_twice {
            report.reject(spec, "duplicate", &format!("two entries of `{field}` are of one family"));
        }
    }
    let pairs = families.iter().zip(&written).filter_map(|(family, address)| Some((*family)?.cmp(&(*address)?)));
    if pairs.into_iter().any(|order| order.is_ne()) {
        report
            .reject(spec, "invalid-value", "`clusterIPs` are not of the families that `ipFamilies` gives, in its order")
            .with_hint("remove `ipFamilies`, or put it in the order of `clusterIPs`");
    }
    check_policy(report, spec, addresses.len().max(families.len()) > 1, headless);
}

fn check_policy(report: &mut Report, spec: &At<'_, '_>, has_both: bool, headless: bool) {
    const DUAL: [&str; 2] = ["PreferDualStack", "RequireDualStack"];
    // Without a selector a headless Service gets both families. Source: `initIPFamilyFields`.
    let has_selector = spec.field("selector").is_some_and(|selector| selector.fields().next().is_some());
    let default = if headless && !has_selector { "RequireDualStack" } else { "SingleStack" };
    let policy = spec.text("ipFamilyPolicy").unwrap_or(default);
    if policy != "SingleStack" && !DUAL.contains(&policy) {
        report
            .reject(spec, "invalid-value", &format!("unknown `ipFamilyPolicy` `{policy}`"))
            .with_hint("use SingleStack, PreferDualStack or RequireDualStack");
    } else if has_both && !DUAL.contains(&policy) {
        report
            .reject(spec, "invalid-value", "two families need `ipFamilyPolicy`")
            .with_hint("add `ipFamilyPolicy: PreferDualStack`");
    }
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Family {
    V4,
    V6,
}

impl Family {
    fn of(address: IpAddr) -> Self {
        if address.is_ipv4() { Self::V4 } else { Self::V6 }
    }
}
