//! Patterns for names of images and of signers: `*` is anything but a slash, `**` is anything.
//!
//! No regular expressions: one that is not anchored takes names that its author never meant.

/// Whether the whole of `text` is as `pattern` says.
pub fn matches(pattern: &str, text: &str) -> bool {
    // One state for each place in the pattern, so that no pattern takes long.
    let pattern = parse(pattern);
    let mut states = vec![false; pattern.len() + 1];
    states[0] = true;
    spread(&pattern, &mut states);
    for byte in text.bytes() {
        let mut next = vec![false; pattern.len() + 1];
        for (at, part) in pattern.iter().enumerate().filter(|(at, _)| states[*at]) {
            match part {
                Part::Byte(wanted) => next[at + 1] |= *wanted == byte,
                Part::Anything => next[at] = true,
                Part::NoSlash => next[at] |= byte != b'/',
            }
        }
        spread(&pattern, &mut next);
        states = next;
    }
    states[pattern.len()]
}

enum Part {
    Byte(u8),
    NoSlash,
    Anything,
}

fn parse(pattern: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut bytes = pattern.bytes().peekable();
    while let Some(byte) = bytes.next() {
        parts.push(match byte {
            b'*' if bytes.next_if_eq(&b'*').is_some() => Part::Anything,
            b'*' => Part::NoSlash,
            byte => Part::Byte(byte),
        });
    }
    parts
}

/// A star may stand for nothing.
fn spread(pattern: &[Part], states: &mut [bool]) {
    for (at, part) in pattern.iter().enumerate() {
        if states[at] && !matches!(part, Part::Byte(_)) {
            states[at + 1] = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_ends_at_a_slash_and_two_do_not() {
        for (pattern, text, expected) in [
            ("registry.example/shop/*", "registry.example/shop/web:1", true),
            ("registry.example/shop/*", "registry.example/shop/web/base", false),
            ("registry.example/shop/**", "registry.example/shop/web/base", true),
            ("registry.example/shop/**", "registry.example.evil/shop/web", false),
            ("registry.example/shop", "registry.example/shop2", false),
            ("**", "", true),
            ("**", "anything/at/all", true),
            (
                "https://github.com/acme/*/.github/workflows/*@refs/heads/main",
                "https://github.com/acme/web/.github/workflows/build.yml@refs/heads/main",
                true,
            ),
            (
                "https://github.com/acme/*/.github/workflows/*@refs/heads/main",
                "https://github.com/acme/web/.github/workflows/build.yml@refs/heads/mainline",
                false,
            ),
            ("*@example.com", "me@example.com.evil.test", false),
            ("a*b*c", "a-b-b-c", true),
            ("", "", true),
            ("", "x", false),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }
}
