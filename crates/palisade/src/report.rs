//! Answers for programs.

use std::io::{self, Write};

use serde::Serialize;

/// Writes `report` as indented JSON with a final newline.
///
/// # Errors
/// When the output cannot be written.
pub fn write_json(output: &mut impl Write, report: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *output, report).map_err(io::Error::from)?;
    writeln!(output)
}
