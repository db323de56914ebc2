//! Which images need whose signature, and which attestations with which content.
//!
//! Files are named as the policy writes them; whoever loads the policy resolves them against its own place.

use serde_json::Value;

use crate::object::Name;
use crate::place::Place;

/// An ImagePolicy of `palisade.dev/v1alpha1`.
#[derive(Debug, Clone, PartialEq)]
pub struct ImagePolicy {
    /// Its name.
    pub name: Name,
    /// Where it was read.
    pub place: Place,
    /// Patterns for the names of the images that it is about.
    pub images: Vec<String>,
    /// Who may vouch.
    pub signers: Vec<ImageSigner>,
    /// How many of the signers must have signed.
    pub threshold: usize,
    /// What else must be said of the image.
    pub attestations: Vec<AttestationRule>,
}

/// One who may vouch.
#[derive(Debug, Clone, PartialEq)]
pub struct ImageSigner {
    /// For rules and reports.
    pub name: Name,
    /// How the signer is known.
    pub identity: SignerIdentity,
    /// Where it was read.
    pub place: Place,
}

/// How a signer is known.
#[derive(Debug, Clone, PartialEq)]
pub enum SignerIdentity {
    /// By a key of its own.
    Key(KeySigner),
    /// By an identity that Fulcio vouched for.
    Certificate(CertificateSigner),
    /// By a certificate of the Notary Project's trust.
    Notary(NotarySigner),
}

/// Who has the private half of a key.
#[derive(Debug, Clone, PartialEq)]
pub struct KeySigner {
    /// The file with the public key.
    pub key: String,
    /// `trusted_root.json`, to judge what transparency logs and time stamp authorities say.
    pub trusted_root: Option<String>,
    /// Whether the signature must stand in a transparency log.
    pub transparency_log: LogRule,
}

/// Who could log in somewhere.
#[derive(Debug, Clone, PartialEq)]
pub struct CertificateSigner {
    /// A pattern for the certificate's subject: an address, or the URI of a workflow.
    pub identity: String,
    /// Who vouched for the login, as a whole.
    pub issuer: String,
    /// `trusted_root.json`.
    pub trusted_root: String,
    /// Whether the signature must stand in a transparency log.
    pub transparency_log: LogRule,
    /// Whether the certificate must stand in a certificate transparency log.
    pub certificate_log: LogRule,
}

/// Whether something must stand in a public log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogRule {
    /// It must.
    Required,
    /// It need not; where it says that it does, that is judged.
    #[default]
    IfPresent,
}

/// Who has a certificate of one of these authorities.
#[derive(Debug, Clone, PartialEq)]
pub struct NotarySigner {
    /// Files or folders with certificates of authorities that signers have theirs from (`ca` of a trust store).
    pub authorities: Vec<String>,
    /// The same for services that sign in the name of others (`signingAuthority`).
    pub signing_authorities: Vec<String>,
    /// The same for time stamp authorities (`tsa`).
    pub timestamp_authorities: Vec<String>,
    /// The subjects that are trusted, such as `C=DE, O=Acme, CN=release`; none is every subject.
    pub subjects: Vec<String>,
    /// Files with revocation lists.
    pub revocation_lists: Vec<String>,
    /// What follows when it is not known whether a certificate is revoked.
    pub revocation: RevocationRule,
}

/// What follows when it is not known whether a certificate is revoked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RevocationRule {
    /// A certificate that says where its list is needs one that is at hand and fresh.
    #[default]
    Required,
    /// A list that is at hand counts; none need be.
    IfKnown,
}

/// A statement that must be made of the image.
#[derive(Debug, Clone, PartialEq)]
pub struct AttestationRule {
    /// What is said, such as `https://slsa.dev/provenance/v1`.
    pub predicate_type: String,
    /// Names of signers whose word counts; none is all of them.
    pub signers: Vec<Name>,
    /// What must hold of the predicate.
    pub conditions: Vec<Condition>,
    /// Where it was read.
    pub place: Place,
}

/// Something that must hold of a field.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    /// As it was written.
    pub field: String,
    /// The way to the field from the predicate.
    pub path: Vec<Step>,
    /// What must hold there.
    pub test: Test,
}

/// One step into a JSON value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// `name`
    Field(String),
    /// `[2]`
    Index(usize),
    /// `[]`: all elements, and what must hold must hold of each.
    Each,
}

/// What must hold of a value.
#[derive(Debug, Clone, PartialEq)]
pub enum Test {
    /// It is this.
    Equals(Value),
    /// It is there, and something else.
    NotEquals(Value),
    /// It is one of these.
    OneOf(Vec<Value>),
    /// It is a text that fits the pattern.
    Matches(String),
    /// It is a number, and no larger.
    AtMost(f64),
    /// It is a number, and no smaller.
    AtLeast(f64),
    /// It is there, or it is not.
    Exists(bool),
}

/// A way that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no way to a field: write names and dots, `[]` for each element, `[\"a.b\"]` for a name with dots")]
pub struct NoPath(String);

/// Reads `builder.id`, `components[].name`, `annotations["a.b"]`, `[0].name`.
///
/// # Errors
/// When a bracket is not closed, or a name is empty.
pub fn parse_path(text: &str) -> Result<Vec<Step>, NoPath> {
    let bad = || NoPath(text.to_owned());
    let mut steps = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        if let Some(inner) = rest.strip_prefix("[\"") {
            let (name, behind) = inner.split_once("\"]").ok_or_else(bad)?;
            steps.push(Step::Field(name.to_owned()));
            rest = behind;
        } else if let Some(inner) = rest.strip_prefix('[') {
            let (index, behind) = inner.split_once(']').ok_or_else(bad)?;
            steps.push(if index.is_empty() { Step::Each } else { Step::Index(index.parse().map_err(|_| bad())?) });
            rest = behind;
        } else {
            let name = rest.split(['.', '[']).next().unwrap_or_default();
            if name.is_empty() {
                return Err(bad());
            }
            steps.push(Step::Field(name.to_owned()));
            rest = &rest[name.len()..];
        }
        match rest.strip_prefix('.') {
            Some("") => return Err(bad()),
            Some(behind) => rest = behind,
            None if rest.is_empty() || rest.starts_with('[') => {}
            None => return Err(bad()),
        }
    }
    if steps.is_empty() { Err(bad()) } else { Ok(steps) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ways_are_names_indexes_and_each() {
        let field = |name: &str| Step::Field(name.into());
        for (text, expected) in [
            ("builder.id", vec![field("builder"), field("id")]),
            ("components[].name", vec![field("components"), Step::Each, field("name")]),
            ("a[\"b.c\"].d[0]", vec![field("a"), field("b.c"), field("d"), Step::Index(0)]),
            ("[\"https://x/y\"]", vec![field("https://x/y")]),
        ] {
            assert_eq!(parse_path(text), Ok(expected), "{text}");
        }
        for text in ["", ".", "a.", ".a", "a..b", "a[", "a[x]", "a[0]b", "a[\"b]"] {
            assert!(parse_path(text).is_err(), "{text}");
        }
    }
}
