//! Whether several rules say together what one says, where none of them does alone.
//!
//! A rule is taken apart by its peers: each must be meant by other rules whose ports, put together, are the rule's.
//! Invariant: a yes is a proof; a no may only be that none was found.

/// So many rules are looked at for one peer; those behind them are taken for missing.
const MOST: usize = 64;

/// The rules of `others` that together have every one of `parts`, in their order: of each part those that `mean` it, and of
/// them as few as have all of its ports, as `have_ports` says. `None` when a part is left over.
pub(super) fn together<P, R: Copy>(
    parts: impl Iterator<Item = P>,
    others: &[R],
    mean: impl Fn(&P, R) -> bool,
    have_ports: impl Fn(&[R]) -> bool,
) -> Option<Vec<R>> {
    let mut is_used = vec![false; others.len()];
    for part in parts {
        let found = (0..others.len()).filter(|place| mean(&part, others[*place]));
        let mut found: Vec<usize> = found.take(MOST).collect();
        let have = |places: &[usize]| have_ports(&places.iter().map(|place| others[*place]).collect::<Vec<_>>());
        if !have(&found) {
            return None;
        }
        let mut at = found.len();
        while at > 0 {
            at -= 1;
            let without: Vec<usize> = found.iter().copied().filter(|place| *place != found[at]).collect();
            if have(&without) {
                found = without;
            }
        }
        found.into_iter().for_each(|place| is_used[place] = true);
    }
    Some(others.iter().zip(is_used).filter(|(_, is_used)| *is_used).map(|(rule, _)| *rule).collect())
}

/// What is said of more than one rule: `by`, or how many there are.
pub(super) fn named(by: &[String]) -> String {
    /// So many are read in one line.
    const IN_A_LINE: usize = 3;
    match by {
        [one] => one.clone(),
        [others @ .., last] if by.len() <= IN_A_LINE => format!("{} and {last} together", others.join(", ")),
        _ => format!("{} rules together", by.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rules as (peers, ports) in bits.
    fn found(parts: &[u8], ports: u8, others: &[(u8, u8)]) -> Option<Vec<(u8, u8)>> {
        together(
            parts.iter(),
            others,
            |part, other| other.0 & **part == **part,
            |those| {
                let all = those.iter().fold(0, |all, other| all | other.1);
                !those.is_empty() && all & ports == ports
            },
        )
    }

    #[test]
    fn every_peer_needs_every_port() {
        assert_eq!(found(&[1, 2], 3, &[(1, 3), (2, 3)]), Some(vec![(1, 3), (2, 3)]));
        assert_eq!(found(&[1, 2], 3, &[(1, 1), (1, 2), (2, 3)]), Some(vec![(1, 1), (1, 2), (2, 3)]));
        assert_eq!(found(&[1, 2], 3, &[(1, 1), (2, 2)]), None, "neither has both ports");
        assert_eq!(found(&[1], 1, &[]), None);
    }

    #[test]
    fn what_is_not_needed_is_not_named() {
        assert_eq!(found(&[1], 3, &[(1, 1), (1, 3), (1, 2)]), Some(vec![(1, 3)]));
        assert_eq!(found(&[1], 3, &[(1, 1), (1, 2), (1, 2)]), Some(vec![(1, 1), (1, 2)]));
    }
}
