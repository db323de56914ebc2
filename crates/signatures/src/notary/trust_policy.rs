//! notation's own trust policy, `trustpolicy.json` of version 1.0, so that whoever has one need not write another.

use palisade_model::image_policy::RevocationRule;
use serde::Deserialize;
use std::collections::BTreeMap;

use super::Staleness;
use super::name::{NoName, Subject};

/// A statement of the policy, as far as a verifier needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// Its name.
    pub name: String,
    /// `registry/repository` each, or `*`.
    pub scopes: Vec<String>,
    /// `ca:NAME`, `signingAuthority:NAME`, `tsa:NAME`: folders of the trust store.
    pub stores: Vec<(StoreKind, String)>,
    /// Whose certificates count; none is everybody's.
    pub subjects: Vec<Subject>,
    /// From the level and what it overrides.
    pub revocation: RevocationRule,
    /// From the level and what it overrides.
    pub staleness: Staleness,
}

/// A folder of the trust store, below `x509`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreKind {
    /// `ca`
    Authority,
    /// `signingAuthority`
    SigningAuthority,
    /// `tsa`
    TimestampAuthority,
}

impl StoreKind {
    /// The folder's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Authority => "ca",
            Self::SigningAuthority => "signingAuthority",
            Self::TimestampAuthority => "tsa",
        }
    }
}

/// Why a policy is not taken.
#[derive(Debug, thiserror::Error)]
pub enum BadPolicy {
    /// It is not JSON of its kind.
    #[error("no trust policy: {0}")]
    Json(#[from] serde_json::Error),
    /// Another version.
    #[error("a trust policy of version `{0}`; `1.0` is read")]
    Version(String),
    /// A statement that says something that cannot be held.
    #[error("statement `{name}`: {what}")]
    Statement {
        /// Which one.
        name: String,
        /// What is wrong with it.
        what: String,
    },
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Document {
    version: String,
    trust_policies: Vec<Stored>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Stored {
    name: String,
    registry_scopes: Vec<String>,
    signature_verification: Verification,
    #[serde(default)]
    trust_stores: Vec<String>,
    #[serde(default)]
    trusted_identities: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Verification {
    level: String,
    #[serde(rename = "override", default)]
    overrides: BTreeMap<String, String>,
    /// Ours is always: a timestamp that is wrong is never passed over.
    #[serde(default)]
    #[allow(dead_code, reason = "read, so that it is not taken for a slip of the pen")]
    verify_timestamp: Option<String>,
}

/// Reads the statements of a policy.
///
/// # Errors
/// When one of them cannot be held as it was meant: a trust that is misread is worse than none.
pub fn parse(text: &str) -> Result<Vec<Statement>, BadPolicy> {
    let document: Document = serde_json::from_str(text)?;
    if document.version != "1.0" {
        return Err(BadPolicy::Version(document.version));
    }
    let statements: Vec<Statement> = document.trust_policies.into_iter().map(statement).collect::<Result<_, _>>()?;
    for (at, it) in statements.iter().enumerate() {
        let bad = |what: String| Err(BadPolicy::Statement { name: it.name.clone(), what });
        let before = &statements[..at];
        if before.iter().any(|other| other.name == it.name) {
            return bad("another statement has the same name".into());
        }
        // Of two statements about one repository, nobody knows which was meant.
        let twice = it.scopes.iter().find(|scope| before.iter().any(|other| other.scopes.contains(scope)));
        if let Some(scope) = twice {
            return bad(format!("another statement is about `{scope}` as well"));
        }
        if it.scopes.is_empty() || it.scopes.iter().any(|scope| scope == "*") && it.scopes.len() > 1 {
            return bad("`registryScopes` is `*` alone, or names repositories".into());
        }
    }
    Ok(statements)
}

fn statement(stored: Stored) -> Result<Statement, BadPolicy> {
    let bad = |what: String| BadPolicy::Statement { name: stored.name.clone(), what };
    let verification = &stored.signature_verification;
    let (mut revocation, mut staleness) = match verification.level.as_str() {
        "strict" => (RevocationRule::Required, Staleness::Refused),
        "permissive" => (RevocationRule::IfKnown, Staleness::Told),
        level => return Err(bad(format!("level `{level}` lets anything pass: use `strict` or `permissive`"))),
    };
    for (check, action) in &verification.overrides {
        match (check.as_str(), action.as_str()) {
            ("revocation", "enforce") => revocation = RevocationRule::Required,
            ("revocation", "log" | "skip") => revocation = RevocationRule::IfKnown,
            ("expiry" | "authenticTimestamp", "enforce") => staleness = Staleness::Refused,
            ("expiry" | "authenticTimestamp", "log") if verification.level == "permissive" => {}
            ("authenticity" | "integrity", "enforce") => {}
            (check, action) => return Err(bad(format!("`{check}: {action}` of `override` is not held here"))),
        }
    }
    let mut stores = Vec::new();
    for store in &stored.trust_stores {
        let (kind, name) = store.split_once(':').unwrap_or_default();
        let kinds = [StoreKind::Authority, StoreKind::SigningAuthority, StoreKind::TimestampAuthority];
        let kind = kinds.into_iter().find(|it| it.as_str() == kind);
        let is_name =
            |it: &str| !it.is_empty() && it.bytes().all(|it| it.is_ascii_alphanumeric() || b"_.-".contains(&it));
        match kind.filter(|_| is_name(name) && !name.starts_with('.')) {
            Some(kind) => stores.push((kind, name.to_owned())),
            None => {
                return Err(bad(format!("`{store}` is no trust store: ca:NAME, signingAuthority:NAME or tsa:NAME")));
            }
        }
    }
    if !stores.iter().any(|(kind, _)| *kind != StoreKind::TimestampAuthority) {
        return Err(bad("it names no trust store for signers".into()));
    }
    let mut subjects = Vec::new();
    let is_any = stored.trusted_identities.iter().any(|it| it == "*");
    if stored.trusted_identities.is_empty() || is_any && stored.trusted_identities.len() > 1 {
        return Err(bad("`trustedIdentities` is `*` alone, or names subjects".into()));
    }
    for identity in stored.trusted_identities.iter().filter(|_| !is_any) {
        let subject = identity.strip_prefix("x509.subject:").ok_or_else(|| {
            bad(format!("`{identity}` is no identity that is understood: write `x509.subject: C=..., ST=..., O=...`"))
        })?;
        subjects.push(Subject::parse(subject.trim()).map_err(|error: NoName| bad(error.to_string()))?);
    }
    let Stored { name, registry_scopes: scopes, .. } = stored;
    Ok(Statement { name, scopes, stores, subjects, revocation, staleness })
}

/// The statement about a repository: the one that names it, else the one about all.
pub fn about<'s>(statements: &'s [Statement], repository: &str) -> Option<&'s Statement> {
    let named = |scope: &str| statements.iter().find(|it| it.scopes.iter().any(|its| its == scope));
    named(repository).or_else(|| named("*"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(statements: &[(&str, &str)]) -> String {
        let statements: Vec<String> = statements
            .iter()
            .map(|(name, scopes)| {
                format!(
                    r#"{{"name": "{name}", "registryScopes": [{scopes}], "signatureVerification": {{"level": "strict"}},
                        "trustStores": ["ca:a"], "trustedIdentities": ["*"]}}"#
                )
            })
            .collect();
        let text = format!(r#"{{"version": "1.0", "trustPolicies": [{}]}}"#, statements.join(","));
        parse(&text).map_or_else(|error| error.to_string(), |statements| statements.len().to_string())
    }

    #[test]
    fn of_two_statements_about_one_repository_neither_is_taken() {
        assert_eq!(read(&[("a", r#""x/y""#), ("b", r#""x/z", "v/w""#), ("c", r#""*""#)]), "3");
        assert_eq!(
            read(&[("a", r#""x/y""#), ("b", r#""x/z", "x/y""#)]),
            "statement `b`: another statement is about `x/y` as well"
        );
        assert_eq!(read(&[("a", r#""*""#), ("b", r#""*""#)]), "statement `b`: another statement is about `*` as well");
        assert_eq!(read(&[("a", r#""x/y""#), ("a", r#""x/z""#)]), "statement `a`: another statement has the same name");
        let alone = "statement `a`: `registryScopes` is `*` alone, or names repositories";
        assert_eq!(read(&[("a", r#""*", "x/y""#)]), alone);
        assert_eq!(read(&[("a", "")]), alone);
    }
}
