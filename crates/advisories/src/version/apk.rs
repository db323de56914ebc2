//! Alpine's order. Source: the package specification of apk-tools, `apk-package(5)`.
//!
//! `number{.number}...{letter}{_suffix{number}}...{~hash}{-r#}`

use std::cmp::Ordering;

use super::{UnreadableVersion, number};

pub fn compare(a: &str, b: &str) -> Result<Ordering, UnreadableVersion> {
    let (a, b) = match (Version::parse(a), Version::parse(b)) {
        (Ok(a), Ok(b)) => (a, b),
        (Err(error), _) | (_, Err(error)) => return by_leading_numbers(a, b).ok_or(error),
    };
    Ok(compare_numbers(&a.numbers, &b.numbers)
        .then_with(|| a.letter.cmp(&b.letter))
        .then_with(|| compare_suffixes(&a.suffixes, &b.suffixes))
        .then_with(|| a.hash.cmp(b.hash))
        .then_with(|| number::compare_text(a.revision, b.revision)))
}

struct Version<'v> {
    numbers: Vec<&'v str>,
    letter: Option<u8>,
    suffixes: Vec<(Suffix, &'v str)>,
    hash: &'v str,
    revision: &'v str,
}

/// What a suffix says, in the order of the versions that carry it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Suffix {
    Alpha,
    Beta,
    Pre,
    Candidate,
    /// No suffix at all: the release itself.
    Release,
    Cvs,
    Svn,
    Git,
    Hg,
    Patch,
}

impl Suffix {
    fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "alpha" => Self::Alpha,
            "beta" => Self::Beta,
            "pre" => Self::Pre,
            "rc" => Self::Candidate,
            "cvs" => Self::Cvs,
            "svn" => Self::Svn,
            "git" => Self::Git,
            "hg" => Self::Hg,
            "p" => Self::Patch,
            _ => return None,
        })
    }
}

impl<'v> Version<'v> {
    fn parse(text: &'v str) -> Result<Self, UnreadableVersion> {
        let unreadable = || UnreadableVersion(text.to_owned());
        let version = text.trim();
        let (rest, revision) = match version.rsplit_once("-r") {
            Some((rest, revision)) if number::is_number(revision) => (rest, revision),
            _ => (version, ""),
        };
        let (rest, hash) = rest.split_once('~').unwrap_or((rest, ""));
        let (rest, suffixes) = rest.split_once('_').map_or((rest, None), |(rest, suffixes)| (rest, Some(suffixes)));
        let letter = rest.as_bytes().last().copied().filter(u8::is_ascii_lowercase);
        let rest = if letter.is_some() { &rest[..rest.len() - 1] } else { rest };
        let numbers: Vec<&str> = rest.split('.').collect();
        if !numbers.iter().all(|part| number::is_number(part)) || !hash.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(unreadable());
        }
        let suffixes = suffixes
            .into_iter()
            .flat_map(|suffixes| suffixes.split('_'))
            .map(|suffix| {
                let word = suffix.trim_end_matches(|c: char| c.is_ascii_digit());
                Suffix::parse(word).map(|kind| (kind, &suffix[word.len()..]))
            })
            .collect::<Option<Vec<_>>>()
            .ok_or_else(unreadable)?;
        Ok(Self { numbers, letter, suffixes, hash, revision })
    }
}

/// Alpine's own lists have slips (`4.8.0.-r1`, `2.7.16-33`, `6.6.2p1-r0`): where the numbers in front differ already, what
/// comes behind them decides nothing. `None` where they do not.
fn by_leading_numbers(a: &str, b: &str) -> Option<Ordering> {
    fn numbers(text: &str) -> Vec<&str> {
        let text = text.trim();
        let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        text[..end].split('.').take_while(|part| number::is_number(part)).collect()
    }
    let (a, b) = (numbers(a), numbers(b));
    let both = a.len().min(b.len());
    Some(compare_numbers(&a[..both], &b[..both])).filter(|order| *order != Ordering::Equal)
}

/// The first number counts by value. A later one that begins with a zero is a fraction, compared as text: 1.06 is
/// older than 1.1.
fn compare_numbers(a: &[&str], b: &[&str]) -> Ordering {
    for (at, (left, right)) in a.iter().zip(b).enumerate() {
        let fraction = at > 0 && (left.starts_with('0') || right.starts_with('0'));
        let order = if fraction { left.cmp(right) } else { number::compare_text(left, right) };
        if order != Ordering::Equal {
            return order;
        }
    }
    a.len().cmp(&b.len())
}

fn compare_suffixes(a: &[(Suffix, &str)], b: &[(Suffix, &str)]) -> Ordering {
    for at in 0..a.len().max(b.len()) {
        let (left, right) =
            (a.get(at).copied().unwrap_or((Suffix::Release, "")), b.get(at).copied().unwrap_or((Suffix::Release, "")));
        let order = left.0.cmp(&right.0).then_with(|| number::compare_text(left.1, right.1));
        if order != Ordering::Equal {
            return order;
        }
    }
    Ordering::Equal
}
