//! Addresses and blocks as Kubernetes' older fields take them: leading zeros are decimal, host bits are masked.
//!
//! Source: `k8s.io/utils/net.ParseIPSloppy` and `ParseCIDRSloppy`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use palisade_model::IpNet;

/// An address; an IPv4 address in IPv6 form is that IPv4 address.
pub(crate) fn parse_address(text: &str) -> Option<IpAddr> {
    Some(parse_as_written(text)?.to_canonical())
}

/// Why nothing may have this address as its own: neither an endpoint nor a Service's external address.
///
/// Source: `ValidateNonSpecialIP`.
pub(crate) fn why_special(address: IpAddr) -> Option<&'static str> {
    let (is_link_local, is_link_local_multicast) = match address {
        IpAddr::V4(v4) => (v4.is_link_local(), v4.octets()[..3] == [224, 0, 0]),
        IpAddr::V6(v6) => (v6.is_unicast_link_local(), v6.segments()[0] & 0xff0f == 0xff02),
    };
    match address {
        _ if address.is_unspecified() => Some("means no address"),
        _ if address.is_loopback() => Some("is a loopback address"),
        _ if is_link_local => Some("is link-local"),
        _ if is_link_local_multicast => Some("is link-local multicast"),
        _ => None,
    }
}

/// A block as it was written, and what it means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Block {
    /// With its host bits masked; an IPv4 block in IPv6 form is that IPv4 block.
    pub(crate) net: IpNet,
    /// The length as written: 104 for `::ffff:10.0.0.0/104`.
    written_length: u8,
}

impl Block {
    /// Whether `self` is a strict subset of `block`, as `except` must be.
    ///
    /// The API server compares the lengths as written, so that `::ffff:10.0.0.0/104` may stand in `10.0.0.0/8`, of which
    /// it takes everything away. Source: `ValidateIPBlock`.
    pub(crate) fn is_strict_subset_of(&self, block: &Self) -> bool {
        block.net.contains(&self.net.addr()) && self.written_length > block.written_length
    }
}

/// A block.
pub(crate) fn parse_block(text: &str) -> Option<Block> {
    let (address, length) = text.split_once('/')?;
    let written_length = parse_sloppy_number(length)?;
    let (address, length) = match parse_as_written(address)? {
        IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
            // Go masks the 16 bytes: only when all of `::ffff:` is left is it an IPv4 block.
            Some(v4) if (96..=128).contains(&written_length) => (IpAddr::V4(v4), written_length - 96),
            Some(_) | None => (IpAddr::V6(v6), written_length),
        },
        address => (address, written_length),
    };
    Some(Block { net: IpNet::new(address, length).ok()?.trunc(), written_length })
}

fn parse_as_written(text: &str) -> Option<IpAddr> {
    if text.contains(':') {
        let (head, tail) = text.rsplit_once(':')?;
        if tail.contains('.') {
            let canonical = format!("{head}:{}", parse_sloppy_v4(tail)?);
            return canonical.parse::<Ipv6Addr>().ok().map(IpAddr::V6);
        }
        return text.parse::<Ipv6Addr>().ok().map(IpAddr::V6);
    }
    parse_sloppy_v4(text).map(IpAddr::V4)
}

fn parse_sloppy_v4(text: &str) -> Option<Ipv4Addr> {
    let mut octets = [0u8; 4];
    let mut parts = text.split('.');
    for octet in &mut octets {
        *octet = parse_sloppy_number(parts.next()?)?;
    }
    parts.next().is_none().then(|| octets.into())
}

/// A decimal number with any leading zeros.
fn parse_sloppy_number(text: &str) -> Option<u8> {
    let digits = text.trim_start_matches('0');
    let is_number = !text.is_empty() && digits.len() <= 3 && digits.bytes().all(|byte| byte.is_ascii_digit());
    match digits {
        _ if !is_number => None,
        "" => Some(0),
        digits => digits.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_masked_and_sloppy() {
        let block = |text: &str| parse_block(text).map(|block| block.net.to_string());
        assert_eq!(block("10.1.2.3/8").as_deref(), Some("10.0.0.0/8"));
        assert_eq!(block("010.0.0.0/08").as_deref(), Some("10.0.0.0/8"));
        assert_eq!(block("2001:db8::1/32").as_deref(), Some("2001:db8::/32"));
        assert_eq!(block("::ffff:10.0.0.0/104").as_deref(), Some("10.0.0.0/8"));
        assert_eq!(block("0.0.0.0/0").as_deref(), Some("0.0.0.0/0"));
        assert_eq!(block("10.1.0.0/00000000000000000016").as_deref(), Some("10.1.0.0/16"));
        assert_eq!(block("0000000000000000010.0.0.0/8").as_deref(), Some("10.0.0.0/8"));
    }

    #[test]
    fn a_short_length_leaves_no_ipv4_block() {
        let block = |text: &str| parse_block(text).map(|block| block.net.to_string());
        assert_eq!(block("::ffff:10.0.0.0/96").as_deref(), Some("0.0.0.0/0"));
        assert_eq!(block("::ffff:10.0.0.0/8").as_deref(), Some("::/8"));
        assert_eq!(block("::ffff:10.0.0.0/90").as_deref(), Some("::ffc0:0:0/90"));
    }

    #[test]
    fn subsets_compare_what_is_written() {
        let is_subset = |part: &str, block: &str| {
            let parse = |text| parse_block(text).expect("the test gives blocks");
            parse(part).is_strict_subset_of(&parse(block))
        };
        assert!(is_subset("10.1.0.0/16", "10.0.0.0/8") && !is_subset("11.1.0.0/16", "10.0.0.0/8"));
        assert!(!is_subset("10.0.0.0/8", "10.0.0.0/8") && !is_subset("10.0.0.0/7", "10.0.0.0/8"));
        assert!(is_subset("::ffff:10.0.0.0/104", "10.0.0.0/8"));
        assert!(!is_subset("10.1.0.0/16", "::ffff:10.0.0.0/104"));
        assert!(!is_subset("2001:db8::/32", "10.0.0.0/8"));
    }

    #[test]
    fn what_is_no_block_is_refused() {
        for text in [
            "10.0.0.0",
            "10.0.0.0/33",
            "10.0.0/8",
            "10.0.0.0/",
            "10.0.0.0/-1",
            "::/129",
            "fe80::1%eth0/64",
            "a/8",
            "256.0.0.0/8",
            " 10.0.0.0/8",
        ] {
            assert_eq!(parse_block(text), None, "{text}");
        }
    }
}
