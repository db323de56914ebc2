//! `os-release`: whose userland it is.
//!
//! Source: os-release(5).

use crate::catalogue::Distribution;

/// Reads the lines of `os-release` that matter here.
pub fn parse_os_release(text: &str) -> Distribution {
    let mut distribution = Distribution::default();
    let mut plain_name = None;
    for line in text.lines() {
        let Some((key, value)) = line.trim().split_once('=') else { continue };
        let value = unquoted(value.trim());
        let some = Some(value.clone()).filter(|value| !value.is_empty());
        match key {
            "ID" => distribution.id = value.to_ascii_lowercase().into(),
            "VERSION_ID" => distribution.version_id = value.into(),
            "ID_LIKE" => distribution.like = value.split_whitespace().map(str::to_owned).collect(),
            "VERSION_CODENAME" => distribution.codename = some,
            "PRETTY_NAME" => distribution.name = some,
            "NAME" => plain_name = some,
            "CPE_NAME" => distribution.cpe = some,
            "SUPPORT_END" => distribution.support_end = some,
            "VARIANT_ID" => distribution.variant = some,
            _ => {}
        }
    }
    distribution.name = distribution.name.or(plain_name);
    distribution
}

/// A value as the shell reads it: in quotes of either kind, with `\` before what means something to the shell.
fn unquoted(value: &str) -> String {
    let inner = |mark| value.strip_prefix(mark).and_then(|value| value.strip_suffix(mark));
    if let Some(inner) = inner('\'') {
        return inner.to_owned();
    }
    let mut plain = String::new();
    let mut characters = inner('"').unwrap_or(value).chars();
    while let Some(character) = characters.next() {
        plain.extend(if character == '\\' { characters.next() } else { Some(character) });
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_as_a_shell_reads_them() {
        let text =
            "ID=Debian\nVERSION_ID=\"12\"\n# ID=other\nNAME='A \"B\"'\nID_LIKE=\"a b\"\nCPE_NAME=\"x\\$y\"\nbroken\n";
        let distribution = parse_os_release(text);
        assert_eq!((&*distribution.id, &*distribution.version_id), ("debian", "12"));
        assert_eq!(distribution.name.as_deref(), Some("A \"B\""));
        assert_eq!(distribution.cpe.as_deref(), Some("x$y"));
        assert_eq!(distribution.like, ["a", "b"]);
    }
}
