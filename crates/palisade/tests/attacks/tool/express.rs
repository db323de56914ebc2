//! Frames by `AF_XDP`, which needs no packet socket.
//!
//! Source: include/uapi/linux/if_xdp.h.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use super::system;

const XDP_MMAP_OFFSETS: i32 = 1;
const XDP_TX_RING: i32 = 3;
const XDP_UMEM_REG: i32 = 4;
const XDP_UMEM_FILL_RING: i32 = 5;
const XDP_UMEM_COMPLETION_RING: i32 = 6;
const XDP_PGOFF_TX_RING: libc::off_t = 0x8000_0000;
const XDP_COPY: u16 = 2;

const CHUNK: usize = 4096;
const CHUNKS: usize = 4;
const ENTRIES: i32 = 4;

/// Sends the frame on the device.
pub fn send(device: &str, frame: &[u8]) -> io::Result<()> {
    let socket = system::socket(libc::AF_XDP, libc::SOCK_RAW, 0)?;
    let memory = map(CHUNK * CHUNKS, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS, -1, 0)?;
    // `struct xdp_umem_reg`: address, length, size of a chunk and headroom, flags.
    let region = [memory as u64, (CHUNK * CHUNKS) as u64, CHUNK as u64, 0];
    let region: Vec<u8> = region.iter().flat_map(|word| word.to_ne_bytes()).collect();
    system::set_option(&socket, libc::SOL_XDP, XDP_UMEM_REG, &region)?;
    for ring in [XDP_UMEM_FILL_RING, XDP_UMEM_COMPLETION_RING, XDP_TX_RING] {
        system::set_number(&socket, libc::SOL_XDP, ring, ENTRIES)?;
    }
    let [producer, descriptors] = offsets_of_sending(&socket)?;
    let flags = libc::MAP_SHARED | libc::MAP_POPULATE;
    let ring = map(descriptors + ENTRIES as usize * 16, flags, socket.as_raw_fd(), XDP_PGOFF_TX_RING)?;
    bind(&socket, system::interface(device)?)?;
    let length = frame.len().min(CHUNK);
    // SAFETY: the frame fits into the first chunk; the first descriptor and the producer lie in the ring, and the kernel
    // reads them only in the call below.
    unsafe {
        std::ptr::copy_nonoverlapping(frame.as_ptr(), memory, length);
        ring.add(descriptors).cast::<u64>().write(0);
        ring.add(descriptors + 8).cast::<u32>().write(length as u32);
        ring.add(descriptors + 12).cast::<u32>().write(0);
        ring.add(producer).cast::<u32>().write_volatile(1);
    }
    system::send(&socket, &[], libc::MSG_DONTWAIT, None)
}

fn map(size: usize, flags: i32, descriptor: i32, offset: libc::off_t) -> io::Result<*mut u8> {
    let protection = libc::PROT_READ | libc::PROT_WRITE;
    // SAFETY: a new mapping at no fixed address.
    let start = unsafe { libc::mmap(std::ptr::null_mut(), size, protection, flags, descriptor, offset) };
    if start == libc::MAP_FAILED { Err(io::Error::last_os_error()) } else { Ok(start.cast()) }
}

/// Where the producer and the descriptors of the sending ring lie: the second of four groups of four numbers.
fn offsets_of_sending(socket: &OwnedFd) -> io::Result<[usize; 2]> {
    let mut offsets = [0_u64; 16];
    let mut length = size_of_val(&offsets) as libc::socklen_t;
    let start = offsets.as_mut_ptr().cast();
    // SAFETY: the value has the length that is told.
    let result = unsafe { libc::getsockopt(socket.as_raw_fd(), libc::SOL_XDP, XDP_MMAP_OFFSETS, start, &mut length) };
    system::check(result)?;
    Ok([offsets[4] as usize, offsets[6] as usize])
}

fn bind(socket: &OwnedFd, interface: i32) -> io::Result<()> {
    // `struct sockaddr_xdp`: family, flags, interface, queue, descriptor of a shared region.
    let mut address = Vec::new();
    address.extend((libc::AF_XDP as u16).to_ne_bytes());
    address.extend(XDP_COPY.to_ne_bytes());
    address.extend(interface.to_ne_bytes());
    address.extend([0; 8]);
    // SAFETY: pointer and length are of one address that outlives the call.
    let result = unsafe { libc::bind(socket.as_raw_fd(), address.as_ptr().cast(), address.len() as u32) };
    system::check(result).map(drop)
}
