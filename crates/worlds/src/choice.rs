//! Choosing which connections to try: those that meet what was met the least, allowed and denied ones
//! in balance.

use crate::coverage::Coverage;

/// A connection that could be tried, and what would decide it.
#[derive(Clone, Debug)]
pub struct Candidate<T> {
    /// The connection.
    pub item: T,
    /// What decides it, counted alone.
    pub coverage: Coverage,
    /// Whether it is allowed.
    pub allowed: bool,
}

/// The share of allowed connections, in percent, stays between this and 100 less this, as far as the
/// candidates permit.
const LEAST_SHARE: usize = 25;

/// Chooses up to `count` of `candidates`, and adds to `met` what they meet.
pub fn choose<T>(mut candidates: Vec<Candidate<T>>, met: &mut Coverage, count: usize) -> Vec<T> {
    let mut chosen = Vec::new();
    let mut allowed = 0;
    while chosen.len() < count && !candidates.is_empty() {
        let wanted = missing_side(allowed, chosen.len());
        let has_wanted = wanted.is_some_and(|wanted| candidates.iter().any(|candidate| candidate.allowed == wanted));
        let mut best: Option<(usize, u64)> = None;
        for (index, candidate) in candidates.iter().enumerate() {
            if has_wanted && wanted != Some(candidate.allowed) {
                continue;
            }
            let novelty = met.novelty(&candidate.coverage);
            if best.is_none_or(|(_, most)| novelty > most) {
                best = Some((index, novelty));
            }
        }
        let Some((index, _)) = best else { break };
        let candidate = candidates.swap_remove(index);
        met.merge(&candidate.coverage);
        allowed += usize::from(candidate.allowed);
        chosen.push(candidate.item);
    }
    chosen
}

/// Which kind is too rare so far: `Some(true)` for allowed ones.
fn missing_side(allowed: usize, chosen: usize) -> Option<bool> {
    let share = allowed * 100 / (chosen + 1);
    let share_of_denied = (chosen - allowed) * 100 / (chosen + 1);
    if share < LEAST_SHARE {
        Some(true)
    } else if share_of_denied < LEAST_SHARE {
        Some(false)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(item: usize, word: &str, allowed: bool) -> Candidate<usize> {
        Candidate { item, coverage: Coverage::once(word), allowed }
    }

    #[test]
    fn the_rare_come_first_and_both_answers_come_up() {
        let mut candidates: Vec<_> = (0..50).map(|item| candidate(item, "step:open", true)).collect();
        candidates.push(candidate(50, "step:deny", false));
        candidates.push(candidate(51, "step:exception", true));
        candidates.push(candidate(52, "step:closed", false));
        let mut met = Coverage::default();
        let chosen = choose(candidates, &mut met, 6);
        for rare in [50, 51, 52] {
            assert!(chosen.contains(&rare), "{chosen:?}");
        }
        assert_eq!(met.of("step:open"), 3);
    }
}
