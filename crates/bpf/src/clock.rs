//! The clocks that the kernel programs use, seen from the agent.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

fn nanoseconds(clock: libc::clockid_t) -> i64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a valid place to write to.
    let result = unsafe { libc::clock_gettime(clock, &mut time) };
    assert_eq!(result, 0, "every kernel that runs these programs has CLOCK_TAI and CLOCK_BOOTTIME");
    time.tv_sec * 1_000_000_000 + time.tv_nsec
}

/// How far CLOCK_TAI is ahead of the wall clock, in nanoseconds: 37 s where a time service has told the kernel, else 0.
pub fn tai_ahead_of_wall_clock() -> i64 {
    let apart = nanoseconds(libc::CLOCK_TAI) - nanoseconds(libc::CLOCK_REALTIME);
    // The difference is whole seconds; what is left is the time between the two calls.
    (apart + 500_000_000).div_euclid(1_000_000_000) * 1_000_000_000
}

/// The wall-clock time of an event, from its time since boot.
pub fn wall_clock(since_boot: u64) -> SystemTime {
    let instant = boot_by_wall_clock().saturating_add_unsigned(since_boot);
    UNIX_EPOCH + Duration::from_nanos(u64::try_from(instant).unwrap_or(0))
}

/// When the machine was started, by the wall clock. Two events must not change their order because the agent was set aside
/// between two looks at the clocks: the quickest of a few looks counts.
fn boot_by_wall_clock() -> i64 {
    const LOOKS: usize = 4;
    /// Nobody was in between.
    const QUICK: i64 = 2_000;
    let mut best = (i64::MAX, 0);
    for _ in 0..LOOKS {
        let before = nanoseconds(libc::CLOCK_BOOTTIME);
        let wall = nanoseconds(libc::CLOCK_REALTIME);
        let took = nanoseconds(libc::CLOCK_BOOTTIME) - before;
        best = best.min((took, wall - before - took / 2));
        if took < QUICK {
            break;
        }
    }
    best.1
}

/// Nanoseconds since boot, now.
pub fn since_boot() -> u64 {
    u64::try_from(nanoseconds(libc::CLOCK_BOOTTIME)).unwrap_or(0)
}
