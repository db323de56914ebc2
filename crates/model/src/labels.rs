//! Labels and annotations.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::object::Name;

/// Key-value pairs of an object, in key order.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize)]
pub struct Labels(pub BTreeMap<Name, Name>);

impl Labels {
    /// The value of `key`, when the key is present.
    pub fn value(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(AsRef::as_ref)
    }

    /// Whether every pair of `self` is also in `other`; an empty set is contained in all.
    pub fn is_subset_of(&self, other: &Labels) -> bool {
        self.0.iter().all(|(key, value)| other.value(key) == Some(value))
    }
}

impl<K: Into<Name>, V: Into<Name>> FromIterator<(K, V)> for Labels {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(pairs: I) -> Self {
        Self(pairs.into_iter().map(|(key, value)| (key.into(), value.into())).collect())
    }
}
