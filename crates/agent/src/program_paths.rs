//! Paths of programs and the files behind them, both ways: from the path that a rule names to the file that the kernel
//! compares, and from the file of an event to a path that a person can read.

use std::collections::{HashMap, VecDeque};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use palisade_bpf::Exec;
use palisade_bpf::layout::{Process, ProgramFile};
use palisade_bpf::tables::FileKey;
use palisade_bpf::{clock, program_file};

/// Paths that are kept; a container rarely runs more than a few dozen programs.
const PATHS_MAX: usize = 4096;

/// The kernel tells a process' start in ticks of this length.
const TICK: Duration = Duration::from_millis(10);

/// The files of named programs, resolved once for each container and then kept: a file that changes later is no longer
/// the image's.
#[derive(Debug, Default)]
pub(crate) struct ResolvedPrograms {
    files: HashMap<String, HashMap<Arc<str>, FileKey>>,
}

impl ResolvedPrograms {
    /// The file at `path` in the container; `None` when it has none, or when it was changed since the container started.
    pub(crate) fn resolve(&mut self, container: &str, pid: u32, path: &Arc<str>) -> Option<FileKey> {
        if let Some(known) = self.files.get(container).and_then(|files| files.get(path)) {
            return Some(*known);
        }
        if pid == 0 || has_the_machines_root(pid) {
            return None;
        }
        let file = program_file::of_container(pid, path).ok()?;
        if changed_after(&file, started(pid)?) {
            return None;
        }
        self.files.entry(container.to_string()).or_default().insert(path.clone(), file);
        Some(file)
    }

    /// Forgets containers that are gone.
    pub(crate) fn keep(&mut self, exists: impl Fn(&str) -> bool) {
        self.files.retain(|container, _| exists(container));
    }
}

/// A container's first process that has not moved into its root yet would show the machine's programs.
fn has_the_machines_root(pid: u32) -> bool {
    let place = |path: &str| fs::metadata(path).map(|found| (found.dev(), found.ino())).ok();
    let of_process = place(&format!("/proc/{pid}/root/"));
    of_process.is_none() || of_process == place("/")
}

fn changed_after(file: &FileKey, instant: SystemTime) -> bool {
    let Ok(seconds) = u64::try_from(file.ctime_seconds) else { return false };
    UNIX_EPOCH + Duration::new(seconds, file.ctime_nanoseconds) > instant + 2 * TICK
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
    fn a_file_that_changed_after_the_start_is_told_apart() {
        let start = UNIX_EPOCH + Duration::from_secs(100);
        let file = |seconds| FileKey { ctime_seconds: seconds, ..FileKey::default() };
        assert!(!changed_after(&file(99), start));
        assert!(changed_after(&file(101), start));
    }

    #[test]
    fn the_own_start_is_read() {
        let start = started(std::process::id()).expect("this process has a start");
        let age = SystemTime::now().duration_since(start).expect("it is in the past");
        assert!(age < Duration::from_secs(600));
    }
}
