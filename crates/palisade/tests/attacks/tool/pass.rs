//! Descriptors handed from one container to another, by an abstract socket of the network that they share.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr as UnixAddress, UnixListener, UnixStream};
use std::time::{Duration, Instant};

use super::system::{self, Address};
use super::{MARKER, parse};

const PATIENCE: Duration = Duration::from_secs(5);

/// Makes a socket and hands it over under `name`.
pub fn give(name: &str, how: &str, target: &str) -> io::Result<String> {
    let target: SocketAddr = parse(target)?;
    let kind = if how == "udp" { libc::SOCK_DGRAM } else { libc::SOCK_STREAM };
    let socket = system::socket(system::family_of(&target), kind, 0)?;
    hand_over(name, socket.as_raw_fd())
}

/// Hands over a descriptor that this process was started with.
pub fn hold(name: &str, descriptor: &str) -> io::Result<String> {
    hand_over(name, parse(descriptor)?)
}

fn hand_over(name: &str, descriptor: RawFd) -> io::Result<String> {
    let listener = UnixListener::bind_addr(&UnixAddress::from_abstract_name(name)?)?;
    let (stream, _) = listener.accept()?;
    send_descriptor(&stream, descriptor)?;
    Ok("ok".to_owned())
}

/// Takes the socket of that name; connects it to `target` unless that is `-`; sends the marker.
pub fn take(name: &str, target: &str) -> io::Result<String> {
    let address = UnixAddress::from_abstract_name(name)?;
    let begun = Instant::now();
    let stream = loop {
        match UnixStream::connect_addr(&address) {
            Ok(stream) => break stream,
            Err(error) if begun.elapsed() > PATIENCE => return Err(error),
            Err(_) => std::thread::sleep(Duration::from_millis(5)),
        }
    };
    let socket = receive_descriptor(&stream)?;
    if target != "-" {
        system::connect(&socket, &Address::of(parse(target)?), Duration::from_millis(250))?;
    }
    system::send(&socket, MARKER, 0, None)?;
    Ok("ok".to_owned())
}

/// Sends the marker over a connection that this process was started with.
pub fn speak(descriptor: &str) -> io::Result<String> {
    // SAFETY: whoever started us handed this descriptor over for this purpose.
    let socket = unsafe { OwnedFd::from_raw_fd(parse(descriptor)?) };
    system::send(&socket, MARKER, 0, None)?;
    Ok("ok".to_owned())
}

/// Room for one control message with one descriptor, aligned as the kernel wants it.
#[repr(align(8))]
struct Control([u8; 24]);

fn send_descriptor(stream: &UnixStream, descriptor: RawFd) -> io::Result<()> {
    let (mut byte, mut control) = ([0_u8], Control([0; 24]));
    let mut part = libc::iovec { iov_base: byte.as_mut_ptr().cast(), iov_len: 1 };
    // SAFETY: the control buffer has room for one header and one descriptor; every pointer outlives the call.
    let sent = unsafe {
        let message = message(&mut part, &mut control);
        let header = libc::CMSG_FIRSTHDR(&message);
        (*header).cmsg_level = libc::SOL_SOCKET;
        (*header).cmsg_type = libc::SCM_RIGHTS;
        (*header).cmsg_len = libc::CMSG_LEN(size_of::<RawFd>() as u32) as usize;
        libc::CMSG_DATA(header).cast::<RawFd>().write_unaligned(descriptor);
        libc::sendmsg(stream.as_raw_fd(), &message, 0)
    };
    system::check(sent as i32).map(drop)
}

fn receive_descriptor(stream: &UnixStream) -> io::Result<OwnedFd> {
    let (mut byte, mut control) = ([0_u8], Control([0; 24]));
    let mut part = libc::iovec { iov_base: byte.as_mut_ptr().cast(), iov_len: 1 };
    // SAFETY: the control buffer has room for one header and one descriptor; every pointer outlives the call.
    unsafe {
        let mut message = message(&mut part, &mut control);
        system::check(libc::recvmsg(stream.as_raw_fd(), &mut message, libc::MSG_CMSG_CLOEXEC) as i32)?;
        let header = libc::CMSG_FIRSTHDR(&message);
        if header.is_null() {
            return Err(io::Error::other("no descriptor came"));
        }
        Ok(OwnedFd::from_raw_fd(libc::CMSG_DATA(header).cast::<RawFd>().read_unaligned()))
    }
}

fn message(part: &mut libc::iovec, control: &mut Control) -> libc::msghdr {
    // SAFETY: all-zero bytes are a valid value of this plain structure.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = part;
    message.msg_iovlen = 1;
    message.msg_control = control.0.as_mut_ptr().cast();
    message.msg_controllen = control.0.len();
    message
}
