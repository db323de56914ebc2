//! The known word that a misspelt one comes closest to.

/// The candidate that differs from `word` by case alone, or by at most a third of its letters.
pub(crate) fn did_you_mean<'c>(word: &str, candidates: &[&'c str]) -> Option<&'c str> {
    // Longer words are no misspelling of a field, and the distance is quadratic.
    const LONGEST: usize = 64;
    if word.len() > LONGEST {
        return None;
    }
    let lower = word.to_lowercase();
    let (distance, best) = candidates
        .iter()
        .map(|candidate| (edit_distance(&lower, &candidate.to_lowercase()), *candidate))
        .min_by_key(|(distance, _)| *distance)?;
    (distance <= word.chars().count() / 3).then_some(best)
}

fn edit_distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (above, from) in left.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = above + 1;
        for (at, to) in right.iter().enumerate() {
            let replaced = diagonal + usize::from(from != *to);
            diagonal = row[at + 1];
            row[at + 1] = replaced.min(row[at] + 1).min(diagonal + 1);
        }
    }
    row[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_case_and_typing_errors_only() {
        let known = ["podSelector", "namespaceSelector", "ipBlock"];
        assert_eq!(did_you_mean("podselector", &known), Some("podSelector"));
        assert_eq!(did_you_mean("podSelecter", &known), Some("podSelector"));
        assert_eq!(did_you_mean("ipblocks", &known), Some("ipBlock"));
        assert_eq!(did_you_mean("cidr", &known), None);
    }
}
