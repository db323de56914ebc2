//! Paths of programs and the files behind them, both ways: from the path that a rule names to the file that the kernel
//! compares, and from the file of an event to a path that a person can read.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use palisade_bpf::Exec;
use palisade_bpf::layout::{Process, ProgramFile};
use palisade_bpf::tables::FileKey;
use palisade_bpf::{clock, program_file};

use crate::lab_state::LabContainer;

/// Paths that are kept; a container rarely runs more than a few dozen programs.
const PATHS_MAX: usize = 4096;

/// The kernel tells a process' start in ticks of this length.
const TICK: Duration = Duration::from_millis(10);

/// The files of named programs, resolved once for each container and then kept, also for the next agent: a file that
/// changes later is no longer the image's.
#[derive(Debug)]
pub(crate) struct ResolvedPrograms {
    files: BTreeMap<String, BTreeMap<Arc<str>, FileKey>>,
    path: PathBuf,
    is_kept: bool,
}

/// Device, inode, size, and the change time in seconds and nanoseconds.
type Written = (u32, u64, u64, i64, u32);

impl ResolvedPrograms {
    /// What an earlier agent resolved; nothing when there was none.
    pub(crate) fn read(path: PathBuf) -> Self {
        let text = fs::read_to_string(&path).unwrap_or_default();
        let written: BTreeMap<String, BTreeMap<Arc<str>, Written>> = serde_json::from_str(&text).unwrap_or_default();
        let key = |(device, inode, size, ctime_seconds, ctime_nanoseconds)| FileKey {
            device,
            inode,
            size,
            ctime_seconds,
            ctime_nanoseconds,
        };
        let files = written.into_iter().map(|(container, files)| {
            (container, files.into_iter().map(|(path, written)| (path, key(written))).collect())
        });
        Self { files: files.collect(), path, is_kept: true }
    }

    /// The file for a node, in the agent's folder of the lab's state.
    pub(crate) fn path(state: &Path, node: &str) -> PathBuf {
        state.join("agent").join(format!("{node}.programs.json"))
    }

    /// The file at `path` in the container; `None` when it has none, or when something on the way to it may be the
    /// container's own doing.
    pub(crate) fn resolve(&mut self, id: &str, container: &LabContainer, path: &Arc<str>) -> Option<FileKey> {
        if let Some(known) = self.files.get(id).and_then(|files| files.get(path)) {
            return Some(*known);
        }
        let pid = container.pid;
        if pid == 0 || has_the_machines_root(pid) {
            return None;
        }
        let began = match container.made {
            Some(made) => made.into(),
            None => started(pid)? + 2 * TICK,
        };
        let file = program_file::unchanged_since(pid, path, began).ok()?;
        self.files.entry(id.to_string()).or_default().insert(path.clone(), file);
        self.is_kept = false;
        Some(file)
    }

    /// Forgets containers that are gone.
    pub(crate) fn retain(&mut self, exists: impl Fn(&str) -> bool) {
        let before = self.files.len();
        self.files.retain(|container, _| exists(container));
        self.is_kept &= self.files.len() == before;
    }

    /// Writes what is new for the next agent. Best effort: without it, that one resolves for itself.
    pub(crate) fn keep(&mut self) {
        if self.is_kept {
            return;
        }
        let write = |file: &FileKey| -> Written {
            (file.device, file.inode, file.size, file.ctime_seconds, file.ctime_nanoseconds)
        };
        let written: BTreeMap<&String, BTreeMap<&str, Written>> = self
            .files
            .iter()
            .map(|(container, files)| (container, files.iter().map(|(path, file)| (&**path, write(file))).collect()))
            .collect();
        let Ok(text) = serde_json::to_string(&written) else { return };
        let new = self.path.with_extension("new");
        if self.path.parent().is_some_and(|folder| fs::create_dir_all(folder).is_ok()) && fs::write(&new, text).is_ok()
        {
            self.is_kept = fs::rename(new, &self.path).is_ok();
        }
    }
}

/// A container's first process that has not moved into its root yet would show the machine's programs.
fn has_the_machines_root(pid: u32) -> bool {
    let place = |path: &str| fs::metadata(path).map(|found| (found.dev(), found.ino())).ok();
    let of_process = place(&format!("/proc/{pid}/root/"));
    of_process.is_none() || of_process == place("/")
}

/// When a process started, by the wall clock.
fn started(pid: u32) -> Option<SystemTime> {
    Some(clock::wall_clock(start_since_boot(pid)?))
}

/// Field 22 of `/proc/PID/stat`, in nanoseconds. The name in field 2 may hold anything, also `)`.
fn start_since_boot(pid: u32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let ticks: u64 = text.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()?;
    Some(ticks * TICK.as_nanos() as u64)
}

/// The paths of files that were started, by container and file; the oldest make room.
#[derive(Debug, Default)]
pub(crate) struct ProgramPaths {
    paths: HashMap<(u64, FileKey), Arc<str>>,
    order: VecDeque<(u64, FileKey)>,
}

impl ProgramPaths {
    /// Learns from an exec.
    pub(crate) fn learn(&mut self, exec: &Exec) {
        if let Some(path) = &exec.path {
            self.insert(exec.container, exec.program.into(), path.as_str().into());
        }
    }

    fn insert(&mut self, container: u64, file: FileKey, path: Arc<str>) {
        let key = (container, file);
        if self.paths.insert(key, path).is_none() {
            self.order.push_back(key);
        }
        while self.order.len() > PATHS_MAX {
            if let Some(oldest) = self.order.pop_front() {
                self.paths.remove(&oldest);
            }
        }
    }

    /// The path of the program of a process in a container. One that was started before the agent is looked up now, by
    /// its pid and start.
    pub(crate) fn path(&mut self, container: u64, file: ProgramFile, process: &Process) -> Option<Arc<str>> {
        let file = FileKey::from(file);
        if let Some(known) = self.paths.get(&(container, file)) {
            return Some(known.clone());
        }
        let path: Arc<str> = executable_of(process)?.into();
        self.insert(container, file, path.clone());
        Some(path)
    }

    /// The path of a program of a container, when it is known.
    pub(crate) fn known(&self, container: u64, program: impl Into<FileKey>) -> Option<Arc<str>> {
        self.paths.get(&(container, program.into())).cloned()
    }

    /// Paths that are kept.
    pub(crate) fn len(&self) -> usize {
        self.paths.len()
    }
}

/// `/proc/PID/exe`, when the pid is still that process.
fn executable_of(process: &Process) -> Option<String> {
    let same = |pid| start_since_boot(pid).is_some_and(|start| process.start.abs_diff(start) <= TICK.as_nanos() as u64);
    if !same(process.pid) {
        return None;
    }
    let path = executable(process.pid)?;
    same(process.pid).then_some(path)
}

/// What runs under a pid now, as the process itself would name it.
pub(crate) fn executable(pid: u32) -> Option<String> {
    let path = fs::read_link(format!("/proc/{pid}/exe")).ok()?;
    let root = fs::read_link(format!("/proc/{pid}/root")).ok()?;
    let path = path.strip_prefix(&root).map_or(path.clone(), |below| std::path::Path::new("/").join(below));
    Some(path.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_agent_takes_over_what_was_resolved() {
        let folder = std::env::temp_dir().join(format!("palisade-resolved-{}", std::process::id()));
        let place = ResolvedPrograms::path(&folder, "node1");
        let path: Arc<str> = "/usr/sbin/nginx".into();
        let file = FileKey { device: 40, inode: 7, size: 9, ctime_seconds: 100, ctime_nanoseconds: 5 };
        let mut first = ResolvedPrograms::read(place.clone());
        first.files.entry("c1".to_string()).or_default().insert(path.clone(), file);
        first.is_kept = false;
        first.keep();
        let mut second = ResolvedPrograms::read(place);
        assert_eq!(second.resolve("c1", &LabContainer::default(), &path), Some(file));
        second.retain(|_| false);
        assert_eq!(second.resolve("c1", &LabContainer::default(), &path), None);
        fs::remove_dir_all(folder).expect("removed");
    }

    #[test]
    fn the_own_start_is_read() {
        let start = started(std::process::id()).expect("this process has a start");
        let age = SystemTime::now().duration_since(start).expect("it is in the past");
        assert!(age < Duration::from_secs(600));
    }
}
