//! What an end would say if a fact that is missing were otherwise.

use palisade_model::verdict::{Missing, Verdict, Word};

/// What may be, in the order of decision: the missing fact, and what the end says if it makes a rule match.
#[derive(Default, Debug)]
pub(crate) struct Doubts(Vec<(Missing, Word)>);

impl Doubts {
    pub(crate) fn add(&mut self, missing: Missing, word: Word) {
        self.0.push((missing, word));
    }

    /// The verdict, given what the end says when nothing doubtful matches: that, unless a doubt makes a difference.
    /// The first one that does is named.
    pub(crate) fn settle(self, certain: Verdict) -> Verdict {
        let says = Word::from(&certain);
        match self.0.into_iter().find(|(_, word)| *word != says) {
            Some((missing, _)) => Verdict::Undecided(missing),
            None => certain,
        }
    }
}
