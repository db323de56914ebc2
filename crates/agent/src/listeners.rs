//! Which container and program of a pod listens on a port: the other end of a connect, beyond what its spec declares.

use std::collections::{HashMap, HashSet, VecDeque};
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use palisade_model::flow::FlowRecord;
use palisade_model::port::Protocol;

use crate::program_paths::executable;

/// Ports that are remembered; the oldest make room.
const LISTENERS_MAX: usize = 4096;
/// Processes of a container that are looked at when the agent starts.
const PROCESSES_MAX: usize = 256;

/// Who listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Listener {
    pub(crate) container: Arc<str>,
    pub(crate) program: Arc<str>,
}

/// TCP listeners by pod (`namespace/name`) and port.
#[derive(Debug, Default)]
pub(crate) struct Listeners {
    known: HashMap<(String, u16), Listener>,
    order: VecDeque<(String, u16)>,
}

impl Listeners {
    pub(crate) fn note(&mut self, pod: String, port: u16, listener: Listener) {
        let key = (pod, port);
        if self.known.insert(key.clone(), listener).is_none() {
            self.order.push_back(key);
        }
        while self.order.len() > LISTENERS_MAX {
            if let Some(oldest) = self.order.pop_front() {
                self.known.remove(&oldest);
            }
        }
    }

    /// Looks at the sockets of a container's processes, by its first one.
    pub(crate) fn note_earlier(&mut self, earlier: &mut Earlier, pod: &str, container: &Arc<str>, first: u32) {
        let ports = earlier.listening_ports(first);
        for pid in earlier.processes_of(first) {
            let Some(program) = executable(pid) else { continue };
            for inode in sockets_of(pid) {
                if let Some(port) = ports.get(&inode) {
                    let listener = Listener { container: container.clone(), program: program.as_str().into() };
                    self.note(pod.to_string(), *port, listener);
                }
            }
        }
    }

    /// Names container and program of the end that was dialled, when it is a pod whose listener is known.
    pub(crate) fn complete(&self, record: &mut FlowRecord) {
        let to = &mut record.to;
        let (Some(namespace), Some(name)) = (&to.namespace, &to.name) else { return };
        if record.protocol != Protocol::Tcp || !matches!(to.kind.as_str(), "pod" | "own-address") {
            return;
        }
        if let Some(listener) = self.known.get(&(format!("{namespace}/{name}"), record.dialled.port)) {
            to.container = Some(listener.container.to_string());
            to.program = Some(listener.program.to_string());
        }
    }
}

/// What runs as the agent starts: all of it is looked at once, whatever the number of containers.
#[derive(Debug)]
pub(crate) struct Earlier {
    /// By pid namespace.
    processes: HashMap<PathBuf, Vec<u32>>,
    /// By network namespace, as they are asked for: the kernel looks through the sockets of all for each.
    ports: HashMap<PathBuf, Arc<HashMap<u64, u16>>>,
}

impl Earlier {
    pub(crate) fn look() -> Self {
        let mut processes: HashMap<PathBuf, Vec<u32>> = HashMap::new();
        let pids = fs::read_dir("/proc").into_iter().flatten().flatten();
        for pid in pids.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok()) {
            if let Some(namespace) = namespace(pid, "pid") {
                processes.entry(namespace).or_default().push(pid);
            }
        }
        Self { processes, ports: HashMap::new() }
    }

    /// The processes of the container whose first process that is: all of its pid namespace.
    fn processes_of(&self, first: u32) -> Vec<u32> {
        match namespace(first, "pid") {
            None => Vec::new(),
            wanted if wanted == namespace(std::process::id(), "pid") => vec![first],
            Some(wanted) => self.processes.get(&wanted).into_iter().flatten().copied().take(PROCESSES_MAX).collect(),
        }
    }

    /// Ports by the inode of the listening socket, in the network namespace of a process.
    fn listening_ports(&mut self, pid: u32) -> Arc<HashMap<u64, u16>> {
        let Some(network) = namespace(pid, "net") else { return Arc::default() };
        let read = || {
            let tables =
                ["tcp", "tcp6"].map(|table| fs::read_to_string(format!("/proc/{pid}/net/{table}")).unwrap_or_default());
            Arc::new(tables.iter().flat_map(|table| table.lines()).filter_map(parse_listener).collect())
        };
        Arc::clone(self.ports.entry(network).or_insert_with(read))
    }
}

fn namespace(pid: u32, kind: &str) -> Option<PathBuf> {
    fs::read_link(format!("/proc/{pid}/ns/{kind}")).ok()
}

/// A line of `/proc/net/tcp`: local address and port in field 2, state in field 4 (0A listens), inode in field 10.
fn parse_listener(line: &str) -> Option<(u64, u16)> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    if fields.get(3) != Some(&"0A") {
        return None;
    }
    let port = u16::from_str_radix(fields.get(1)?.rsplit_once(':')?.1, 16).ok()?;
    Some((fields.get(9)?.parse().ok()?, port))
}

fn sockets_of(pid: u32) -> HashSet<u64> {
    let descriptors = fs::read_dir(PathBuf::from(format!("/proc/{pid}/fd"))).into_iter().flatten().flatten();
    let targets = descriptors.filter_map(|entry| fs::read_link(entry.path()).ok());
    targets.filter_map(|target| target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listening_line_is_told_from_a_connected_one() {
        let listens = "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0 100 0 0 10 0";
        assert_eq!(parse_listener(listens), Some((4711, 8080)));
        assert_eq!(parse_listener(&listens.replace(" 0A ", " 01 ")), None);
        assert_eq!(parse_listener("  sl  local_address rem_address   st"), None);
    }
}
