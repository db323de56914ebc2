//! Once more, a moment later: how often, and how long the moments are.

use std::time::Duration;

/// Statuses that say that the same request may do better later.
///
/// Source: RFC 9110, and what registries answer when they are full: 429, and 500 for what passes.
const PASSING: [u16; 6] = [408, 429, 500, 502, 503, 504];

/// How often and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retries {
    /// In all, the first included.
    pub tries: u32,
    /// Before the second; each later wait is twice as long.
    pub first_wait: Duration,
    /// No wait is longer: who is told to wait longer is not asked again.
    pub longest_wait: Duration,
}

impl Default for Retries {
    fn default() -> Self {
        Self { tries: 4, first_wait: Duration::from_millis(500), longest_wait: Duration::from_secs(20) }
    }
}

impl Retries {
    /// How long to wait before the next try; `None` when there is none. `tried` counts from one, and `told` is what the
    /// server asks for.
    pub fn wait(&self, tried: u32, told: Option<Duration>) -> Option<Duration> {
        if tried >= self.tries {
            return None;
        }
        let doubled = self.first_wait.saturating_mul(1 << (tried - 1).min(16)).min(self.longest_wait);
        match told {
            Some(told) if told > self.longest_wait => None,
            Some(told) => Some(told.max(doubled)),
            None => Some(doubled),
        }
    }
}

/// Whether a status is worth another try.
pub fn is_passing(status: u16) -> bool {
    PASSING.contains(&status)
}

/// `Retry-After` in seconds; its other form, a date, is not read.
pub fn told(header: Option<&str>) -> Option<Duration> {
    header?.trim().parse().ok().map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_end() {
        let retries = Retries::default();
        let waits: Vec<_> = (1..6).map(|tried| retries.wait(tried, None).map(|it| it.as_millis())).collect();
        assert_eq!(waits, [Some(500), Some(1000), Some(2000), None, None]);
        assert_eq!(retries.wait(1, told(Some("3"))), Some(Duration::from_secs(3)));
        assert_eq!(retries.wait(1, told(Some("0"))), Some(Duration::from_millis(500)));
        assert_eq!(retries.wait(1, told(Some("3600"))), None);
        assert_eq!(told(Some("Fri, 31 Dec 1999 23:59:59 GMT")), None);
    }
}
