//! What of a policy another kind of policy cannot say.

use std::fmt;

use palisade_model::Place;
use palisade_model::object::ObjectRef;
use serde::Serialize;

/// Something that could not be said.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Loss {
    /// The policy.
    pub object: ObjectRef,
    /// The rule in it, such as `rules[1]`; empty for the policy as a whole.
    pub rule: String,
    /// Where it stands.
    pub place: Place,
    /// What could not be said, and what is said instead.
    pub what: String,
    /// What follows from it.
    pub leaves: Leaves,
}

/// What the output is for a loss.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Leaves {
    /// It lets more through.
    MoreOpen,
    /// It lets less through.
    MoreClosed,
    /// It decides alike now, and may not once something changes.
    AlikeForNow,
}

impl fmt::Display for Leaves {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::MoreOpen => "more open",
            Self::MoreClosed => "more closed",
            Self::AlikeForNow => "alike for now",
        })
    }
}
