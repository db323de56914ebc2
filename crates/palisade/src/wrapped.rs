//! Text in lines of a terminal's width.

use palisade_model::problem::one_line;

/// The width that everybody's terminal has.
const WIDTH: usize = 80;

/// Appends `line`, broken at spaces: its first line indented by `first`, the others by `rest`. A word that is longer than a
/// line stays whole. Control characters are shown and not obeyed: what is told may be in the words of a stranger.
pub fn wrap(text: &mut String, line: &str, first: usize, rest: usize) {
    let mut column = first;
    text.push_str(&" ".repeat(first));
    let mut is_begun = false;
    // Runs of spaces inside of a line are columns, and stay.
    for (position, word) in one_line(line.to_owned()).split(' ').enumerate() {
        let gap = usize::from(position > 0);
        if is_begun && !word.is_empty() && column + gap + word.chars().count() > WIDTH {
            text.truncate(text.trim_end_matches(' ').len());
            text.push('\n');
            text.push_str(&" ".repeat(rest));
            column = rest;
        } else if gap > 0 {
            text.push(' ');
            column += 1;
        }
        is_begun |= !word.is_empty();
        text.push_str(word);
        column += word.chars().count();
    }
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_broken_at_spaces_and_columns_stay() {
        let mut text = String::new();
        wrap(&mut text, &format!("is       {} {}", "a".repeat(40), "b".repeat(40)), 4, 13);
        let (a, b) = ("a".repeat(40), "b".repeat(40));
        assert_eq!(text, format!("    is       {a}\n             {b}\n"));
    }

    #[test]
    fn a_stranger_begins_no_line_and_steers_no_terminal() {
        let mut text = String::new();
        wrap(&mut text, "for another image: sha256:1\n\u{1b}[1AVERIFIED \u{9b}2K", 0, 4);
        assert_eq!(text, "for another image: sha256:1\\n\\u{1b}[1AVERIFIED \\u{9b}2K\n");
    }
}
