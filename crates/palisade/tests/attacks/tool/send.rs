//! Packets that no socket of TCP or UDP made.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use super::system::{self, Address};
use super::{MARKER, parse};

/// The destination's options: the header comes from us.
const IPV6_HDRINCL: i32 = 36;

/// Sends each frame, written in hexadecimal digits, on the device.
pub fn frames(device: &str, frames: &[&str]) -> io::Result<String> {
    let socket = system::socket(libc::AF_PACKET, libc::SOCK_RAW, i32::from((libc::ETH_P_ALL as u16).to_be()))?;
    let link = Address::of_link(system::interface(device)?);
    system::bind(&socket, &link)?;
    for frame in frames {
        system::send(&socket, &bytes(frame)?, 0, None)?;
    }
    Ok("ok".to_owned())
}

/// Sends a frame, written in hexadecimal digits, past every packet socket.
pub fn express(device: &str, frame: &str) -> io::Result<String> {
    super::express::send(device, &bytes(frame)?)?;
    Ok("ok".to_owned())
}

/// Sends each whole IP packet, written in hexadecimal digits, by a raw socket.
pub fn packets(packets: &[&str]) -> io::Result<String> {
    for packet in packets {
        packet_of(&bytes(packet)?)?;
    }
    Ok("ok".to_owned())
}

fn packet_of(packet: &[u8]) -> io::Result<()> {
    match packet.first().map(|first| first >> 4) {
        Some(4) if packet.len() >= 20 => {
            let to: [u8; 4] = packet[16..20].try_into().map_err(io::Error::other)?;
            let socket = system::socket(libc::AF_INET, libc::SOCK_RAW, libc::IPPROTO_RAW)?;
            system::send(&socket, packet, 0, Some(&Address::of((to, 0).into())))
        }
        Some(6) if packet.len() >= 40 => {
            let to: [u8; 16] = packet[24..40].try_into().map_err(io::Error::other)?;
            let socket = system::socket(libc::AF_INET6, libc::SOCK_RAW, libc::IPPROTO_RAW)?;
            system::set_number(&socket, libc::SOL_IPV6, IPV6_HDRINCL, 1)?;
            system::send(&socket, packet, 0, Some(&Address::of((to, 0).into())))
        }
        _ => Err(io::Error::other("neither IPv4 nor IPv6")),
    }
}

/// Sends itself a packet that seems to come from `target`, reads it, and "answers".
pub fn answer_to_forged(local: &str, forged: &str, target: &str) -> io::Result<String> {
    let (local, target): (SocketAddr, SocketAddr) = (parse(local)?, parse(target)?);
    let socket = system::socket(system::family_of(&local), libc::SOCK_DGRAM, 0)?;
    system::bind(&socket, &Address::of(local))?;
    packet_of(&bytes(forged)?)?;
    let came = system::poll(&socket, libc::POLLIN, Duration::from_millis(200))?;
    if came {
        system::receive(&socket)?;
    }
    system::send(&socket, MARKER, 0, Some(&Address::of(target)))?;
    Ok(if came { "ok" } else { "ok without a forged packet" }.to_owned())
}

/// Sends `count` datagrams to `target`, each from a port of its own, as long as any goes out.
pub fn flood(target: &str, count: &str) -> io::Result<String> {
    let target: SocketAddr = parse(target)?;
    let address = Address::of(target);
    let mut sent = 0;
    from_each_processor(count, || {
        let socket = system::socket(system::family_of(&target), libc::SOCK_DGRAM, 0)?;
        sent += usize::from(system::send(&socket, b"flood", 0, Some(&address)).is_ok());
        Ok(())
    })?;
    Ok(format!("ok {sent}"))
}

/// Fills what remembers datagrams that came: `count` of them, each from a port of its own, within the pod.
pub fn flood_itself(count: &str) -> io::Result<String> {
    let own = Address::of(SocketAddr::from(([127, 0, 0, 1], 4322)));
    let receiver = system::socket(libc::AF_INET, libc::SOCK_DGRAM, 0)?;
    system::bind(&receiver, &own)?;
    let mut came = 0;
    from_each_processor(count, || {
        let socket = system::socket(libc::AF_INET, libc::SOCK_DGRAM, 0)?;
        system::send(&socket, b"flood", 0, Some(&own))?;
        came += usize::from(!system::receive(&receiver)?.is_empty());
        Ok(())
    })?;
    Ok(format!("ok {came}"))
}

/// From every processor in turn: a table that forgets the oldest keeps the newest of each processor apart.
fn from_each_processor(count: &str, mut once: impl FnMut() -> io::Result<()>) -> io::Result<()> {
    let processors = std::thread::available_parallelism()?.get();
    for processor in 0..processors {
        system::run_on(processor)?;
        for _ in 0..(parse::<usize>(count)? / processors).max(1000) {
            once()?;
        }
    }
    Ok(())
}

pub fn bytes(text: &str) -> io::Result<Vec<u8>> {
    let digits = |at: usize| text.get(at..at + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok());
    let bytes: Option<Vec<u8>> = (0..text.len()).step_by(2).map(digits).collect();
    bytes.ok_or_else(|| io::Error::other("no hexadecimal digits"))
}
