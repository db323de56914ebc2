//! The system calls of the attacks, behind safe functions.

use std::ffi::CString;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

/// An address as the kernel reads it.
pub enum Address {
    V4(libc::sockaddr_in),
    V6(libc::sockaddr_in6),
    Link(libc::sockaddr_ll),
}

impl Address {
    pub fn of(address: SocketAddr) -> Self {
        // SAFETY: all-zero bytes are a valid value of these plain structures.
        let (mut v4, mut v6): (libc::sockaddr_in, libc::sockaddr_in6) = unsafe { std::mem::zeroed() };
        match address {
            SocketAddr::V4(address) => {
                v4.sin_family = libc::AF_INET as u16;
                v4.sin_port = address.port().to_be();
                v4.sin_addr.s_addr = u32::from_ne_bytes(address.ip().octets());
                Self::V4(v4)
            }
            SocketAddr::V6(address) => {
                v6.sin6_family = libc::AF_INET6 as u16;
                v6.sin6_port = address.port().to_be();
                v6.sin6_addr.s6_addr = address.ip().octets();
                v6.sin6_scope_id = address.scope_id();
                Self::V6(v6)
            }
        }
    }

    /// Every protocol on the interface of that number.
    pub fn of_link(index: i32) -> Self {
        // SAFETY: all-zero bytes are a valid value of this plain structure.
        let mut link: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
        link.sll_family = libc::AF_PACKET as u16;
        link.sll_protocol = (libc::ETH_P_ALL as u16).to_be();
        link.sll_ifindex = index;
        Self::Link(link)
    }

    pub fn as_parts(&self) -> (*const libc::sockaddr, libc::socklen_t) {
        let (pointer, size) = match self {
            Self::V4(address) => (std::ptr::from_ref(address).cast(), size_of_val(address)),
            Self::V6(address) => (std::ptr::from_ref(address).cast(), size_of_val(address)),
            Self::Link(address) => (std::ptr::from_ref(address).cast(), size_of_val(address)),
        };
        (pointer, size as libc::socklen_t)
    }
}

pub fn family_of(address: &SocketAddr) -> i32 {
    if address.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 }
}

pub fn socket(family: i32, kind: i32, protocol: i32) -> io::Result<OwnedFd> {
    // SAFETY: no pointers; the new descriptor is ours alone.
    let descriptor = check(unsafe { libc::socket(family, kind | libc::SOCK_CLOEXEC, protocol) })?;
    // SAFETY: just opened, and nothing else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

pub fn set_option(socket: &OwnedFd, level: i32, name: i32, value: &[u8]) -> io::Result<()> {
    let length = value.len() as libc::socklen_t;
    // SAFETY: pointer and length are of one slice.
    check(unsafe { libc::setsockopt(socket.as_raw_fd(), level, name, value.as_ptr().cast(), length) }).map(drop)
}

pub fn set_number(socket: &OwnedFd, level: i32, name: i32, value: i32) -> io::Result<()> {
    set_option(socket, level, name, &value.to_ne_bytes())
}

pub fn bind(socket: &OwnedFd, address: &Address) -> io::Result<()> {
    let (pointer, length) = address.as_parts();
    // SAFETY: pointer and length are of one address that outlives the call.
    check(unsafe { libc::bind(socket.as_raw_fd(), pointer, length) }).map(drop)
}

/// Connects; gives up after `limit`.
pub fn connect(socket: &OwnedFd, address: &Address, limit: std::time::Duration) -> io::Result<()> {
    set_blocking(socket, false)?;
    let (pointer, length) = address.as_parts();
    // SAFETY: pointer and length are of one address that outlives the call.
    let outcome = check(unsafe { libc::connect(socket.as_raw_fd(), pointer, length) });
    match outcome {
        Err(error) if error.raw_os_error() == Some(libc::EINPROGRESS) => wait_connected(socket, limit)?,
        other => drop(other?),
    }
    set_blocking(socket, true)
}

pub fn wait_connected(socket: &OwnedFd, limit: std::time::Duration) -> io::Result<()> {
    if !poll(socket, libc::POLLOUT, limit)? {
        return Err(io::Error::from_raw_os_error(libc::ETIMEDOUT));
    }
    let (mut error, mut length) = (0_i32, size_of::<i32>() as libc::socklen_t);
    let value = std::ptr::from_mut(&mut error).cast();
    // SAFETY: the value has the length that is told.
    check(unsafe { libc::getsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, libc::SO_ERROR, value, &mut length) })?;
    if error == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(error)) }
}

/// Whether `events` came within `limit`.
pub fn poll(descriptor: &OwnedFd, events: i16, limit: std::time::Duration) -> io::Result<bool> {
    let mut entry = libc::pollfd { fd: descriptor.as_raw_fd(), events, revents: 0 };
    // SAFETY: one entry, and its count is told.
    Ok(check(unsafe { libc::poll(&mut entry, 1, limit.as_millis() as i32) })? > 0)
}

fn set_blocking(socket: &OwnedFd, blocking: bool) -> io::Result<()> {
    // SAFETY: plain fcntl on an open descriptor.
    let flags = check(unsafe { libc::fcntl(socket.as_raw_fd(), libc::F_GETFL) })?;
    let flags = if blocking { flags & !libc::O_NONBLOCK } else { flags | libc::O_NONBLOCK };
    // SAFETY: plain fcntl on an open descriptor.
    check(unsafe { libc::fcntl(socket.as_raw_fd(), libc::F_SETFL, flags) }).map(drop)
}

/// Sends `bytes` to `address`, or to where the socket is connected.
pub fn send(socket: &OwnedFd, bytes: &[u8], flags: i32, address: Option<&Address>) -> io::Result<()> {
    let (pointer, length) = address.map_or((std::ptr::null(), 0), Address::as_parts);
    let (start, count) = (bytes.as_ptr().cast(), bytes.len());
    // SAFETY: both pointers go with their lengths.
    let sent = unsafe { libc::sendto(socket.as_raw_fd(), start, count, flags | libc::MSG_NOSIGNAL, pointer, length) };
    if sent < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

pub fn listen(socket: &OwnedFd) -> io::Result<()> {
    // SAFETY: no pointers.
    check(unsafe { libc::listen(socket.as_raw_fd(), 16) }).map(drop)
}

pub fn accept(socket: &OwnedFd) -> io::Result<OwnedFd> {
    // SAFETY: the caller's address is not wanted.
    let descriptor = check(unsafe { libc::accept(socket.as_raw_fd(), std::ptr::null_mut(), std::ptr::null_mut()) })?;
    // SAFETY: just opened, and nothing else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

/// Reads what is there; with the sender's address asked for, as `recvfrom` does.
pub fn receive(socket: &OwnedFd) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; 2048];
    // SAFETY: all-zero bytes are a valid value of this plain structure.
    let mut from: libc::sockaddr_storage = unsafe { std::mem::zeroed() };
    let mut length = size_of_val(&from) as libc::socklen_t;
    let (start, from) = (bytes.as_mut_ptr().cast(), std::ptr::from_mut(&mut from).cast());
    // SAFETY: both pointers go with their lengths.
    let count = unsafe { libc::recvfrom(socket.as_raw_fd(), start, bytes.len(), 0, from, &mut length) };
    let count = usize::try_from(count).map_err(|_| io::Error::last_os_error())?;
    bytes.truncate(count);
    Ok(bytes)
}

pub fn interface(name: &str) -> io::Result<i32> {
    let name = text(name)?;
    // SAFETY: the name ends with a NUL.
    let index = unsafe { libc::if_nametoindex(name.as_ptr()) };
    if index == 0 { Err(io::Error::last_os_error()) } else { Ok(index as i32) }
}

/// Keeps this thread on one processor.
pub fn run_on(processor: usize) -> io::Result<()> {
    // SAFETY: all-zero bytes are an empty set; the set has the size that is told.
    check(unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(processor, &mut set);
        libc::sched_setaffinity(0, size_of_val(&set), &set)
    })
    .map(drop)
}

pub fn text(text: &str) -> io::Result<CString> {
    CString::new(text).map_err(|_| io::Error::other("a NUL byte"))
}

/// Replaces this process by the program behind `descriptor`.
pub fn execute(descriptor: RawFd, arguments: &[&str]) -> io::Error {
    let strings: io::Result<Vec<CString>> = arguments.iter().copied().map(text).collect();
    let strings = match strings {
        Ok(strings) => strings,
        Err(error) => return error,
    };
    let mut pointers: Vec<_> = strings.iter().map(|string| string.as_ptr()).collect();
    pointers.push(std::ptr::null());
    let environment = [std::ptr::null()];
    // SAFETY: both arrays end with a null pointer, and their strings with a NUL.
    unsafe { libc::fexecve(descriptor, pointers.as_ptr(), environment.as_ptr()) };
    io::Error::last_os_error()
}

pub fn check(result: i32) -> io::Result<i32> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

pub fn any_port(address: IpAddr) -> Address {
    Address::of(SocketAddr::new(address, 0))
}
