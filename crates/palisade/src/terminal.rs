//! Whether standard output is for a person, and colour for one.

use std::fmt;
use std::io::{self, IsTerminal};

/// Whether to use colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colour {
    /// A terminal, and `NO_COLOR` is not set.
    On,
    /// Anything else.
    Off,
}

/// What colours mean here; the words alone say the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// Allowed.
    Good,
    /// Refused.
    Bad,
    /// Worth a look: would be refused, lost, not by policy.
    Caution,
    /// Less important.
    Faint,
    /// A heading.
    Strong,
}

impl Colour {
    /// By the terminal and the environment. Source: <https://no-color.org>: any non-empty value.
    pub fn of_stdout() -> Self {
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        if !refused && io::stdout().is_terminal() { Self::On } else { Self::Off }
    }

    /// `text` in `tone`, or as it is when colour is off.
    pub fn paint<'a>(self, tone: Tone, text: &'a str) -> impl fmt::Display + 'a {
        Painted { colour: self, tone, text }
    }
}

struct Painted<'a> {
    colour: Colour,
    tone: Tone,
    text: &'a str,
}

impl fmt::Display for Painted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let code = match (self.colour, self.tone) {
            (Colour::Off, _) => return f.write_str(self.text),
            (Colour::On, Tone::Good) => "32",
            (Colour::On, Tone::Bad) => "1;31",
            (Colour::On, Tone::Caution) => "33",
            (Colour::On, Tone::Faint) => "2",
            (Colour::On, Tone::Strong) => "1",
        };
        write!(f, "\x1b[{code}m{}\x1b[0m", self.text)
    }
}
