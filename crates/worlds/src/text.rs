//! YAML text from a tree, block style, each entry on a line of its own, so that every peer has its
//! own place.

use std::fmt::Write;

/// A YAML value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Yaml {
    /// A string; quoted where it must be.
    Text(String),
    /// A number, a boolean or `{}`, as it stands.
    Plain(String),
    List(Vec<Yaml>),
    Map(Vec<(String, Yaml)>),
}

/// A mapping.
pub fn map<const N: usize>(fields: [(&str, Yaml); N]) -> Yaml {
    Yaml::Map(fields.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
}

/// A string.
pub fn text(value: impl Into<String>) -> Yaml {
    Yaml::Text(value.into())
}

/// A number or boolean.
pub fn plain(value: impl ToString) -> Yaml {
    Yaml::Plain(value.to_string())
}

/// A list.
pub fn list(items: impl IntoIterator<Item = Yaml>) -> Yaml {
    Yaml::List(items.into_iter().collect())
}

/// A mapping of strings.
pub fn labels(pairs: &[(String, String)]) -> Yaml {
    Yaml::Map(pairs.iter().map(|(key, value)| (key.clone(), text(value.clone()))).collect())
}

impl Yaml {
    /// The same mapping with one field more.
    #[must_use]
    pub fn with(self, key: &str, value: Yaml) -> Yaml {
        let Yaml::Map(mut fields) = self else { panic!("only a mapping has fields") };
        fields.push((key.to_owned(), value));
        Yaml::Map(fields)
    }

    /// The same mapping, with one field more when there is a value for it.
    #[must_use]
    pub fn with_some(self, key: &str, value: Option<Yaml>) -> Yaml {
        match value {
            Some(value) => self.with(key, value),
            None => self,
        }
    }

    /// A document of its own.
    pub fn document(&self) -> String {
        let mut out = String::from("---\n");
        self.write(&mut out, 0);
        out
    }

    fn inline(&self) -> Option<String> {
        match self {
            Yaml::Text(value) => Some(quote(value)),
            Yaml::Plain(value) => Some(value.clone()),
            Yaml::List(items) if items.is_empty() => Some("[]".to_owned()),
            Yaml::Map(fields) if fields.is_empty() => Some("{}".to_owned()),
            Yaml::List(_) | Yaml::Map(_) => None,
        }
    }

    fn write(&self, out: &mut String, indent: usize) {
        let pad = " ".repeat(indent);
        match self {
            Yaml::List(items) => {
                for item in items {
                    match item.inline() {
                        Some(inline) => write_line(out, &format!("{pad}- {inline}")),
                        None => {
                            let mut nested = String::new();
                            item.write(&mut nested, indent + 2);
                            let _ = write!(out, "{pad}- {}", nested.trim_start());
                        }
                    }
                }
            }
            Yaml::Map(fields) => {
                for (key, value) in fields {
                    match value.inline() {
                        Some(inline) => write_line(out, &format!("{pad}{}: {inline}", quote(key))),
                        None => {
                            write_line(out, &format!("{pad}{}:", quote(key)));
                            value.write(out, indent + 2);
                        }
                    }
                }
            }
            Yaml::Text(_) | Yaml::Plain(_) => write_line(out, &self.inline().unwrap_or_default()),
        }
    }
}

fn write_line(out: &mut String, line: &str) {
    out.push_str(line);
    out.push('\n');
}

/// Plain where no reader can take it for anything but a string.
fn quote(value: &str) -> String {
    let starts_well = value.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/');
    let rest = value.chars().all(|c| c.is_ascii_alphanumeric() || "-_/.".contains(c));
    let is_word =
        ["yes", "no", "on", "off", "y", "n", "true", "false", "null"].contains(&value.to_lowercase().as_str());
    if starts_well && rest && !is_word { value.to_owned() } else { format!("\"{value}\"") }
}
