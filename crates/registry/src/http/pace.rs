//! How fast a body comes, by the time that is spent waiting for it: a byte now and then would hold up a build for days.

use std::io::{self, Read};
use std::time::{Duration, Instant};

/// Fewer bytes in a second of waiting are too few.
const LEAST_BYTES: u64 = 1 << 10;

/// Patience is for one wait; a body is judged over so many of them, as one may be long.
const WAITS: u32 = 2;

/// Fewer bytes came than anybody waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("less than {bytes} bytes came in {seconds} s")]
pub struct TooSlow {
    /// So many would have been enough.
    pub bytes: u64,
    /// So long they were waited for.
    pub seconds: u64,
}

/// A body that is given up when it comes too slowly.
pub struct Paced<R> {
    body: R,
    pace: Pace,
}

impl<R: Read> Paced<R> {
    /// `patience` is how long nothing may come at all.
    pub fn new(body: R, patience: Duration) -> Self {
        Self { body, pace: Pace::new(patience) }
    }
}

impl<R: Read> Read for Paced<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let began = Instant::now();
        let read = self.body.read(buffer);
        match (self.pace.judge(began.elapsed(), read.as_ref().map_or(0, |length| *length as u64)), read) {
            // The end, or an error, is what it is, however late it comes.
            (Err(slow), Ok(length)) if length > 0 => Err(io::Error::new(io::ErrorKind::TimedOut, slow)),
            (_, read) => read,
        }
    }
}

#[derive(Debug)]
struct Pace {
    window: Duration,
    waited: Duration,
    bytes: u64,
}

impl Pace {
    fn new(patience: Duration) -> Self {
        Self { window: patience.saturating_mul(WAITS), waited: Duration::ZERO, bytes: 0 }
    }

    fn judge(&mut self, waited: Duration, bytes: u64) -> Result<(), TooSlow> {
        self.waited += waited;
        self.bytes += bytes;
        if self.waited < self.window {
            return Ok(());
        }
        let least = self.window.as_secs().saturating_mul(LEAST_BYTES);
        let is_too_slow = self.bytes < least;
        (self.waited, self.bytes) = (Duration::ZERO, 0);
        if is_too_slow { Err(TooSlow { bytes: least, seconds: self.window.as_secs() }) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_now_and_then_is_too_slow_and_little_at_a_time_is_not() {
        let patience = Duration::from_secs(30);
        let mut pace = Pace::new(patience);
        assert!((0..6).any(|_| pace.judge(Duration::from_secs(15), 100).is_err()));
        let mut pace = Pace::new(patience);
        assert!((0..100).all(|_| pace.judge(Duration::from_secs(15), 32 << 10).is_ok()));
    }
}
