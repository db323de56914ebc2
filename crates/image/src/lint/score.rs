//! One number for an image, and how it comes about.

use palisade_model::Severity;
use palisade_model::finding::Finding;

/// Rules whose findings are files that can be removed.
pub const REMOVABLE: &[&str] =
    &["compiler", "documentation", "network-tool", "package-cache", "package-manager", "shell", "unused-language-tree"];

/// What a rule with open findings costs, by the worst of them.
fn cost(severity: Severity) -> u32 {
    match severity {
        Severity::Critical => 40,
        Severity::High => 20,
        Severity::Medium => 10,
        Severity::Low => 3,
        Severity::Info | Severity::Unknown => 0,
    }
}

/// 100, less for each rule that has open findings: 40 when the worst of them is critical, 20 high, 10 medium, 3 low; never
/// below 0. How many findings a rule has makes no difference: forty shells are one decision.
pub fn score(findings: &[Finding]) -> u32 {
    let open = findings.iter().filter(|finding| finding.is_open());
    let mut worst = std::collections::BTreeMap::new();
    for finding in open {
        let of_rule = worst.entry(&finding.rule).or_insert(finding.severity);
        *of_rule = (*of_rule).max(finding.severity);
    }
    100u32.saturating_sub(worst.into_values().map(cost).sum())
}
