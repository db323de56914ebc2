//! Columns of text that line up.

use std::fmt;

use palisade_model::problem::one_line;

/// Rows under a header; each column is as wide as its widest cell, the last one has no padding. Control characters of a
/// cell are shown and not obeyed: it may be in the words of a stranger.
#[derive(Debug, Clone)]
pub struct Table {
    rows: Vec<Vec<String>>,
}

/// Spaces between two columns.
const GAP: usize = 2;

impl Table {
    /// A table with these column names.
    pub fn new(header: &[&str]) -> Self {
        Self { rows: vec![header.iter().map(|name| (*name).to_owned()).collect()] }
    }

    /// Adds a row; a cell that is missing is empty.
    pub fn row<Cell: Into<String>>(&mut self, cells: impl IntoIterator<Item = Cell>) {
        self.rows.push(cells.into_iter().map(|cell| one_line(cell.into())).collect());
    }

    /// Adds `rows` in the order of their cells, the first column first.
    pub fn sorted_rows<const N: usize>(&mut self, mut rows: Vec<[String; N]>) {
        rows.sort();
        rows.into_iter().for_each(|row| self.row(row));
    }

    /// Whether it has no row below the header.
    pub fn is_empty(&self) -> bool {
        self.rows.len() == 1
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let widths: Vec<usize> = (0..columns)
            .map(|column| self.rows.iter().filter_map(|row| row.get(column)).map(|cell| width(cell)).max().unwrap_or(0))
            .collect();
        for row in &self.rows {
            let mut line = String::new();
            for (cell, width) in row.iter().zip(&widths) {
                line.push_str(&pad(cell, width + GAP));
            }
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

/// `cell` followed by spaces up to `wide` characters.
pub fn pad(cell: &str, wide: usize) -> String {
    format!("{cell}{}", " ".repeat(wide.saturating_sub(width(cell))))
}

fn width(cell: &str) -> usize {
    cell.chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_lines_have_no_tail() {
        let mut table = Table::new(&["NAME", "PORTS"]);
        table.row(["orders", "8080"]);
        table.row(["db", ""]);
        assert_eq!(table.to_string(), "NAME    PORTS\norders  8080\ndb\n");
        table.sorted_rows(vec![["a\u{1b}[2J\nb".to_owned(), "1".to_owned()]]);
        assert!(table.to_string().ends_with("\na\\u{1b}[2J\\nb  1\n"), "{table}");
    }
}
