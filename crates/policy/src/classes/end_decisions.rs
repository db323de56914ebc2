//! Answers of ends, numbered, each with what follows when it expires.

use palisade_model::Timestamp;
use palisade_model::verdict::Verdict;

use super::interner::Interner;

/// A distinct verdict of an end.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct VerdictId(pub(crate) u32);

/// A distinct answer of an end.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct EndDecisionId(pub(crate) u32);

/// What an end says, and what follows when it expires.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct EndDecision {
    pub(crate) enforced: VerdictId,
    pub(crate) would_be: VerdictId,
    pub(crate) expires: Option<(Timestamp, EndDecisionId)>,
}

impl EndDecision {
    pub(crate) fn says(&self, enforced: VerdictId, would_be: VerdictId) -> bool {
        (self.enforced, self.would_be) == (enforced, would_be)
    }
}

/// Numbers answers of ends.
#[derive(Default)]
pub(crate) struct EndDecisions {
    verdicts: Interner<Verdict>,
    ends: Interner<EndDecision>,
}

impl EndDecisions {
    pub(crate) fn add_verdict(&mut self, verdict: Verdict) -> VerdictId {
        VerdictId(self.verdicts.intern(verdict))
    }

    pub(crate) fn verdict(&self, id: VerdictId) -> &Verdict {
        self.verdicts.value(id.0)
    }

    pub(crate) fn add_end(&mut self, end: EndDecision) -> EndDecisionId {
        EndDecisionId(self.ends.intern(end))
    }

    pub(crate) fn end(&self, id: EndDecisionId) -> &EndDecision {
        self.ends.value(id.0)
    }
}
