//! Numbers of any length, as text: versions hold dates, build numbers and hashes.

use std::cmp::Ordering;

/// Compares two runs of ASCII digits by value. An empty run is zero.
pub fn compare(a: &[u8], b: &[u8]) -> Ordering {
    let (a, b) = (without_zeros(a), without_zeros(b));
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}

/// The same for text.
pub fn compare_text(a: &str, b: &str) -> Ordering {
    compare(a.as_bytes(), b.as_bytes())
}

/// How many digits `text` begins with.
pub fn digits(text: &[u8]) -> usize {
    text.iter().take_while(|byte| byte.is_ascii_digit()).count()
}

/// Whether `text` is a number.
pub fn is_number(text: &str) -> bool {
    !text.is_empty() && digits(text.as_bytes()) == text.len()
}

fn without_zeros(digits: &[u8]) -> &[u8] {
    let zeros = digits.iter().take_while(|digit| **digit == b'0').count();
    &digits[zeros..]
}
