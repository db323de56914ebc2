//! Label selectors.

use serde::Serialize;

use crate::labels::Labels;
use crate::object::Name;

/// A `metav1.LabelSelector`: `matchLabels` and `matchExpressions`, all of which must hold.
///
/// The empty selector selects everything; a missing selector is `Option::None` at its owner.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Selector {
    /// Keys that must be present with this value; an empty value still needs the key.
    pub match_labels: Labels,
    /// Further requirements.
    pub match_expressions: Vec<Requirement>,
}

/// One entry of `matchExpressions`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Requirement {
    /// The label's key.
    pub key: Name,
    /// How the value is compared.
    pub operator: Operator,
    /// Values of `In` and `NotIn`; empty for the others.
    pub values: Vec<Name>,
}

/// The operators of a label selector.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
pub enum Operator {
    /// The key is present with one of the values.
    In,
    /// The key is absent, or present with none of the values.
    NotIn,
    /// The key is present.
    Exists,
    /// The key is absent.
    DoesNotExist,
}

impl Selector {
    /// Whether it has no requirement, and so selects everything.
    pub fn is_empty(&self) -> bool {
        self.match_labels.0.is_empty() && self.match_expressions.is_empty()
    }

    /// Whether it has the answer when only the values of `keys` are known: `None` when another key
    /// decides.
    pub fn matches_known(&self, labels: &Labels, keys: &[&str]) -> Option<bool> {
        let known = |key: &str| keys.contains(&key);
        let equal = self.match_labels.0.iter().map(|(key, value)| known(key).then(|| labels.value(key) == Some(value)));
        let sets = self.match_expressions.iter();
        let sets = sets.map(|requirement| known(&requirement.key).then(|| requirement.matches(labels)));
        let answers: Vec<Option<bool>> = equal.chain(sets).collect();
        if answers.contains(&Some(false)) {
            return Some(false);
        }
        (!answers.contains(&None)).then_some(true)
    }

    /// Whether `labels` meet every requirement.
    pub fn matches(&self, labels: &Labels) -> bool {
        self.match_labels.is_subset_of(labels)
            && self.match_expressions.iter().all(|requirement| requirement.matches(labels))
    }
}

impl Requirement {
    /// Whether `labels` meet it. `NotIn` and `DoesNotExist` hold when the key is absent.
    ///
    /// Source: Kubernetes, "Labels and Selectors", set-based requirement.
    pub fn matches(&self, labels: &Labels) -> bool {
        let value = labels.value(&self.key);
        let listed = |value: &str| self.values.iter().any(|listed| &**listed == value);
        match self.operator {
            Operator::In => value.is_some_and(listed),
            Operator::NotIn => !value.is_some_and(listed),
            Operator::Exists => value.is_some(),
            Operator::DoesNotExist => value.is_none(),
        }
    }
}

impl std::fmt::Display for Selector {
    /// As `kubectl -l` takes it: `app=web,tier in (a,b),!old`; `{}` for the empty one.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.is_empty() {
            return f.write_str("{}");
        }
        let equal = self.match_labels.0.iter().map(|(key, value)| format!("{key}={value}"));
        let sets = self.match_expressions.iter().map(|requirement| {
            let Requirement { key, operator, values } = requirement;
            match operator {
                Operator::In => format!("{key} in ({})", values.join(",")),
                Operator::NotIn => format!("{key} notin ({})", values.join(",")),
                Operator::Exists => key.to_string(),
                Operator::DoesNotExist => format!("!{key}"),
            }
        });
        f.write_str(&equal.chain(sets).collect::<Vec<_>>().join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn requirement(operator: Operator, values: &[&str]) -> Requirement {
        Requirement { key: "tier".into(), operator, values: values.iter().map(|value| Name::from(*value)).collect() }
    }

    #[test]
    fn not_in_and_does_not_exist_hold_on_an_absent_key() {
        let none = Labels::default();
        assert!(requirement(Operator::NotIn, &["db"]).matches(&none));
        assert!(requirement(Operator::DoesNotExist, &[]).matches(&none));
        assert!(!requirement(Operator::In, &["db"]).matches(&none));
        assert!(!requirement(Operator::Exists, &[]).matches(&none));
    }

    #[test]
    fn an_empty_value_needs_the_key() {
        let selector = Selector { match_labels: [("k", "")].into_iter().collect(), ..Selector::default() };
        assert!(!selector.matches(&Labels::default()));
        assert!(selector.matches(&[("k", "")].into_iter().collect()));
    }
}
