//! What an input may cost.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, setrlimit};

/// So much address space has the whole program: what asks for more is stopped where it asks. The loader refuses files
/// above 256 MiB, and inputs here are below [`MOST_BYTES`].
const MOST_MEMORY: u64 = 3 << 30;

/// So long may one input take, on a machine that has other work: the slowest good one takes a hundredth of it.
const MOST_TIME: Duration = Duration::from_secs(20);

/// Inputs do not grow beyond this: what is slow for its size shows with less.
pub const MOST_BYTES: usize = 64 << 10;

/// Bounds the memory of this program.
pub fn bound_memory() {
    let limit = Rlimit { current: Some(MOST_MEMORY), maximum: Some(MOST_MEMORY) };
    if let Err(error) = setrlimit(Resource::As, limit) {
        println!("SKIPPED: memory cannot be bounded: {error}");
    }
}

/// Ends the program when one input takes too long.
pub(crate) struct Watch {
    since: Arc<AtomicU64>,
    begun: Instant,
}

/// No input runs.
const IDLE: u64 = u64::MAX;

impl Watch {
    pub(crate) fn new(what: String) -> Self {
        let since = Arc::new(AtomicU64::new(IDLE));
        let begun = Instant::now();
        let watched = Arc::downgrade(&since);
        std::thread::spawn(move || {
            loop {
                std::thread::sleep(Duration::from_millis(200));
                let Some(since) = watched.upgrade() else { return };
                let started = since.load(Ordering::Relaxed);
                let now = begun.elapsed().as_millis() as u64;
                if started != IDLE && now.saturating_sub(started) > MOST_TIME.as_millis() as u64 {
                    eprintln!("{what}: an input takes longer than {MOST_TIME:?}");
                    std::process::exit(1);
                }
            }
        });
        Self { since, begun }
    }

    /// Runs `work` under the watch.
    pub(crate) fn over<T>(&self, work: impl FnOnce() -> T) -> T {
        self.since.store(self.begun.elapsed().as_millis() as u64, Ordering::Relaxed);
        let value = work();
        self.since.store(IDLE, Ordering::Relaxed);
        value
    }
}
