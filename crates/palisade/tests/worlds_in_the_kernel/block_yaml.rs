//! Reads YAML back as the lab and the random worlds write it: block style, each scalar on a line of its own. For tests that
//! change objects before others read them; what it gives are JSON values, which every reader of YAML takes.

use serde_json::{Map, Value};

/// The documents of `text`.
pub fn parse(text: &str) -> Vec<Value> {
    let documents = text.split("---\n").filter(|document| !document.trim().is_empty());
    documents
        .map(|document| {
            let lines = document.lines().filter(|line| !line.trim().is_empty());
            let lines = lines.map(|line| (line.len() - line.trim_start().len(), line.trim_start().to_owned()));
            Block { lines: lines.collect(), at: 0 }.value()
        })
        .collect()
}

/// The same documents.
pub fn render(documents: &[Value]) -> String {
    documents.iter().map(|document| format!("---\n{document}\n")).collect()
}

/// Lines with their indentation.
struct Block {
    lines: Vec<(usize, String)>,
    at: usize,
}

impl Block {
    fn line(&self) -> Option<(usize, &str)> {
        self.lines.get(self.at).map(|(indent, line)| (*indent, line.as_str()))
    }

    /// The list, the mapping or the scalar that begins here.
    fn value(&mut self) -> Value {
        let Some((indent, line)) = self.line() else { return Value::Null };
        if line == "-" || line.starts_with("- ") {
            self.list(indent)
        } else if field(line).is_some() {
            self.mapping(indent)
        } else {
            self.at += 1;
            scalar(&self.lines[self.at - 1].1)
        }
    }

    fn list(&mut self, indent: usize) -> Value {
        let mut items = Vec::new();
        while let Some((at, line)) = self.line()
            && at == indent
            && line.starts_with('-')
        {
            match line[1..].trim_start().to_owned() {
                rest if rest.is_empty() => self.at += 1,
                // What stands behind the dash is indented as what follows.
                rest => self.lines[self.at] = (indent + 2, rest),
            }
            items.push(self.value());
        }
        Value::Array(items)
    }

    fn mapping(&mut self, indent: usize) -> Value {
        let mut fields = Map::new();
        while let Some((at, line)) = self.line()
            && at == indent
            && let Some((key, rest)) = field(line)
        {
            self.at += 1;
            let value = if rest.is_empty() { self.value() } else { scalar(&rest) };
            fields.insert(key, value);
        }
        Value::Object(fields)
    }
}

/// The key of a line, and what stands behind it.
fn field(line: &str) -> Option<(String, String)> {
    let (key, rest) = match line.strip_prefix('"') {
        Some(quoted) => quoted.split_once("\":")?,
        None => line.split_once(':')?,
    };
    let is_key = rest.is_empty() || rest.starts_with(' ');
    is_key.then(|| (key.to_owned(), rest.trim().to_owned()))
}

fn scalar(text: &str) -> Value {
    // Quoted strings, numbers, booleans, `{}` and `[]` are JSON; the rest are strings.
    serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()))
}
