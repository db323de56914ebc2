//! Node.

use palisade_model::Meta;
use palisade_model::inventory::Node;

use crate::address::parse_address;
use crate::at::At;

pub(super) fn decode(root: &At<'_, '_>, meta: Meta) -> Node {
    let addresses = root
        .field("status")
        .map(|status| {
            status.list("addresses", |address| match address.text("type") {
                Some("InternalIP" | "ExternalIP") => address.text("address").and_then(parse_address),
                _ => None,
            })
        })
        .unwrap_or_default();
    Node { meta, addresses: addresses.into_iter().flatten().collect(), interface_addresses: Vec::new() }
}
