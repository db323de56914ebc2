//! The victim's own view: every packet that reached an interface in its network namespace.

use std::fs::File;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;
use std::time::{Duration, Instant};

use super::frame;
use super::tool::MARKER;
use super::tool::system::{self, Address};

/// Packets that are on their way arrive within this time.
const SETTLE: Duration = Duration::from_millis(60);

/// A window on one interface.
pub struct Capture {
    socket: OwnedFd,
}

/// What an attack looks like when it arrives.
#[derive(Clone, Copy, Debug)]
pub enum Trace {
    /// A packet with the attack's marker.
    Marker,
    /// A packet of that sender to that port, and no connection without it.
    From(IpAddr, u16),
    /// Anything of that sender.
    Any(IpAddr),
    /// An ICMP echo of that sender.
    Echo(IpAddr),
}

impl Capture {
    /// Opens the window on the interface in the network namespace that `path` names.
    pub fn open(path: &Path, interface: &str) -> io::Result<Self> {
        let interface = interface.to_owned();
        Self::inside(path, move || {
            let everything = i32::from((libc::ETH_P_ALL as u16).to_be());
            let socket = system::socket(libc::AF_PACKET, libc::SOCK_RAW | libc::SOCK_NONBLOCK, everything)?;
            system::set_number(&socket, libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, 16 << 20)?;
            // What the interface sends itself is not wanted.
            system::set_number(&socket, libc::SOL_PACKET, libc::PACKET_IGNORE_OUTGOING, 1)?;
            system::bind(&socket, &Address::of_link(system::interface(&interface)?))?;
            Ok(socket)
        })
    }

    /// Listens for datagrams in the network namespace: a window on a node's end of a link would show what its guard drops.
    pub fn listen(path: &Path, address: SocketAddr) -> io::Result<Self> {
        Self::inside(path, move || {
            let kind = libc::SOCK_DGRAM | libc::SOCK_NONBLOCK;
            let socket = system::socket(system::family_of(&address), kind, 0)?;
            system::bind(&socket, &Address::of(address))?;
            Ok(socket)
        })
    }

    fn inside(path: &Path, make: impl FnOnce() -> io::Result<OwnedFd> + Send + 'static) -> io::Result<Self> {
        let namespace = File::open(path)?;
        // A thread's own: the rest of the test stays where it is.
        let opened = std::thread::spawn(move || {
            // SAFETY: the descriptor is open, and the call concerns this thread alone.
            system::check(unsafe { libc::setns(namespace.as_raw_fd(), libc::CLONE_NEWNET) })?;
            Ok(Self { socket: make()? })
        });
        opened.join().unwrap_or_else(|_| Err(io::Error::other("the thread died")))
    }

    /// Forgets what came until now.
    pub fn forget(&self) {
        while system::receive(&self.socket).is_ok() {}
    }

    /// Whether what `trace` describes arrived, or arrives in a moment.
    pub fn saw(&self, trace: Trace) -> bool {
        let begun = Instant::now();
        loop {
            while let Ok(bytes) = system::receive(&self.socket) {
                if fits(&bytes, trace) {
                    return true;
                }
            }
            let left = SETTLE.saturating_sub(begun.elapsed());
            if left.is_zero() || !system::poll(&self.socket, libc::POLLIN, left).unwrap_or(false) {
                return false;
            }
        }
    }
}

fn fits(bytes: &[u8], trace: Trace) -> bool {
    match trace {
        Trace::Marker => bytes.windows(MARKER.len()).any(|window| window == MARKER),
        Trace::From(from, port) => header(bytes).is_some_and(|header| header.from == from && header.port == Some(port)),
        Trace::Any(from) => header(bytes).is_some_and(|header| header.from == from),
        Trace::Echo(from) => header(bytes).is_some_and(|header| {
            let echo = matches!((header.protocol, header.first), (frame::ICMP, 8) | (frame::ICMPV6, 128));
            echo && header.from == from
        }),
    }
}

struct Header {
    from: IpAddr,
    protocol: u8,
    /// The destination's port, of TCP and UDP.
    port: Option<u16>,
    /// The first byte behind the IP header.
    first: u8,
}

fn header(bytes: &[u8]) -> Option<Header> {
    let kind = u16::from_be_bytes(bytes.get(12..14)?.try_into().ok()?);
    let packet = bytes.get(14..)?;
    let (from, protocol, rest): (IpAddr, u8, &[u8]) = match kind {
        frame::IPV4 => {
            let from: [u8; 4] = packet.get(12..16)?.try_into().ok()?;
            let length = usize::from(packet.first()? & 0x0f) * 4;
            (Ipv4Addr::from(from).into(), *packet.get(9)?, packet.get(length..)?)
        }
        frame::IPV6 => {
            let from: [u8; 16] = packet.get(8..24)?.try_into().ok()?;
            (Ipv6Addr::from(from).into(), *packet.get(6)?, packet.get(40..)?)
        }
        _ => return None,
    };
    let ports = matches!(protocol, frame::TCP | frame::UDP | 136);
    let port = rest.get(2..4).filter(|_| ports).and_then(|port| Some(u16::from_be_bytes(port.try_into().ok()?)));
    Some(Header { from, protocol, port, first: *rest.first()? })
}
