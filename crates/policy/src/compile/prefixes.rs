//! The address space, cut where policies cut it.

use std::collections::BTreeSet;
use std::net::IpAddr;

use palisade_model::IpNet;
use palisade_model::access_policy::PeerTarget;
use palisade_model::network_policy::NetworkPolicyTarget;

use crate::model::Model;

/// Prefixes that are always told apart: the default routes, loopback, unspecified, link-local.
pub(crate) const ALWAYS: [&str; 8] =
    ["0.0.0.0/0", "::/0", "127.0.0.0/8", "::1/128", "0.0.0.0/32", "::/128", "169.254.0.0/16", "fe80::/10"];

/// Every block that a policy names.
pub(crate) fn policy_blocks(model: &Model) -> Vec<IpNet> {
    let mut blocks = Vec::new();
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

/// An address of `prefix` that lies in none of `inside` (sorted, all within it).
pub(crate) fn uncovered_address<'p>(prefix: &IpNet, inside: impl Iterator<Item = &'p IpNet>) -> Option<IpAddr> {
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
