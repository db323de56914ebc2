//! Sets of the model's pods.

use crate::model::PodIndex;

/// Pods by their index, as bits.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct PodSet(Vec<u64>);

impl PodSet {
    pub(super) fn insert(&mut self, pod: PodIndex) {
        let (word, bit) = (pod.0 as usize / 64, pod.0 % 64);
        if self.0.len() <= word {
            self.0.resize(word + 1, 0);
        }
        self.0[word] |= 1 << bit;
    }

    pub(super) fn is_subset_of(&self, other: &Self) -> bool {
        self.0.iter().enumerate().all(|(word, bits)| bits & !other.0.get(word).unwrap_or(&0) == 0)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.iter().all(|bits| *bits == 0)
    }

    /// In order.
    pub(super) fn iter(&self) -> impl Iterator<Item = PodIndex> + '_ {
        self.0.iter().enumerate().flat_map(|(word, bits)| {
            let position = u32::try_from(word * 64).expect("fewer than 4 billion pods fit in memory");
            (0..64).filter(move |bit| bits >> bit & 1 == 1).map(move |bit| PodIndex(position + bit))
        })
    }
}

impl FromIterator<PodIndex> for PodSet {
    fn from_iter<I: IntoIterator<Item = PodIndex>>(pods: I) -> Self {
        let mut set = Self::default();
        pods.into_iter().for_each(|pod| set.insert(pod));
        set
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_of_different_length_compare_by_what_is_in_them() {
        let set = |pods: &[u32]| pods.iter().map(|pod| PodIndex(*pod)).collect::<PodSet>();
        assert!(set(&[3]).is_subset_of(&set(&[3, 200])));
        assert!(!set(&[3, 200]).is_subset_of(&set(&[3])));
        assert!(set(&[]).is_subset_of(&set(&[])) && set(&[]).is_empty());
        assert_eq!(set(&[200, 3]).iter().map(|pod| pod.0).collect::<Vec<_>>(), [3, 200]);
    }
}
