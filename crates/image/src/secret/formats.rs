//! Each form of secrets: its marker, and what proves it.

use memchr::memmem;
use palisade_model::Severity;
use serde_json::Value;

use super::encoding::{base64, entropy, has_right_sum};
use super::{Form, Match};

pub const ALL: &[Form] = &[
    Form { what: "AWS access key", marker: "AKIA", public: 4, check: aws },
    Form { what: "GitHub token", marker: "ghp_", public: 4, check: github },
    Form { what: "GitHub token", marker: "gho_", public: 4, check: github },
    Form { what: "GitHub token", marker: "ghu_", public: 4, check: github },
    Form { what: "GitHub token", marker: "ghs_", public: 4, check: github },
    Form { what: "GitHub token", marker: "ghr_", public: 4, check: github },
    Form { what: "GitHub token", marker: "github_pat_", public: 11, check: github_fine_grained },
    Form { what: "GitLab token", marker: "glpat-", public: 6, check: gitlab },
    Form { what: "npm token", marker: "npm_", public: 4, check: github },
    Form { what: "private key", marker: "-----BEGIN ", public: 11, check: private_key },
    Form { what: "JSON web token", marker: "eyJ", public: 3, check: json_web_token },
    Form { what: "Slack token", marker: "xox", public: 5, check: slack },
    Form { what: "Slack webhook", marker: "https://hooks.slack.com/services/T", public: 33, check: slack_webhook },
    Form { what: "Stripe key", marker: "sk_live_", public: 8, check: stripe },
    Form { what: "Stripe key", marker: "rk_live_", public: 8, check: stripe },
    Form { what: "PyPI token", marker: "pypi-AgEIcHlwaS5vcmc", public: 5, check: pypi },
    Form { what: "Google API key", marker: "AIza", public: 4, check: google },
    Form { what: "login to a registry", marker: "\"auth\"", public: 0, check: registry_login },
    Form { what: "password in a URL", marker: "://", public: 0, check: password_in_url },
];

/// The longest private key that is read.
const LONGEST_KEY: usize = 16 << 10;

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// The letters from `at` on that are of the alphabet.
fn run(text: &[u8], at: usize, is_letter: impl Fn(u8) -> bool) -> &[u8] {
    let rest = text.get(at..).unwrap_or_default();
    &rest[..rest.iter().position(|byte| !is_letter(*byte)).unwrap_or(rest.len())]
}

/// Whether a word begins here.
fn begins(text: &[u8], at: usize) -> bool {
    at == 0 || !is_word(text[at - 1])
}

fn found(begin: usize, length: usize, severity: Severity, proof: &str) -> Option<Match> {
    Some(Match { begin, end: begin + length, severity, proof: proof.to_owned() })
}

/// A key id is no secret; with the secret key beside it, it is the account.
fn aws(text: &[u8], at: usize) -> Option<Match> {
    const NEAR: usize = 400;
    let word = run(text, at, is_word);
    let is_id = word.len() == 20 && word[4..].iter().all(|byte| matches!(byte, b'A'..=b'Z' | b'2'..=b'7'));
    if !begins(text, at) || !is_id || word.ends_with(b"EXAMPLE") {
        return None;
    }
    let near = &text[at.saturating_sub(NEAR)..(at + NEAR).min(text.len())];
    let is_secret = |word: &&[u8]| word.len() == 40 && entropy(word) > 4.2 && !word.ends_with(b"EXAMPLEKEY");
    let mut words = near.split(|byte| !byte.is_ascii_alphanumeric() && !b"+/".contains(byte));
    match words.find(is_secret) {
        Some(_) => found(at, 20, Severity::Critical, "its secret key stands beside it"),
        None => found(at, 20, Severity::Low, "a key id, without the secret key"),
    }
}

fn github(text: &[u8], at: usize) -> Option<Match> {
    let word = run(text, at, is_word);
    let is_token = begins(text, at) && word.len() == 40 && has_right_sum(&word[4..]);
    is_token.then(|| found(at, 40, Severity::Critical, "its checksum is right"))?
}

fn github_fine_grained(text: &[u8], at: usize) -> Option<Match> {
    let word = run(text, at, is_word);
    let (head, tail) = (word.get(11..33)?, word.get(34..)?);
    let is_plain = |part: &[u8]| part.iter().all(u8::is_ascii_alphanumeric);
    let is_token = word[33] == b'_' && tail.len() == 59 && is_plain(head) && is_plain(tail) && entropy(tail) > 4.0;
    is_token.then(|| found(at, word.len(), Severity::Critical, "of the exact form"))?
}

fn gitlab(text: &[u8], at: usize) -> Option<Match> {
    let word = run(text, at, |byte| is_word(byte) || byte == b'-');
    let is_token = begins(text, at) && word.len() == 26 && entropy(&word[6..]) > 3.5;
    is_token.then(|| found(at, 26, Severity::Critical, "of the exact form"))?
}

fn stripe(text: &[u8], at: usize) -> Option<Match> {
    let word = run(text, at, is_word);
    let is_key = begins(text, at) && (32..=255).contains(&word.len()) && entropy(&word[8..]) > 3.5;
    is_key.then(|| found(at, word.len(), Severity::Critical, "of the exact form, of a live account"))?
}

fn google(text: &[u8], at: usize) -> Option<Match> {
    let word = run(text, at, |byte| is_word(byte) || byte == b'-');
    let is_key = begins(text, at) && word.len() == 39 && entropy(&word[4..]) > 4.0;
    // Such keys stand in web pages, where they have to.
    is_key.then(|| found(at, 39, Severity::Medium, "of the exact form"))?
}

/// A macaroon whose first field is the place that it is for.
fn pypi(text: &[u8], at: usize) -> Option<Match> {
    let word = run(text, at, |byte| is_word(byte) || byte == b'-');
    let bytes = base64(word.get(5..)?)?;
    let is_token = word.len() > 80 && bytes.starts_with(b"\x02\x01\x08pypi.org");
    is_token.then(|| found(at, word.len(), Severity::Critical, "it decodes as a macaroon of pypi.org"))?
}

/// `xoxb-`, `xoxp-` and others, of digits and one random part.
fn slack(text: &[u8], at: usize) -> Option<Match> {
    let word = run(text, at, |byte| byte.is_ascii_alphanumeric() || byte == b'-');
    let mut parts = word.split(|byte| *byte == b'-');
    let is_kind = matches!(parts.next(), Some([b'x', b'o', b'x', b'a' | b'b' | b'e' | b'p' | b'r' | b's']));
    let parts: Vec<&[u8]> = parts.collect();
    let (random, numbers) = parts.split_last()?;
    let are_numbers = numbers.iter().all(|part| part.len() >= 9 && part.iter().all(u8::is_ascii_digit));
    let is_token = begins(text, at) && is_kind && !numbers.is_empty() && are_numbers && random.len() >= 20;
    (is_token && entropy(random) > 3.0).then(|| found(at, word.len(), Severity::Critical, "of the exact form"))?
}

fn slack_webhook(text: &[u8], at: usize) -> Option<Match> {
    let word = run(text, at, |byte| byte.is_ascii_alphanumeric() || b":/.".contains(&byte));
    let parts: Vec<&[u8]> = word.split(|byte| *byte == b'/').skip(4).collect();
    let is_hook = matches!(parts[..], [team, bot, random] if team.len() > 8 && bot.starts_with(b"B") && bot.len() > 8
        && random.len() == 24 && entropy(random) > 3.5);
    is_hook.then(|| found(at, word.len(), Severity::High, "of the exact form"))?
}

/// Three parts, of which the first two are JSON that says what tokens say.
fn json_web_token(text: &[u8], at: usize) -> Option<Match> {
    let word = run(text, at, |byte| is_word(byte) || b"-.".contains(&byte));
    let parts: Vec<&[u8]> = word.split(|byte| *byte == b'.').collect();
    let [header, claims, signature] = parts[..] else { return None };
    let json = |part: &[u8]| serde_json::from_slice::<Value>(&base64(part)?).ok();
    let (header, claims) = (json(header)?, json(claims)?);
    let is_token = begins(text, at) && header["alg"].is_string() && claims.is_object() && signature.len() >= 32;
    // The example of RFC 7519's own web site stands in a thousand documents.
    if !is_token || claims["name"] == "John Doe" {
        return None;
    }
    match claims["exp"].is_number() {
        true => found(at, word.len(), Severity::Low, "it decodes, and ends at a time"),
        false => found(at, word.len(), Severity::High, "it decodes, and never ends"),
    }
}

/// PEM whose content is DER of a key, or OpenSSH's own form. In JSON its line ends are written as `\n`.
fn private_key(text: &[u8], at: usize) -> Option<Match> {
    let text = &text[..text.len().min(at + LONGEST_KEY)];
    let label = run(text, at + 11, |byte| byte.is_ascii_uppercase() || byte == b' ');
    let label = label.strip_suffix(b"PRIVATE KEY")?;
    let body = at + 11 + label.len() + b"PRIVATE KEY-----".len();
    let end = body + memmem::find(text.get(body..)?, b"-----END ")?;
    let body = String::from_utf8_lossy(&text[body..end]).replace("\\n", "\n").replace("\\r", "");
    // Old encrypted keys have headers before the content, which an empty line ends.
    let (headers, content) = match body.split_once("\n\n") {
        Some((headers, content)) if headers.contains(':') => (headers, content),
        _ => ("", &*body),
    };
    let bytes = base64(content.as_bytes())?;
    let is_encrypted = label == b"ENCRYPTED " || headers.contains("ENCRYPTED");
    let is_key = match bytes.strip_prefix(b"openssh-key-v1\0\0\0\0") {
        Some(rest) => rest.len() > 64,
        None => is_encrypted && bytes.len() >= 32 || is_der_of_key(&bytes),
    };
    let is_locked = bytes.strip_prefix(b"openssh-key-v1\0\0\0\0").is_some_and(|rest| !rest.starts_with(b"\x04none"));
    let length = end - at;
    match (is_key, is_encrypted || is_locked) {
        (false, _) => None,
        (true, true) => found(at, length, Severity::Low, "it parses, and is encrypted"),
        (true, false) if is_of_a_service_account(text, at) => {
            found(at, length, Severity::Critical, "it parses, and is that of a Google service account")
        }
        (true, false) => found(at, length, Severity::High, "it parses, and is not encrypted"),
    }
}

/// A sequence as long as it says, whose first member is a small number.
fn is_der_of_key(bytes: &[u8]) -> bool {
    let (length, rest) = match bytes {
        [0x30, 0x81, length, rest @ ..] => (usize::from(*length), rest),
        [0x30, 0x82, high, low, rest @ ..] => (usize::from(*high) << 8 | usize::from(*low), rest),
        [0x30, length @ 0..=0x7f, rest @ ..] => (usize::from(*length), rest),
        _ => return false,
    };
    length == rest.len() && length >= 32 && rest.starts_with(&[0x02, 0x01]) && rest[2] <= 1
}

fn is_of_a_service_account(text: &[u8], at: usize) -> bool {
    const NEAR: usize = 1000;
    let before = &text[at.saturating_sub(NEAR)..at];
    memmem::find(before, b"\"private_key\"").is_some() && memmem::find(before, b"\"service_account\"").is_some()
}

/// `"auth": "..."` of Docker's config: a name and a password.
fn registry_login(text: &[u8], at: usize) -> Option<Match> {
    let rest = text.get(at + 6..)?;
    let open = rest.iter().take(8).position(|byte| *byte == b'"')? + 1;
    if !rest[..open - 1].iter().all(|byte| byte.is_ascii_whitespace() || *byte == b':') {
        return None;
    }
    let begin = at + 6 + open;
    let word = run(text, begin, |byte| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte));
    let login = String::from_utf8(base64(word)?).ok()?;
    let (user, password) = login.split_once(':')?;
    let is_login = word.len() >= 8 && !user.is_empty() && password.len() >= 4 && !login.contains(char::is_control);
    is_login.then(|| found(begin, word.len(), Severity::Critical, "it decodes as a name and a password"))?
}

/// `https://name:password@host`, when the password is random enough to be one.
fn password_in_url(text: &[u8], at: usize) -> Option<Match> {
    let is_url = |byte: u8| byte.is_ascii_graphic() && !b"\"'<>/@`\\{}$".contains(&byte);
    let login = run(text, at + 3, is_url);
    let end = at + 3 + login.len();
    let colon = login.iter().position(|byte| *byte == b':')?;
    let host = run(text, end + 1, |byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte));
    let password = &login[colon + 1..];
    let is_login = text.get(end) == Some(&b'@') && colon > 0 && host.contains(&b'.') && !host.starts_with(b"example.");
    let is_random = password.len() >= 12 && entropy(password) > 3.2 && password.iter().any(u8::is_ascii_digit);
    (is_login && is_random).then(|| found(at + 4 + colon, password.len(), Severity::High, "it is random"))?
}

#[cfg(test)]
mod tests {
    use super::super::{find, redacted};

    /// What is found, each with its proof. The texts are put together here, so that nobody's scanner finds them in this
    /// file.
    fn said(parts: &[&str]) -> Vec<String> {
        let text = parts.concat();
        let found = find(text.as_bytes());
        for secret in &found {
            assert!(secret.shown.len() < 60 && !text.trim().eq(&secret.shown), "shown whole: {}", secret.shown);
        }
        found.iter().map(|it| format!("{} {}: {}", it.severity, it.what, it.proof)).collect()
    }

    /// Tokens of osv-scalibr's tests, which are of GitHub's make and revoked.
    #[test]
    fn tokens_with_a_sum_are_told_from_what_looks_like_them() {
        for token in ["HqVdKoLwkXN58VKftd2vJr0rxEx6tt26hion", "lbSH4CWqHKWSJCtf6JdQKnIkM6IkV00NzVax"] {
            assert_eq!(said(&["token=", "ghp_", token]), ["critical GitHub token: its checksum is right"]);
            assert!(said(&["token=", "ghp_", &token.replace('V', "W")]).is_empty());
            assert!(said(&["token=x", "ghp_", token]).is_empty(), "it is the end of another word");
        }
        assert_eq!(said(&["gho_", "J8AHe9Wu6fCQBP78cuGP9nmsbdpmy03EsFlw"]).len(), 1);
    }

    #[test]
    fn a_key_id_is_bad_with_its_secret_beside_it() {
        let id = ["AKI", "A2OGYBAH6QK6ZTM5N"];
        assert_eq!(said(&[&id[..], &["\n"]].concat()), ["low AWS access key: a key id, without the secret key"]);
        let secret = "\naws_secret_access_key = wJ4lrXUtnF3MIaK7MDEaNGbPxRfiCYzEkX9LpQ2d\n";
        assert_eq!(said(&[&id[..], &[secret]].concat()), ["critical AWS access key: its secret key stands beside it"]);
        assert!(said(&["AKI", "AIOSFODNN7EXAMPLE"]).is_empty());
    }

    #[test]
    fn structures_have_to_parse() {
        let header = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9";
        let signature = ".SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c";
        let claims = "eyJyb2xlIjoic2VydmljZV9yb2xlIn0";
        assert_eq!(said(&[header, ".", claims, signature]), ["high JSON web token: it decodes, and never ends"]);
        assert!(said(&[header, ".", "eyJyb2xlIjoic2Vydmlj", signature]).is_empty());
        assert!(said(&["-----BEGIN ", "PRIVATE KEY-----\nbm90IGEga2V5\n-----END PRIVATE KEY-----"]).is_empty());
        let login = "{\"auths\": {\"r.example\": {\"auth\": \"YWxpY2U6aHVudGVyMg==\"}}}";
        assert_eq!(said(&[login]), ["critical login to a registry: it decodes as a name and a password"]);
        assert!(said(&["{\"auth\": \"none of it\"}"]).is_empty());
    }

    #[test]
    fn slack_and_urls_by_their_parts() {
        assert_eq!(said(&["xoxb-", "123456789012-123456789012-Ab1Cd2Ef3Gh4Ij5Kl6Mn7Op8"]).len(), 1);
        assert!(said(&["xoxb-not-a-token"]).is_empty());
        let url = ["https://bot:", "s3cr3tP4ssw0rd9x", "@git.example.org/x.git"];
        assert_eq!(said(&url), ["high password in a URL: it is random"]);
        assert!(said(&["https://user:password@git.example.org/"]).is_empty());
        assert!(!redacted(&url.concat()).contains("s3cr3t"));
    }

    #[test]
    fn nothing_panics_on_pieces() {
        let text =
            ["-----BEGIN PRIVATE KEY-----AKIA ghp_ eyJ.. xox- \"auth\": \"\" :// pypi-AgEIcHlwaS5vcmc", "://a:b@"]
                .concat();
        for from in 0..text.len() {
            for to in from..text.len() {
                find(&text.as_bytes()[from..to]);
            }
        }
    }
}
