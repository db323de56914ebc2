//! The ring of events. Records stay in it while no agent reads, up to its size.
//!
//! The programs wake a reader twice: with the first event after all were read, and when much waits. Between the two
//! whoever reads sleeps, and takes what came together.

use std::ffi::{c_int, c_void};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::ptr::NonNull;
use std::time::{Duration, Instant};

use libbpf_rs::{MapCore, MapHandle};

use crate::error::{Error, Result};
use crate::event::Event;

/// Events that one call takes at most: a container that floods the ring must not keep its reader from everything else.
const EVENTS_AT_ONCE: libbpf_sys::size_t = 2048;

/// When this much waits of a ring of that size, its reader is waked: it has time to come before the rest is full.
pub(crate) fn wake_bytes(ring_bytes: u32) -> u32 {
    ring_bytes / 8
}

type Receiver<'a> = &'a mut dyn FnMut(Event);

/// Events of the kernel that nobody has read yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waiting {
    /// None.
    Nothing,
    /// Some, for which there is room.
    Some,
    /// So many that some will be lost if they are not read now.
    Much,
}

/// A reader of one ring.
#[derive(Debug)]
pub(crate) struct Ring {
    reader: NonNull<libbpf_sys::ring_buffer>,
    /// So many bytes are much.
    much: usize,
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
        let ring = Self { reader, much: wake_bytes(map.max_entries()) as usize, place };
        ring.tell_wakes_once(map)?;
        Ok(ring)
    }

    /// Has the descriptor tell of each waking once: what waits would else keep it readable until it is read.
    fn tell_wakes_once(&self, map: &MapHandle) -> Result<()> {
        let map = map.as_fd().as_raw_fd();
        // libbpf finds the ring by its place in the list of rings, which is 0.
        let mut event = libc::epoll_event { events: (libc::EPOLLIN | libc::EPOLLET) as u32, u64: 0 };
        // SAFETY: both are open, and libbpf has added the one to the other.
        if unsafe { libc::epoll_ctl(self.descriptor().as_raw_fd(), libc::EPOLL_CTL_MOD, map, &mut event) } < 0 {
            return Err(Error::path("read the ring", "events", std::io::Error::last_os_error()));
        }
        Ok(())
    }

    /// Readable when the programs have waked a reader since [`Ring::waiting`] was asked.
    pub(crate) fn descriptor(&self) -> BorrowedFd<'_> {
        // SAFETY: the reader is live, and its descriptor as long as it is.
        unsafe { BorrowedFd::borrow_raw(libbpf_sys::ring_buffer__epoll_fd(self.reader.as_ptr())) }
    }

    /// What waits; wakings until now are taken.
    pub(crate) fn waiting(&self) -> Waiting {
        let mut event = libc::epoll_event { events: 0, u64: 0 };
        // SAFETY: room for one event, as the count says.
        unsafe { libc::epoll_wait(self.descriptor().as_raw_fd(), &mut event, 1, 0) };
        match self.waiting_bytes() {
            0 => Waiting::Nothing,
            bytes if bytes < self.much => Waiting::Some,
            _ => Waiting::Much,
        }
    }

    fn waiting_bytes(&self) -> usize {
        // SAFETY: the reader is live, and has one ring.
        let bytes =
            unsafe { libbpf_sys::ring__avail_data_size(libbpf_sys::ring_buffer__ring(self.reader.as_ptr(), 0)) };
        usize::try_from(bytes).unwrap_or(usize::MAX)
    }

    /// Takes what waits, once that is much or the time has passed.
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
        let until = Instant::now() + timeout;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() || self.waiting() == Waiting::Much {
                return Ok(());
            }
            let mut wait = libc::pollfd { fd: self.descriptor().as_raw_fd(), events: libc::POLLIN, revents: 0 };
            let milliseconds = i32::try_from(left.as_millis()).map_or(i32::MAX, |milliseconds| milliseconds.max(1));
            // SAFETY: one valid entry, as the count says.
            if unsafe { libc::poll(&mut wait, 1, milliseconds) } < 0 {
                let error = std::io::Error::last_os_error();
                if error.kind() != std::io::ErrorKind::Interrupted {
                    return Err(Error::path("read the ring", "events", error));
                }
            }
        }
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
