//! A node and its pods as network namespaces, linked by routed veths as a CNI does it.

use std::fs::File;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::os::fd::AsRawFd;
use std::path::Path;
use std::process::Command;

use palisade_bpf::network;

pub const GATEWAY: &str = "169.254.1.1";

/// The calling thread's namespace becomes a node that routes.
pub fn make_node() -> File {
    for (path, value) in [
        ("ipv4/ip_forward", "1"),
        ("ipv6/conf/all/forwarding", "1"),
        ("ipv6/conf/default/accept_dad", "0"),
        ("ipv4/conf/all/rp_filter", "0"),
        ("ipv4/conf/default/rp_filter", "0"),
    ] {
        std::fs::write(Path::new("/proc/sys/net").join(path), value).expect("a sysctl");
    }
    File::open("/proc/thread-self/ns/net").expect("the own namespace")
}

/// A pod's namespace behind a veth that is called `name` on the node, the calling thread's namespace.
pub fn add_pod(name: &str, four: Ipv4Addr, six: Ipv6Addr) -> File {
    let pod = make_namespace();
    let path = format!("/proc/{}/fd/{}", std::process::id(), pod.as_raw_fd());
    let (v4, v6) = (format!("{four}/32"), format!("{six}/128"));
    for line in [
        format!("link add {name} type veth peer name eth0 netns {path}"),
        format!("addr add {GATEWAY}/32 dev {name} scope link"),
        format!("link set {name} addrgenmode none"),
        format!("addr add fe80::1/64 dev {name} nodad"),
        format!("link set {name} up"),
        format!("route add {v4} dev {name}"),
        format!("route add {v6} dev {name}"),
    ] {
        ip(&line);
    }
    network::inside(&pod, || {
        for line in [
            "link set lo up".to_string(),
            format!("addr add {v4} dev eth0"),
            format!("addr add {v6} dev eth0 nodad"),
            "link set eth0 up".to_string(),
            format!("route add {GATEWAY} dev eth0 scope link"),
            format!("route add default via {GATEWAY} dev eth0"),
            "route add default via fe80::1 dev eth0".to_string(),
        ] {
            ip(&line);
        }
        std::fs::write("/proc/sys/net/ipv4/ping_group_range", "0 2147483647").expect("a sysctl");
    })
    .expect("inside");
    pod
}

/// A pod's namespace on a link of its own kind: no veth leads to it.
#[allow(dead_code, reason = "shared with another test program")]
pub fn add_macvlan_pod(name: &str, four: &str) -> File {
    let pod = make_namespace();
    let path = format!("/proc/{}/fd/{}", std::process::id(), pod.as_raw_fd());
    for line in [
        format!("link add {name}-wire type veth peer name {name}-end"),
        format!("link set {name}-wire up"),
        format!("link set {name}-end up"),
        format!("link add {name} link {name}-wire type macvlan mode bridge"),
        format!("link set {name} netns {path}"),
    ] {
        ip(&line);
    }
    network::inside(&pod, || {
        let address = format!("addr add {four}/24 dev {name}");
        for line in ["link set lo up", &address, &format!("link set {name} up")] {
            ip(line);
        }
    })
    .expect("inside");
    pod
}

fn make_namespace() -> File {
    let pod = std::thread::spawn(|| {
        // SAFETY: only this thread, which ends here, moves.
        unsafe { rustix::thread::unshare_unsafe(rustix::thread::UnshareFlags::NEWNET) }.expect("a namespace");
        std::fs::write("/proc/sys/net/ipv6/conf/default/accept_dad", "0").expect("a sysctl");
        File::open("/proc/thread-self/ns/net").expect("the namespace")
    });
    pod.join().expect("made")
}

/// Runs `ip LINE`, and gives what it printed.
pub fn ip(line: &str) -> String {
    let output = Command::new("ip").args(line.split(' ')).output().expect("iproute2");
    assert!(output.status.success(), "ip {line}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}
