//! Debian's order. Source: Debian Policy 5.6.12, `deb-version(7)`.

use std::cmp::Ordering;

use super::{UnreadableVersion, number};

pub fn compare(a: &str, b: &str) -> Result<Ordering, UnreadableVersion> {
    let (a, b) = (Parts::parse(a)?, Parts::parse(b)?);
    Ok(number::compare_text(a.epoch, b.epoch)
        .then_with(|| compare_part(a.upstream.as_bytes(), b.upstream.as_bytes()))
        .then_with(|| compare_part(a.revision.as_bytes(), b.revision.as_bytes())))
}

struct Parts<'v> {
    epoch: &'v str,
    upstream: &'v str,
    revision: &'v str,
}

impl<'v> Parts<'v> {
    fn parse(text: &'v str) -> Result<Self, UnreadableVersion> {
        let unreadable = || UnreadableVersion(text.to_owned());
        let version = text.trim();
        let (epoch, rest) = version.split_once(':').unwrap_or(("0", version));
        if rest.is_empty() || !number::is_number(epoch) || rest.contains(char::is_whitespace) {
            return Err(unreadable());
        }
        let (upstream, revision) = rest.rsplit_once('-').unwrap_or((rest, ""));
        Ok(Self { epoch, upstream, revision })
    }
}

/// Alternates between runs without digits, ordered by [`weight`], and numbers.
fn compare_part(mut a: &[u8], mut b: &[u8]) -> Ordering {
    while !a.is_empty() || !b.is_empty() {
        loop {
            let (left, right) = (not_digit(a), not_digit(b));
            if left.is_none() && right.is_none() {
                break;
            }
            match weight(left).cmp(&weight(right)) {
                Ordering::Equal => (a, b) = (&a[1..], &b[1..]),
                other => return other,
            }
        }
        let (left, right) = (number::digits(a), number::digits(b));
        match number::compare(&a[..left], &b[..right]) {
            Ordering::Equal => (a, b) = (&a[left..], &b[right..]),
            other => return other,
        }
    }
    Ordering::Equal
}

fn not_digit(text: &[u8]) -> Option<u8> {
    text.first().copied().filter(|byte| !byte.is_ascii_digit())
}

/// `~` comes before the end, the end before letters, letters before everything else.
fn weight(byte: Option<u8>) -> i32 {
    match byte {
        Some(b'~') => -1,
        None => 0,
        Some(byte) if byte.is_ascii_alphabetic() => i32::from(byte),
        Some(byte) => i32::from(byte) + 256,
    }
}
