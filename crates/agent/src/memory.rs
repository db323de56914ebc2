//! The memory that this process holds, and what of it is given back.

use std::ffi::c_int;
use std::ptr;

/// Bytes that are resident, those of mapped files included.
pub(crate) fn resident_bytes() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm")
        .ok()
        .and_then(|text| text.split(' ').nth(1)?.parse::<u64>().ok())
        .unwrap_or(0);
    pages * rustix::param::page_size() as u64
}

/// Gives back the pages of the program's file and of its libraries that loading has touched: reading manifests and
/// compiling rules is most of the code, and none of what runs between two changes. What runs on is mapped again at its next
/// step, from the page cache.
///
/// Only segments that nobody can write to are given back, so that what they hold is what the file holds.
pub(crate) fn release_code() {
    // SAFETY: the callback matches what the C library calls it with, and keeps nothing.
    unsafe { libc::dl_iterate_phdr(Some(release_segments), ptr::null_mut()) };
}

unsafe extern "C" fn release_segments(
    object: *mut libc::dl_phdr_info,
    _size: libc::size_t,
    _context: *mut libc::c_void,
) -> c_int {
    // SAFETY: the loader passes a valid description of a loaded object, and as many headers as it says.
    let (base, headers) = unsafe {
        let object = &*object;
        (object.dlpi_addr, std::slice::from_raw_parts(object.dlpi_phdr, usize::from(object.dlpi_phnum)))
    };
    let page = rustix::param::page_size() as u64;
    for header in headers.iter().filter(|header| header.p_type == libc::PT_LOAD && header.p_flags & libc::PF_W == 0) {
        let begin = (base + header.p_vaddr).next_multiple_of(page);
        let end = (base + header.p_vaddr + header.p_memsz) / page * page;
        if begin < end {
            // SAFETY: whole pages of a private mapping of a file that is never written to: whoever reads them next gets
            // the same bytes from the file. A failure leaves them where they are.
            unsafe { libc::madvise(begin as *mut libc::c_void, (end - begin) as usize, libc::MADV_DONTNEED) };
        }
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_given_back_is_there_again_when_it_is_used() {
        let before = resident_bytes();
        release_code();
        let released = resident_bytes();
        assert!(released < before, "{released} of {before} bytes are still resident");
        // Code and constants of this program and of the C library, from the file again.
        assert_eq!(format!("{:?}", "text".to_owned().repeat(3)), "\"texttexttext\"");
    }
}
