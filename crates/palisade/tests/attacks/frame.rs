//! Frames and packets as an intruder writes them, byte by byte.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

pub const IPV4: u16 = 0x0800;
pub const IPV6: u16 = 0x86dd;
pub const ARP: u16 = 0x0806;
pub const VLAN: u16 = 0x8100;

pub const ICMP: u8 = 1;
pub const IPIP: u8 = 4;
pub const TCP: u8 = 6;
pub const UDP: u8 = 17;
pub const GRE: u8 = 47;
pub const FRAGMENT: u8 = 44;
pub const ICMPV6: u8 = 58;
pub const DESTINATION_OPTIONS: u8 = 60;

/// Flags of TCP.
pub const SYN: u8 = 0x02;
pub const ACK: u8 = 0x10;

/// An address of the link layer.
pub type Mac = [u8; 6];

pub fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub fn ethernet(to: Mac, from: Mac, kind: u16, payload: &[u8]) -> Vec<u8> {
    [&to[..], &from, &kind.to_be_bytes(), payload].concat()
}

/// A tag and what it holds, to be put into a frame of the kind [`VLAN`].
pub fn tagged(tag: u16, kind: u16, payload: &[u8]) -> Vec<u8> {
    [&tag.to_be_bytes()[..], &kind.to_be_bytes(), payload].concat()
}

/// An IP packet of the addresses' family.
pub fn ip(from: IpAddr, to: IpAddr, protocol: u8, payload: &[u8]) -> Vec<u8> {
    match (from, to) {
        (IpAddr::V4(from), IpAddr::V4(to)) => ipv4(from, to, protocol, Piece::WHOLE, payload),
        (IpAddr::V6(from), IpAddr::V6(to)) => ipv6(from, to, protocol, 64, payload),
        _ => unreachable!("the worlds of this test give both ends the same families"),
    }
}

/// Which piece of a packet this is; the offset counts eight bytes.
#[derive(Clone, Copy)]
pub struct Piece {
    pub id: u16,
    pub offset: u16,
    pub more: bool,
}

impl Piece {
    pub const WHOLE: Self = Self { id: 0, offset: 0, more: false };
}

pub fn ipv4(from: Ipv4Addr, to: Ipv4Addr, protocol: u8, piece: Piece, payload: &[u8]) -> Vec<u8> {
    let length = 20 + payload.len() as u16;
    let flags = piece.offset | u16::from(piece.more) << 13;
    let mut header = vec![0x45, 0];
    header.extend(length.to_be_bytes());
    header.extend(piece.id.to_be_bytes());
    header.extend(flags.to_be_bytes());
    header.extend([64, protocol, 0, 0]);
    header.extend(from.octets());
    header.extend(to.octets());
    let sum = checksum(&header).to_be_bytes();
    header[10..12].copy_from_slice(&sum);
    [header, payload.to_vec()].concat()
}

pub fn ipv6(from: Ipv6Addr, to: Ipv6Addr, next: u8, hops: u8, payload: &[u8]) -> Vec<u8> {
    let mut header = vec![0x60, 0, 0, 0];
    header.extend((payload.len() as u16).to_be_bytes());
    header.extend([next, hops]);
    header.extend(from.octets());
    header.extend(to.octets());
    [header, payload.to_vec()].concat()
}

/// The extension header of a piece, and its bytes.
pub fn ipv6_piece(next: u8, piece: Piece, payload: &[u8]) -> Vec<u8> {
    let offset = piece.offset << 3 | u16::from(piece.more);
    [&[next, 0][..], &offset.to_be_bytes(), &[0, 0], &piece.id.to_be_bytes(), payload].concat()
}

/// A destination options header of `8 * (1 + extra)` bytes of padding, and what follows.
pub fn destination_options(next: u8, extra: u8, payload: &[u8]) -> Vec<u8> {
    let mut header = vec![next, extra];
    let mut left = 6 + usize::from(extra) * 8;
    while left > 0 {
        // PadN holds its own two bytes and at most 255 more.
        let count = left.min(257);
        if count == 1 {
            header.push(0);
        } else {
            header.extend([1, (count - 2) as u8]);
            header.extend(vec![0; count - 2]);
        }
        left -= count;
    }
    [header, payload.to_vec()].concat()
}

pub fn udp(from: IpAddr, to: IpAddr, ports: (u16, u16), payload: &[u8]) -> Vec<u8> {
    let length = 8 + payload.len() as u16;
    let mut datagram = [ports.0.to_be_bytes(), ports.1.to_be_bytes(), length.to_be_bytes(), [0, 0]].concat();
    datagram.extend_from_slice(payload);
    let sum = over_addresses(from, to, UDP, &datagram).to_be_bytes();
    datagram[6..8].copy_from_slice(&sum);
    datagram
}

/// A segment of no connection, with a payload, so that it can be told apart.
pub fn tcp(from: IpAddr, to: IpAddr, ports: (u16, u16), flags: u8, payload: &[u8]) -> Vec<u8> {
    tcp_at(from, to, ports, (1, 0), flags, payload)
}

/// The same at a sequence number, acknowledging another.
pub fn tcp_at(
    from: IpAddr,
    to: IpAddr,
    ports: (u16, u16),
    (sequence, acknowledged): (u32, u32),
    flags: u8,
    payload: &[u8],
) -> Vec<u8> {
    let mut segment = [ports.0.to_be_bytes(), ports.1.to_be_bytes()].concat();
    segment.extend([sequence.to_be_bytes(), acknowledged.to_be_bytes()].concat());
    segment.extend([0x50, flags, 0xff, 0xff, 0, 0, 0, 0]);
    segment.extend_from_slice(payload);
    let sum = over_addresses(from, to, TCP, &segment).to_be_bytes();
    segment[16..18].copy_from_slice(&sum);
    segment
}

/// An ICMP message of the addresses' family: type, code, and what follows the checksum.
pub fn icmp(from: IpAddr, to: IpAddr, kind: u8, rest: &[u8]) -> Vec<u8> {
    let mut message = [&[kind, 0, 0, 0], rest].concat();
    let sum = if from.is_ipv4() { checksum(&message) } else { over_addresses(from, to, ICMPV6, &message) };
    message[2..4].copy_from_slice(&sum.to_be_bytes());
    message
}

/// "Who has `target`? Tell `from` at `mac`."
pub fn arp_request(mac: Mac, from: Ipv4Addr, target: Ipv4Addr) -> Vec<u8> {
    let mut request = vec![0, 1, 8, 0, 6, 4, 0, 1];
    request.extend(mac);
    request.extend(from.octets());
    request.extend([0; 6]);
    request.extend(target.octets());
    request
}

/// A neighbour solicitation: "who has `target`? I am `mac`."
pub fn solicitation(target: Ipv6Addr, mac: Mac) -> Vec<u8> {
    [&[0; 4][..], &target.octets(), &[1, 1], &mac].concat()
}

/// A router advertisement: "I am your router, for 1800 seconds, at `mac`."
pub fn router_advertisement(mac: Mac) -> Vec<u8> {
    [&[64, 0, 0x07, 0x08, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1][..], &mac].concat()
}

fn over_addresses(from: IpAddr, to: IpAddr, protocol: u8, bytes: &[u8]) -> u16 {
    let mut pseudo = Vec::new();
    for address in [from, to] {
        match address {
            IpAddr::V4(address) => pseudo.extend(address.octets()),
            IpAddr::V6(address) => pseudo.extend(address.octets()),
        }
    }
    pseudo.extend((bytes.len() as u32).to_be_bytes());
    pseudo.extend([0, 0, 0, protocol]);
    pseudo.extend_from_slice(bytes);
    checksum(&pseudo)
}

/// Source: RFC 1071.
fn checksum(bytes: &[u8]) -> u16 {
    let words = bytes.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(pair.get(1).copied().unwrap_or(0)));
    let mut sum: u32 = words.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}
