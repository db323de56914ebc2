//! Bad input is data: what is wrong, where, what follows from it, and what to change.

use std::fmt;

use serde::Serialize;

use crate::object::ObjectRef;
use crate::place::Place;

/// Whether a problem can change an answer. Only such a problem turns the exit code to 3.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Effect {
    /// The answer could be another one if the input were whole.
    MayChangeAnswers,
    /// Worth knowing; no answer depends on it.
    Harmless,
}

/// One thing wrong with the input.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    /// Where it stands.
    pub place: Option<Place>,
    /// The object it belongs to, when that could be read.
    pub object: Option<ObjectRef>,
    /// A stable name for machines, such as `yaml-syntax` or `selector-matches-nothing`.
    pub code: &'static str,
    /// What follows from it.
    pub effect: Effect,
    /// One line, lower case, no final period.
    pub message: String,
    /// What to change, or a command to run.
    pub hint: Option<String>,
}

impl Problem {
    /// A problem that can change answers.
    pub fn error(code: &'static str, message: impl Into<String>) -> Self {
        let message = one_line(message.into());
        Self { place: None, object: None, code, effect: Effect::MayChangeAnswers, message, hint: None }
    }

    /// A problem that changes no answer.
    pub fn warning(code: &'static str, message: impl Into<String>) -> Self {
        Self { effect: Effect::Harmless, ..Self::error(code, message) }
    }

    /// Whether it can change what is answered about a link: what only doors say, it cannot.
    pub fn may_change_links(&self) -> bool {
        let is_of_door = self.object.as_ref().is_some_and(|object| object.kind.is_door());
        self.effect == Effect::MayChangeAnswers && !is_of_door
    }

    /// The same problem, at `place`.
    #[must_use]
    pub fn at(mut self, place: &Place) -> Self {
        self.place = Some(place.clone());
        self
    }

    /// The same problem, of `object`.
    #[must_use]
    pub fn of(mut self, object: ObjectRef) -> Self {
        self.object = Some(object);
        self
    }

    /// The same problem, with what to change.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(one_line(hint.into()));
        self
    }
}

/// Without control characters, as which a text of the input could break a line, steer a terminal or turn what it shows.
pub fn one_line(text: String) -> String {
    if !text.contains(steers) {
        return text;
    }
    let mut line = String::with_capacity(text.len() + 8);
    for letter in text.chars() {
        match steers(letter) {
            true => line.extend(letter.escape_default()),
            false => line.push(letter),
        }
    }
    line
}

/// Control characters, and those that set the direction of writing.
///
/// Source: Unicode Standard Annex #9, "Explicit Directional Formatting Characters" and "Implicit Directional Marks".
fn steers(letter: char) -> bool {
    let turns =
        matches!(letter, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    letter.is_control() || turns
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.place {
            write!(f, "{place}: ")?;
        }
        if let Some(object) = &self.object {
            write!(f, "{object}: ")?;
        }
        write!(f, "{}", self.message)
    }
}

/// A value, and what was wrong on the way to it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Outcome<T> {
    /// What could be made of the input.
    pub value: T,
    /// What could not, in the order of the input.
    pub problems: Vec<Problem>,
}

impl<T> Outcome<T> {
    /// An outcome with `problems`.
    pub fn new(value: T, problems: Vec<Problem>) -> Self {
        Self { value, problems }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_of_the_input_breaks_no_line_and_steers_no_terminal() {
        let problem = Problem::error("x", "cannot use `a\nb`").hint("write `\u{1b}[2J` as\ttext");
        assert_eq!(problem.to_string(), "cannot use `a\\nb`");
        assert_eq!(one_line("turned \u{202e}DEIFIREV".into()), "turned \\u{202e}DEIFIREV");
        assert_eq!(problem.hint.as_deref(), Some("write `\\u{1b}[2J` as\\ttext"));
    }
}
