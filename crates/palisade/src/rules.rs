//! Rules that the user names, and the list of all.

use std::io::{self, Write};

use palisade_model::finding::Rule;

use crate::failure::{Failure, Hint};
use crate::table::Table;

/// Whether a rule is to be reported.
pub fn is_asked_for(alone: &[String], ignored: &[String], rule: &str) -> bool {
    let named = |names: &[String]| names.iter().any(|name| name == rule);
    !named(ignored) && (alone.is_empty() || named(alone))
}

/// Refuses a rule that there is none of.
///
/// # Errors
/// When there is no rule of the name; `list` is the command that prints them.
pub fn known(name: &str, rules: &[Rule], list: &str) -> Result<(), Failure> {
    match rules.iter().any(|rule| *rule.id == *name) {
        true => Ok(()),
        false => Err(Failure::new(format!("there is no rule `{name}`")).hint(Hint::Run(list.to_owned()))),
    }
}

/// Prints all rules.
///
/// # Errors
/// When `output` cannot be written.
pub fn list(rules: &[Rule], output: &mut impl Write) -> io::Result<()> {
    let mut table = Table::new(&["RULE", "SEVERITY", "WHAT IT FINDS"]);
    for rule in rules {
        table.row([rule.id.to_string(), rule.severity.to_string(), rule.title.to_string()]);
    }
    write!(output, "{table}")
}
