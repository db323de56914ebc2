//! Maven's order. Source: the documentation of `ComparableVersion`, and Maven's POM reference, "Version order
//! specification".
//!
//! A version is a list of numbers and words; a `-`, and a change between digits and letters, begins a list inside of
//! it. Every text is a version.

use std::cmp::Ordering;

use super::number;

pub fn compare(a: &str, b: &str) -> Ordering {
    compare_lists(&parse(a), &parse(b))
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Item {
    /// Digits without leading zeros; empty is zero.
    Number(String),
    Word(String),
    List(Vec<Item>),
}

/// The words with a meaning of their own, from the oldest to the newest. The release itself is the empty one.
const QUALIFIERS: &[&str] = &["alpha", "beta", "milestone", "rc", "snapshot", "", "sp"];
/// Where the release stands among them.
const RELEASE: usize = 5;

fn parse(text: &str) -> Vec<Item> {
    let version = text.trim().to_lowercase();
    let bytes = version.as_bytes();
    // The lists that are open, the outermost first.
    let mut open: Vec<Vec<Item>> = vec![Vec::new()];
    let (mut digit, mut start) = (false, 0);
    for (at, byte) in bytes.iter().enumerate() {
        let list = open.last_mut().expect("the outermost list stays open");
        match byte {
            b'.' | b'-' => {
                list.push(item(digit, &version[start..at]));
                start = at + 1;
                if *byte == b'-' {
                    open.push(Vec::new());
                }
            }
            byte => {
                if byte.is_ascii_digit() != digit && at > start {
                    match digit {
                        true => list.push(item(true, &version[start..at])),
                        // As at the end: a word stands in a list of its own.
                        false if list.is_empty() => list.push(word(&version[start..at])),
                        false => open.push(vec![word(&version[start..at])]),
                    }
                    start = at;
                    open.push(Vec::new());
                }
                digit = byte.is_ascii_digit();
            }
        }
    }
    if version.len() > start {
        // A word at the end stands in a list of its own, behind a dot as behind a `-`.
        if !digit && open.last().is_some_and(|list| !list.is_empty()) {
            open.push(Vec::new());
        }
        let list = open.last_mut().expect("the outermost list stays open");
        list.push(item(digit, &version[start..]));
    }
    close(open)
}

/// Puts the open lists into each other, each without what says nothing.
fn close(open: Vec<Vec<Item>>) -> Vec<Item> {
    let mut inner: Option<Vec<Item>> = None;
    for mut list in open.into_iter().rev() {
        list.extend(inner.take().map(Item::List));
        normalize(&mut list);
        inner = Some(list);
    }
    inner.unwrap_or_default()
}

fn item(digit: bool, text: &str) -> Item {
    match text {
        "cr" => Item::Word("rc".to_owned()),
        _ if digit || text.is_empty() => Item::Number(without_zeros(text)),
        _ => Item::Word(text.to_owned()),
    }
}

/// A word with a number right behind it may be one letter long.
fn word(text: &str) -> Item {
    match text {
        "a" => Item::Word("alpha".to_owned()),
        "b" => Item::Word("beta".to_owned()),
        "m" => Item::Word("milestone".to_owned()),
        _ => item(false, text),
    }
}

fn without_zeros(digits: &str) -> String {
    digits.trim_start_matches('0').to_owned()
}

/// Removes what says nothing from the end, and before the lists that end it: 1.0.0-rc1 is 1-rc1.
fn normalize(list: &mut Vec<Item>) {
    for at in (0..list.len()).rev() {
        let nothing = match &list[at] {
            Item::Number(digits) => digits.is_empty(),
            Item::Word(word) => rank(word) == (RELEASE, ""),
            Item::List(items) => items.is_empty(),
        };
        match &list[at] {
            _ if nothing => drop(list.remove(at)),
            Item::List(_) => {}
            Item::Number(_) | Item::Word(_) => break,
        }
    }
}

fn compare_lists(a: &[Item], b: &[Item]) -> Ordering {
    for at in 0..a.len().max(b.len()) {
        let order = match (a.get(at), b.get(at)) {
            (None, None) => Ordering::Equal,
            (Some(a), None) => compare_nothing(a),
            (None, Some(b)) => compare_nothing(b).reverse(),
            (Some(a), Some(b)) => compare_items(a, b),
        };
        if order != Ordering::Equal {
            return order;
        }
    }
    Ordering::Equal
}

/// How an item stands to none at all.
fn compare_nothing(item: &Item) -> Ordering {
    match item {
        Item::Number(digits) if digits.is_empty() => Ordering::Equal,
        Item::Number(_) => Ordering::Greater,
        Item::Word(word) => rank(word).cmp(&(RELEASE, "")),
        Item::List(items) => {
            items.iter().map(compare_nothing).find(|order| *order != Ordering::Equal).unwrap_or(Ordering::Equal)
        }
    }
}

/// Words come before lists, lists before numbers.
fn compare_items(a: &Item, b: &Item) -> Ordering {
    match (a, b) {
        (Item::Number(a), Item::Number(b)) => number::compare_text(a, b),
        (Item::Number(_), _) => Ordering::Greater,
        (_, Item::Number(_)) => Ordering::Less,
        (Item::List(a), Item::List(b)) => compare_lists(a, b),
        (Item::List(_), _) => Ordering::Greater,
        (_, Item::List(_)) => Ordering::Less,
        (Item::Word(a), Item::Word(b)) => rank(a).cmp(&rank(b)),
    }
}

/// Unknown words come after the known ones, by their letters.
fn rank(word: &str) -> (usize, &str) {
    if matches!(word, "ga" | "final" | "release") {
        return (RELEASE, "");
    }
    match QUALIFIERS.iter().position(|qualifier| *qualifier == word) {
        Some(at) => (at, ""),
        None => (QUALIFIERS.len(), word),
    }
}
