//! Whether standard output is for a person, and colour for one.

use std::ffi::OsStr;
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
    /// By the terminal and the environment.
    pub fn of_stdout() -> Self {
        Self::choose(io::stdout().is_terminal(), std::env::var_os("NO_COLOR").as_deref())
    }

    /// Source: <https://no-color.org>: any value that is not empty refuses colour.
    fn choose(is_terminal: bool, no_color: Option<&OsStr>) -> Self {
        let refused = no_color.is_some_and(|value| !value.is_empty());
        if is_terminal && !refused { Self::On } else { Self::Off }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colour_is_for_terminals_whose_user_does_not_refuse_it() {
        let colour = |is_terminal, no_color: Option<&str>| Colour::choose(is_terminal, no_color.map(OsStr::new));
        assert_eq!(colour(true, None), Colour::On);
        assert_eq!(colour(true, Some("")), Colour::On);
        assert_eq!(colour(true, Some("0")), Colour::Off);
        assert_eq!(colour(false, None), Colour::Off);
        assert_eq!(Colour::Off.paint(Tone::Bad, "REFUSED").to_string(), "REFUSED");
        assert_eq!(Colour::On.paint(Tone::Bad, "REFUSED").to_string(), "\x1b[1;31mREFUSED\x1b[0m");
    }
}
