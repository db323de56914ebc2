//! Distinguished names, as trust policies write them and certificates hold them.

use std::fmt;

use const_oid::ObjectIdentifier;
use const_oid::db::rfc4519;
use der::asn1::{Ia5StringRef, PrintableStringRef, Utf8StringRef};
use x509_cert::name::RdnSequence;

/// The attributes of a name, sorted: `(C, DE)`, `(CN, release)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject(Vec<(String, String)>);

/// A text that is no name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no subject that can be trusted: {1}")]
pub struct NoName(String, String);

/// The attributes that have short names.
const SHORT: &[(ObjectIdentifier, &str)] = &[
    (rfc4519::COUNTRY_NAME, "C"),
    (rfc4519::ST, "ST"),
    (rfc4519::L, "L"),
    (rfc4519::O, "O"),
    (rfc4519::OU, "OU"),
    (rfc4519::CN, "CN"),
    (rfc4519::STREET, "STREET"),
    (rfc4519::POSTAL_CODE, "POSTALCODE"),
    (rfc4519::SERIAL_NUMBER, "SERIALNUMBER"),
    (rfc4519::DC, "DC"),
];

impl Subject {
    /// Reads `C=DE, ST=BE, O=Acme, CN=release`; a backslash takes the meaning from the next character.
    ///
    /// # Errors
    /// When it is none, names an attribute twice, or is so short that it would trust strangers.
    pub fn parse(text: &str) -> Result<Self, NoName> {
        let bad = |what: &str| NoName(text.to_owned(), what.to_owned());
        let mut attributes = Vec::new();
        for part in split(text) {
            let (key, value) = part.split_once('=').ok_or_else(|| bad("each attribute is written as KEY=VALUE"))?;
            let key = match key.trim().to_ascii_uppercase().as_str() {
                "S" => "ST".to_owned(),
                key => key.to_owned(),
            };
            if !SHORT.iter().any(|(_, short)| *short == key) {
                return Err(bad(&format!("`{key}` is no attribute that is known")));
            }
            let value = unescape(value.trim()).ok_or_else(|| bad("`+`, `<`, `>`, `;` and `\"` need a backslash"))?;
            if value.is_empty() {
                return Err(bad(&format!("`{key}` has no value")));
            }
            if attributes.iter().any(|(known, _)| *known == key) {
                return Err(bad(&format!("`{key}` stands twice")));
            }
            attributes.push((key, value));
        }
        if let Some(missing) = ["C", "ST", "O"].into_iter().find(|key| !attributes.iter().any(|(it, _)| it == key)) {
            return Err(bad(&format!("`{missing}` is missing; C, ST and O must be there")));
        }
        attributes.sort();
        Ok(Self(attributes))
    }

    /// Of a certificate.
    pub(super) fn of(name: &RdnSequence) -> Self {
        let mut attributes = Vec::new();
        for attribute in name.0.iter().flat_map(|relative| relative.0.iter()) {
            let short = SHORT.iter().find(|(oid, _)| *oid == attribute.oid);
            let key = short.map_or_else(|| attribute.oid.to_string(), |(_, short)| (*short).to_owned());
            let value = &attribute.value;
            let text = Utf8StringRef::try_from(value)
                .map(|text| text.as_str().to_owned())
                .or_else(|_| PrintableStringRef::try_from(value).map(|text| text.as_str().to_owned()))
                .or_else(|_| Ia5StringRef::try_from(value).map(|text| text.as_str().to_owned()));
            attributes.push((key, text.unwrap_or_default()));
        }
        attributes.sort();
        Self(attributes)
    }

    /// Whether the certificate's name has all of these attributes.
    pub(super) fn is_in(&self, name: &Self) -> bool {
        self.0.iter().all(|(key, value)| {
            // An attribute that stands twice in a certificate could be either.
            let mut of_key = name.0.iter().filter(|(other, _)| other == key);
            of_key.next().is_some_and(|(_, found)| found == value) && of_key.next().is_none()
        })
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: Vec<String> = self.0.iter().map(|(key, value)| format!("{key}={value}")).collect();
        f.write_str(&parts.join(", "))
    }
}

/// At commas that no backslash stands before.
fn split(text: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut is_escaped = false;
    for character in text.chars() {
        match character {
            ',' if !is_escaped => parts.push(String::new()),
            _ => parts.last_mut().expect("never empty").push(character),
        }
        is_escaped = character == '\\' && !is_escaped;
    }
    parts
}

fn unescape(text: &str) -> Option<String> {
    let mut plain = String::new();
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => plain.push(characters.next()?),
            '+' | '<' | '>' | ';' | '"' => return None,
            _ => plain.push(character),
        }
    }
    Some(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_read_and_one_that_trusts_too_many_is_refused() {
        let shown = |text: &str| Subject::parse(text).map_or_else(|error| error.to_string(), |it| it.to_string());
        expect_test::expect![[r#"
            C=DE, CN=release, O=Acme, ST=BE
            C=DE, O=Acme, Inc., ST=BE
            `CN=release` is no subject that can be trusted: `C` is missing; C, ST and O must be there
            `C=DE, C=FR, ST=BE, O=Acme` is no subject that can be trusted: `C` stands twice
            `C=DE, ST=BE, O=Acme, XY=1` is no subject that can be trusted: `XY` is no attribute that is known
            `C=DE, ST=BE, O=` is no subject that can be trusted: `O` has no value
            `C=DE, ST=BE, O=Acme+OU=x` is no subject that can be trusted: `+`, `<`, `>`, `;` and `"` need a backslash
            `` is no subject that can be trusted: each attribute is written as KEY=VALUE
        "#]]
        .assert_eq(
            &[
                "C=DE, ST=BE, O=Acme, CN=release",
                "C=DE, S=BE, O=Acme\\, Inc.",
                "CN=release",
                "C=DE, C=FR, ST=BE, O=Acme",
                "C=DE, ST=BE, O=Acme, XY=1",
                "C=DE, ST=BE, O=",
                "C=DE, ST=BE, O=Acme+OU=x",
                "",
            ]
            .map(|text| shown(text) + "\n")
            .concat(),
        );
    }
}
