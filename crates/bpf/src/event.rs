//! What the kernel programs tell, one value an event.

use crate::layout::constants::{
    EVENT_DROP, EVENT_EXEC, EVENT_EXIT, EVENT_FLOW, EVENT_JUDGED, EVENT_LISTEN, EVENT_SOCKET, STATE_REVISION_SHIFT,
};
use crate::layout::{
    DropEvent, EventHeader, ExecEvent, ExitEvent, FlowEvent, JudgedEvent, ListenEvent, PATH_ROOM, Plain, ProgramFile,
    SocketEvent,
};

/// An event of a guard.
#[derive(Clone, Debug)]
pub enum Event {
    /// A verdict on a connect, a send without connection, or a bind.
    Judged(JudgedEvent),
    /// A judged TCP socket changed its state.
    Socket(SocketEvent),
    /// A program was started.
    Exec(Exec),
    /// A process ended.
    Exit(ExitEvent),
    /// A TCP socket listens.
    Listen(ListenEvent),
    /// A flow at a pod's veth began, goes on, ended, or got another verdict.
    Flow(FlowEvent),
    /// A packet was dropped at a pod's veth; one event stands for a while's drops of a kind.
    Drop(DropEvent),
    /// Of a kind that this build does not know.
    Unknown(u32),
}

/// A program was started, with its path.
#[derive(Clone, Debug)]
pub struct Exec {
    /// Cgroup that it is known by; 0 = unknown.
    pub container: u64,
    /// Its own cgroup.
    pub cgroup: u64,
    /// The process.
    pub process: crate::layout::Process,
    /// Its parent.
    pub parent: u32,
    /// The file.
    pub program: ProgramFile,
    /// `PROGRAM_` flags.
    pub program_flags: u32,
    /// Where the file lies, seen from the root of the process; `None` when it lies outside or too deep.
    pub path: Option<String>,
    /// Nanoseconds since boot.
    pub time: u64,
}

impl Event {
    pub(crate) fn parse(bytes: &[u8]) -> Self {
        let kind = EventHeader::read(bytes).map_or(0, |header| header.kind);
        let parsed = match kind {
            EVENT_JUDGED => JudgedEvent::read(bytes).map(Self::Judged),
            EVENT_SOCKET => SocketEvent::read(bytes).map(Self::Socket),
            EVENT_EXEC => ExecEvent::read(bytes).map(|event| Self::Exec(Exec::new(&event))),
            EVENT_EXIT => ExitEvent::read(bytes).map(Self::Exit),
            EVENT_LISTEN => ListenEvent::read(bytes).map(Self::Listen),
            EVENT_FLOW => FlowEvent::read(bytes).map(Self::Flow),
            EVENT_DROP => DropEvent::read(bytes).map(Self::Drop),
            _ => None,
        };
        parsed.unwrap_or(Self::Unknown(kind))
    }
}

impl Exec {
    fn new(event: &ExecEvent) -> Self {
        let used = (event.path_length as usize).min(PATH_ROOM);
        Self {
            container: event.container,
            cgroup: event.cgroup,
            process: event.process,
            parent: event.parent,
            program: event.program,
            program_flags: event.program_flags,
            path: (event.path_whole == 1).then(|| path(&event.path[..used])),
            time: event.header.time,
        }
    }
}

/// Names from the file up to the root, each ended by a NUL, as a path from the root down.
fn path(components: &[u8]) -> String {
    let mut names: Vec<&[u8]> = components.split(|byte| *byte == 0).filter(|name| !name.is_empty()).collect();
    names.reverse();
    let mut text = String::new();
    for name in names {
        text.push('/');
        text.push_str(&String::from_utf8_lossy(name));
    }
    text
}

impl JudgedEvent {
    /// The revision that judged.
    pub fn revision(&self) -> u64 {
        self.state >> STATE_REVISION_SHIFT
    }

    /// The name of the thread, as `comm` shows it.
    pub fn command_text(&self) -> String {
        text_of(&self.command)
    }
}

fn text_of(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}

/// An address of an event: IPv4 where it is one.
pub fn address(bytes: [u8; 16]) -> std::net::IpAddr {
    std::net::IpAddr::V6(std::net::Ipv6Addr::from(bytes)).to_canonical()
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_path_is_told_from_the_file_upwards() {
        assert_eq!(super::path(b"nginx\0sbin\0usr\0"), "/usr/sbin/nginx");
    }
}
