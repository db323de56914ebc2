//! The addresses of a node's own network, which its Node object does not all name.

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;

use palisade_bpf::network;

/// More than a node of very many pods has.
const MOST: usize = 4096;

/// Every address in the node's network namespace but those of its loopback: a socket of the node that listens
/// everywhere answers on each of them, on the gateway address of a pod's veth too.
///
/// # Errors
/// When the namespace cannot be entered, the kernel does not tell, or there are more than 4,096.
pub(crate) fn of(namespace: &Path) -> io::Result<BTreeSet<IpAddr>> {
    network::inside(&File::open(namespace)?, interfaces)?
}

fn interfaces() -> io::Result<BTreeSet<IpAddr>> {
    let mut first: *mut libc::ifaddrs = std::ptr::null_mut();
    // SAFETY: the kernel's answer is a list of our own until it is freed below.
    if unsafe { libc::getifaddrs(&mut first) } != 0 {
        return Err(io::Error::last_os_error());
    }
    let mut addresses = BTreeSet::new();
    let mut next = first;
    // SAFETY: getifaddrs ends the list with a null pointer, and nothing is freed before its end.
    while let Some(entry) = unsafe { next.as_ref() } {
        // SAFETY: `ifa_addr` is null or a socket address of the family that it names.
        addresses.extend(unsafe { address(entry.ifa_addr) }.filter(|address| !address.is_loopback()));
        next = entry.ifa_next;
    }
    // SAFETY: the list came from getifaddrs and is not used any more.
    unsafe { libc::freeifaddrs(first) };
    match addresses.len() {
        count if count > MOST => Err(io::Error::other(format!("{count} addresses, more than {MOST}"))),
        _ => Ok(addresses),
    }
}

/// # Safety
/// `of` is null, or points to a socket address as long as its family says.
unsafe fn address(of: *const libc::sockaddr) -> Option<IpAddr> {
    // SAFETY: as the caller says.
    let family = i32::from(unsafe { of.as_ref() }?.sa_family);
    match family {
        libc::AF_INET => {
            // SAFETY: the family says so.
            let socket = unsafe { &*of.cast::<libc::sockaddr_in>() };
            Some(IpAddr::V4(Ipv4Addr::from(u32::from_be(socket.sin_addr.s_addr))))
        }
        libc::AF_INET6 => {
            // SAFETY: the family says so.
            let socket = unsafe { &*of.cast::<libc::sockaddr_in6>() };
            Some(IpAddr::V6(Ipv6Addr::from(socket.sin6_addr.s6_addr)))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loopback_is_left_out() {
        let addresses = interfaces().expect("the kernel tells");
        assert!(addresses.iter().all(|address| !address.is_loopback()));
    }
}
