//! Package URLs, written canonically and read leniently.
//!
//! Source: the purl specification, ECMA-427.

use std::fmt::{self, Write as _};

/// A package URL: `pkg:deb/debian/libc6@2.36-9?arch=amd64&distro=debian-12`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct PackageUrl {
    /// `deb`; lower case.
    pub kind: String,
    /// `debian`, `@babel`, `org.springframework`, `github.com/gorilla`: segments between slashes.
    pub namespace: Option<String>,
    /// `libc6`.
    pub name: String,
    /// `2.36-9`.
    pub version: Option<String>,
    /// Sorted by key when it is written; those without a value are left out.
    pub qualifiers: Vec<(String, String)>,
    /// A path inside of the package.
    pub subpath: Option<String>,
}

/// A purl of more qualifiers is read without the rest.
const MOST_QUALIFIERS: usize = 64;

impl PackageUrl {
    /// `pkg:kind/name@version`; an empty version is left out.
    pub fn new(kind: &str, name: &str, version: &str) -> Self {
        let version = Some(version).filter(|version| !version.is_empty()).map(str::to_owned);
        Self { kind: kind.to_owned(), name: name.to_owned(), version, ..Self::default() }
    }

    /// The same, in `namespace`, unless that is empty.
    #[must_use]
    pub fn within(mut self, namespace: &str) -> Self {
        self.namespace = Some(namespace).filter(|namespace| !namespace.is_empty()).map(str::to_owned);
        self
    }

    /// The same, with a qualifier, unless its value is empty.
    #[must_use]
    pub fn with(mut self, key: &str, value: &str) -> Self {
        if !value.is_empty() {
            self.qualifiers.push((key.to_owned(), value.to_owned()));
        }
        self
    }

    /// The value of a qualifier.
    pub fn qualifier(&self, key: &str) -> Option<&str> {
        self.qualifiers.iter().find(|(it, _)| it == key).map(|(_, value)| value.as_str())
    }

    /// Reads one; `None` when it is none.
    pub fn parse(text: &str) -> Option<Self> {
        let rest = text.trim().strip_prefix("pkg:")?.trim_start_matches('/');
        let (rest, subpath) = split_last(rest, '#');
        let (rest, qualifiers) = split_last(rest, '?');
        let (kind, rest) = rest.split_once('/')?;
        // An `@` of an npm scope that was not encoded stands before a slash.
        let (path, version) = match rest.rsplit_once('@') {
            Some((path, version)) if !version.contains('/') && !path.is_empty() => (path, Some(decoded(version))),
            _ => (rest, None),
        };
        let path = path.trim_matches('/');
        let (namespace, name) = path.rsplit_once('/').map_or((None, path), |(space, name)| (Some(space), name));
        if kind.is_empty() || name.is_empty() {
            return None;
        }
        let mut qualifiers: Vec<(String, String)> = qualifiers
            .unwrap_or("")
            .split('&')
            .take(MOST_QUALIFIERS)
            .filter_map(|pair| pair.split_once('='))
            .filter(|(_, value)| !value.is_empty())
            .map(|(key, value)| (key.to_ascii_lowercase(), decoded(value)))
            .collect();
        qualifiers.sort();
        Some(Self {
            kind: kind.to_ascii_lowercase(),
            namespace: namespace.map(|space| space.split('/').map(decoded).collect::<Vec<_>>().join("/")),
            name: decoded(name),
            version,
            qualifiers,
            subpath: subpath.map(decoded),
        })
    }
}

fn split_last(text: &str, mark: char) -> (&str, Option<&str>) {
    text.rsplit_once(mark).map_or((text, None), |(text, rest)| (text, Some(rest)))
}

impl fmt::Display for PackageUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "pkg:{}/", self.kind)?;
        for segment in self.namespace.iter().flat_map(|it| it.split('/')).filter(|it| !it.is_empty()) {
            write!(f, "{}/", Encoded(segment))?;
        }
        write!(f, "{}", Encoded(&self.name))?;
        if let Some(version) = &self.version {
            write!(f, "@{}", Encoded(version))?;
        }
        let mut qualifiers: Vec<_> = self.qualifiers.iter().collect();
        qualifiers.sort();
        for (index, (key, value)) in qualifiers.into_iter().enumerate() {
            write!(f, "{}{key}={}", if index == 0 { '?' } else { '&' }, Encoded(value))?;
        }
        match &self.subpath {
            Some(path) => {
                f.write_char('#')?;
                let segments: Vec<_> = path.split('/').map(|it| Encoded(it).to_string()).collect();
                f.write_str(&segments.join("/"))
            }
            None => Ok(()),
        }
    }
}

/// Text with all but the unreserved characters and the colon as `%41`.
struct Encoded<'a>(&'a str);

impl fmt::Display for Encoded<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in self.0.bytes() {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b'_' | b'~' | b':' => {
                    f.write_char(char::from(byte))?
                }
                other => write!(f, "%{other:02X}")?,
            }
        }
        Ok(())
    }
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let hex = (first == b'%').then(|| tail.get(..2)).flatten().and_then(|hex| std::str::from_utf8(hex).ok());
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            None => {
                bytes.push(first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Written and read again it is the same.
    fn check(purl: PackageUrl, text: &str) {
        assert_eq!(purl.to_string(), text);
        assert_eq!(PackageUrl::parse(text).expect("a purl").to_string(), text);
    }

    #[test]
    fn purls_are_written_as_the_specification_says() {
        check(
            PackageUrl::new("deb", "libstdc++6", "1:12.2.0-14~x").within("debian").with("arch", "amd64").with("a", ""),
            "pkg:deb/debian/libstdc%2B%2B6@1:12.2.0-14~x?arch=amd64",
        );
        check(PackageUrl::new("npm", "core", "7.0.0").within("@babel"), "pkg:npm/%40babel/core@7.0.0");
        check(PackageUrl::new("golang", "stdlib", ""), "pkg:golang/stdlib");
        check(
            PackageUrl::new("golang", "mux", "v1.8.0").within("github.com/gorilla"),
            "pkg:golang/github.com/gorilla/mux@v1.8.0",
        );
    }

    #[test]
    fn what_others_write_is_read() {
        let purl = PackageUrl::parse("pkg:NPM/@babel/core@7.0.0?z=1&a=b%2Fc#src/x").expect("a purl");
        assert_eq!(purl.to_string(), "pkg:npm/%40babel/core@7.0.0?a=b%2Fc&z=1#src/x");
        assert_eq!(PackageUrl::parse("pkg:npm/@babel/core").expect("a purl").version, None);
        for none in ["", "pkg:", "pkg:npm", "pkg:npm/", "npm/x@1", "pkg:/x"] {
            assert_eq!(PackageUrl::parse(none), None, "{none}");
        }
    }
}
