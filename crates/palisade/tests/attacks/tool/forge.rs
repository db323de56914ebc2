//! Making the pod seem to be asked by somebody outside, and a packet socket's frame seem to be nobody's.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::Duration;

use super::system::{self, Address};
use super::{MARKER, parse};

const PATIENCE: Duration = Duration::from_millis(200);

/// A socket that is bound to an address of somebody else; IPv6 asks for no capability.
fn bound_to(kind: i32, at: SocketAddr) -> io::Result<OwnedFd> {
    let (level, option) = match at {
        SocketAddr::V4(_) => (libc::SOL_IP, libc::IP_TRANSPARENT),
        SocketAddr::V6(_) => (libc::SOL_IPV6, libc::IPV6_FREEBIND),
    };
    let socket = system::socket(system::family_of(&at), kind, 0)?;
    system::set_number(&socket, level, option, 1)?;
    system::bind(&socket, &Address::of(at))?;
    Ok(socket)
}

/// Sends itself a datagram from `target`, reads it, and "answers".
pub fn answer(local: &str, target: &str) -> io::Result<String> {
    let (local, target): (SocketAddr, SocketAddr) = (parse(local)?, parse(target)?);
    let receiver = system::socket(system::family_of(&local), libc::SOCK_DGRAM, 0)?;
    system::bind(&receiver, &Address::of(local))?;
    system::send(&bound_to(libc::SOCK_DGRAM, target)?, b"come in", 0, Some(&Address::of(local)))?;
    if system::poll(&receiver, libc::POLLIN, PATIENCE)? {
        system::receive(&receiver)?;
    }
    system::send(&receiver, MARKER, 0, Some(&Address::of(target)))?;
    Ok("ok".to_owned())
}

/// The same, and the datagram comes in by a frame on a device.
pub fn answer_to_frame(device: &str, frame: &str, local: &str, target: &str) -> io::Result<String> {
    let (local, target): (SocketAddr, SocketAddr) = (parse(local)?, parse(target)?);
    let receiver = system::socket(system::family_of(&local), libc::SOCK_DGRAM, 0)?;
    system::bind(&receiver, &Address::of(local))?;
    super::send::frames(device, &[frame])?;
    if system::poll(&receiver, libc::POLLIN, PATIENCE)? {
        system::receive(&receiver)?;
    }
    system::send(&receiver, MARKER, 0, Some(&Address::of(target)))?;
    Ok("ok".to_owned())
}

/// Connects to itself from `target`: the answer of its own listener goes there.
pub fn accept(local: &str, target: &str) -> io::Result<String> {
    let (local, target): (SocketAddr, SocketAddr) = (parse(local)?, parse(target)?);
    let listener = system::socket(system::family_of(&local), libc::SOCK_STREAM, 0)?;
    system::bind(&listener, &Address::of(local))?;
    system::listen(&listener)?;
    system::connect(&bound_to(libc::SOCK_STREAM, target)?, &Address::of(local), PATIENCE)?;
    Ok("ok".to_owned())
}

const PACKET_VERSION: i32 = 10;
const PACKET_TX_RING: i32 = 13;
const PACKET_VNET_HDR: i32 = 15;
const TPACKET_V2: i32 = 1;
const TP_STATUS_SEND_REQUEST: u32 = 1;
/// `struct tpacket2_hdr`, aligned.
const HEADER: usize = 32;
const BLOCK: usize = 8192;

/// Sends a datagram of IPv4 by an ordinary socket, then a frame that seems to go on with that, by a ring: the kernel takes
/// it apart on its way (UDP fragmentation offload), and its pieces have no socket.
///
/// Source: include/uapi/linux/if_packet.h, include/uapi/linux/virtio_net.h.
pub fn taken_apart(device: &str, local: &str, target: &str, frame: &[u8]) -> io::Result<String> {
    let (local, target): (SocketAddr, SocketAddr) = (parse(local)?, parse(target)?);
    let ordinary = system::socket(libc::AF_INET, libc::SOCK_DGRAM, 0)?;
    system::bind(&ordinary, &Address::of(local))?;
    system::send(&ordinary, b"hello", 0, Some(&Address::of(target)))?;
    std::thread::sleep(PATIENCE);

    let socket = system::socket(libc::AF_PACKET, libc::SOCK_RAW, i32::from((libc::ETH_P_ALL as u16).to_be()))?;
    system::set_number(&socket, libc::SOL_PACKET, PACKET_VERSION, TPACKET_V2)?;
    system::set_number(&socket, libc::SOL_PACKET, PACKET_VNET_HDR, 1)?;
    // `struct tpacket_req`: size and number of blocks, size and number of frames.
    let request: Vec<u8> = [BLOCK as u32, 1, BLOCK as u32, 1].iter().flat_map(|word| word.to_ne_bytes()).collect();
    system::set_option(&socket, libc::SOL_PACKET, PACKET_TX_RING, &request)?;
    system::bind(&socket, &Address::of_link(system::interface(device)?))?;
    // `struct virtio_net_hdr`: a checksum is wanted; UDP; lengths of the headers and of a piece; where the checksum is.
    let mut bytes = vec![1, 3];
    [42_u16, 1448, 34, 6].iter().for_each(|word| bytes.extend(word.to_ne_bytes()));
    bytes.extend(frame);
    bytes.truncate(BLOCK - HEADER);
    let access = libc::PROT_READ | libc::PROT_WRITE;
    // SAFETY: a new mapping of the ring's own memory, at no fixed address.
    let start = unsafe { libc::mmap(std::ptr::null_mut(), BLOCK, access, libc::MAP_SHARED, socket.as_raw_fd(), 0) };
    if start == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    let start = start.cast::<u8>();
    // SAFETY: the one frame of the ring holds its header, status and length first, and the bytes behind it; the kernel reads
    // them only in the call below.
    unsafe {
        std::ptr::copy_nonoverlapping(bytes.as_ptr(), start.add(HEADER), bytes.len());
        start.add(4).cast::<u32>().write(bytes.len() as u32);
        start.cast::<u32>().write_volatile(TP_STATUS_SEND_REQUEST);
    }
    system::send(&socket, &[], 0, None)?;
    Ok("ok".to_owned())
}
