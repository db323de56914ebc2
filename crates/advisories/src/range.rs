//! Whether a version is among those that an advisory speaks of. Source: "Evaluation" in the OSV schema.

use std::cmp::Ordering;

use crate::advisory::{Affected, Event, Range, order_of};
use crate::version::{UnreadableVersion, VersionOrder};

/// How an installed version stands to an advisory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It is affected.
    Affected {
        /// The next version in which it is mended.
        fixed: Option<String>,
    },
    /// It is not.
    NotAffected,
    /// It, or a version of the advisory, cannot be ordered, and nothing else says that it is affected.
    Unreadable(UnreadableVersion),
    /// The advisory names commits only.
    CommitsOnly,
}

/// Holds `version` against what an advisory says of the package.
pub fn stands(version: &str, affected: &Affected) -> Standing {
    let Some(order) = order_of(&affected.ecosystem) else { return Standing::NotAffected };
    if affected.ranges.is_empty() && affected.versions.is_empty() {
        // Nothing says which versions: then it is all of them, unless commits say it.
        return match affected.ranges_of_commits {
            0 => Standing::Affected { fixed: None },
            _ => Standing::CommitsOnly,
        };
    }
    let mut unreadable = None;
    for range in &affected.ranges {
        match in_range(version, range, if range.semantic { VersionOrder::Semver } else { order }) {
            Ok(Some(fixed)) => return Standing::Affected { fixed },
            Ok(None) => {}
            Err(error) => unreadable = Some(error),
        }
    }
    let listed = |other: &String| other == version || order.compare(other, version) == Ok(Ordering::Equal);
    if affected.versions.iter().any(listed) {
        return Standing::Affected { fixed: None };
    }
    unreadable.map_or(Standing::NotAffected, Standing::Unreadable)
}

/// Whether every version is affected, also one that nobody knows: nothing mends it, and nothing says where it began.
pub fn stands_for_all(affected: &Affected) -> bool {
    let from_the_beginning = |event: &Event| matches!(event, Event::Introduced(version) if version == "0");
    let has_no_end = |range: &Range| !range.events.is_empty() && range.events.iter().all(from_the_beginning);
    let says_nothing = affected.ranges.is_empty() && affected.versions.is_empty() && affected.ranges_of_commits == 0;
    order_of(&affected.ecosystem).is_some() && (says_nothing || affected.ranges.iter().any(has_no_end))
}

/// `Some` when the range holds the version, with the version that mends it.
fn in_range(version: &str, range: &Range, order: VersionOrder) -> Result<Option<Option<String>>, UnreadableVersion> {
    let is_before_all = |event: &Event| matches!(event, Event::Introduced(version) if version == "0");
    let mut events: Vec<&Event> = range.events.iter().collect();
    for event in &events {
        if !is_before_all(event) {
            order.compare(event.version(), version)?;
        }
    }
    events.sort_by(|a, b| match (is_before_all(a), is_before_all(b)) {
        (false, false) => order.compare(a.version(), b.version()).unwrap_or(Ordering::Equal),
        (a, b) => b.cmp(&a),
    });
    let (mut inside, mut fixed, mut limits) = (false, None, Vec::new());
    for event in events {
        let at = event.version();
        let stands = if is_before_all(event) { Ordering::Greater } else { order.compare(version, at)? };
        match event {
            Event::Introduced(_) => inside |= stands != Ordering::Less,
            Event::Fixed(_) if stands != Ordering::Less => inside = false,
            Event::Fixed(_) if inside && fixed.is_none() => fixed = Some(at.to_owned()),
            Event::Fixed(_) => {}
            Event::LastAffected(_) => inside &= stands != Ordering::Greater,
            Event::Limit(_) => limits.push(stands == Ordering::Less),
        }
    }
    let within = limits.is_empty() || limits.contains(&true);
    Ok((inside && within).then_some(fixed))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `ecosystem | events, each with its first letter | versions`, and for each version what comes of it.
    fn check(ecosystem: &str, ranges: &[&str], versions: &[&str], cases: &[(&str, &str)]) {
        let event = |text: &str| {
            let (kind, version) = text.split_once('=').expect("kind=version");
            let version = version.to_owned();
            match kind {
                "i" => Event::Introduced(version),
                "f" => Event::Fixed(version),
                "l" => Event::LastAffected(version),
                _ => Event::Limit(version),
            }
        };
        let affected = Affected {
            ecosystem: ecosystem.into(),
            ranges: ranges
                .iter()
                .map(|range| Range { semantic: false, events: range.split_whitespace().map(event).collect() })
                .collect(),
            versions: versions.iter().map(|version| (*version).to_owned()).collect(),
            ..Affected::default()
        };
        for (version, expected) in cases {
            let said = match stands(version, &affected) {
                Standing::Affected { fixed } => format!("affected, fixed in {}", fixed.as_deref().unwrap_or("none")),
                Standing::NotAffected => "not affected".into(),
                Standing::Unreadable(_) => "unreadable".into(),
                Standing::CommitsOnly => "commits only".into(),
            };
            assert_eq!(said, *expected, "{version}");
        }
    }

    #[test]
    fn events_are_taken_in_the_order_of_their_versions() {
        check(
            "npm",
            &["f=2.1.0 i=2.0.0 f=1.5.0 i=0"],
            &[],
            &[
                ("1.0.0", "affected, fixed in 1.5.0"),
                ("1.5.0", "not affected"),
                ("2.0.0", "affected, fixed in 2.1.0"),
                ("2.0.0-rc.1", "not affected"),
                ("3.0.0", "not affected"),
            ],
        );
    }

    #[test]
    fn last_affected_is_inside_and_limits_end_a_range() {
        check("npm", &["i=0 l=1.2.0"], &[], &[("1.2.0", "affected, fixed in none"), ("1.2.1", "not affected")]);
        check("npm", &["i=1.0.0 m=2.0.0"], &[], &[("1.9.0", "affected, fixed in none"), ("2.0.0", "not affected")]);
    }

    #[test]
    fn a_listed_version_is_affected_and_what_cannot_be_ordered_is_said() {
        check(
            "PyPI",
            &["i=0 f=1.0"],
            &["2.0.0"],
            &[
                ("2.0", "affected, fixed in none"),
                ("2.1", "not affected"),
                ("0.9", "affected, fixed in 1.0"),
                ("what", "unreadable"),
            ],
        );
        check("PyPI", &[], &[], &[("1.0", "affected, fixed in none")]);
    }

    #[test]
    fn a_backport_of_a_distribution_is_below_the_next_release() {
        check(
            "Debian:12",
            &["i=0 f=2.9.14+dfsg-1.3~deb12u1"],
            &[],
            &[
                ("2.9.14+dfsg-1.2", "affected, fixed in 2.9.14+dfsg-1.3~deb12u1"),
                ("2.9.14+dfsg-1.3~deb12u2", "not affected"),
            ],
        );
    }
}
