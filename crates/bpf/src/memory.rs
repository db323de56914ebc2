//! The kernel's memory that maps and programs hold, as the kernel itself accounts it (`memlock` in fdinfo).

use std::fs;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;

use libbpf_rs::{Link, MapCore, MapFlags, MapHandle, Program};

use crate::error::{Error, Result};

/// What one guard holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// Bytes by map; a table is counted with its inner maps.
    pub maps: Vec<(String, u64)>,
    /// Bytes by program.
    pub programs: Vec<(String, u64)>,
}

impl Memory {
    /// All bytes.
    pub fn total(&self) -> u64 {
        self.maps.iter().chain(&self.programs).map(|(_, bytes)| bytes).sum()
    }

    pub(crate) fn add_map(&mut self, name: &str, bytes: u64) {
        self.maps.push((name.to_string(), bytes));
    }

    pub(crate) fn add_program(&mut self, name: &str, bytes: u64) {
        self.programs.push((name.to_string(), bytes));
    }
}

pub(crate) fn of(map: &MapHandle) -> Result<u64> {
    memlock(map.as_fd())
}

/// The inner maps of both slots.
pub(crate) fn of_inner(outer: &MapHandle) -> Result<u64> {
    let mut bytes = 0;
    for slot in 0..2u32 {
        // The kernel answers a look-up of an outer map with the inner map's id.
        let Ok(Some(id)) = outer.lookup(&slot.to_ne_bytes(), MapFlags::ANY) else { continue };
        let Ok(id) = id.as_slice().try_into().map(u32::from_ne_bytes) else { continue };
        let inner = MapHandle::from_map_id(id).map_err(|error| Error::kernel("open the map", id.to_string(), error))?;
        bytes += of(&inner)?;
    }
    Ok(bytes)
}

pub(crate) fn of_linked_program(pin: &Path) -> Result<u64> {
    let name = || pin.display().to_string();
    let link = Link::open(pin).map_err(|error| Error::kernel("open the pinned link", name(), error))?;
    let info = link.info().map_err(|error| Error::kernel("look at the link", name(), error))?;
    let program =
        Program::fd_from_id(info.prog_id).map_err(|error| Error::kernel("open the program of", name(), error))?;
    memlock(program.as_fd())
}

pub(crate) fn of_program(program: &OwnedFd) -> Result<u64> {
    memlock(program.as_fd())
}

fn memlock(object: BorrowedFd<'_>) -> Result<u64> {
    let path = format!("/proc/self/fdinfo/{}", object.as_raw_fd());
    let text = fs::read_to_string(&path).map_err(|error| Error::path("read", &path, error))?;
    Ok(parse_memlock(&text).unwrap_or(0))
}

fn parse_memlock(fdinfo: &str) -> Option<u64> {
    fdinfo.lines().find_map(|line| line.strip_prefix("memlock:"))?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    #[test]
    fn reads_the_kernels_account() {
        assert_eq!(super::parse_memlock("pos:\t0\nmemlock:\t4096\nmap_id:\t7\n"), Some(4096));
        assert_eq!(super::parse_memlock("pos:\t0\n"), None);
    }
}
