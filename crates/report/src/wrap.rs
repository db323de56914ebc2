//! Text in lines that fit a terminal.

/// What a terminal shows without folding.
const COLUMNS: usize = 80;

/// `text` in lines of at most 80 columns, the first behind `first`, the others indented as far. A word that is longer
/// stands on a line of its own, unbroken: it is a path or a name that somebody copies.
pub(crate) fn wrap(first: &str, text: &str) -> String {
    let indent = " ".repeat(first.chars().count());
    let mut out = String::from(first);
    let mut column = indent.len();
    for (position, word) in text.split_whitespace().enumerate() {
        let length = word.chars().count();
        if position > 0 && column + 1 + length > COLUMNS {
            out.push('\n');
            out.push_str(&indent);
            column = indent.len();
        } else if position > 0 {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += length;
    }
    out.push('\n');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_before_the_edge_and_long_words_stay_whole() {
        let long = "x".repeat(100);
        let wrapped = wrap("  why: ", &format!("{} {long} end", "word ".repeat(20)));
        let lines: Vec<&str> = wrapped.lines().collect();
        assert!(lines.iter().all(|line| line.chars().count() <= 80 || line.contains(&long)), "{wrapped}");
        assert_eq!(lines.last(), Some(&"       end"));
        assert!(lines[1].starts_with("       word"));
    }
}
