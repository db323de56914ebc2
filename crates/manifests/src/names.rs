//! The syntax of names, keys and values in Kubernetes.
//!
//! Source: `k8s.io/apimachinery/pkg/util/validation`. Each check answers with what is wrong.

type Check = Result<(), &'static str>;

/// Most characters of a DNS-1123 subdomain.
pub(crate) const LONGEST_SUBDOMAIN: usize = 253;

/// A DNS-1123 subdomain: the name of most objects.
pub(crate) fn check_subdomain(text: &str) -> Check {
    let is_valid = !text.is_empty() && text.len() <= LONGEST_SUBDOMAIN && text.split('.').all(is_label_text);
    if is_valid {
        Ok(())
    } else {
        Err(
            "must be lower-case letters, digits, `-` and `.`, at most 253, with a letter or digit at both ends of each part",
        )
    }
}

/// A DNS-1123 label: namespaces, containers, Service ports.
pub(crate) fn check_label(text: &str) -> Check {
    let is_valid = text.len() <= 63 && is_label_text(text);
    if is_valid {
        Ok(())
    } else {
        Err("must be at most 63 lower-case letters, digits and `-`, with a letter or digit at both ends")
    }
}

/// A DNS-1035 label: Services.
pub(crate) fn check_service_name(text: &str) -> Check {
    let starts_with_letter = text.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase());
    let is_valid = text.len() <= 63 && is_label_text(text) && starts_with_letter;
    if is_valid {
        Ok(())
    } else {
        Err(
            "must be at most 63 lower-case letters, digits and `-`, starting with a letter and ending with a letter or digit",
        )
    }
}

/// A port's name (IANA service name).
pub(crate) fn check_port_name(text: &str) -> Check {
    let is_valid = !text.is_empty()
        && text.len() <= 15
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        && text.bytes().any(|byte| byte.is_ascii_lowercase())
        && !text.contains("--")
        && !text.starts_with('-')
        && !text.ends_with('-');
    if is_valid {
        Ok(())
    } else {
        Err("must be at most 15 lower-case letters, digits and single `-`, with at least one letter")
    }
}

/// A label's or annotation's key: `[prefix/]name`.
pub(crate) fn check_key(text: &str) -> Check {
    let (prefix, name) = match text.split_once('/') {
        Some((prefix, name)) => (Some(prefix), name),
        None => (None, text),
    };
    let is_valid =
        prefix.is_none_or(|prefix| check_subdomain(prefix).is_ok()) && !name.is_empty() && is_value_text(name);
    if is_valid {
        Ok(())
    } else {
        Err(
            "must be `name` or `domain/name`, the name at most 63 letters, digits, `-`, `_` and `.` with a letter or digit at both ends",
        )
    }
}

/// A label's value; may be empty.
pub(crate) fn check_value(text: &str) -> Check {
    let is_valid = is_value_text(text);
    if is_valid {
        Ok(())
    } else {
        Err("must be at most 63 letters, digits, `-`, `_` and `.`, with a letter or digit at both ends")
    }
}

/// A port's number.
pub(crate) fn check_port(number: i64) -> Result<u16, &'static str> {
    u16::try_from(number).ok().filter(|&port| port > 0).ok_or("must lie between 1 and 65535")
}

fn is_label_text(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        && !text.starts_with('-')
        && !text.ends_with('-')
}

fn is_value_text(text: &str) -> bool {
    let ends_well = |byte: Option<u8>| byte.is_none_or(|byte| byte.is_ascii_alphanumeric());
    text.len() <= 63
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
        && ends_well(text.bytes().next())
        && ends_well(text.bytes().last())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_kubernetes() {
        assert!(check_subdomain("a.b-c.1").is_ok() && check_subdomain("1a").is_ok());
        assert!(check_subdomain("A").is_err() && check_subdomain("a..b").is_err() && check_subdomain("-a").is_err());
        assert!(check_service_name("1a").is_err() && check_label("1a").is_ok() && check_label("a.b").is_err());
        assert!(check_label(&"a".repeat(63)).is_ok() && check_label(&"a".repeat(64)).is_err());
    }

    #[test]
    fn a_port_name_has_a_letter() {
        assert!(check_port_name("http-2").is_ok() && check_port_name("1a").is_ok());
        assert!(
            check_port_name("80").is_err()
                && check_port_name("a--b").is_err()
                && check_port_name("a-very-long-name").is_err()
        );
    }

    #[test]
    fn keys_and_values_follow_kubernetes() {
        assert!(check_key("app.kubernetes.io/name").is_ok() && check_key("Some_Key.1").is_ok());
        assert!(
            check_key("/name").is_err()
                && check_key("a/").is_err()
                && check_key("A/b").is_err()
                && check_key("a/b/c").is_err()
        );
        assert!(
            check_value("").is_ok()
                && check_value("A_b.1").is_ok()
                && check_value("-a").is_err()
                && check_value("a b").is_err()
        );
    }
}
