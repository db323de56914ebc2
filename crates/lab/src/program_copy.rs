//! The part of an executable that runs, without its symbols: what a stand-in needs of us.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

/// An ELF header and program headers fit well within it.
const HEADER_LIMIT: usize = 64 * 1024;

/// The bytes of `executable` up to the end of its last loaded segment.
///
/// A debug build is ten times what is ever loaded, and every image holds a copy with an inode of
/// its own. What is no 64-bit little-endian ELF is taken whole.
pub fn loadable_part(executable: &Path) -> io::Result<Vec<u8>> {
    let mut file = File::open(executable)?;
    let mut head = Vec::new();
    file.by_ref().take(HEADER_LIMIT as u64).read_to_end(&mut head)?;
    let Some(end) = loaded_end(&head) else { return fs::read(executable) };
    let mut bytes = head;
    if (bytes.len() as u64) < end {
        file.take(end - bytes.len() as u64).read_to_end(&mut bytes)?;
    } else {
        bytes.truncate(usize::try_from(end).unwrap_or(usize::MAX));
    }
    forget_sections(&mut bytes);
    Ok(bytes)
}

/// Where the last segment with file contents ends.
///
/// Source: elf(5), Elf64_Ehdr (e_phoff at 32, e_phentsize at 54, e_phnum at 56) and Elf64_Phdr
/// (p_offset at 8, p_filesz at 32).
fn loaded_end(head: &[u8]) -> Option<u64> {
    let elf64_little_endian = head.get(..6)? == b"\x7fELF\x02\x01";
    if !elf64_little_endian {
        return None;
    }
    let start = usize::try_from(u64_at(head, 32)?).ok()?;
    let (size, count) = (usize::from(u16_at(head, 54)?), usize::from(u16_at(head, 56)?));
    let mut end = (start + size * count) as u64;
    for index in 0..count {
        let header = start + index * size;
        end = end.max(u64_at(head, header + 8)?.checked_add(u64_at(head, header + 32)?)?);
    }
    Some(end)
}

/// Section headers lie behind the last segment: e_shoff, e_shnum and e_shstrndx become 0.
fn forget_sections(bytes: &mut [u8]) {
    for field in [40..48, 60..62, 62..64] {
        if let Some(field) = bytes.get_mut(field) {
            field.fill(0);
        }
    }
}

fn u64_at(bytes: &[u8], offset: usize) -> Option<u64> {
    let field = bytes.get(offset..offset.checked_add(8)?)?;
    Some(u64::from_le_bytes(field.try_into().ok()?))
}

fn u16_at(bytes: &[u8], offset: usize) -> Option<u16> {
    let field = bytes.get(offset..offset.checked_add(2)?)?;
    Some(u16::from_le_bytes(field.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::process::Command;

    use super::*;

    #[test]
    fn the_loadable_part_runs_like_the_whole() {
        let whole = std::env::current_exe().expect("a test has an executable");
        let bytes = loadable_part(&whole).expect("our own executable can be read");
        assert!((bytes.len() as u64) < fs::metadata(&whole).expect("it exists").len());
        let copy = std::env::temp_dir().join(format!("palisade-loadable-{}", std::process::id()));
        fs::write(&copy, bytes).expect("the temporary folder takes a file");
        fs::set_permissions(&copy, fs::Permissions::from_mode(0o755)).expect("its mode can be set");
        let output = Command::new(&copy).arg("--list").output();
        fs::remove_file(&copy).expect("the copy can be removed");
        assert!(output.expect("the copy runs").status.success());
    }

    #[test]
    fn garbage_is_no_elf() {
        assert_eq!(loaded_end(b"#!/bin/sh\n"), None);
        assert_eq!(loaded_end(b"\x7fELF\x02\x01"), None);
    }
}
