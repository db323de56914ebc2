//! Blocks of addresses that mean no one, or pods by an address that they have only today.

use palisade_model::IpNet;
use palisade_model::access_policy::PeerTarget;
use palisade_model::finding::{Finding, Rule, Severity};
use palisade_model::object::ObjectRef;
use palisade_model::tiered_policy::TieredTarget;
use palisade_model::{Name, Place};

use super::view::{NetworkPeer, View};
use super::{access, service_address};

/// A block of a policy, and where it stands.
pub(super) struct BlockAt<'m> {
    pub(super) cidr: &'m IpNet,
    pub(super) except: &'m [IpNet],
    pub(super) object: &'m ObjectRef,
    pub(super) part: Name,
    pub(super) place: &'m Place,
    pub(super) kind: BlockKind,
}

/// Whom the blocks of a kind of policy mean.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum BlockKind {
    /// NetworkPolicy's `ipBlock`: pods too, with most network plugins.
    IpBlock,
    /// AccessPolicy's `cidr`: never pods, nodes or Services.
    Cidr,
    /// ClusterNetworkPolicy's `networks`: pods too.
    Networks,
}

/// Every block of every policy, in order.
pub(super) fn all<'m>(view: &'m View<'m>) -> Vec<BlockAt<'m>> {
    let mut blocks = Vec::new();
    for network in &view.network {
        for (position, (peer, written)) in network.peers.iter().zip(&network.rule.peers).enumerate() {
            let NetworkPeer::Block { cidr, except } = peer else { continue };
            let part = network.peer_part(position).into();
            let object = &network.policy.meta.reference;
            blocks.push(BlockAt { cidr, except, object, part, place: &written.place, kind: BlockKind::IpBlock });
        }
    }
    for at in access::rules(view.model) {
        for (list, peers) in [("from", &at.rule.from), ("to", &at.rule.to)] {
            for (position, peer) in peers.iter().enumerate() {
                let PeerTarget::Cidr { cidr, except } = &peer.target else { continue };
                let part = format!("{}.{list}[{position}]", at.part()).into();
                let object = &at.policy.meta.reference;
                blocks.push(BlockAt { cidr, except, object, part, place: &peer.place, kind: BlockKind::Cidr });
            }
        }
    }
    for policy in &view.model.inventory.tiered_policies {
        for (index, rule) in policy.egress.iter().enumerate() {
            for (position, peer) in rule.peers.iter().enumerate() {
                let TieredTarget::Networks(networks) = &peer.target else { continue };
                let part: Name = format!("egress[{index}].to[{position}]").into();
                let object = &policy.meta.reference;
                blocks.extend(networks.iter().map(|cidr| BlockAt {
                    cidr,
                    except: &[],
                    object,
                    part: part.clone(),
                    place: &peer.place,
                    kind: BlockKind::Networks,
                }));
            }
        }
    }
    blocks
}

impl BlockAt<'_> {
    pub(super) fn has(&self, address: &std::net::IpAddr) -> bool {
        self.cidr.contains(address) && !self.except.iter().any(|except| except.contains(address))
    }
}

/// A block at least this long is a few pods' or a node's share of them, not the network of all: of IPv4 and of IPv6.
const NARROW: [u8; 2] = [24, 64];

pub(super) fn rule() -> Rule {
    Rule::new(
        "ip-block-of-pods",
        Severity::Medium,
        "a block of addresses means pods",
        "Every known address in the block is a pod's. A pod has another address after its next restart, and another pod may have this \
         one; and whether an `ipBlock` means pods at all depends on the network plugin (Cilium's never does). The `cidr` of an \
         AccessPolicy never means pods.\n\nName the pods by their labels.",
    )
}

pub(super) fn find(view: &View<'_>, rule: &Rule) -> Vec<Finding> {
    let owners = service_address::Owners::new(view);
    let blocks = all(view);
    let found = blocks.iter().filter_map(|block| Some((block, owners.pods_alone_in(block)?)));
    found
        .map(|(block, (pod, count))| {
            let more = if count > 1 { format!(" and {} more", count - 1) } else { String::new() };
            let is_narrow = block.cidr.prefix_len() >= NARROW[usize::from(block.cidr.addr().is_ipv6())];
            let consequence = match (block.kind, is_narrow) {
                (BlockKind::IpBlock, true) => "after its next restart a pod has another address, and with Cilium the block does not mean pods at all",
                (BlockKind::IpBlock, false) => "whether an `ipBlock` means pods depends on the network plugin: Cilium's never does",
                (BlockKind::Cidr, _) => "`cidr` never means the addresses of known pods: this peer matches none of them",
                (BlockKind::Networks, true) => "after its next restart a pod has another address",
                (BlockKind::Networks, false) => "whoever gets an address there is meant, whatever it runs",
            };
            let message = format!("block {} holds the addresses of `{}`{more}, and no other that is known", block.cidr, pod.full_name());
            let mut finding = rule
                .finding(message)
                .of(block.object)
                .part(block.part.clone())
                .at(block.place)
                .reason(consequence)
                .fix("name the pods by their labels instead")
                .related(&pod.place, pod.full_name());
            if !is_narrow && block.kind != BlockKind::Cidr {
                finding.severity = Severity::Low;
            }
            finding
        })
        .collect()
}
