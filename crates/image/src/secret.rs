//! Secrets in text: only of forms that can be told from other text by more than their look.
//!
//! Each form has a marker that is looked for, and a check of what stands there: a checksum, a structure that parses, a
//! second part nearby. A name like `password` in a file is no proof of anything, and is not looked for.

mod encoding;
mod formats;

use memchr::memmem;
use palisade_model::Severity;

/// A secret. It does not hold the secret itself.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Secret {
    /// `GitHub token`.
    pub what: &'static str,
    /// Why it is taken for one: `its checksum is right`.
    pub proof: String,
    /// How bad it is that it is there.
    pub severity: Severity,
    /// What may be shown of it: its public beginning, and how long it is.
    pub shown: String,
    /// Where it begins in the text.
    pub at: usize,
}

/// What a form says of the text at its marker.
struct Match {
    /// From where on, before or at the marker.
    begin: usize,
    /// Up to where.
    end: usize,
    proof: String,
    severity: Severity,
}

/// A form of secrets.
struct Form {
    what: &'static str,
    marker: &'static str,
    /// How much of it is public: the same in all.
    public: usize,
    check: fn(&[u8], usize) -> Option<Match>,
}

/// Secrets of one text that are told; a file of tokens is one finding too many as it is.
const MOST_OF_A_TEXT: usize = 20;

/// All secrets of a text, in its order.
pub fn find(text: &[u8]) -> Vec<Secret> {
    let mut found: Vec<Secret> = Vec::new();
    for form in formats::ALL {
        for at in memmem::find_iter(text, form.marker).take(MOST_OF_A_TEXT) {
            let Some(it) = (form.check)(text, at) else { continue };
            found.push(Secret {
                what: form.what,
                proof: it.proof,
                severity: it.severity,
                shown: shown(text, &it.begin, it.end, form.public),
                at: it.begin,
            });
        }
    }
    found.sort_by_key(|secret| secret.at);
    found.dedup_by_key(|secret| secret.at);
    found.truncate(MOST_OF_A_TEXT);
    found
}

/// `ghp_... (40 characters)`.
fn shown(text: &[u8], begin: &usize, end: usize, public: usize) -> String {
    let end = end.min(text.len());
    let head = String::from_utf8_lossy(&text[*begin..(begin + public).min(end)]).into_owned();
    format!("{head}... ({} characters)", end - begin)
}

/// The line of a place in a text, from 1.
pub fn line_of(text: &[u8], at: usize) -> usize {
    1 + memchr::memchr_iter(b'\n', &text[..at.min(text.len())]).count()
}

/// The text with every secret in it shortened to what may be shown.
pub fn redacted(text: &str) -> String {
    let mut out = text.to_owned();
    for secret in find(text.as_bytes()).into_iter().rev() {
        let end = text[secret.at..].find(|it: char| it.is_whitespace() || it == '"' || it == '\'');
        let end = end.map_or(text.len(), |length| secret.at + length);
        out.replace_range(secret.at..end, &secret.shown);
    }
    out
}
