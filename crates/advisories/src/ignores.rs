//! The ignore file: what somebody has decided to live with, why, and until when.
//!
//! A line is an id, a package (`*` for all), a date, and the reason. `#` begins a comment.

use crate::assessment::Vulnerability;

/// A line of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ignore {
    /// Its line, from 1.
    pub line: usize,
    /// Any id of the matter.
    pub id: String,
    /// Which package; none for all.
    pub package: Option<String>,
    /// The last day on which it holds.
    pub until: String,
    /// Why.
    pub reason: String,
}

/// A line that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnusableLine {
    /// Something is missing.
    #[error("expected `ID PACKAGE DATE REASON`, with `*` for every package")]
    Incomplete,
    /// The date is none.
    #[error("`{0}` is no date, expected `2026-12-31`")]
    Date(String),
}

/// Reads the file; what cannot be used comes with its line.
pub fn parse(text: &str) -> (Vec<Ignore>, Vec<(usize, UnusableLine)>) {
    let (mut ignores, mut unusable) = (Vec::new(), Vec::new());
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        match parse_line(index + 1, line) {
            Ok(ignore) => ignores.push(ignore),
            Err(error) => unusable.push((index + 1, error)),
        }
    }
    (ignores, unusable)
}

fn parse_line(number: usize, line: &str) -> Result<Ignore, UnusableLine> {
    let mut words = line.split_whitespace();
    let mut next = || words.next().ok_or(UnusableLine::Incomplete);
    let (id, package, until) = (next()?, next()?, next()?);
    let reason: Vec<&str> = words.collect();
    if !is_date(until) {
        return Err(UnusableLine::Date(until.to_owned()));
    }
    if reason.is_empty() {
        return Err(UnusableLine::Incomplete);
    }
    Ok(Ignore {
        line: number,
        id: id.to_owned(),
        package: (package != "*").then(|| package.to_owned()),
        until: until.to_owned(),
        reason: reason.join(" "),
    })
}

/// `2026-12-31`: compares as text.
fn is_date(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let digits = |part: &str, length: usize| part.len() == length && part.bytes().all(|byte| byte.is_ascii_digit());
    let in_range = |part: &str, most: u32| part.parse::<u32>().is_ok_and(|number| (1..=most).contains(&number));
    matches!(parts[..], [year, month, day] if digits(year, 4) && digits(month, 2) && digits(day, 2)
        && in_range(month, 12) && in_range(day, 31))
}

impl Ignore {
    /// Whether it speaks of a vulnerability of the package of that name.
    pub fn speaks_of(&self, vulnerability: &Vulnerability, package: &str) -> bool {
        self.package.as_deref().is_none_or(|name| name == package) && vulnerability.ids().any(|id| id == self.id)
    }

    /// Whether it still holds on that day.
    pub fn holds(&self, today: &str) -> bool {
        *today <= *self.until
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_needs_a_package_a_date_and_a_reason() {
        let (ignores, unusable) = parse(
            "# ours\nCVE-1 openssl 2026-12-31 no TLS here\n\nCVE-2 * 2026-13-01 never\nCVE-3 *\nCVE-4 * 2026-12-31\n",
        );
        assert_eq!(ignores.len(), 1);
        assert_eq!((ignores[0].line, &*ignores[0].reason), (2, "no TLS here"));
        assert!(ignores[0].holds("2026-12-31") && !ignores[0].holds("2027-01-01"));
        assert_eq!(
            unusable,
            [
                (4, UnusableLine::Date("2026-13-01".into())),
                (5, UnusableLine::Incomplete),
                (6, UnusableLine::Incomplete)
            ]
        );
    }
}
