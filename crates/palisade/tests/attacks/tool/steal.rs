//! Listening on a port that belongs to another container.

use std::io::{self, BufRead};
use std::net::SocketAddr;
use std::time::Duration;

use super::parse;
use super::system::{self, Address};

// Source: include/uapi/linux/in.h (since 6.3).
const IP_LOCAL_PORT_RANGE: i32 = 51;

/// Listens on `address` as its owner, willing to share it, until standard input ends.
pub fn own(address: &str) -> io::Result<String> {
    let address: SocketAddr = parse(address)?;
    let socket = system::socket(system::family_of(&address), libc::SOCK_STREAM, 0)?;
    system::set_number(&socket, libc::SOL_SOCKET, libc::SO_REUSEPORT, 1)?;
    system::bind(&socket, &Address::of(address))?;
    system::listen(&socket)?;
    println!("ready");
    io::stdin().lock().read_line(&mut String::new())?;
    Ok("ok".to_owned())
}

/// Takes the port, and says whether somebody came.
pub fn steal(how: &str, address: &str) -> io::Result<String> {
    let address: SocketAddr = parse(address)?;
    let datagrams = how == "datagram-range";
    let kind = if datagrams { libc::SOCK_DGRAM } else { libc::SOCK_STREAM };
    let socket = system::socket(system::family_of(&address), kind, 0)?;
    match how {
        "bind" => system::bind(&socket, &Address::of(address))?,
        "reuse-port" => {
            system::set_number(&socket, libc::SOL_SOCKET, libc::SO_REUSEPORT, 1)?;
            system::bind(&socket, &Address::of(address))?;
        }
        // The kernel chooses a port by itself, and this range has one only.
        "range" | "datagram-range" => {
            let range = u32::from(address.port()) << 16 | u32::from(address.port());
            system::set_option(&socket, libc::SOL_IP, IP_LOCAL_PORT_RANGE, &range.to_ne_bytes())?;
        }
        other => return Err(io::Error::other(format!("no such way: {other}"))),
    }
    if datagrams {
        // The first send takes the port; nobody needs to hear it.
        let own = SocketAddr::new(address.ip(), 9);
        system::send(&socket, b"x", 0, Some(&Address::of(own)))?;
    } else {
        system::listen(&socket)?;
    }
    println!("ready");
    io::stdin().lock().read_line(&mut String::new())?;
    if !system::poll(&socket, libc::POLLIN, Duration::from_millis(100))? {
        return Ok("nobody came".to_owned());
    }
    if datagrams {
        system::receive(&socket)?;
    } else {
        system::accept(&socket)?;
    }
    Ok("ok somebody came".to_owned())
}
