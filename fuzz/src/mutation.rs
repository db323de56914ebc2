//! How an input is changed.

use palisade_worlds::Random;

use crate::limits::MOST_BYTES;

/// So many changes one input gets at most: with more, little of it is read.
const MOST_CHANGES: usize = 6;

/// A changed copy of `input`; pieces come from `others` and from `words`.
pub(crate) fn change(random: &mut Random, input: &[u8], others: &[Vec<u8>], words: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = input.to_vec();
    for _ in 0..random.between(1, MOST_CHANGES) {
        match random.below(9) {
            0 => flip(random, &mut bytes),
            1 => remove(random, &mut bytes),
            2 => insert(random, &mut bytes, words),
            3 => replace_word(random, &mut bytes, words),
            4 => lines(random, &mut bytes, Lines::Remove),
            5 => lines(random, &mut bytes, Lines::Repeat),
            6 => lines(random, &mut bytes, Lines::Indent),
            7 => take_lines_of(random, &mut bytes, others),
            _ => replace_word(random, &mut bytes, words),
        }
    }
    bytes.truncate(MOST_BYTES);
    bytes
}

fn position(random: &mut Random, bytes: &[u8]) -> usize {
    random.below(bytes.len() + 1)
}

fn flip(random: &mut Random, bytes: &mut [u8]) {
    if let Some(last) = bytes.len().checked_sub(1) {
        bytes[random.between(0, last)] ^= 1 << random.below(8);
    }
}

fn remove(random: &mut Random, bytes: &mut Vec<u8>) {
    let start = position(random, bytes);
    let end = (start + random.below(16)).min(bytes.len());
    bytes.drain(start..end);
}

fn insert(random: &mut Random, bytes: &mut Vec<u8>, words: &[Vec<u8>]) {
    let at = position(random, bytes);
    let word = random.maybe_pick(words).cloned().unwrap_or_default();
    bytes.splice(at..at, word);
}

/// Another word in the place of one: most of the document stays readable.
fn replace_word(random: &mut Random, bytes: &mut Vec<u8>, words: &[Vec<u8>]) {
    let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_./".contains(byte);
    let at = position(random, bytes);
    let Some(start) = bytes[at..].iter().position(is_word).map(|offset| at + offset) else { return };
    let end = bytes[start..].iter().position(|byte| !is_word(byte)).map_or(bytes.len(), |offset| start + offset);
    let word = random.maybe_pick(words).cloned().unwrap_or_default();
    bytes.splice(start..end, word);
}

enum Lines {
    Remove,
    Repeat,
    Indent,
}

fn lines(random: &mut Random, bytes: &mut Vec<u8>, what: Lines) {
    let (start, end) = some_lines(random, bytes);
    match what {
        Lines::Remove => drop(bytes.drain(start..end)),
        Lines::Repeat => {
            let again = bytes[start..end].to_vec();
            bytes.splice(end..end, again);
        }
        Lines::Indent => drop(bytes.splice(start..start, *b"  ")),
    }
}

/// From the start of a line to the end of it or of one a few lines on.
fn some_lines(random: &mut Random, bytes: &[u8]) -> (usize, usize) {
    let at = position(random, bytes);
    let start = bytes[..at].iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
    let mut end = start;
    for _ in 0..random.between(1, 8) {
        end = bytes[end..].iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |offset| end + offset + 1);
    }
    (start, end)
}

fn take_lines_of(random: &mut Random, bytes: &mut Vec<u8>, others: &[Vec<u8>]) {
    let Some(other) = random.maybe_pick(others) else { return };
    let (start, end) = some_lines(random, other);
    let (at, _) = some_lines(random, bytes);
    bytes.splice(at..at, other[start..end].iter().copied());
}
