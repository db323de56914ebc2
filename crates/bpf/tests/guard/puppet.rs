//! A process in a container that connects and binds as it is told, and says what became of it.
//!
//! It is a copy of this test's own executable, so that a program can stand at any path; `puppet_entry` is its main.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsRawFd, FromRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

/// Names the descriptor of the control socket to a puppet.
const CONTROL: &str = "PALISADE_TEST_PUPPET";

/// What a puppet's call came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Came {
    Through,
    Errno(i32),
}

/// What a refusal looks like to the caller.
pub const REFUSED: Came = Came::Errno(libc::EACCES);

/// A running puppet.
pub struct Puppet {
    child: Child,
    control: BufReader<UnixStream>,
}

#[allow(dead_code, reason = "the agent's tests have puppets as well, and do not use all that they can do")]
impl Puppet {
    /// Starts `program` (a copy of this executable) in the cgroup.
    pub fn start(program: &Path, cgroup: &Path) -> Self {
        Self::start_in(Path::new("/"), program, cgroup)
    }

    /// The same below another root.
    pub fn start_in(root: &Path, program: &Path, cgroup: &Path) -> Self {
        let root = std::ffi::CString::new(root.to_str().expect("plain")).expect("plain");
        let (ours, theirs) = UnixStream::pair().expect("a socket pair");
        let procs = cgroup.join("cgroup.procs");
        let descriptor = theirs.as_raw_fd();
        let mut command = Command::new(program);
        command.args(["--exact", "puppet::puppet_entry", "--nocapture"]).env(CONTROL, descriptor.to_string());
        command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
        // SAFETY: only system calls between fork and exec.
        unsafe {
            command.pre_exec(move || {
                std::fs::write(&procs, "0")?;
                // SAFETY: the string ends with a NUL.
                if libc::chroot(root.as_ptr()) != 0 || libc::chdir(c"/".as_ptr()) != 0 {
                    return Err(std::io::Error::last_os_error());
                }
                keep_over_exec(descriptor)
            });
        }
        let child = command.spawn().unwrap_or_else(|error| panic!("start {}: {error}", program.display()));
        Self { child, control: BufReader::new(ours) }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends one command and reads its answer.
    pub fn tell(&mut self, command: &str) -> String {
        writeln!(self.control.get_mut(), "{command}").expect("the puppet listens");
        let mut answer = String::new();
        self.control.read_line(&mut answer).expect("the puppet answers");
        assert!(!answer.is_empty(), "the puppet died at `{command}`");
        answer.trim().to_string()
    }

    pub fn connect(&mut self, to: SocketAddr) -> Came {
        came(&self.tell(&format!("connect {to}")))
    }

    pub fn send(&mut self, to: SocketAddr) -> Came {
        came(&self.tell(&format!("send {to}")))
    }

    pub fn bind(&mut self, to: SocketAddr) -> Came {
        came(&self.tell(&format!("bind {to}")))
    }
}

impl Drop for Puppet {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn came(answer: &str) -> Came {
    match answer.strip_prefix("errno ") {
        Some(number) => Came::Errno(number.parse().expect("a number")),
        None => {
            assert_eq!(answer, "ok");
            Came::Through
        }
    }
}

fn keep_over_exec(descriptor: RawFd) -> std::io::Result<()> {
    // SAFETY: plain fcntl on an open descriptor.
    let result = unsafe { libc::fcntl(descriptor, libc::F_SETFD, 0) };
    if result == 0 { Ok(()) } else { Err(std::io::Error::last_os_error()) }
}

/// Not a test: the main of a puppet, which is this executable under another name.
#[test]
fn puppet_entry() {
    let Some(descriptor) = std::env::var_os(CONTROL) else { return };
    let descriptor: RawFd = descriptor.to_str().and_then(|text| text.parse().ok()).expect("a descriptor");
    // SAFETY: handed over by `Puppet::start` for this purpose.
    let control = unsafe { UnixStream::from_raw_fd(descriptor) };
    let mut answers = control.try_clone().expect("a clone");
    let mut held = Held::default();
    for line in BufReader::new(control).lines() {
        let Ok(line) = line else { break };
        let answer = match obey(&line, &mut held) {
            Ok(answer) => answer,
            Err(error) => format!("errno {}", error.raw_os_error().unwrap_or(-1)),
        };
        if writeln!(answers, "{answer}").is_err() {
            break;
        }
    }
    std::process::exit(0);
}

/// What a puppet keeps open.
#[derive(Default)]
struct Held {
    listeners: Vec<TcpListener>,
    streams: Vec<TcpStream>,
    datagrams: Vec<UdpSocket>,
    asker: Option<SocketAddr>,
}

fn obey(line: &str, held: &mut Held) -> std::io::Result<String> {
    let mut words = line.split(' ');
    let (verb, rest) = (words.next().unwrap_or(""), words.collect::<Vec<_>>());
    let address = |index: usize| rest[index].parse::<SocketAddr>().expect("an address");
    match verb {
        "connect" => {
            TcpStream::connect_timeout(&address(0), Duration::from_secs(3))?;
        }
        "hold" => held.streams.push(TcpStream::connect(address(0))?),
        // From a port of its own choice, which others may have as well.
        "hold-from" => {
            let socket = rustix::net::socket(rustix::net::AddressFamily::INET, rustix::net::SocketType::STREAM, None)?;
            rustix::net::sockopt::set_socket_reuseport(&socket, true)?;
            rustix::net::bind(&socket, &address(0))?;
            rustix::net::connect(&socket, &address(1))?;
            held.streams.push(socket.into());
        }
        "listen-too" => {
            let socket = rustix::net::socket(rustix::net::AddressFamily::INET, rustix::net::SocketType::STREAM, None)?;
            rustix::net::sockopt::set_socket_reuseport(&socket, true)?;
            rustix::net::sockopt::set_socket_reuseaddr(&socket, true)?;
            rustix::net::bind(&socket, &address(0))?;
            rustix::net::listen(&socket, 8)?;
            held.listeners.push(socket.into());
        }
        "send" => {
            let from: SocketAddr = if address(0).is_ipv4() { ([0, 0, 0, 0], 0).into() } else { ([0u16; 8], 0).into() };
            UdpSocket::bind(from)?.send_to(b"hello", address(0))?;
        }
        "send-again" => {
            if held.datagrams.is_empty() {
                let any: std::net::IpAddr = if address(0).is_ipv4() { [0u8; 4].into() } else { [0u16; 8].into() };
                held.datagrams.push(UdpSocket::bind((any, 0))?);
            }
            held.datagrams[0].send_to(b"hello", address(0))?;
        }
        // So many bytes at once, in datagrams of the size that is said last.
        "send-large" => {
            let any: std::net::IpAddr = if address(0).is_ipv4() { [0u8; 4].into() } else { [0u16; 8].into() };
            let socket = UdpSocket::bind((any, 0))?;
            let [bytes, each] = [1, 2].map(|index| rest[index].parse::<u32>().expect("a number"));
            if each < bytes {
                // SAFETY: the value is as long as said.
                let result = unsafe {
                    let each = std::ptr::from_ref(&each).cast();
                    libc::setsockopt(
                        socket.as_raw_fd(),
                        libc::SOL_UDP,
                        libc::UDP_SEGMENT,
                        each,
                        size_of::<u32>() as u32,
                    )
                };
                if result != 0 {
                    return Err(std::io::Error::last_os_error());
                }
            }
            socket.send_to(&vec![b'x'; bytes as usize], address(0))?;
        }
        "bind" => held.listeners.push(TcpListener::bind(address(0))?),
        // One datagram is awaited and answered.
        "serve" => {
            let socket = UdpSocket::bind(address(0))?;
            let mut bytes = [0; 64];
            let (_, from) = socket.recv_from(&mut bytes)?;
            socket.send_to(b"answer", from)?;
        }
        // Asks and waits a moment for the answer.
        "ask" => {
            let from: SocketAddr = if address(0).is_ipv4() { ([0, 0, 0, 0], 0).into() } else { ([0u16; 8], 0).into() };
            let socket = UdpSocket::bind(from)?;
            socket.set_read_timeout(Some(Duration::from_millis(50)))?;
            socket.send_to(b"question", address(0))?;
            socket.recv_from(&mut [0; 64])?;
        }
        // The same by a socket that is connected, which hears of errors.
        "ask-connected" => {
            let from: SocketAddr = if address(0).is_ipv4() { ([0, 0, 0, 0], 0).into() } else { ([0u16; 8], 0).into() };
            let socket = UdpSocket::bind(from)?;
            socket.set_read_timeout(Some(Duration::from_millis(500)))?;
            socket.connect(address(0))?;
            socket.send(b"question")?;
            socket.recv(&mut [0; 64])?;
        }
        // Asks from a port, by a socket that is closed then, or by one that is connected and held.
        "ask-from" | "ask-held-from" => {
            let socket = UdpSocket::bind(address(0))?;
            socket.set_read_timeout(Some(Duration::from_secs(2)))?;
            if verb == "ask-held-from" {
                socket.connect(address(1))?;
                socket.send(b"question")?;
            } else {
                socket.send_to(b"question", address(1))?;
            }
            socket.recv_from(&mut [0; 64])?;
            if verb == "ask-held-from" {
                held.datagrams.push(socket);
            }
        }
        // Asks again by the socket that is held.
        "ask-again" => {
            held.datagrams[0].set_read_timeout(Some(Duration::from_millis(300)))?;
            held.datagrams[0].send(b"question")?;
            held.datagrams[0].recv(&mut [0; 64])?;
        }
        // Reads from the connection that is held.
        "read-held" => {
            use std::io::Read;
            held.streams[0].set_read_timeout(Some(Duration::from_secs(2)))?;
            held.streams[0].read_exact(&mut [0; 1])?;
        }
        "end-held" => {
            held.streams.clear();
            held.datagrams.clear();
        }
        "write-held" => held.streams[0].write_all(b"x")?,
        // Takes one connection in, and holds it as one of its own.
        "accept-held" => {
            let listener = held.listeners.first().ok_or_else(|| std::io::Error::other("it does not listen"))?;
            held.streams.push(listener.accept()?.0);
        }
        // Lets another process hold it as well.
        "give-held" => {
            let taker = meet(rest[0])?;
            let copy = std::os::fd::OwnedFd::from(held.streams[0].try_clone()?);
            send_descriptor(&taker, &copy)?;
        }
        "take-held" => {
            let listener = std::os::unix::net::UnixListener::bind(rest[0])?;
            let (giver, _) = listener.accept()?;
            held.streams.push(receive_descriptor(&giver)?.into());
        }
        // A server of datagrams, step by step; and who asks it.
        "await" => {
            let socket = UdpSocket::bind(address(0))?;
            // What was lost is told, not awaited for ever.
            socket.set_read_timeout(Some(Duration::from_secs(10)))?;
            held.datagrams.push(socket);
        }
        "hear" => {
            let (_, from) = held.datagrams[0].recv_from(&mut [0; 64])?;
            held.asker = Some(from);
        }
        "reply" => {
            let asker = held.asker.ok_or_else(|| std::io::Error::other("nobody asked"))?;
            held.datagrams[0].send_to(b"answer", asker)?;
        }
        "reply-to" => {
            held.datagrams[0].send_to(b"answer", address(0))?;
        }
        // So many questions, each by a socket of its own, to one that hears them.
        "ask-itself" => {
            let own: std::net::IpAddr = rest[0].parse().expect("an address");
            let receiver = UdpSocket::bind((own, 0))?;
            let at = receiver.local_addr()?;
            for _ in 0..rest[1].parse::<u32>().expect("a number") {
                UdpSocket::bind((own, 0))?.send_to(b"x", at)?;
                receiver.recv_from(&mut [0; 8])?;
            }
        }
        "question" => {
            let socket = UdpSocket::bind("0.0.0.0:0")?;
            socket.send_to(b"question", address(0))?;
            held.datagrams.push(socket);
        }
        "hear-held" => {
            held.datagrams[0].set_read_timeout(Some(Duration::from_secs(2)))?;
            held.datagrams[0].recv_from(&mut [0; 64])?;
        }
        // Datagrams to so many ports.
        "flood" => {
            let socket = UdpSocket::bind("0.0.0.0:0")?;
            let to: std::net::IpAddr = rest[0].parse().expect("an address");
            for port in 0..rest[1].parse::<u16>().expect("a number") {
                let _ = socket.send_to(b"x", (to, 10_000 + port));
            }
        }
        // So many questions, each by a socket of its own, and their answers.
        "ask-often" => {
            let to: SocketAddr = rest[0].parse().expect("an address");
            for _ in 0..rest[1].parse::<u32>().expect("a number") {
                let socket = UdpSocket::bind("0.0.0.0:0")?;
                socket.set_read_timeout(Some(Duration::from_secs(2)))?;
                socket.send_to(b"question", to)?;
                socket.recv_from(&mut [0; 64])?;
            }
        }
        // An echo by the kernel's ping socket, with an id of its own choice when one is said.
        "ping" => {
            use rustix::net::{AddressFamily, SocketType, ipproto};
            let to: std::net::IpAddr = rest[0].parse().expect("an address");
            let (family, protocol, kind) = match to {
                std::net::IpAddr::V4(_) => (AddressFamily::INET, ipproto::ICMP, 8),
                std::net::IpAddr::V6(_) => (AddressFamily::INET6, ipproto::ICMPV6, 128),
            };
            let socket = rustix::net::socket(family, SocketType::DGRAM, Some(protocol))?;
            if let Some(id) = rest.get(1) {
                let any: std::net::IpAddr = if to.is_ipv4() { [0u8; 4].into() } else { [0u16; 8].into() };
                rustix::net::bind(&socket, &SocketAddr::new(any, id.parse().expect("a number")))?;
            }
            let socket = UdpSocket::from(socket);
            socket.set_read_timeout(Some(Duration::from_millis(500)))?;
            socket.send_to(&[kind, 0, 0, 0, 0, 1, 0, 1], (to, 0))?;
            socket.recv_from(&mut [0; 64])?;
        }
        // Listens on a port that the kernel chooses, of a range of one: no bind tells of it.
        "listen-by-range" => {
            use std::os::fd::IntoRawFd;
            const IP_LOCAL_PORT_RANGE: i32 = 51;
            let socket = rustix::net::socket(rustix::net::AddressFamily::INET, rustix::net::SocketType::STREAM, None)?;
            let port: u32 = rest[0].parse().expect("a number");
            let range = port << 16 | port;
            // SAFETY: the value is as long as said.
            let result = unsafe {
                libc::setsockopt(
                    socket.as_raw_fd(),
                    libc::IPPROTO_IP,
                    IP_LOCAL_PORT_RANGE,
                    std::ptr::from_ref(&range).cast(),
                    size_of::<u32>() as u32,
                )
            };
            if result != 0 {
                return Err(std::io::Error::last_os_error());
            }
            rustix::net::listen(&socket, 8)?;
            // SAFETY: just made, and owned by nobody else.
            held.listeners.push(unsafe { TcpListener::from_raw_fd(socket.into_raw_fd()) });
        }
        // A datagram by a raw socket.
        "raw" => {
            use rustix::net::{AddressFamily, SocketType, ipproto};
            let to = address(0);
            let family = if to.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
            let socket = rustix::net::socket(family, SocketType::RAW, Some(ipproto::UDP))?;
            let [high, low] = to.port().to_be_bytes();
            let datagram = [0, 77, high, low, 0, 12, 0, 0, b'r', b'a', b'w', b'!'];
            rustix::net::sendto(&socket, &datagram, rustix::net::SendFlags::empty(), &SocketAddr::new(to.ip(), 0))?;
        }
        // The same by a connected one.
        "ping-connected" => {
            let socket = rustix::net::socket(
                rustix::net::AddressFamily::INET,
                rustix::net::SocketType::DGRAM,
                Some(rustix::net::ipproto::ICMP),
            )?;
            rustix::net::connect(&socket, &address(0))?;
            let socket = UdpSocket::from(socket);
            socket.set_read_timeout(Some(Duration::from_millis(500)))?;
            socket.send(&[8, 0, 0, 0, 0, 1, 0, 1])?;
            socket.recv(&mut [0; 64])?;
        }
        // To everybody who listens on the link.
        "cast" => {
            let any: std::net::IpAddr = if address(0).is_ipv4() { [0u8; 4].into() } else { [0u16; 8].into() };
            let own = rest.get(1).map_or(any, |own| own.parse().expect("an address"));
            let socket = UdpSocket::bind((own, 0))?;
            socket.set_broadcast(true)?;
            socket.send_to(b"cast", address(0))?;
        }
        // By a connected socket, with a control message; from another source when one is said.
        "send-marked" => {
            let socket = UdpSocket::bind(if address(0).is_ipv4() { "0.0.0.0:0" } else { "[::]:0" })?;
            socket.connect(address(0))?;
            send_marked(&socket, rest.get(1).map(|source| source.parse().expect("an address")))?;
        }
        // Sends itself a datagram that seems to come from elsewhere, reads it, and answers.
        "answer-forged" => {
            let receiver = UdpSocket::bind(address(0))?;
            receiver.set_read_timeout(Some(Duration::from_millis(300)))?;
            let seeming = bound_to_any_source(rustix::net::SocketType::DGRAM, address(1))?;
            UdpSocket::from(seeming).send_to(b"forged", address(0))?;
            let (_, from) = receiver.recv_from(&mut [0; 16])?;
            receiver.send_to(b"answer", from)?;
        }
        // Connects to itself as if from elsewhere.
        "connect-forged" => {
            let _listener = TcpListener::bind(address(0))?;
            let seeming = bound_to_any_source(rustix::net::SocketType::STREAM, address(1))?;
            rustix::io::ioctl_fionbio(&seeming, true)?;
            match rustix::net::connect(&seeming, &address(0)) {
                Err(rustix::io::Errno::INPROGRESS) => {}
                other => other?,
            }
        }
        // As many connects as the time allows: how many came through, how many were refused, how many did anything else.
        "hammer" => {
            let end = Instant::now() + Duration::from_millis(rest[1].parse().expect("milliseconds"));
            let (mut through, mut refused, mut other) = (0, 0, 0);
            // Of a datagram socket: judged alike, and nothing on the way makes it slow.
            let socket = UdpSocket::bind("0.0.0.0:0")?;
            while Instant::now() < end {
                match socket.connect(address(0)) {
                    Ok(()) => through += 1,
                    Err(error) if error.raw_os_error() == Some(libc::EACCES) => refused += 1,
                    Err(_) => other += 1,
                }
            }
            return Ok(format!("{through} {refused} {other}"));
        }
        // Connects by the multipath protocol, for which the kernel makes the TCP socket itself.
        "multipath" => {
            use rustix::net::{AddressFamily, Protocol, SocketType, ipproto};
            let protocol: Protocol = ipproto::MPTCP;
            let family = if address(0).is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
            let socket = rustix::net::socket(family, SocketType::STREAM, Some(protocol))?;
            rustix::net::connect(&socket, &address(0))?;
        }
        // Takes a socket that another container made, and connects it.
        "borrow" => {
            let listener = std::os::unix::net::UnixListener::bind(rest[0])?;
            let (giver, _) = listener.accept()?;
            let socket = receive_descriptor(&giver)?;
            rustix::net::connect(&socket, &address(1))?;
        }
        "lend" => {
            let taker = meet(rest[0])?;
            let socket = rustix::net::socket(rustix::net::AddressFamily::INET, rustix::net::SocketType::STREAM, None)?;
            send_descriptor(&taker, &socket)?;
        }
        // Becomes, by its word, the program at that path.
        "pose-as" => pose_as(rest[0])?,
        // Moves into a cgroup below the own one.
        "nest" => std::fs::write(Path::new(rest[0]).join("cgroup.procs"), "0")?,
        other => panic!("no such command: {other}"),
    }
    Ok("ok".to_string())
}

/// A socket with a source that need not be the pod's: IPv6 asks for no capability.
fn bound_to_any_source(kind: rustix::net::SocketType, at: SocketAddr) -> std::io::Result<std::os::fd::OwnedFd> {
    let (family, level, option) = match at {
        SocketAddr::V4(_) => (rustix::net::AddressFamily::INET, libc::SOL_IP, libc::IP_TRANSPARENT),
        SocketAddr::V6(_) => (rustix::net::AddressFamily::INET6, libc::SOL_IPV6, libc::IPV6_FREEBIND),
    };
    let socket = rustix::net::socket(family, kind, None)?;
    let (one, length) = (1_i32, size_of::<i32>() as u32);
    // SAFETY: the value is as long as said.
    let result =
        unsafe { libc::setsockopt(socket.as_raw_fd(), level, option, std::ptr::from_ref(&one).cast(), length) };
    if result != 0 {
        return Err(std::io::Error::last_os_error());
    }
    rustix::net::bind(&socket, &at)?;
    Ok(socket)
}

/// Room for one control message with two numbers or an address, aligned as the kernel wants it.
#[repr(align(8))]
struct Control([u8; 32]);

/// Sends with a type of service, or from `source`.
fn send_marked(socket: &UdpSocket, source: Option<std::net::Ipv4Addr>) -> std::io::Result<()> {
    let value: Vec<u8> = match source {
        // `struct in_pktinfo`: interface, source, and what counts on the way in alone.
        Some(source) => [&[0; 4][..], &source.octets(), &[0; 4]].concat(),
        None => 16_i32.to_ne_bytes().to_vec(),
    };
    let kind = if source.is_some() { libc::IP_PKTINFO } else { libc::IP_TOS };
    let (mut bytes, mut control) = (*b"marked", Control([0; 32]));
    let mut part = libc::iovec { iov_base: bytes.as_mut_ptr().cast(), iov_len: bytes.len() };
    // SAFETY: the control buffer has room for one header and the value; every pointer outlives the call.
    let sent = unsafe {
        let mut message: libc::msghdr = std::mem::zeroed();
        (message.msg_iov, message.msg_iovlen) = (&mut part, 1);
        message.msg_control = control.0.as_mut_ptr().cast();
        message.msg_controllen = libc::CMSG_SPACE(value.len() as u32) as _;
        let header = libc::CMSG_FIRSTHDR(&message);
        ((*header).cmsg_level, (*header).cmsg_type) = (libc::SOL_IP, kind);
        (*header).cmsg_len = libc::CMSG_LEN(value.len() as u32) as _;
        std::ptr::copy_nonoverlapping(value.as_ptr(), libc::CMSG_DATA(header), value.len());
        libc::sendmsg(socket.as_raw_fd(), &message, 0)
    };
    if sent < 0 { Err(std::io::Error::last_os_error()) } else { Ok(()) }
}

/// Connects to who binds that path within a moment.
fn meet(path: &str) -> std::io::Result<UnixStream> {
    let end = Instant::now() + Duration::from_secs(2);
    loop {
        match UnixStream::connect(path) {
            Ok(other) => return Ok(other),
            Err(error) if Instant::now() > end => return Err(error),
            Err(_) => std::thread::sleep(Duration::from_millis(5)),
        }
    }
}

fn send_descriptor(to: &UnixStream, descriptor: &std::os::fd::OwnedFd) -> std::io::Result<()> {
    use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
    use std::os::fd::AsFd;
    let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let descriptors = [descriptor.as_fd()];
    assert!(control.push(SendAncillaryMessage::ScmRights(&descriptors)));
    sendmsg(to, &[std::io::IoSlice::new(b"x")], &mut control, SendFlags::empty())?;
    Ok(())
}

fn receive_descriptor(from: &UnixStream) -> std::io::Result<std::os::fd::OwnedFd> {
    use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
    let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0];
    recvmsg(from, &mut [std::io::IoSliceMut::new(&mut byte)], &mut control, RecvFlags::empty())?;
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(mut descriptors) = message
            && let Some(descriptor) = descriptors.next()
        {
            return Ok(descriptor);
        }
    }
    Err(std::io::Error::other("no descriptor came"))
}

/// Makes the kernel show another executable as this process', by PR_SET_MM_MAP, which asks only for
/// CAP_CHECKPOINT_RESTORE in the own user namespace. Nothing of the old file may be mapped then, so its mappings are replaced
/// by anonymous copies.
fn pose_as(path: &str) -> std::io::Result<()> {
    let own = std::fs::read_link("/proc/self/exe")?;
    let own = own.to_string_lossy();
    let maps = std::fs::read_to_string("/proc/self/maps")?;
    for line in maps.lines().filter(|line| line.ends_with(&*own)) {
        let mut fields = line.split_whitespace();
        let (start, end) = fields.next().and_then(|range| range.split_once('-')).expect("a range");
        let access = fields.next().expect("access");
        let start = usize::from_str_radix(start, 16).expect("an address");
        let length = usize::from_str_radix(end, 16).expect("an address") - start;
        let mut protection = 0;
        for (letter, bit) in [('r', libc::PROT_READ), ('w', libc::PROT_WRITE), ('x', libc::PROT_EXEC)] {
            if access.contains(letter) {
                protection |= bit;
            }
        }
        // SAFETY: the range is replaced, in one step, by a copy of itself with the same access.
        unsafe {
            let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
            let copy = libc::mmap(std::ptr::null_mut(), length, libc::PROT_READ | libc::PROT_WRITE, flags, -1, 0);
            assert_ne!(copy, libc::MAP_FAILED);
            std::ptr::copy_nonoverlapping(start as *const u8, copy.cast(), length);
            assert_eq!(libc::mprotect(copy, length, protection), 0);
            let moved = libc::mremap(copy, length, length, libc::MREMAP_MAYMOVE | libc::MREMAP_FIXED, start);
            assert_ne!(moved, libc::MAP_FAILED);
        }
    }
    let file = std::fs::File::open(path)?;
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let fields: Vec<u64> =
        stat.rsplit(')').next().expect("a tail").split_whitespace().map(|field| field.parse().unwrap_or(0)).collect();
    // proc(5) counts from 1; the tail starts with field 3.
    let field = |number: usize| fields[number - 3];
    // SAFETY: asks for the end of the heap.
    let end_of_heap = unsafe { libc::sbrk(0) } as u64;
    // struct prctl_mm_map of linux/prctl.h: 11 addresses, an empty auxv, its size and the descriptor.
    let mut map = [0u64; 13];
    let addresses = [26, 27, 45, 46, 47].map(field);
    map[..5].copy_from_slice(&addresses);
    map[5] = end_of_heap;
    map[6..11].copy_from_slice(&[28, 48, 49, 50, 51].map(field));
    map[12] = u64::from(file.as_raw_fd() as u32) << 32;
    // SAFETY: the struct has the size that is told.
    let result = unsafe { libc::prctl(libc::PR_SET_MM, libc::PR_SET_MM_MAP, map.as_ptr(), size_of_val(&map), 0) };
    if result == 0 { Ok(()) } else { Err(std::io::Error::last_os_error()) }
}
