//! RPM's order. Source: rpm's manual on version comparison, `rpm-version(7)`.

use std::cmp::Ordering;

use super::{UnreadableVersion, number};

/// Compares `epoch:version-release`. A missing epoch is 0; releases count only when both are written.
pub fn compare(a: &str, b: &str) -> Result<Ordering, UnreadableVersion> {
    let (a, b) = (Parts::parse(a)?, Parts::parse(b)?);
    Ok(number::compare_text(a.epoch, b.epoch).then_with(|| compare_part(a.version, b.version)).then_with(|| {
        match (a.release, b.release) {
            (Some(a), Some(b)) => compare_part(a, b),
            (None, _) | (_, None) => Ordering::Equal,
        }
    }))
}

struct Parts<'v> {
    epoch: &'v str,
    version: &'v str,
    release: Option<&'v str>,
}

impl<'v> Parts<'v> {
    fn parse(text: &'v str) -> Result<Self, UnreadableVersion> {
        let unreadable = || UnreadableVersion(text.to_owned());
        let whole = text.trim();
        let (epoch, rest) = whole.split_once(':').unwrap_or(("0", whole));
        let (version, release) = match rest.rsplit_once('-') {
            Some((version, release)) => (version, Some(release)),
            None => (rest, None),
        };
        if version.is_empty() || !(number::is_number(epoch) || epoch == "(none)") {
            return Err(unreadable());
        }
        Ok(Self { epoch: if epoch == "(none)" { "0" } else { epoch }, version, release })
    }
}

/// `rpmvercmp`: runs of digits and of letters, whatever stands between them.
fn compare_part(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a.as_bytes(), b.as_bytes());
    loop {
        (a, b) = (skip_separators(a), skip_separators(b));
        // A tilde sorts before everything, even the end.
        match (a.first() == Some(&b'~'), b.first() == Some(&b'~')) {
            (true, true) => {
                (a, b) = (&a[1..], &b[1..]);
                continue;
            }
            (true, false) => return Ordering::Less,
            (false, true) => return Ordering::Greater,
            (false, false) => {}
        }
        // A caret sorts after the end, and before everything else.
        match (a.first() == Some(&b'^'), b.first() == Some(&b'^')) {
            (true, true) => {
                (a, b) = (&a[1..], &b[1..]);
                continue;
            }
            (true, false) => return if b.is_empty() { Ordering::Greater } else { Ordering::Less },
            (false, true) => return if a.is_empty() { Ordering::Less } else { Ordering::Greater },
            (false, false) => {}
        }
        if a.is_empty() || b.is_empty() {
            return a.len().cmp(&b.len());
        }
        let (left, right) =
            if a[0].is_ascii_digit() { (number::digits(a), number::digits(b)) } else { (letters(a), letters(b)) };
        // Runs of two kinds: the number is the newer one.
        if right == 0 {
            return if a[0].is_ascii_digit() { Ordering::Greater } else { Ordering::Less };
        }
        let order =
            if a[0].is_ascii_digit() { number::compare(&a[..left], &b[..right]) } else { a[..left].cmp(&b[..right]) };
        if order != Ordering::Equal {
            return order;
        }
        (a, b) = (&a[left..], &b[right..]);
    }
}

fn skip_separators(text: &[u8]) -> &[u8] {
    let skipped =
        text.iter().take_while(|byte| !byte.is_ascii_alphanumeric() && **byte != b'~' && **byte != b'^').count();
    &text[skipped..]
}

fn letters(text: &[u8]) -> usize {
    text.iter().take_while(|byte| byte.is_ascii_alphabetic()).count()
}
