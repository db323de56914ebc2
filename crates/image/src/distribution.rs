//! `os-release`: whose userland it is; and the older files of distributions, for an image that has been cut down to them.
//!
//! Source: os-release(5).

use crate::catalogue::Distribution;

/// Reads the lines of `os-release` that matter here.
fn parse_os_release(text: &str) -> Distribution {
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

/// Where a distribution says which one it is, the likeliest first. `/etc/os-release` is the administrator's,
/// `/usr/lib/os-release` the vendor's; the first is mostly a link to it.
pub const FILES: &[&str] =
    &["etc/os-release", "usr/lib/os-release", "etc/alpine-release", "etc/redhat-release", "etc/debian_version"];

/// Reads one of [`FILES`].
pub fn parse(path: &str, text: &str) -> Distribution {
    let text_of_line = text.lines().next().unwrap_or("").trim();
    let of = |id: &str, version: &str| {
        let is_version = version.starts_with(|c: char| c.is_ascii_digit());
        let version_id = if is_version { version } else { "" };
        Distribution { id: id.into(), version_id: version_id.into(), ..Distribution::default() }
    };
    match path {
        "etc/alpine-release" => of("alpine", text_of_line),
        // `bookworm/sid` is of no release.
        "etc/debian_version" => of("debian", text_of_line),
        "etc/redhat-release" => {
            let (name, rest) = text_of_line.split_once(" release ").unwrap_or((text_of_line, ""));
            let known = RED_HATS_FAMILY.iter().find(|(begin, _)| name.starts_with(begin));
            known.map(|(_, id)| of(id, rest.split(' ').next().unwrap_or(""))).unwrap_or_default()
        }
        _ => parse_os_release(text),
    }
}

/// How `/etc/redhat-release` begins, and the `ID` of it.
const RED_HATS_FAMILY: &[(&str, &str)] = &[
    ("AlmaLinux", "almalinux"),
    ("CentOS", "centos"),
    ("Fedora", "fedora"),
    ("Red Hat Enterprise Linux", "rhel"),
    ("Rocky Linux", "rocky"),
];

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
    fn older_files_name_the_distribution_too() {
        for (path, text, id, version) in [
            ("etc/alpine-release", "3.11.6\n", "alpine", "3.11.6"),
            ("etc/debian_version", "12.5\n", "debian", "12.5"),
            ("etc/debian_version", "trixie/sid\n", "debian", ""),
            ("etc/redhat-release", "AlmaLinux release 9.2 (Turquoise Kodkod)\n", "almalinux", "9.2"),
            ("etc/redhat-release", "Red Hat Enterprise Linux Server release 7.9 (Maipo)\n", "rhel", "7.9"),
            ("etc/redhat-release", "Other release 1\n", "", ""),
            ("usr/lib/os-release", "ID=wolfi\nVERSION_ID=20230201\n", "wolfi", "20230201"),
        ] {
            let found = parse(path, text);
            assert_eq!((&*found.id, &*found.version_id), (id, version), "{path}: {text}");
        }
    }

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
