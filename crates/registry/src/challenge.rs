//! How a registry wants to be asked: `WWW-Authenticate`.
//!
//! Source: RFC 9110, section 11; distribution's token authentication specification.

/// A way in that is spoken here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Challenge {
    /// Name and password with each request.
    Basic,
    /// A token, to be had at `realm`.
    Bearer {
        /// Who gives it.
        realm: String,
        /// For whom.
        service: Option<String>,
        /// For what.
        scope: Option<String>,
    },
}

/// The best of the ways that the headers offer: a token before a password. `None` when none is spoken here.
pub fn choose<'h>(headers: impl Iterator<Item = &'h str>) -> Option<Challenge> {
    let mut basic = None;
    for header in headers {
        for (scheme, parameters) in parse(header) {
            let value = |name: &str| {
                let found = parameters.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
                found.map(|(_, value)| value.clone())
            };
            if scheme.eq_ignore_ascii_case("bearer")
                && let Some(realm) = value("realm")
            {
                return Some(Challenge::Bearer { realm, service: value("service"), scope: value("scope") });
            }
            if scheme.eq_ignore_ascii_case("basic") {
                basic = Some(Challenge::Basic);
            }
        }
    }
    basic
}

type Parameters = Vec<(String, String)>;

/// Each challenge of a header. What cannot be read ends it.
fn parse(header: &str) -> Vec<(String, Parameters)> {
    let mut challenges: Vec<(String, Parameters)> = Vec::new();
    let mut rest = header;
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        let (word, after) = token(rest);
        if word.is_empty() {
            return challenges;
        }
        match (after.trim_start().strip_prefix('='), challenges.last_mut()) {
            (Some(value), Some((_, parameters))) => {
                let Some((value, after)) = parameter(value.trim_start()) else { return challenges };
                parameters.push((word.to_owned(), value));
                rest = after;
            }
            (Some(_), None) => return challenges,
            (None, _) => {
                challenges.push((word.to_owned(), Vec::new()));
                rest = after;
            }
        }
    }
}

fn token(text: &str) -> (&str, &str) {
    let is_token = |it: char| it.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~/".contains(it);
    text.split_at(text.find(|it| !is_token(it)).unwrap_or(text.len()))
}

/// A quoted string, or a token.
fn parameter(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([',', ' ', '\t']).unwrap_or(text.len());
        return (end > 0).then(|| (text[..end].to_owned(), &text[end..]));
    };
    let (mut value, mut is_escaped) = (String::new(), false);
    for (at, character) in quoted.char_indices() {
        match character {
            '\\' if !is_escaped => is_escaped = true,
            '"' if !is_escaped => return Some((value, &quoted[at + 1..])),
            character => {
                value.push(character);
                is_escaped = false;
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bearer(realm: &str, service: Option<&str>, scope: Option<&str>) -> Option<Challenge> {
        let owned = |it: Option<&str>| it.map(str::to_owned);
        Some(Challenge::Bearer { realm: realm.into(), service: owned(service), scope: owned(scope) })
    }

    #[test]
    fn a_token_is_chosen_before_a_password() {
        let hub =
            r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:a/b:pull""#;
        let whole = bearer("https://auth.docker.io/token", Some("registry.docker.io"), Some("repository:a/b:pull"));
        assert_eq!(choose([hub].into_iter()), whole);
        assert_eq!(
            choose([r#"Basic realm="a, b", bearer realm=https://x/t"#].into_iter()),
            bearer("https://x/t", None, None)
        );
        assert_eq!(choose([r#"Basic realm="x""#, r#"Bearer realm="a\"b""#].into_iter()), bearer("a\"b", None, None));
        assert_eq!(choose(["Basic"].into_iter()), Some(Challenge::Basic));
        assert_eq!(choose(["Negotiate", "Bearer"].into_iter()), None);
    }

    #[test]
    fn broken_ones_end_and_do_not_panic() {
        for text in
            ["", ",,,", "Bearer realm=", "Bearer realm=\"", "Bearer realm=\"\\", "= x", "Bearer \u{e9}=x", "\u{e9}"]
        {
            assert_eq!(choose([text].into_iter()), None, "{text}");
        }
    }
}
