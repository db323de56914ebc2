//! Which findings make a scan fail.

use std::str::FromStr;

use palisade_advisories::Vulnerability;
use palisade_advisories::symbols::Reach;
use palisade_model::finding::Severity;

use super::severity;

/// Conditions that all have to hold: `high+fixable`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FailRule {
    least: Severity,
    exploited: bool,
    fixable: bool,
    reachable: bool,
    new: bool,
}

/// A word that is no condition.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "unknown condition `{0}`, expected critical, high, medium, low, any, kev, fixable, reachable or new, joined by `+`"
)]
pub struct UnknownCondition(String);

impl FailRule {
    /// Everything that may be in the program.
    pub const ANY: Self =
        Self { least: Severity::Unknown, exploited: false, fixable: false, reachable: false, new: false };

    /// Whether it fails for this vulnerability. Without a baseline everything is new.
    pub fn holds(&self, vulnerability: &Vulnerability, is_new: Option<bool>) -> bool {
        vulnerability.is_reachable()
            && severity(vulnerability) >= self.least
            && (!self.exploited || vulnerability.exploited.is_some())
            && (!self.fixable || vulnerability.fixed.is_some())
            && (!self.reachable || matches!(vulnerability.reach, Reach::Linked(_)))
            && (!self.new || is_new.unwrap_or(true))
    }
}

impl FromStr for FailRule {
    type Err = UnknownCondition;

    fn from_str(text: &str) -> Result<Self, UnknownCondition> {
        let mut rule = Self::ANY;
        for word in text.split('+').map(str::trim) {
            match word {
                "any" => {}
                "kev" => rule.exploited = true,
                "fixable" => rule.fixable = true,
                "reachable" => rule.reachable = true,
                "new" => rule.new = true,
                word => rule.least = word.parse().map_err(|_| UnknownCondition(word.to_owned()))?,
            }
        }
        Ok(rule)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_are_joined_and_unknown_ones_refused() {
        let rule: FailRule = "high+fixable".parse().expect("a rule");
        assert_eq!(rule, FailRule { least: Severity::High, fixable: true, ..FailRule::ANY });
        assert_eq!("any".parse(), Ok(FailRule::ANY));
        assert_eq!("high+soon".parse::<FailRule>(), Err(UnknownCondition("soon".into())));
    }
}
