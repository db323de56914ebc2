//! Licence expressions, as far as crates use them: names, `WITH`, `AND`, `OR`, parentheses,
//! and the old `/` for `OR`. Source: SPDX specification, annex on licence expressions.

/// Whether the licence terms that `expression` offers can be met by `allowed` licences alone.
///
/// An expression that cannot be read is not met.
pub fn is_met(expression: &str, allowed: &[String]) -> bool {
    let words = words(expression);
    let mut parser = Parser { words: &words, next: 0, allowed };
    let met = parser.alternatives();
    parser.next == words.len() && met == Some(true)
}

fn words(expression: &str) -> Vec<String> {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    spaced.split_whitespace().map(str::to_owned).collect()
}

struct Parser<'a> {
    words: &'a [String],
    next: usize,
    allowed: &'a [String],
}

impl Parser<'_> {
    fn take(&mut self, word: &str) -> bool {
        let found = self.words.get(self.next).is_some_and(|next| next == word);
        self.next += usize::from(found);
        found
    }

    fn alternatives(&mut self) -> Option<bool> {
        let mut met = self.conjunction()?;
        while self.take("OR") {
            met |= self.conjunction()?;
        }
        Some(met)
    }

    fn conjunction(&mut self) -> Option<bool> {
        let mut met = self.term()?;
        while self.take("AND") {
            met &= self.term()?;
        }
        Some(met)
    }

    fn term(&mut self) -> Option<bool> {
        if self.take("(") {
            let met = self.alternatives()?;
            return self.take(")").then_some(met);
        }
        let mut licence = self.words.get(self.next)?.clone();
        self.next += 1;
        if self.take("WITH") {
            licence = format!("{licence} WITH {}", self.words.get(self.next)?);
            self.next += 1;
        }
        Some(self.allowed.contains(&licence))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn and_binds_closer_than_or() {
        let allowed = ["MIT".to_owned(), "Unicode-3.0".to_owned()];
        for met in
            ["MIT", "GPL-3.0 OR MIT", "MIT/Apache-2.0", "(MIT OR Apache-2.0) AND Unicode-3.0", "GPL-3.0 AND X OR MIT"]
        {
            assert!(is_met(met, &allowed), "{met}");
        }
        for unmet in ["GPL-3.0", "MIT AND GPL-3.0", "MIT WITH Some-exception", "", "(MIT", "MIT OR", "MIT MIT"] {
            assert!(!is_met(unmet, &allowed), "{unmet}");
        }
    }
}
