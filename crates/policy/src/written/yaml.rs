//! Values as YAML: in one line where that fits, else in block style.

use std::fmt;

/// A line that is longer is broken.
const WIDTH: usize = 80;

/// A value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Yaml {
    /// As it is written.
    Scalar(String),
    Map(Vec<(String, Yaml)>, Style),
    List(Vec<Yaml>, Style),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Style {
    WhatFits,
    Block,
}

pub(crate) fn text(text: &str) -> Yaml {
    Yaml::Scalar(quoted(text))
}

pub(crate) fn number(number: u16) -> Yaml {
    Yaml::Scalar(number.to_string())
}

pub(crate) fn list(items: impl IntoIterator<Item = Yaml>) -> Yaml {
    Yaml::List(items.into_iter().collect(), Style::WhatFits)
}

pub(crate) fn map<'k>(entries: impl IntoIterator<Item = (&'k str, Yaml)>) -> Yaml {
    let entries = entries.into_iter().map(|(key, value)| (key.to_owned(), value));
    Yaml::Map(entries.collect(), Style::WhatFits)
}

impl Yaml {
    /// The map with one entry more.
    pub(crate) fn with(mut self, key: &str, value: Yaml) -> Self {
        match &mut self {
            Self::Map(entries, _) => entries.push((key.to_owned(), value)),
            Self::Scalar(_) | Self::List(..) => unreachable!("only maps have entries"),
        }
        self
    }

    /// The same, when there is a value.
    pub(crate) fn with_some(self, key: &str, value: Option<Yaml>) -> Self {
        match value {
            Some(value) => self.with(key, value),
            None => self,
        }
    }

    /// The same value over several lines, however short it is.
    pub(crate) fn in_block(mut self) -> Self {
        match &mut self {
            Self::Map(_, style) | Self::List(_, style) => *style = Style::Block,
            Self::Scalar(_) => {}
        }
        self
    }

    pub(crate) fn is_empty(&self) -> bool {
        match self {
            Self::Map(entries, _) => entries.is_empty(),
            Self::List(items, _) => items.is_empty(),
            Self::Scalar(_) => false,
        }
    }

    /// Whether it may stand in the rest of a line of which `used` columns are taken.
    fn fits(&self, used: usize) -> bool {
        let style = match self {
            Self::Map(_, style) | Self::List(_, style) => *style,
            Self::Scalar(_) => return true,
        };
        self.is_empty() || style == Style::WhatFits && used + flow(self).len() <= WIDTH
    }
}

/// In one line.
pub(crate) fn flow(value: &Yaml) -> String {
    match value {
        Yaml::Scalar(text) => text.clone(),
        Yaml::Map(entries, _) => {
            let entries: Vec<String> = entries.iter().map(|(key, value)| format!("{key}: {}", flow(value))).collect();
            format!("{{{}}}", entries.join(", "))
        }
        Yaml::List(items, _) => format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", ")),
    }
}

/// The lines of a value, not indented.
fn block(value: &Yaml, indent: usize) -> Vec<String> {
    match value {
        Yaml::Scalar(text) => vec![text.clone()],
        Yaml::Map(entries, _) => entries.iter().flat_map(|(key, value)| entry(key, value, indent)).collect(),
        Yaml::List(items, _) => items.iter().flat_map(|value| item(value, indent)).collect(),
    }
}

fn entry(key: &str, value: &Yaml, indent: usize) -> Vec<String> {
    if value.fits(indent + key.len() + 2) {
        return vec![format!("{key}: {}", flow(value))];
    }
    // A list's dashes stand below the key, a map's entries further in.
    let shift = if matches!(value, Yaml::List(..)) { 0 } else { 2 };
    let inner = block(value, indent + shift).into_iter().map(|line| format!("{:shift$}{line}", ""));
    std::iter::once(format!("{key}:")).chain(inner).collect()
}

fn item(value: &Yaml, indent: usize) -> Vec<String> {
    if value.fits(indent + 2) {
        return vec![format!("- {}", flow(value))];
    }
    let lines = block(value, indent + 2).into_iter().enumerate();
    lines.map(|(number, line)| format!("{}{line}", if number == 0 { "- " } else { "  " })).collect()
}

impl fmt::Display for Yaml {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        block(self, 0).iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

/// A scalar of flow style: quoted unless it can be nothing but a string.
pub(crate) fn quoted(text: &str) -> String {
    let plain = text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '/')
        && text.chars().all(|letter| letter.is_ascii_alphanumeric() || "-./_".contains(letter))
        && !matches!(
            text.to_ascii_lowercase().as_str(),
            "y" | "n" | "yes" | "no" | "on" | "off" | "true" | "false" | "null"
        );
    if plain {
        return text.to_owned();
    }
    let escaped = text.chars().map(|letter| match letter {
        '\\' => "\\\\".to_owned(),
        '"' => "\\\"".to_owned(),
        control if control.is_control() => format!("\\u{:04x}", u32::from(control)),
        other => other.to_string(),
    });
    format!("\"{}\"", escaped.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_yaml_would_take_for_something_else_is_quoted() {
        for (plain, written) in [
            ("web", "web"),
            ("/usr/sbin/nginx", "/usr/sbin/nginx"),
            ("yes", "\"yes\""),
            ("1.5", "\"1.5\""),
            ("", "\"\""),
            ("a: b", "\"a: b\""),
            ("a\"\\\n", "\"a\\\"\\\\\\u000a\""),
        ] {
            assert_eq!(quoted(plain), written);
        }
    }

    #[test]
    fn a_long_value_is_broken_where_its_dash_and_its_key_begin() {
        let long = || text(&"x".repeat(70));
        let value = map([("short", list([text("a")])), ("rules", list([map([("a", long()), ("b", long())])]))]);
        let x = "x".repeat(70);
        assert_eq!(value.in_block().to_string(), format!("short: [a]\nrules:\n- a: {x}\n  b: {x}\n"));
    }
}
