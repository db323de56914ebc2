//! A pod's network as the kernel tells of it: its side of the veth, and which interface of the node the other side is; and
//! the end of sockets in it.

use std::fs::File;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Stack of a thread that does a few system calls.
const STACK: usize = 128 * 1024;
/// The kernel fills at most this much at once.
const BUFFER: usize = 32 * 1024;
/// Answers to one request are read at most this often.
const READS: usize = 64;

/// A pod's side of a veth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PodLink {
    /// Its hardware address.
    pub hardware: [u8; 6],
    /// Index of the other side, on the node.
    pub peer: u32,
}

/// Runs `act` on a thread of its own inside the network namespace.
///
/// # Errors
/// When there is no thread to be had or the namespace cannot be entered.
pub fn inside<T: Send>(namespace: &File, act: impl FnOnce() -> T + Send) -> io::Result<T> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, move || {
            // SAFETY: an open descriptor; only this thread moves.
            if unsafe { libc::setns(namespace.as_raw_fd(), libc::CLONE_NEWNET) } != 0 {
                return Err(io::Error::last_os_error());
            }
            Ok(act())
        })?;
        thread.join().unwrap_or_else(|_| Err(io::Error::other("a thread in another network panicked")))
    })
}

/// True when both paths name one network namespace.
pub fn is_same(one: &Path, other: &Path) -> bool {
    let place = |path: &Path| std::fs::metadata(path).map(|found| (found.dev(), found.ino())).ok();
    let one = place(one);
    one.is_some() && one == place(other)
}

/// The veths of a pod, seen from inside.
///
/// # Errors
/// When the namespace cannot be entered or the kernel does not answer.
pub fn links(pod: &File) -> io::Result<Vec<PodLink>> {
    inside(pod, read_links)?
}

fn read_links() -> io::Result<Vec<PodLink>> {
    let socket = netlink(libc::NETLINK_ROUTE)?;
    // struct ifinfomsg, all zero: every interface.
    request(&socket, libc::RTM_GETLINK, (libc::NLM_F_REQUEST | libc::NLM_F_DUMP) as u16, &[0; 16])?;
    let mut links = Vec::new();
    read_answers(&socket, &mut |kind, body| {
        if kind == libc::RTM_NEWLINK {
            links.extend(parse_link(body));
        }
    })?;
    Ok(links)
}

/// `None` for what is no veth to another namespace.
fn parse_link(body: &[u8]) -> Option<PodLink> {
    let (mut hardware, mut peer, mut veth, mut elsewhere) = (None, None, false, false);
    for (kind, value) in attributes(body.get(16..)?) {
        match kind {
            libc::IFLA_ADDRESS => hardware = value.try_into().ok(),
            libc::IFLA_LINK => peer = value.try_into().ok().map(u32::from_ne_bytes),
            libc::IFLA_LINK_NETNSID => elsewhere = true,
            libc::IFLA_LINKINFO => {
                veth =
                    attributes(value).any(|(kind, value)| kind == libc::IFLA_INFO_KIND && value.starts_with(b"veth"));
            }
            _ => {}
        }
    }
    Some(PodLink { hardware: hardware.filter(|_| veth && elsewhere)?, peer: peer? })
}

/// Ends TCP sockets of a pod, each with a reset to the other side: own and remote address and port. Returns
/// how many there were.
///
/// # Errors
/// When the namespace cannot be entered.
pub fn end_sockets(pod: &File, ends: &[(SocketAddr, SocketAddr)]) -> io::Result<usize> {
    inside(pod, || {
        let socket = netlink(libc::NETLINK_SOCK_DIAG)?;
        let mut ended = 0;
        for (own, remote) in ends {
            // A socket that takes both families holds IPv4 as mapped addresses and is found under AF_INET all the same.
            let body = diag_request(*own, *remote);
            request(&socket, SOCK_DESTROY, (libc::NLM_F_REQUEST | libc::NLM_F_ACK) as u16, &body)?;
            ended += usize::from(read_answers(&socket, &mut |_, _| {}).is_ok());
        }
        Ok(ended)
    })?
}

const SOCK_DESTROY: u16 = 21;
/// No cookie: the address and port say enough.
const NO_COOKIE: [u8; 8] = [0xff; 8];

/// `struct inet_diag_req_v2` of <linux/inet_diag.h>.
fn diag_request(own: SocketAddr, remote: SocketAddr) -> Vec<u8> {
    let family = if own.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 };
    let mut body = vec![family as u8, libc::IPPROTO_TCP as u8, 0, 0];
    body.extend(u32::MAX.to_ne_bytes());
    body.extend(own.port().to_be_bytes());
    body.extend(remote.port().to_be_bytes());
    for address in [own.ip(), remote.ip()] {
        match address {
            IpAddr::V4(four) => {
                body.extend(four.octets());
                body.extend([0; 12]);
            }
            IpAddr::V6(six) => body.extend(six.octets()),
        }
    }
    body.extend(0u32.to_ne_bytes());
    body.extend(NO_COOKIE);
    body
}

pub(crate) fn netlink(protocol: i32) -> io::Result<OwnedFd> {
    // SAFETY: no pointers are passed.
    let socket = unsafe { libc::socket(libc::AF_NETLINK, libc::SOCK_RAW | libc::SOCK_CLOEXEC, protocol) };
    if socket < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just given it to us.
    Ok(unsafe { OwnedFd::from_raw_fd(socket) })
}

pub(crate) fn request(socket: &OwnedFd, kind: u16, flags: u16, body: &[u8]) -> io::Result<()> {
    let length = 16 + body.len();
    let mut message = Vec::with_capacity(length);
    message.extend(u32::try_from(length).unwrap_or(u32::MAX).to_ne_bytes());
    message.extend(kind.to_ne_bytes());
    message.extend(flags.to_ne_bytes());
    message.extend([0; 8]);
    message.extend(body);
    // SAFETY: the buffer is as long as said.
    let sent = unsafe { libc::send(socket.as_fd().as_raw_fd(), message.as_ptr().cast(), message.len(), 0) };
    if sent < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Hands the kernel's messages to `each` until it says that it is done.
pub(crate) fn read_answers(socket: &OwnedFd, each: &mut dyn FnMut(u16, &[u8])) -> io::Result<()> {
    let mut buffer = vec![0u8; BUFFER];
    for _ in 0..READS {
        // SAFETY: the buffer is as long as said.
        let got = unsafe { libc::recv(socket.as_raw_fd(), buffer.as_mut_ptr().cast(), buffer.len(), 0) };
        let got = usize::try_from(got).map_err(|_| io::Error::last_os_error())?;
        let mut rest = &buffer[..got];
        while let Some((length, kind)) = message_header(rest) {
            let body = &rest[16..length];
            match i32::from(kind) {
                libc::NLMSG_DONE => return Ok(()),
                libc::NLMSG_ERROR => {
                    let code = body.get(..4).and_then(|bytes| bytes.try_into().ok()).map_or(0, i32::from_ne_bytes);
                    return if code == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(-code)) };
                }
                _ => each(kind, body),
            }
            rest = rest.get(length.next_multiple_of(4)..).unwrap_or(&[]);
        }
    }
    Err(io::Error::other("the kernel's answer does not end"))
}

fn message_header(bytes: &[u8]) -> Option<(usize, u16)> {
    let length = u32::from_ne_bytes(bytes.get(..4)?.try_into().ok()?) as usize;
    let kind = u16::from_ne_bytes(bytes.get(4..6)?.try_into().ok()?);
    (length >= 16 && length <= bytes.len()).then_some((length, kind))
}

/// Attributes of a message: kind and value.
pub(crate) fn attributes(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let length = usize::from(u16::from_ne_bytes(bytes.get(..2)?.try_into().ok()?));
        let kind = u16::from_ne_bytes(bytes.get(2..4)?.try_into().ok()?) & 0x3fff;
        let value = bytes.get(4..length)?;
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or(&[]);
        Some((kind, value))
    })
}
