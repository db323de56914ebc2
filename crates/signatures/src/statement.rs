//! in-toto statements: what is said about which artifacts.

use serde::Deserialize;
use serde_json::Value;

use crate::refusal::Refusal;
use crate::subject::Subject;

/// The predicate by which cosign says "signed" in a bundle, and nothing else.
pub const SIGNED: &str = "https://sigstore.dev/cosign/sign/v1";

/// What the payload of a DSSE envelope with a statement says it is.
pub const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";

/// A statement, of which nothing is believed before the signature around it is.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Statement {
    #[serde(rename = "_type")]
    kind: String,
    #[serde(default)]
    subject: Vec<Artifact>,
    /// What is said.
    pub predicate_type: String,
    /// The saying.
    #[serde(default)]
    pub predicate: Value,
}

/// Most values of a statement, lists and objects counted twice: a bill of materials of 20 MiB has some hundred thousand,
/// and a file of as many bytes that was made for it takes gigabytes, before anybody's signature is looked at.
const MOST_VALUES: usize = 2_000_000;

#[derive(Debug, Clone, Deserialize)]
struct Artifact {
    #[serde(default)]
    digest: Digests,
}

/// Of the digests, the one that is held against images.
#[derive(Debug, Clone, Default, Deserialize)]
struct Digests {
    sha256: Option<String>,
}

impl Statement {
    /// Reads the payload of an envelope.
    ///
    /// # Errors
    /// When it is no statement.
    pub fn parse(payload_type: &str, payload: &[u8]) -> Result<Self, Refusal> {
        if payload_type != PAYLOAD_TYPE {
            return Err(Refusal::Unsupported(format!("an envelope with `{payload_type}`")));
        }
        if values(payload) > MOST_VALUES {
            return Err(Refusal::Unsupported(format!("a statement with more than {MOST_VALUES} values")));
        }
        let statement: Self =
            serde_json::from_slice(payload).map_err(|error| Refusal::Malformed(format!("statement: {error}")))?;
        match statement.kind.starts_with("https://in-toto.io/Statement/") {
            true => Ok(statement),
            false => Err(Refusal::Unsupported(format!("a statement of type `{}`", statement.kind))),
        }
    }

    /// Which of the image and its index it is about.
    ///
    /// # Errors
    /// When it is about something else.
    pub fn subject_in<'s>(&self, image: &'s Subject) -> Result<&'s Subject, Refusal> {
        let claimed: Vec<&str> = self.subject.iter().filter_map(|artifact| artifact.digest.sha256.as_deref()).collect();
        image.all().find(|subject| claimed.contains(&subject.hex())).ok_or_else(|| {
            const SHOWN: usize = 3;
            let mut claimed: Vec<String> = claimed.iter().take(SHOWN).map(|hex| format!("sha256:{hex}")).collect();
            if claimed.is_empty() {
                claimed.push("it names no sha256 digest".into());
            }
            Refusal::OtherImage { claimed }
        })
    }
}

/// How many values a JSON text has at most, as it costs nothing to count.
fn values(text: &[u8]) -> usize {
    let (mut count, mut is_text, mut is_escaped) = (0, false, false);
    for byte in text {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = is_text,
            b'"' => is_text = !is_text,
            b',' if !is_text => count += 1,
            b'{' | b'[' if !is_text => count += 2,
            _ => {}
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_that_would_take_the_memory_is_not_read() {
        let statement = |predicate: &str| {
            let text = format!(
                r#"{{"_type": "https://in-toto.io/Statement/v1", "predicateType": "x", "predicate": {predicate}}}"#
            );
            Statement::parse(PAYLOAD_TYPE, text.as_bytes()).map_or_else(|refusal| refusal.code(), |_| "read")
        };
        let objects = vec![r#"{"":0}"#; 1_000_000].join(",");
        assert_eq!(statement(&format!("[{objects}]")), "unsupported");
        // In a text they are none; here each time behind a quotation mark that does not end it.
        let text = r#"[{,\""#.repeat(1_000_000);
        assert_eq!(statement(&format!(r#"{{"text": "{text}"}}"#)), "read");
        assert_eq!(values(br#"{"a": [1, 2, {"b\"[": ","}]}"#), 8);
    }
}
