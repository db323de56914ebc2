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

#[derive(Debug, Clone, Deserialize)]
struct Artifact {
    #[serde(default)]
    digest: std::collections::BTreeMap<String, String>,
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
        let claimed: Vec<&str> =
            self.subject.iter().filter_map(|artifact| artifact.digest.get("sha256")).map(String::as_str).collect();
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
