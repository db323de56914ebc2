//! Dialling by every kind of socket that an ordinary process may make.

use std::io::{self, BufRead};
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::Duration;

use super::system::{self, Address};
use super::{MARKER, parse};

/// Longer than any answer on one machine, and short enough to wait for one that never comes.
const PATIENCE: Duration = Duration::from_millis(250);

// Source: include/uapi/linux/in.h.
const IPPROTO_UDPLITE: i32 = 136;
const IPPROTO_MPTCP: i32 = 262;

/// Reaches `target` by a socket of that kind, and sends the marker.
pub fn dial(kind: &str, target: &str, options: &[&str]) -> io::Result<String> {
    let target: SocketAddr = parse(target)?;
    // An address of one family given to a socket of the other.
    let (kind, family) = match kind.strip_suffix("-in-ipv6") {
        Some(kind) => (kind, libc::AF_INET6),
        None => (kind, system::family_of(&target)),
    };
    let socket = match kind {
        "tcp" | "fast-open" => system::socket(family, libc::SOCK_STREAM, 0)?,
        "mptcp" | "mptcp-fast-open" => system::socket(family, libc::SOCK_STREAM, IPPROTO_MPTCP)?,
        "udp" | "unconnected" | "unspecified" => system::socket(family, libc::SOCK_DGRAM, 0)?,
        "udp-lite" | "udp-lite-unconnected" => system::socket(family, libc::SOCK_DGRAM, IPPROTO_UDPLITE)?,
        "ping" if family == libc::AF_INET => system::socket(family, libc::SOCK_DGRAM, libc::IPPROTO_ICMP)?,
        "ping" => system::socket(family, libc::SOCK_DGRAM, libc::IPPROTO_ICMPV6)?,
        other => return Err(io::Error::other(format!("no such socket: {other}"))),
    };
    for option in options {
        apply(&socket, option)?;
    }
    let address = Address::of(target);
    match kind {
        "unconnected" | "udp-lite-unconnected" => system::send(&socket, MARKER, 0, Some(&address))?,
        "unspecified" => system::send(&socket, MARKER, 0, Some(&of_no_family(address)))?,
        "ping" => system::send(&socket, &echo_request(family), 0, Some(&address))?,
        "fast-open" | "mptcp-fast-open" => {
            let outcome = system::send(&socket, MARKER, libc::MSG_FASTOPEN | libc::MSG_DONTWAIT, Some(&address));
            match outcome {
                Err(error) if error.raw_os_error() == Some(libc::EINPROGRESS) => {
                    system::wait_connected(&socket, PATIENCE)?;
                }
                other => other?,
            }
        }
        _ => {
            system::connect(&socket, &address, PATIENCE)?;
            system::send(&socket, MARKER, 0, None)?;
        }
    }
    Ok("ok".to_owned())
}

/// IPv4 takes such an address for one of its own.
fn of_no_family(mut address: Address) -> Address {
    if let Address::V4(v4) = &mut address {
        v4.sin_family = libc::AF_UNSPEC as u16;
    }
    address
}

fn apply(socket: &OwnedFd, option: &str) -> io::Result<()> {
    let (name, value) = option.split_once('=').unwrap_or((option, ""));
    match name {
        "mark" => system::set_number(socket, libc::SOL_SOCKET, libc::SO_MARK, parse(value)?),
        "device" => system::set_option(socket, libc::SOL_SOCKET, libc::SO_BINDTODEVICE, value.as_bytes()),
        "transparent" => {
            let address: std::net::IpAddr = parse(value)?;
            let (level, option) = match address {
                std::net::IpAddr::V4(_) => (libc::SOL_IP, libc::IP_TRANSPARENT),
                std::net::IpAddr::V6(_) => (libc::SOL_IPV6, libc::IPV6_TRANSPARENT),
            };
            system::set_number(socket, level, option, 1)?;
            system::bind(socket, &system::any_port(address))
        }
        "bind" => {
            let at = parse::<SocketAddr>(value).map(Address::of);
            system::bind(socket, &at.or_else(|_| parse(value).map(system::any_port))?)
        }
        // Segments, so that what is dialled is not what the packet is sent to.
        "route" => {
            let via: std::net::Ipv6Addr = parse(value)?;
            system::set_option(socket, libc::SOL_IPV6, libc::IPV6_RTHDR, &segment_routing_header(via))
        }
        "broadcast" => system::set_number(socket, libc::SOL_SOCKET, libc::SO_BROADCAST, 1),
        // It is connected to somebody else first.
        "first" => system::connect(socket, &Address::of(parse(value)?), PATIENCE),
        // The first packet leaves with the first write.
        "defer" => system::set_number(socket, libc::SOL_TCP, libc::TCP_FASTOPEN_CONNECT, 1),
        "wait" => {
            println!("ready");
            io::stdin().lock().read_line(&mut String::new()).map(drop)
        }
        other => Err(io::Error::other(format!("no such option: {other}"))),
    }
}

/// Two segments: the address dialled, which the kernel fills in, and `via` before it.
///
/// Source: RFC 8754, section 2; the kernel takes the last segment for the first stop.
fn segment_routing_header(via: std::net::Ipv6Addr) -> Vec<u8> {
    let mut header = vec![0, 4, 4, 1, 1, 0, 0, 0];
    header.extend([0; 16]);
    header.extend(via.octets());
    header
}

fn echo_request(family: i32) -> Vec<u8> {
    let kind = if family == libc::AF_INET { 8 } else { 128 };
    [&[kind, 0, 0, 0, 0, 0, 0, 1], MARKER].concat()
}

/// Connects by `io_uring`, which makes no `connect` system call; or by a thread of the kernel, with no call at all.
///
/// The rings are mapped apart, as a kernel before 5.4 needs it.
/// Source: include/uapi/linux/io_uring.h.
pub fn by_ring(target: &str, by_thread: bool) -> io::Result<String> {
    const SUBMISSIONS: libc::off_t = 0;
    const ENTRIES: libc::off_t = 0x1000_0000;
    const CONNECT: u8 = 16;
    const WAIT_FOR_COMPLETION: libc::c_uint = 1;
    const WAKE_THE_THREAD: libc::c_uint = 2;
    let target: SocketAddr = parse(target)?;
    let socket = system::socket(system::family_of(&target), libc::SOCK_STREAM, 0)?;
    let address = Address::of(target);
    let (pointer, length) = address.as_parts();
    // `struct io_uring_params` is 120 bytes; offsets of the two rings start at 40 and 80.
    let mut parameters = [0_u32; 30];
    // IORING_SETUP_SQPOLL, and how long the thread looks for more before it sleeps, in milliseconds.
    (parameters[2], parameters[4]) = if by_thread { (2, 1000) } else { (0, 0) };
    // SAFETY: the kernel writes 120 bytes into the array of that size.
    let ring = system::check(unsafe { libc::syscall(libc::SYS_io_uring_setup, 4, parameters.as_mut_ptr()) } as i32)?;
    let [submission_entries, completion_entries] = [parameters[0] as usize, parameters[1] as usize];
    let [tail, array] = [parameters[11] as usize, parameters[16] as usize];
    let completions_at = parameters[25] as usize;
    let map = |size: usize, offset| {
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: a new mapping of the ring's own memory, at no fixed address.
        let start = unsafe { libc::mmap(std::ptr::null_mut(), size, protection, libc::MAP_SHARED, ring, offset) };
        if start == libc::MAP_FAILED { Err(io::Error::last_os_error()) } else { Ok(start.cast::<u8>()) }
    };
    // With IORING_FEAT_SINGLE_MMAP one mapping holds both rings.
    let size = (array + submission_entries * 4).max(completions_at + completion_entries * 16);
    let rings = map(size, SUBMISSIONS)?;
    let entries = map(submission_entries * 64, ENTRIES)?;
    // SAFETY: the first of the submission entries, 64 bytes, is inside the mapping, and so are the ring's tail and its
    // array; the kernel reads them only in `io_uring_enter`, and the address lives until after it.
    let entered = unsafe {
        *entries = CONNECT;
        entries.add(4).cast::<i32>().write(socket.as_raw_fd());
        entries.add(8).cast::<u64>().write(u64::from(length));
        entries.add(16).cast::<u64>().write(pointer as u64);
        rings.add(array).cast::<u32>().write(0);
        rings.add(tail).cast::<u32>().write_volatile(1);
        let nothing = std::ptr::null::<libc::c_void>();
        // A thread takes the entry by itself, once it is awake.
        let (entries, flags) =
            if by_thread { (0, WAIT_FOR_COMPLETION | WAKE_THE_THREAD) } else { (1, WAIT_FOR_COMPLETION) };
        libc::syscall(libc::SYS_io_uring_enter, ring, entries, 1, flags, nothing, 0)
    };
    system::check(entered as i32)?;
    // SAFETY: `io_uring_enter` waited for one completion: user data, then the result.
    let result = unsafe { rings.add(completions_at).add(8).cast::<i32>().read_volatile() };
    if result < 0 {
        return Err(io::Error::from_raw_os_error(-result));
    }
    system::send(&socket, MARKER, 0, None)?;
    Ok("ok".to_owned())
}
