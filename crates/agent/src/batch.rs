//! When the kernel's events are read: together, a moment after the first of them.

use std::time::{Duration, Instant};

use palisade_bpf::Waiting;

/// How long an event may wait for others: long enough that a storm does not wake the agent for each, short enough that
/// who watches sees it at once.
const WITHIN: Duration = Duration::from_millis(20);

/// The events that wait, of all nodes together.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    due: Option<Instant>,
}

impl Batch {
    /// Takes note of what waits at one node.
    pub(crate) fn note(&mut self, waiting: Waiting, now: Instant) {
        match waiting {
            Waiting::Nothing => {}
            Waiting::Some => _ = self.due.get_or_insert(now + WITHIN),
            Waiting::Much => self.due = Some(now),
        }
    }

    /// When it is to be read; none = nothing waits.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// All is read now.
    pub(crate) fn take(&mut self) {
        self.due = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_the_first_event_waits_no_longer_than_it_and_much_not_at_all() {
        let (mut batch, now) = (Batch::default(), Instant::now());
        batch.note(Waiting::Nothing, now);
        assert_eq!(batch.due(), None);
        batch.note(Waiting::Some, now);
        batch.note(Waiting::Some, now + WITHIN / 2);
        assert_eq!(batch.due(), Some(now + WITHIN));
        batch.note(Waiting::Much, now + WITHIN / 2);
        assert_eq!(batch.due(), Some(now + WITHIN / 2));
        batch.take();
        assert_eq!(batch.due(), None);
    }
}
