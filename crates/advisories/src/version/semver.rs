//! Semantic versions. Source: Semantic Versioning 2.0.0, section 11; Go's pseudo-versions are pre-releases of it.
//!
//! Read leniently: a leading `v`, missing parts (npm has `1.2`) and a fourth part are taken, since packages carry them.

use std::cmp::Ordering;

use super::{UnreadableVersion, number};

pub fn compare(a: &str, b: &str) -> Result<Ordering, UnreadableVersion> {
    let (a, b) = (Version::parse(a)?, Version::parse(b)?);
    for at in 0..a.numbers.len().max(b.numbers.len()) {
        let (left, right) = (a.numbers.get(at).unwrap_or(&"0"), b.numbers.get(at).unwrap_or(&"0"));
        let order = number::compare_text(left, right);
        if order != Ordering::Equal {
            return Ok(order);
        }
    }
    Ok(compare_prerelease(a.prerelease, b.prerelease))
}

struct Version<'v> {
    numbers: Vec<&'v str>,
    prerelease: Option<&'v str>,
}

impl<'v> Version<'v> {
    fn parse(text: &'v str) -> Result<Self, UnreadableVersion> {
        let version = text.trim();
        let version = version.strip_prefix(['v', 'V', '=']).unwrap_or(version);
        // Build metadata has no say: `+incompatible`.
        let version = version.split_once('+').map_or(version, |(version, _)| version);
        let (core, prerelease) = match version.split_once('-') {
            Some((core, prerelease)) => (core, Some(prerelease)),
            None => (version, None),
        };
        let numbers: Vec<&str> = core.split('.').collect();
        if numbers.iter().all(|part| number::is_number(part)) {
            return Ok(Self { numbers, prerelease });
        }
        Err(UnreadableVersion(text.to_owned()))
    }
}

/// A pre-release comes before the release; identifiers compare one by one, numbers before words.
fn compare_prerelease(a: Option<&str>, b: Option<&str>) -> Ordering {
    let (a, b) = match (a, b) {
        (None, None) => return Ordering::Equal,
        (None, Some(_)) => return Ordering::Greater,
        (Some(_), None) => return Ordering::Less,
        (Some(a), Some(b)) => (a, b),
    };
    let (mut a, mut b) = (a.split('.'), b.split('.'));
    loop {
        let order = match (a.next(), b.next()) {
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => Ordering::Less,
            (Some(_), None) => Ordering::Greater,
            (Some(a), Some(b)) => match (number::is_number(a), number::is_number(b)) {
                (true, true) => number::compare_text(a, b),
                (true, false) => Ordering::Less,
                (false, true) => Ordering::Greater,
                (false, false) => a.cmp(b),
            },
        };
        if order != Ordering::Equal {
            return order;
        }
    }
}
