//! Which of the functions that an advisory names are linked into a Go program.

use std::collections::HashSet;

use palisade_image::{GoBinary, GoFunctions};

use crate::advisory::Import;

/// Whether what is vulnerable is in the program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    /// These of the functions that the advisory names are in it, sorted.
    Linked(Vec<String>),
    /// None of them is.
    NotLinked,
    /// It is on other systems or architectures alone than the one that the program was built for.
    OtherSystem,
    /// It cannot be told, and why. Then the finding stays as it is.
    Unknown(WhyUnknown),
}

/// Why it cannot be told what is linked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WhyUnknown {
    /// The package is no Go module in a program.
    NotGo,
    /// The advisory names no functions.
    NoSymbols,
    /// The names cannot be read.
    Unreadable(String),
}

/// The functions of a program, by package and name.
#[derive(Debug)]
pub struct Linked {
    names: Result<HashSet<String>, String>,
}

impl Linked {
    /// Takes a program's names.
    pub fn of(program: &GoBinary) -> Self {
        let names = match &program.functions {
            GoFunctions::Names(names) => Ok(names.iter().map(|name| normal(name, &program.path)).collect()),
            GoFunctions::Unreadable(why) => Err(why.clone()),
            GoFunctions::NotRead => Err("the names of its functions were not read".into()),
        };
        Self { names }
    }

    /// What of `imports` is in the program. `renamed` is the module that replaces another one and the other one: its
    /// packages keep the import paths of the module that it replaces.
    pub fn reach(&self, imports: &[&Import], renamed: Option<(&str, &str)>) -> Reach {
        let names = match &self.names {
            Ok(names) => names,
            Err(why) => return Reach::Unknown(WhyUnknown::Unreadable(why.clone())),
        };
        // A package without symbols is vulnerable as a whole, and so is a module without packages.
        if imports.is_empty() || imports.iter().any(|import| import.symbols.is_empty()) {
            return Reach::Unknown(WhyUnknown::NoSymbols);
        }
        let mut linked = Vec::new();
        for import in imports {
            let path = match renamed.and_then(|(new, old)| Some((old, import.path.strip_prefix(new)?))) {
                Some((old, rest)) if rest.is_empty() || rest.starts_with('/') => format!("{old}{rest}"),
                _ => import.path.clone(),
            };
            let found = import.symbols.iter().filter(|symbol| names.contains(&format!("{path}.{symbol}")));
            linked.extend(found.map(|symbol| format!("{}.{symbol}", import.path)));
        }
        linked.sort();
        linked.dedup();
        if linked.is_empty() { Reach::NotLinked } else { Reach::Linked(linked) }
    }
}

/// The imports of an advisory that count on the program's system and architecture.
pub fn imports_for<'i>(imports: &'i [Import], program: &GoBinary) -> Vec<&'i Import> {
    let setting = |key: &str| program.settings.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str());
    let fits = |wanted: &[String], here: Option<&str>| {
        wanted.is_empty() || here.is_none_or(|here| wanted.iter().any(|wanted| wanted == here))
    };
    let (system, architecture) = (setting("GOOS"), setting("GOARCH"));
    let fitting = imports.iter().filter(|it| fits(&it.systems, system) && fits(&it.architectures, architecture));
    fitting.collect()
}

/// One form for what the linker writes in many: `a/b.(*T[...]).M.func1` is `a/b.T.M`.
///
/// Methods on pointers, type arguments, closures, wrappers and vendored copies are folded into the function that an
/// advisory names. What is folded too far makes a function count as linked, never as absent.
fn normal(name: &str, main: &str) -> String {
    let name = without_type_arguments(name);
    // The dots of the last element of a path are written as `%2e`, so the first one after the last slash ends it.
    let slash = name.rfind('/').map_or(0, |at| at + 1);
    let dot = name[slash..].find('.').map_or(name.len(), |at| slash + at);
    let (path, symbol) = (&name[..dot], name[dot..].trim_start_matches('.'));
    let path = match path {
        "main" if !main.is_empty() => main.to_owned(),
        path => unescape(path),
    };
    // `vendor/golang.org/x/net` at the very front is the standard library's own copy, of which other advisories speak.
    let path = path.rsplit_once("/vendor/").map_or(&*path, |(_, vendored)| vendored);
    let mut parts = symbol.split('.').take_while(|part| !is_inner(part));
    let first = parts.next().unwrap_or("").trim_start_matches("(*").trim_end_matches(')');
    let folded = parts.fold(format!("{path}.{first}"), |folded, part| format!("{folded}.{part}"));
    match folded.find("-fm").or_else(|| folded.find("-range")) {
        Some(at) if at > path.len() => folded[..at].to_owned(),
        _ => folded,
    }
}

/// A part of a name that the compiler made: closures, wrappers of `go` and `defer`, the bodies of range loops.
fn is_inner(part: &str) -> bool {
    let numbered =
        |word: &str| part.strip_prefix(word).is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    ["", "func", "gowrap", "deferwrap"].iter().any(|word| numbered(word))
}

fn without_type_arguments(name: &str) -> String {
    let mut depth = 0_usize;
    let mut kept = String::with_capacity(name.len());
    for letter in name.chars() {
        match letter {
            '[' => depth += 1,
            ']' => depth = depth.saturating_sub(1),
            letter if depth == 0 => kept.push(letter),
            _ => {}
        }
    }
    kept
}

/// Source: `objabi.PathToPrefix` of Go's linker: `%` and two hexadecimal digits.
fn unescape(path: &str) -> String {
    let mut parts = path.split('%');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let code = part.get(..2).and_then(|code| u8::from_str_radix(code, 16).ok()).filter(u8::is_ascii);
        match code {
            Some(code) => {
                plain.push(char::from(code));
                plain.push_str(&part[2..]);
            }
            None => {
                plain.push('%');
                plain.push_str(part);
            }
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;
    use palisade_image::go::FunctionNames;

    #[test]
    fn what_the_linker_writes_has_one_form() {
        for (name, expected) in [
            ("net/http.ListenAndServe", "net/http.ListenAndServe"),
            ("net/http.(*Server).Serve", "net/http.Server.Serve"),
            ("net/http.Header.Get-fm", "net/http.Header.Get"),
            ("net/http.(*Server).Serve-fm", "net/http.Server.Serve"),
            ("net/http.(*Server).Serve.func1.2", "net/http.Server.Serve"),
            ("net/http.(*Server).Serve.gowrap3", "net/http.Server.Serve"),
            ("example.com/a.F.func1.deferwrap1", "example.com/a.F"),
            ("example.com/a.F-range1", "example.com/a.F"),
            ("gopkg.in/yaml%2ev2.Unmarshal", "gopkg.in/yaml.v2.Unmarshal"),
            ("slices.SortFunc[go.shape.[]example.com/a.T,go.shape.int]", "slices.SortFunc"),
            ("example.com/a.(*Tree[go.shape.string]).Insert", "example.com/a.Tree.Insert"),
            ("example.com/a/vendor/example.com/b.F", "example.com/b.F"),
            ("vendor/golang.org/x/net/idna.ToASCII", "vendor/golang.org/x/net/idna.ToASCII"),
            ("main.run", "example.com/cmd/tool.run"),
            ("main.main.func1", "example.com/cmd/tool.main"),
            ("example.com/a.glob..func1", "example.com/a.glob."),
            ("", "."),
            ("%", "%."),
            ("a%zz.F", "a%zz.F"),
            ("é%é.F", "é%é.F"),
        ] {
            assert_eq!(normal(name, "example.com/cmd/tool"), expected, "{name}");
        }
    }

    fn program(functions: GoFunctions) -> GoBinary {
        GoBinary {
            go_version: "go1.22".into(),
            path: "example.com/cmd".into(),
            main: None,
            modules: Vec::new(),
            settings: vec![("GOOS".into(), "linux".into())],
            functions,
        }
    }

    fn import(path: &str, symbols: &[&str]) -> Import {
        Import { path: path.into(), symbols: symbols.iter().map(|it| (*it).to_owned()).collect(), ..Import::default() }
    }

    #[test]
    fn linked_absent_and_unknown_are_three_answers() {
        let names: FunctionNames = ["a/b.(*T).M", "a/b.F"].into_iter().collect();
        let linked = Linked::of(&program(GoFunctions::Names(names.into())));
        let ask = |import: &Import| linked.reach(&[import], None);
        assert_eq!(ask(&import("a/b", &["T.M", "G"])), Reach::Linked(vec!["a/b.T.M".into()]));
        assert_eq!(ask(&import("a/b", &["G"])), Reach::NotLinked);
        assert_eq!(ask(&import("a/b", &[])), Reach::Unknown(WhyUnknown::NoSymbols));
        assert_eq!(linked.reach(&[], None), Reach::Unknown(WhyUnknown::NoSymbols));
        let packed = Linked::of(&program(GoFunctions::Unreadable("packed".into())));
        assert_eq!(
            packed.reach(&[&import("a/b", &["G"])], None),
            Reach::Unknown(WhyUnknown::Unreadable("packed".into()))
        );
    }

    #[test]
    fn a_replacing_module_keeps_the_paths_of_the_replaced_one() {
        let names: FunctionNames = ["old/m/p.F"].into_iter().collect();
        let linked = Linked::of(&program(GoFunctions::Names(names.into())));
        let fork = import("new/m/p", &["F"]);
        assert_eq!(linked.reach(&[&fork], Some(("new/m", "old/m"))), Reach::Linked(vec!["new/m/p.F".into()]));
        assert_eq!(linked.reach(&[&fork], None), Reach::NotLinked);
    }

    #[test]
    fn imports_of_other_systems_do_not_count() {
        let mut windows = import("a/b", &["F"]);
        windows.systems = vec!["windows".into()];
        let imports = [windows, import("a/c", &["G"])];
        let program = program(GoFunctions::NotRead);
        assert_eq!(imports_for(&imports, &program), [&imports[1]]);
    }
}
