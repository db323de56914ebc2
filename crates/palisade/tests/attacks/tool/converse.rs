//! No attacks: conversations that must go on beside them.

use std::io::{self, BufRead};
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::time::Duration;

use super::system::{self, Address};
use super::{MARKER, parse};

const PATIENCE: Duration = Duration::from_secs(1);

/// Asks by a datagram, and waits for the answer.
pub fn ask(target: &str) -> io::Result<String> {
    let socket = asked(target)?;
    answer(&socket)
}

/// Asks by a datagram of three packets.
pub fn ask_much(target: &str) -> io::Result<String> {
    let target: SocketAddr = parse(target)?;
    let socket = system::socket(system::family_of(&target), libc::SOCK_DGRAM, 0)?;
    system::send(&socket, &[7; 4000], 0, Some(&Address::of(target)))?;
    answer(&socket)
}

/// Asks as [`ask`] does; says `ready` in between.
pub fn ask_patiently(target: &str) -> io::Result<String> {
    let socket = asked(target)?;
    wait_for_word()?;
    answer(&socket)
}

/// The same by a connected socket.
pub fn ask_connected(target: &str) -> io::Result<String> {
    let target: SocketAddr = parse(target)?;
    let socket = system::socket(system::family_of(&target), libc::SOCK_DGRAM, 0)?;
    system::connect(&socket, &Address::of(target), PATIENCE)?;
    system::send(&socket, MARKER, 0, None)?;
    wait_for_word()?;
    answer(&socket)
}

fn asked(target: &str) -> io::Result<OwnedFd> {
    let target: SocketAddr = parse(target)?;
    let socket = system::socket(system::family_of(&target), libc::SOCK_DGRAM, 0)?;
    system::send(&socket, MARKER, 0, Some(&Address::of(target)))?;
    Ok(socket)
}

fn answer(socket: &OwnedFd) -> io::Result<String> {
    if !system::poll(socket, libc::POLLIN, PATIENCE)? {
        return Ok("no answer".to_owned());
    }
    system::receive(socket)?;
    Ok("ok answered".to_owned())
}

/// Connects, says `ready`, and then asks over the connection.
pub fn converse(target: &str) -> io::Result<String> {
    let target: SocketAddr = parse(target)?;
    let socket = system::socket(system::family_of(&target), libc::SOCK_STREAM, 0)?;
    system::connect(&socket, &Address::of(target), PATIENCE)?;
    wait_for_word()?;
    system::send(&socket, MARKER, 0, None)?;
    answer(&socket)
}

/// Says `ready`, and `came` when a datagram did; takes its time, and answers it.
pub fn serve_slowly(address: &str) -> io::Result<String> {
    let socket = std::net::UdpSocket::bind(parse::<SocketAddr>(address)?)?;
    println!("ready");
    let mut bytes = [0; 64];
    let (count, from) = socket.recv_from(&mut bytes)?;
    println!("came");
    io::stdin().lock().read_line(&mut String::new())?;
    socket.send_to(&bytes[..count], from)?;
    Ok("ok".to_owned())
}

fn wait_for_word() -> io::Result<()> {
    println!("ready");
    io::stdin().lock().read_line(&mut String::new()).map(drop)
}
