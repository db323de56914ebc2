//! Which code an input has reached.
//!
//! `-C instrument-coverage` is stable: the compiler adds a counter to each region of code, and LLVM's runtime, which is
//! linked in then, tells where the counters lie. Read in the process, they are the guidance that other fuzzers take from
//! a nightly compiler's sanitizer.
//!
//! Source: LLVM, "Source-based Code Coverage", Using the profiling runtime without a filesystem.

/// The regions that inputs have reached so far.
#[derive(Default)]
pub(crate) struct Reached {
    /// A region as often as its bit says: once, up to 3 times, up to 15, more.
    seen: Vec<u8>,
    regions: usize,
}

impl Reached {
    /// Forgets what ran before: what comes now is one input's.
    pub(crate) fn begin(&self) {
        counters::reset();
    }

    /// Takes in what was reached since [`begin`](Self::begin), and says whether some of it is new.
    pub(crate) fn take(&mut self) -> bool {
        let mut is_new = false;
        counters::each(|region, count| {
            if self.seen.len() <= region {
                self.seen.resize(region + 1, 0);
            }
            let bit = match count {
                0 => return,
                1 => 1,
                2..=3 => 2,
                4..=15 => 4,
                _ => 8,
            };
            if self.seen[region] == 0 {
                self.regions += 1;
            }
            is_new |= self.seen[region] & bit == 0;
            self.seen[region] |= bit;
        });
        is_new
    }

    /// How many regions were reached; 0 when the program was built without counters.
    pub(crate) fn regions(&self) -> usize {
        self.regions
    }
}

#[cfg(coverage_guidance)]
#[allow(unsafe_code, reason = "the counters are the runtime's")]
mod counters {
    unsafe extern "C" {
        fn __llvm_profile_begin_counters() -> *mut u64;
        fn __llvm_profile_end_counters() -> *mut u64;
        fn __llvm_profile_reset_counters();
    }

    pub(super) fn reset() {
        // SAFETY: one thread alone runs targets; a count that another loses is a count, and nothing else.
        unsafe { __llvm_profile_reset_counters() }
    }

    pub(super) fn each(mut tell: impl FnMut(usize, u64)) {
        // SAFETY: the runtime gives the first counter and the one behind the last of one array, which lives as long as
        // the program. They are read as volatile, since the compiler does not know who writes them.
        let (first, end) = unsafe { (__llvm_profile_begin_counters(), __llvm_profile_end_counters()) };
        let count = (end as usize - first as usize) / size_of::<u64>();
        for region in 0..count {
            // SAFETY: `region` lies below the end, see above.
            let value = unsafe { first.add(region).read_volatile() };
            if value != 0 {
                tell(region, value);
            }
        }
    }
}

#[cfg(not(coverage_guidance))]
mod counters {
    pub(super) fn reset() {}

    pub(super) fn each(_: impl FnMut(usize, u64)) {}
}
