//! A node and its pods as network namespaces of their own, linked by veths as a CNI does it, and frames as an attacker
//! would make them.

use std::ffi::CStr;
use std::fs::File;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::fd::{FromRawFd, OwnedFd};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use palisade_bpf::network::{self, PodLink};
use palisade_bpf::node_links;
use palisade_bpf::tables::{Refusal, Veth};

use crate::puppet::Puppet;
use crate::routes;
use crate::world::World;

/// A pod's network, and its cgroup.
pub struct Pod {
    pub network: File,
    pub link: PodLink,
    pub namespace: Option<i32>,
    pub four: Ipv4Addr,
    pub six: Ipv6Addr,
    pub cgroup_id: u64,
    pub container: std::path::PathBuf,
    pub container_id: u64,
    pub number: u8,
}

impl Pod {
    /// A pod with one container and a routed veth; `number` is the last part of its addresses.
    pub fn new(world: &World, number: u8) -> Self {
        let (four, six) = (Ipv4Addr::new(10, 9, 0, number), Ipv6Addr::new(0xfd09, 0, 0, 0, 0, 0, 0, number.into()));
        let network = routes::add_pod(&format!("pod{number}"), four, six);
        let links = network::links(&network).expect("links");
        assert_eq!(links.len(), 1, "the loopback is no veth");
        let (_, cgroup_id) = world.make_cgroup(&format!("burstable/pod{number}"));
        let (container, container_id) = world.make_cgroup(&format!("burstable/pod{number}/main"));
        let node = File::open("/proc/thread-self/ns/net").expect("the node's network");
        let of_node = node_links::links(&node).expect("links of the node");
        let namespace = of_node.iter().find(|link| link.interface == links[0].peer).and_then(|link| link.namespace);
        assert!(namespace.is_some(), "{of_node:?}");
        Self { namespace, network, link: links[0], four, six, cgroup_id, container, container_id, number }
    }

    /// As the tables know it: receiver = subject = its number.
    pub fn veth(&self, refusal: Refusal) -> Veth {
        Veth {
            interface: self.link.peer,
            cgroup: self.cgroup_id,
            subject: self.number.into(),
            receiver: self.number.into(),
            refusal,
            hardware: self.link.hardware,
            four: Some(self.four),
            six: Some(self.six),
            namespace: self.namespace,
        }
    }

    pub fn addresses(&self) -> [IpAddr; 2] {
        [self.four.into(), self.six.into()]
    }

    /// A puppet in the pod's container and network.
    pub fn puppet(&self, program: &Path) -> Puppet {
        self.inside(|| Puppet::start(program, &self.container))
    }

    pub fn inside<T: Send>(&self, act: impl FnOnce() -> T + Send) -> T {
        network::inside(&self.network, act).expect("inside")
    }

    /// Sends a frame by a packet socket, as a process with CAP_NET_RAW in the pod can.
    pub fn send_frame(&self, frame: &[u8]) {
        self.send_frame_by(c"eth0", frame);
    }

    /// The same by an interface of the pod.
    pub fn send_frame_by(&self, interface: &CStr, frame: &[u8]) {
        self.inside(|| {
            // SAFETY: plain system calls on a descriptor of our own and on valid memory.
            unsafe {
                let socket = libc::socket(libc::AF_PACKET, libc::SOCK_RAW, 0);
                assert!(socket >= 0, "{}", std::io::Error::last_os_error());
                let mut to: libc::sockaddr_ll = std::mem::zeroed();
                to.sll_family = libc::AF_PACKET as u16;
                to.sll_ifindex = i32::try_from(libc::if_nametoindex(interface.as_ptr())).expect("an index");
                let length = size_of::<libc::sockaddr_ll>() as u32;
                let to = std::ptr::from_ref(&to).cast();
                let sent = libc::sendto(socket, frame.as_ptr().cast(), frame.len(), 0, to, length);
                assert_eq!(sent, frame.len() as isize, "{}", std::io::Error::last_os_error());
                libc::close(socket);
            }
        });
    }

    /// Listens in on an interface of the pod from now on.
    pub fn tap(&self, interface: &CStr) -> Tap {
        self.inside(|| {
            // SAFETY: plain system calls on a descriptor of our own and on valid memory.
            unsafe {
                let all = (libc::ETH_P_ALL as u16).to_be();
                let socket = libc::socket(libc::AF_PACKET, libc::SOCK_RAW, i32::from(all));
                assert!(socket >= 0, "{}", std::io::Error::last_os_error());
                let mut at: libc::sockaddr_ll = std::mem::zeroed();
                at.sll_family = libc::AF_PACKET as u16;
                at.sll_protocol = all;
                at.sll_ifindex = i32::try_from(libc::if_nametoindex(interface.as_ptr())).expect("an index");
                let bound = libc::bind(socket, std::ptr::from_ref(&at).cast(), size_of::<libc::sockaddr_ll>() as u32);
                assert_eq!(bound, 0, "{}", std::io::Error::last_os_error());
                Tap(OwnedFd::from_raw_fd(socket))
            }
        })
    }

    /// An Ethernet header from the pod to everybody.
    pub fn ethernet(&self, kind: u16) -> Vec<u8> {
        let mut frame = vec![0xff; 6];
        frame.extend(self.link.hardware);
        frame.extend(kind.to_be_bytes());
        frame
    }

    /// A datagram over IPv4 from `source`, with the fragment field and protocol as given.
    pub fn ipv4(&self, source: Ipv4Addr, to: Ipv4Addr, protocol: u8, fragment: u16, payload: &[u8]) -> Vec<u8> {
        let mut frame = self.ethernet(0x0800);
        frame.extend([0x45, 0]);
        frame.extend((20 + payload.len() as u16).to_be_bytes());
        frame.extend(7u16.to_be_bytes());
        frame.extend(fragment.to_be_bytes());
        frame.extend([64, protocol, 0, 0]);
        frame.extend(source.octets());
        frame.extend(to.octets());
        frame.extend(payload);
        frame
    }

    /// Sends a segment without data of nothing that was ever said, by a raw socket of the pod.
    pub fn acknowledge(&self, from: (Ipv4Addr, u16), to: (Ipv4Addr, u16)) {
        self.send_segment(from, to, 0x10);
    }

    /// The same with other flags.
    pub fn send_segment(&self, from: (Ipv4Addr, u16), to: (Ipv4Addr, u16), flags: u8) {
        // The kernel writes the checksum of the header.
        let packet = self.segment(from, to, flags).split_off(14);
        self.inside(|| {
            let kind = rustix::net::SocketType::RAW;
            let raw = rustix::net::socket(rustix::net::AddressFamily::INET, kind, Some(rustix::net::ipproto::RAW));
            let raw = raw.expect("a raw socket");
            let to = std::net::SocketAddr::from((to.0, 0));
            rustix::net::sendto(&raw, &packet, rustix::net::SendFlags::empty(), &to).expect("sent");
        });
    }

    /// A frame with a segment without data.
    pub fn segment(&self, from: (Ipv4Addr, u16), to: (Ipv4Addr, u16), flags: u8) -> Vec<u8> {
        let mut segment = [from.1.to_be_bytes(), to.1.to_be_bytes()].concat();
        // Sequence numbers of nothing that was ever sent; 5 words of header.
        segment.extend([0, 0, 0, 1, 0, 0, 0, 1, 5 << 4, flags, 1, 0, 0, 0, 0, 0]);
        let pseudo = [&from.0.octets()[..], &to.0.octets(), &[0, 6], &(segment.len() as u16).to_be_bytes(), &segment];
        let checked = checksum(&pseudo.concat());
        segment[16..18].copy_from_slice(&checked);
        let mut frame = self.ipv4(from.0, to.0, 6, 0, &segment);
        let checked = checksum(&frame[14..34]);
        frame[24..26].copy_from_slice(&checked);
        frame
    }

    /// The same over IPv6.
    pub fn ipv6(&self, source: Ipv6Addr, to: Ipv6Addr, next: u8, payload: &[u8]) -> Vec<u8> {
        let mut frame = self.ethernet(0x86dd);
        frame.extend([0x60, 0, 0, 0]);
        frame.extend((payload.len() as u16).to_be_bytes());
        frame.extend([next, 255]);
        frame.extend(source.octets());
        frame.extend(to.octets());
        frame.extend(payload);
        frame
    }
}

/// Answers every datagram until it is dropped.
pub struct Echo(Arc<AtomicBool>);

impl Echo {
    pub fn start(pod: &Pod, at: SocketAddr) -> Self {
        let socket = pod.inside(|| UdpSocket::bind(at).expect("a socket"));
        socket.set_read_timeout(Some(Duration::from_millis(20))).expect("set");
        let stop = Arc::new(AtomicBool::new(false));
        let seen = stop.clone();
        std::thread::spawn(move || {
            let mut bytes = [0; 64];
            while !seen.load(Ordering::Relaxed) {
                if let Ok((length, from)) = socket.recv_from(&mut bytes) {
                    let _ = socket.send_to(&bytes[..length], from);
                }
            }
        });
        Self(stop)
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A packet socket that reads.
pub struct Tap(OwnedFd);

impl Tap {
    /// The next frame with data for `port`.
    pub fn next(&self, port: u16) -> Vec<u8> {
        let mut bytes = [0; 2048];
        for _ in 0..64 {
            let (length, _) =
                rustix::net::recv(&self.0, &mut bytes[..], rustix::net::RecvFlags::empty()).expect("a frame");
            let frame = &bytes[..length];
            if frame[transport(frame)..][2..4] == port.to_be_bytes() && !data(frame).is_empty() {
                return frame.to_vec();
            }
        }
        panic!("no data for port {port}");
    }
}

/// Where the header after IP begins.
fn transport(frame: &[u8]) -> usize {
    if frame[12..14] == [0x86, 0xdd] { 54 } else { 34 }
}

/// What a datagram or segment carries.
fn data(frame: &[u8]) -> std::ops::Range<usize> {
    let at = transport(frame);
    let header = if protocol(frame) == 6 { usize::from(frame[at + 12] >> 4) * 4 } else { 8 };
    at + header..frame.len()
}

fn protocol(frame: &[u8]) -> u8 {
    if frame[12..14] == [0x86, 0xdd] { frame[20] } else { frame[23] }
}

/// The datagram or segment that its sender could send next: other data, and of a stream, the bytes after these.
pub fn what_could_follow(frame: &[u8]) -> Vec<u8> {
    let (at, said, protocol) = (transport(frame), data(frame), protocol(frame));
    let mut next = frame.to_vec();
    next[said.clone()].fill(b'!');
    let sum_at = at + if protocol == 6 { 16 } else { 6 };
    if protocol == 6 {
        let sequence = u32::from_be_bytes(next[at + 4..at + 8].try_into().expect("four bytes"));
        next[at + 4..at + 8].copy_from_slice(&(sequence + said.len() as u32).to_be_bytes());
    }
    next[sum_at..sum_at + 2].fill(0);
    let addresses = if at == 54 { 22..54 } else { 26..34 };
    let length = (next.len() - at) as u16;
    let mut pseudo = [&next[addresses], &[0, protocol], &length.to_be_bytes(), &next[at..]].concat();
    pseudo.resize(pseudo.len().next_multiple_of(2), 0);
    let sum = checksum(&pseudo);
    next[sum_at..sum_at + 2].copy_from_slice(&sum);
    next
}

/// Ports 1000 to 2000, eight bytes of data.
pub fn udp() -> Vec<u8> {
    let mut header = Vec::new();
    for word in [1000u16, 2000, 16, 0] {
        header.extend(word.to_be_bytes());
    }
    header.extend([0; 8]);
    header
}

/// Of an even number of bytes (RFC 1071).
pub fn checksum(bytes: &[u8]) -> [u8; 2] {
    let mut sum: u32 = bytes.chunks(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]]))).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    (!(sum as u16)).to_be_bytes()
}
