//! Throw-away surroundings of one test: cgroups in the shape that kubelet makes, a network namespace, a bpffs.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::fs;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use palisade_bpf::layout::JudgedEvent;
use palisade_bpf::tables::{
    Cell, Container, ContainerKind, Decision, FileKey, Network, PacketHook, Span, UnknownPods, Verdict,
};
use palisade_bpf::{Event, FLOWS, Guard, Options, RING_BYTES, Tables, cgroup, pins, program_file};

static NEXT: AtomicU32 = AtomicU32::new(0);

/// What this machine lacks for these tests, if anything.
pub fn missing() -> Option<String> {
    if !rustix::process::geteuid().is_root() {
        return Some("root is needed to attach programs".to_string());
    }
    cgroup::mount_point().err().map(|error| error.to_string())
}

/// The surroundings; dropping them removes everything.
pub struct World {
    pub folder: PathBuf,
    pub cgroup: PathBuf,
    pub bpffs: PathBuf,
}

impl World {
    /// Makes the surroundings; the calling thread is in a network namespace of its own from here on.
    pub fn new() -> Self {
        let name = format!("palisade-test-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let folder = std::env::temp_dir().join(&name);
        fs::create_dir_all(&folder).expect("a folder");
        let bpffs = folder.join("bpf");
        pins::mount(&bpffs).expect("a bpffs");
        let cgroup = cgroup::mount_point().expect("checked by `missing`").join(&name).join("node1/kubepods");
        fs::create_dir_all(&cgroup).expect("a cgroup");
        // SAFETY: only this thread, and what it starts, moves to a new network namespace.
        unsafe { rustix::thread::unshare_unsafe(rustix::thread::UnshareFlags::NEWNET) }.expect("a network namespace");
        run("ip", &["link", "set", "lo", "up"]);
        Self { folder, cgroup, bpffs }
    }

    /// A cgroup below the pods' root, and its id.
    pub fn make_cgroup(&self, below: &str) -> (PathBuf, u64) {
        let path = self.cgroup.join(below);
        fs::create_dir_all(&path).expect("a cgroup");
        let id = cgroup::id(&path).expect("an id");
        (path, id)
    }

    /// A copy of this executable under another name: a program of its own.
    pub fn program(&self, name: &str) -> PathBuf {
        let path = self.folder.join(name);
        fs::copy(std::env::current_exe().expect("this executable"), &path).expect("a copy");
        path
    }

    pub fn options(&self) -> Options {
        Options { pins: self.bpffs.join("node1"), cgroup: self.cgroup.clone(), ring_bytes: RING_BYTES, flows: FLOWS }
    }

    pub fn guard(&self) -> Guard {
        Guard::load(&self.options()).unwrap_or_else(|error| panic!("{}", chain(&error)))
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if let Err(error) = pins::unmount(&self.bpffs) {
            eprintln!("{}", chain(&error));
        }
        let _ = fs::remove_dir_all(&self.folder);
        remove_cgroups(self.cgroup.ancestors().nth(2).expect("below the mount"));
    }
}

/// Cgroups go leaf first, and only when their last process has been reaped.
fn remove_cgroups(cgroup: &Path) {
    for entry in fs::read_dir(cgroup).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove_cgroups(&entry.path());
        }
    }
    let end = Instant::now() + Duration::from_secs(2);
    while fs::remove_dir(cgroup).is_err() && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(5));
    }
}

pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(&format!("\n  caused by: {cause}"));
        source = cause.source();
    }
    text
}

pub fn run(program: &str, arguments: &[&str]) {
    let output = Command::new(program).args(arguments).output().unwrap_or_else(|error| panic!("{program}: {error}"));
    assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// A listener on loopback, outside of every container.
pub fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
    let address = listener.local_addr().expect("an address");
    (listener, address)
}

pub fn file_key(path: &Path) -> FileKey {
    let path = path.to_str().expect("a plain path");
    program_file::below(Path::new("/"), path).unwrap_or_else(|error| panic!("{}", chain(&error)))
}

pub const TCP: u8 = 6;
pub const UDP: u8 = 17;
pub const SELF: u32 = 1;
pub const WORLD: u32 = 2;
pub const ALLOW: u32 = 0;
pub const DENY: u32 = 1;

/// Tables with the two plain decisions and a destination for every address; nothing is allowed to anyone yet.
pub fn tables(revision: u64) -> Tables {
    let plain = |verdict| Decision { enforced: verdict, would: verdict, mixed: false, expires: None };
    Tables {
        revision,
        unknown_pods: UnknownPods::Refuse,
        destinations: vec![network("0.0.0.0", 0, WORLD), network("::", 0, WORLD)],
        port_tables: vec![all_ports(ALLOW), all_ports(DENY)],
        decisions: vec![plain(Verdict::Allow), plain(Verdict::Deny)],
        ..Tables::default()
    }
}

pub fn network(address: &str, prefix: u8, destination: u32) -> Network {
    Network { address: address.parse::<IpAddr>().expect("an address"), prefix, destination, own_subject: None }
}

pub fn all_ports(decision: u32) -> Vec<Span> {
    vec![Span { first: 0, last: u16::MAX, decision }]
}

pub fn container(cgroup: u64, subject: u32, class: u32) -> Container {
    Container { cgroup, subject, class, kind: ContainerKind::Known, host_network: false, packets: PacketHook::Veth }
}

/// Every port of a destination, over TCP.
pub fn cell(class: u32, destination: u32, port_table: u32) -> Cell {
    Cell { class, destination, protocol: TCP, port_table }
}

/// Every port of a destination, over UDP.
pub fn udp_cell(class: u32, destination: u32, port_table: u32) -> Cell {
    Cell { class, destination, protocol: UDP, port_table }
}

/// An address of the test's network namespace that is not loopback, on a link that leads nowhere.
pub fn add_address(address: &str) {
    run("ip", &["link", "add", "wire", "type", "veth", "peer", "name", "end"]);
    run("ip", &["address", "add", address, "dev", "wire"]);
    run("ip", &["link", "set", "wire", "up"]);
    run("ip", &["link", "set", "end", "up"]);
}

thread_local! {
    /// Events that came in the same breath as one that was awaited.
    static READ: RefCell<VecDeque<Event>> = const { RefCell::new(VecDeque::new()) };
}

/// Reads events until one makes `wanted` answer, or a deadline passes. Those before it are dropped, those after it kept.
pub fn await_event<T>(guard: &mut Guard, mut wanted: impl FnMut(&Event) -> Option<T>) -> T {
    let end = Instant::now() + Duration::from_secs(20);
    READ.with_borrow_mut(|read| {
        let mut seen = Vec::new();
        loop {
            guard.events(Duration::from_millis(10), &mut |event| read.push_back(event)).expect("events");
            while let Some(event) = read.pop_front() {
                if let Some(found) = wanted(&event) {
                    return found;
                }
                seen.push(event);
            }
            assert!(Instant::now() < end, "the event did not come, but {seen:#?}");
        }
    })
}

/// Every event that has come and was not awaited.
pub fn drain(guard: &mut Guard) -> Vec<Event> {
    let mut read: Vec<Event> = READ.with_borrow_mut(|read| read.drain(..).collect());
    guard.events(Duration::from_millis(50), &mut |event| read.push(event)).expect("events");
    read
}

pub fn await_judged(guard: &mut Guard, pid: u32) -> JudgedEvent {
    await_event(guard, |event| match event {
        Event::Judged(judged) if judged.process.pid == pid => Some(*judged),
        _ => None,
    })
}
