//! Addresses and blocks as Kubernetes' older fields take them: leading zeros are decimal, host bits are masked.
//!
//! Source: `k8s.io/utils/net.ParseIPSloppy` and `ParseCIDRSloppy`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use palisade_model::IpNet;

/// An address; an IPv4 address in IPv6 form is that IPv4 address.
pub(crate) fn parse_address(text: &str) -> Option<IpAddr> {
    Some(parse_as_written(text)?.to_canonical())
}

/// A block with its host bits masked.
pub(crate) fn parse_block(text: &str) -> Option<IpNet> {
    let (address, length) = text.split_once('/')?;
    if length.is_empty() || length.len() > 4 || !length.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let length: u8 = length.parse().ok()?;
    let (address, length) = match parse_as_written(address)? {
        IpAddr::V6(v6) if length <= 128 => match v6.to_ipv4_mapped() {
            // Go masks the 16 bytes and then goes on with the last four.
            Some(v4) => (IpAddr::V4(v4), length.saturating_sub(96)),
            None => (IpAddr::V6(v6), length),
        },
        address => (address, length),
    };
    Some(IpNet::new(address, length).ok()?.trunc())
}

/// Whether `part` is a strict subset of `block`, as `except` must be.
pub(crate) fn is_strict_subset(part: &IpNet, block: &IpNet) -> bool {
    block.contains(&part.network()) && part.prefix_len() > block.prefix_len()
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
        let part = parts.next()?;
        if part.is_empty() || part.len() > 16 || !part.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        *octet = part.parse::<u64>().ok()?.try_into().ok()?;
    }
    parts.next().is_none().then(|| octets.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_masked_and_sloppy() {
        let block = |text: &str| parse_block(text).map(|block| block.to_string());
        assert_eq!(block("10.1.2.3/8").as_deref(), Some("10.0.0.0/8"));
        assert_eq!(block("010.0.0.0/08").as_deref(), Some("10.0.0.0/8"));
        assert_eq!(block("2001:db8::1/32").as_deref(), Some("2001:db8::/32"));
        assert_eq!(block("::ffff:10.0.0.0/104").as_deref(), Some("10.0.0.0/8"));
        assert_eq!(block("0.0.0.0/0").as_deref(), Some("0.0.0.0/0"));
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
