//! The address space, cut where policies cut it.

use std::collections::BTreeSet;
use std::net::IpAddr;

use palisade_model::IpNet;
use palisade_model::access_policy::PeerTarget;
use palisade_model::network_policy::NetworkPolicyTarget;
use palisade_model::verdict::Direction;

use super::sides::RuleSet;
use crate::matching::Side;
use crate::model::Model;
use crate::party::METADATA;

/// Prefixes that are always told apart: the default routes, loopback, unspecified, link-local, multicast and broadcast.
const ALWAYS: [&str; 11] = [
    "0.0.0.0/0",
    "::/0",
    "127.0.0.0/8",
    "::1/128",
    "0.0.0.0/32",
    "::/128",
    "169.254.0.0/16",
    "fe80::/10",
    "224.0.0.0/4",
    "255.255.255.255/32",
    "ff00::/8",
];

/// Every block that a policy names.
pub(crate) fn policy_blocks(model: &Model) -> Vec<IpNet> {
    let mut blocks: Vec<IpNet> = model.tier_blocks().collect();
    let mut add = |cidr: &IpNet, except: &[IpNet]| {
        blocks.push(cidr.trunc());
        blocks.extend(except.iter().map(IpNet::trunc));
    };
    for policy in &model.inventory.network_policies {
        for peer in policy.ingress.iter().chain(&policy.egress).flatten().flat_map(|rule| &rule.peers) {
            if let NetworkPolicyTarget::IpBlock { cidr, except } = &peer.target {
                add(cidr, except);
            }
        }
    }
    for peer in model
        .inventory
        .access_policies
        .iter()
        .flat_map(|policy| &policy.rules)
        .flat_map(|rule| rule.from.iter().chain(&rule.to))
    {
        if let PeerTarget::Cidr { cidr, except } = &peer.target {
            add(cidr, except);
        }
    }
    blocks
}

/// The blocks that AccessPolicies' rules of `wanted` name at `side`.
pub(crate) fn access_blocks(model: &Model, wanted: &RuleSet, side: Side) -> Vec<IpNet> {
    let mut blocks = Vec::new();
    for (_, _, rule) in wanted.iter().map(|number| model.access_rule(number)) {
        let peers = match side {
            Side::From => &rule.from,
            Side::To => &rule.to,
        };
        for peer in peers {
            if let PeerTarget::Cidr { cidr, except } = &peer.target {
                blocks.extend(std::iter::once(cidr).chain(except).map(IpNet::trunc));
            }
        }
    }
    blocks
}

/// The blocks that NetworkPolicies' rules of `wanted` name.
pub(crate) fn network_blocks(model: &Model, wanted: &RuleSet, direction: Direction) -> Vec<IpNet> {
    let mut blocks = Vec::new();
    let rules = &model.rules.network(direction).rules;
    for (position, index) in wanted.iter().map(|number| rules.at(number)) {
        for peer in &model.network_policy_rules(position, direction)[index].peers {
            if let NetworkPolicyTarget::IpBlock { cidr, except } = &peer.target {
                blocks.extend(std::iter::once(cidr).chain(except).map(IpNet::trunc));
            }
        }
    }
    blocks
}

/// `blocks` and every prefix that is told apart without rules, sorted, each with an address that lies in no other of
/// them; prefixes that others fill are left out.
pub(crate) fn with_addresses(model: &Model, blocks: impl IntoIterator<Item = IpNet>) -> Vec<(IpNet, IpAddr)> {
    let host = |address: IpAddr| IpNet::from(address.to_canonical());
    let mut prefixes: BTreeSet<IpNet> = blocks.into_iter().collect();
    prefixes.extend(ALWAYS.iter().map(|text| text.parse::<IpNet>().expect("the constants are prefixes")));
    prefixes.extend(METADATA.map(host));
    prefixes.extend(model.apiserver_endpoints.iter().map(|endpoint| host(endpoint.address)));
    prefixes.extend(model.pods().iter().flat_map(|pod| &pod.addresses).map(|address| host(*address)));
    let of_nodes = model.nodes.iter().flat_map(|node| node.addresses.iter().chain(&node.interface_addresses));
    prefixes.extend(of_nodes.map(|address| host(*address)));
    for service in &model.inventory.services {
        let addresses = service.cluster_ips.iter().chain(&service.external_ips).chain(&service.load_balancer_ips);
        prefixes.extend(addresses.map(|address| host(*address)));
    }
    let prefixes: Vec<IpNet> = prefixes.into_iter().collect();
    let mut found = Vec::with_capacity(prefixes.len());
    for (position, prefix) in prefixes.iter().enumerate() {
        // Sorted by address, then length: what lies inside a prefix follows it.
        let inside = prefixes[position + 1..].iter().take_while(|inner| prefix.contains(*inner));
        found.extend(uncovered_address(prefix, inside).map(|address| (*prefix, address)));
    }
    found
}

/// Leaves out prefixes that mean what the next wider one means. Sorted by address, then length.
pub(crate) fn without_repetitions<T: PartialEq>(prefixes: Vec<(IpNet, T)>) -> Vec<(IpNet, T)> {
    let mut kept: Vec<(IpNet, T)> = Vec::new();
    // Positions of kept prefixes, each inside the one before.
    let mut around: Vec<usize> = Vec::new();
    for (prefix, means) in prefixes {
        while around.last().is_some_and(|position| !kept[*position].0.contains(&prefix)) {
            around.pop();
        }
        if around.last().is_some_and(|position| kept[*position].1 == means) {
            continue;
        }
        around.push(kept.len());
        kept.push((prefix, means));
    }
    kept
}

/// An address of `prefix` that lies in none of `inside` (sorted, all within it).
fn uncovered_address<'p>(prefix: &IpNet, inside: impl Iterator<Item = &'p IpNet>) -> Option<IpAddr> {
    let mut candidate = as_number(prefix.network());
    let last = as_number(prefix.broadcast());
    for inner in inside {
        if as_number(inner.network()) > candidate {
            break;
        }
        let after = as_number(inner.broadcast()).checked_add(1)?;
        candidate = candidate.max(after);
    }
    (candidate <= last).then(|| as_address(candidate, prefix.addr().is_ipv4()))
}

fn as_number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => u128::from(u32::from(v4)),
        IpAddr::V6(v6) => u128::from(v6),
    }
}

fn as_address(number: u128, v4: bool) -> IpAddr {
    if v4 {
        IpAddr::V4(u32::try_from(number).expect("an IPv4 prefix holds IPv4 numbers").into())
    } else {
        IpAddr::V6(number.into())
    }
}

impl Model {
    /// An address of the family `v4` that is outside of everything known and of every block that a
    /// policy names.
    pub fn world_address(&self, v4: bool) -> Option<IpAddr> {
        let blocks: BTreeSet<IpNet> = policy_blocks(self)
            .into_iter()
            .filter(|block| block.addr().is_ipv4() == v4 && block.prefix_len() > 0)
            .chain(ALWAYS[2..].iter().map(|text| text.parse::<IpNet>().expect("the constants are prefixes")))
            .filter(|block| block.addr().is_ipv4() == v4)
            .collect();
        let start: IpNet = if v4 { "128.0.0.0/1" } else { "2000::/3" }.parse().expect("the constants are prefixes");
        let inside = blocks.iter().filter(|block| start.contains(*block));
        uncovered_address(&start.trunc(), inside).filter(|address| self.owner_of(*address).is_none())
    }
}
