//! The ring of events. Records stay in it while no agent reads, up to its size.

use std::ffi::{c_int, c_void};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::ptr::NonNull;
use std::time::Duration;

use libbpf_rs::MapHandle;

use crate::error::{Error, Result};
use crate::event::Event;

/// Events that one call takes at most: a container that floods the ring must not keep its reader from everything else.
const EVENTS_AT_ONCE: libbpf_sys::size_t = 2048;

type Receiver<'a> = &'a mut dyn FnMut(Event);

/// A reader of one ring.
#[derive(Debug)]
pub(crate) struct Ring {
    reader: NonNull<libbpf_sys::ring_buffer>,
    /// Where the callback finds the receiver of the poll that runs. Boxed: libbpf keeps its address.
    place: Box<Place>,
}

#[derive(Debug)]
struct Place {
    /// Points to a `Receiver` on the stack of `poll` while it runs, else null.
    receiver: *mut c_void,
}

// SAFETY: libbpf's reader is bound to no thread, and `&mut self` keeps it to one at a time.
unsafe impl Send for Ring {}

impl Ring {
    pub(crate) fn new(map: &MapHandle) -> Result<Self> {
        let mut place = Box::new(Place { receiver: std::ptr::null_mut() });
        let context = std::ptr::from_mut(place.as_mut()).cast::<c_void>();
        // SAFETY: the map is open, and `place` lives as long as the reader.
        let reader =
            unsafe { libbpf_sys::ring_buffer__new(map.as_fd().as_raw_fd(), Some(receive), context, std::ptr::null()) };
        let reader = NonNull::new(reader)
            .ok_or_else(|| Error::path("read the ring", "events", std::io::Error::last_os_error()))?;
        Ok(Self { reader, place })
    }

    /// Readable when much waits.
    pub(crate) fn descriptor(&self) -> BorrowedFd<'_> {
        // SAFETY: the reader is live, and its descriptor as long as it is.
        unsafe { BorrowedFd::borrow_raw(libbpf_sys::ring_buffer__epoll_fd(self.reader.as_ptr())) }
    }

    /// The programs wake nobody for a few events, so what waits is taken also when the time has passed.
    pub(crate) fn poll(&mut self, timeout: Duration, mut receiver: Receiver<'_>) -> Result<()> {
        self.wait(timeout)?;
        self.place.receiver = std::ptr::from_mut(&mut receiver).cast::<c_void>();
        // SAFETY: the reader is live, and `receiver` outlives the call.
        let result = unsafe { libbpf_sys::ring_buffer__consume_n(self.reader.as_ptr(), EVENTS_AT_ONCE) };
        self.place.receiver = std::ptr::null_mut();
        if result < 0 && result != -libc::EINTR {
            return Err(Error::path("read the ring", "events", std::io::Error::from_raw_os_error(-result)));
        }
        Ok(())
    }

    fn wait(&self, timeout: Duration) -> Result<()> {
        if timeout.is_zero() {
            return Ok(());
        }
        let mut wait = libc::pollfd { fd: self.descriptor().as_raw_fd(), events: libc::POLLIN, revents: 0 };
        let milliseconds = i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX);
        // SAFETY: one valid entry, as the count says.
        if unsafe { libc::poll(&mut wait, 1, milliseconds) } < 0 {
            let error = std::io::Error::last_os_error();
            if error.kind() != std::io::ErrorKind::Interrupted {
                return Err(Error::path("read the ring", "events", error));
            }
        }
        Ok(())
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        // SAFETY: made by ring_buffer__new, freed once.
        unsafe { libbpf_sys::ring_buffer__free(self.reader.as_ptr()) }
    }
}

extern "C" fn receive(context: *mut c_void, data: *mut c_void, size: libbpf_sys::size_t) -> c_int {
    // SAFETY: `context` is the boxed place of the ring that is polled; libbpf calls this only from within `poll`.
    let place = unsafe { &*context.cast::<Place>() };
    if place.receiver.is_null() {
        return 0;
    }
    // SAFETY: set by `poll`, which waits for this call to return.
    let receiver = unsafe { &mut *place.receiver.cast::<Receiver<'_>>() };
    // SAFETY: libbpf hands out a whole record.
    let bytes = unsafe { std::slice::from_raw_parts(data.cast::<u8>(), size as usize) };
    receiver(Event::parse(bytes));
    0
}
