//! A word put into what two ends inside a pod say to each other, by who can listen in.

use std::io::{self, BufRead, Read, Write};
use std::net::{Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use super::super::frame;
use super::system::{self, Address};
use super::{MARKER, parse};

/// What comes without delay comes within this time.
const SETTLE: Duration = Duration::from_millis(500);
const PATIENCE: Duration = Duration::from_secs(5);

/// The victim: both ends of a connection (`tcp`) or exchange (`udp`) on the pod's loopback. Says `ready`; then one end
/// speaks to the other, which tells whether it heard what nobody said.
pub fn talk_inside(kind: &str, port: &str) -> io::Result<String> {
    let at = SocketAddr::new(Ipv6Addr::LOCALHOST.into(), parse(port)?);
    let heard = match kind {
        "tcp" => {
            let listener = TcpListener::bind(at)?;
            let mut caller = TcpStream::connect(at)?;
            let (mut server, _) = listener.accept()?;
            server.set_read_timeout(Some(SETTLE))?;
            wait_for_word()?;
            caller.write_all(b"hello")?;
            heard(|bytes| server.read(bytes))
        }
        _ => {
            let server = UdpSocket::bind(at)?;
            let caller = UdpSocket::bind((Ipv6Addr::LOCALHOST, 0))?;
            server.set_read_timeout(Some(SETTLE))?;
            wait_for_word()?;
            caller.send_to(b"hello", at)?;
            heard(|bytes| server.recv(bytes))
        }
    };
    let forged = heard.windows(MARKER.len()).any(|window| window == MARKER);
    Ok(if forged { "forged" } else { "ok" }.to_owned())
}

fn wait_for_word() -> io::Result<()> {
    println!("ready");
    io::stdin().lock().read_line(&mut String::new()).map(drop)
}

/// Everything that comes until nothing does for a while.
fn heard(mut read: impl FnMut(&mut [u8]) -> io::Result<usize>) -> Vec<u8> {
    let mut all = Vec::new();
    let mut bytes = [0; 2048];
    while let Ok(count @ 1..) = read(&mut bytes) {
        all.extend_from_slice(&bytes[..count]);
    }
    all
}

/// The intruder: says `ready`, and puts a word of its own after the first that is said to the port on the loopback.
pub fn interject(port: &str) -> io::Result<String> {
    let port: u16 = parse(port)?;
    let tap = system::socket(libc::AF_PACKET, libc::SOCK_RAW, i32::from((libc::ETH_P_ALL as u16).to_be()))?;
    system::bind(&tap, &Address::of_link(system::interface("lo")?))?;
    println!("ready");
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        if system::poll(&tap, libc::POLLIN, PATIENCE)?
            && let Some(next) = what_could_follow(&system::receive(&tap)?, port)
        {
            system::send(&tap, &next, 0, None)?;
            return Ok("ok".to_owned());
        }
    }
    Ok("heard nothing".to_owned())
}

/// After a frame with data for the port over IPv6: what its sender could send next.
fn what_could_follow(bytes: &[u8], port: u16) -> Option<Vec<u8>> {
    let packet = bytes.get(14..).filter(|_| bytes[12..14] == frame::IPV6.to_be_bytes())?;
    let address = |at: usize| Some(Ipv6Addr::from(<[u8; 16]>::try_from(packet.get(at..at + 16)?).ok()?));
    let number = |at: usize| Some(u32::from_be_bytes(packet.get(at..at + 4)?.try_into().ok()?));
    let (from, to) = (address(8)?, address(24)?);
    let ports = number(40)?;
    if ports as u16 != port {
        return None;
    }
    let ports = ((ports >> 16) as u16, port);
    let after = match *packet.get(6)? {
        frame::UDP => frame::udp(from.into(), to.into(), ports, MARKER),
        frame::TCP => {
            let data =
                packet.len().checked_sub(40 + usize::from(packet.get(52)? >> 4) * 4).filter(|count| *count > 0)?;
            let sequence = (number(44)?.wrapping_add(data as u32), number(48)?);
            frame::tcp_at(from.into(), to.into(), ports, sequence, frame::ACK, MARKER)
        }
        _ => return None,
    };
    let protocol = packet[6];
    Some(frame::ethernet([0; 6], [0; 6], frame::IPV6, &frame::ipv6(from, to, protocol, 64, &after)))
}
