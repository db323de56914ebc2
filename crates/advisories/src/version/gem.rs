//! Ruby's order. Source: the documentation of `Gem::Version`.

use std::cmp::Ordering;

use super::{UnreadableVersion, number};

pub fn compare(a: &str, b: &str) -> Result<Ordering, UnreadableVersion> {
    let (a, b) = (segments(a)?, segments(b)?);
    for at in 0..a.len().max(b.len()) {
        // A missing segment is zero, so a word there makes a pre-release.
        let (left, right) = (a.get(at).map_or("0", String::as_str), b.get(at).map_or("0", String::as_str));
        let order = match (number::is_number(left), number::is_number(right)) {
            (true, true) => number::compare_text(left, right),
            (true, false) => Ordering::Greater,
            (false, true) => Ordering::Less,
            (false, false) => left.cmp(right),
        };
        if order != Ordering::Equal {
            return Ok(order);
        }
    }
    Ok(Ordering::Equal)
}

/// The runs of digits and of letters, without the zeros that end the release or the whole.
fn segments(text: &str) -> Result<Vec<String>, UnreadableVersion> {
    let version = text.trim();
    let valid = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-');
    if !version.chars().all(valid) || !version.is_empty() && !version.starts_with(|c: char| c.is_ascii_digit()) {
        return Err(UnreadableVersion(text.to_owned()));
    }
    let version = version.replace('-', ".pre.");
    let mut segments: Vec<String> = Vec::new();
    let mut kind = None;
    for c in version.chars() {
        let this = c.is_ascii_alphanumeric().then(|| c.is_ascii_digit());
        match this {
            Some(_) if kind == this => segments.last_mut().expect("a run was begun with this kind").push(c),
            Some(_) => segments.push(c.to_string()),
            None => {}
        }
        kind = this;
    }
    Ok(canonical(segments))
}

fn canonical(mut segments: Vec<String>) -> Vec<String> {
    let zero = |segment: &String| segment.bytes().all(|byte| byte == b'0');
    let word = segments.iter().position(|segment| !number::is_number(segment)).unwrap_or(segments.len());
    let mut tail = segments.split_off(word);
    for part in [&mut segments, &mut tail] {
        while part.last().is_some_and(zero) {
            part.pop();
        }
    }
    segments.append(&mut tail);
    segments
}
