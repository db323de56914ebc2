//! Yes, no, or not known for want of a fact.

use palisade_model::verdict::Missing;

/// A three-valued answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Truth {
    Yes,
    No,
    /// It depends on this fact.
    Unknown(Missing),
}

impl Truth {
    /// Both hold: a No wins, then the first fact that is missing.
    pub fn and(self, other: Truth) -> Truth {
        match (self, other) {
            (Truth::No, _) | (_, Truth::No) => Truth::No,
            (Truth::Unknown(missing), _) | (_, Truth::Unknown(missing)) => Truth::Unknown(missing),
            (Truth::Yes, Truth::Yes) => Truth::Yes,
        }
    }

    pub fn is_no(&self) -> bool {
        *self == Truth::No
    }
}

impl From<bool> for Truth {
    fn from(yes: bool) -> Self {
        if yes { Truth::Yes } else { Truth::No }
    }
}
