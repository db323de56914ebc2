//! Ruby: the specifications of gems, installed and vendored.

/// A gem.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Gem {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// `x86_64-linux`, `java`; empty for `ruby`.
    pub platform: String,
    /// `licenses`.
    pub licences: Vec<String>,
}

/// Whether the file is a specification that an installer wrote, or one of a vendored gem.
///
/// An installed gem has a second one among its own files, `gems/NAME-VERSION/NAME.gemspec`, which often computes its
/// version; that one is left alone.
pub fn is_specification(path: &str) -> bool {
    path.ends_with(".gemspec") && (is_installed(path) || path.contains("vendor/") || path.contains("bundler/gems/"))
}

/// Whether an installer wrote it: below `specifications` or `specifications/default`.
fn is_installed(path: &str) -> bool {
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    folder.ends_with("specifications") || folder.ends_with("specifications/default")
}

/// Reads the comment that RubyGems writes first, else the assignments of literals. `None` without name and version.
pub fn parse_specification(text: &str, path: &str) -> Option<Gem> {
    let mut gem = Gem::default();
    for line in text.lines() {
        let line = line.trim();
        // A second comment of the form lists the extensions of a gem that has some.
        if let Some(stub) = line.strip_prefix("# stub: ").filter(|_| gem.name.is_empty()) {
            let mut words = stub.split_whitespace();
            gem.name = words.next().unwrap_or("").to_owned();
            gem.version = words.next().unwrap_or("").to_owned();
            gem.platform = words.next().filter(|platform| *platform != "ruby").unwrap_or("").to_owned();
            continue;
        }
        let Some((field, value)) = assignment(line) else { continue };
        let literal = || literals(value).next();
        match field {
            "name" if gem.name.is_empty() => gem.name = literal().unwrap_or_default(),
            "version" if gem.version.is_empty() => gem.version = literal().unwrap_or_default(),
            "license" | "licenses" if gem.licences.is_empty() => gem.licences = literals(value).collect(),
            _ => {}
        }
    }
    if gem.version.is_empty() && !gem.name.is_empty() {
        gem.version = version_of_folder(path, &gem.name).unwrap_or_default();
    }
    (!gem.name.is_empty() && gem.version.starts_with(|first: char| first.is_ascii_digit())).then_some(gem)
}

/// `s.name = ...`: the field and what is behind.
fn assignment(line: &str) -> Option<(&str, &str)> {
    let (left, value) = line.split_once('=')?;
    let (variable, field) = left.trim().split_once('.')?;
    let is_word = |text: &str| !text.is_empty() && text.chars().all(|it| it.is_ascii_alphanumeric() || it == '_');
    (is_word(variable) && is_word(field)).then_some((field, value))
}

/// The texts in quotes. One with `#{` in it is computed and none.
fn literals(value: &str) -> impl Iterator<Item = String> {
    let mut rest = value;
    std::iter::from_fn(move || {
        loop {
            let open = rest.find(['"', '\''])?;
            let mark = rest[open..].chars().next()?;
            let inner = &rest[open + 1..];
            let close = inner.find(mark)?;
            rest = &inner[close + 1..];
            if !inner[..close].contains("#{") {
                return Some(inner[..close].to_owned());
            }
        }
    })
}

/// `vendor/gems/x-1.2/x.gemspec` lies in `x-1.2`.
fn version_of_folder(path: &str, name: &str) -> Option<String> {
    let folder = path.rsplit('/').nth(1)?;
    folder.strip_prefix(name)?.strip_prefix('-').map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_comment_of_an_installer_and_literals() {
        let text = "# -*- encoding: utf-8 -*-\n# stub: nokogiri 1.15.4 x86_64-linux lib\n# stub: ext/nokogiri/extconf.rb\n\nGem::Specification.new do |s|\n  s.name = \"nokogiri\".freeze\n  s.licenses = [\"MIT\".freeze, \"Ruby\".freeze]\n";
        let gem = parse_specification(text, "").expect("a gem");
        assert_eq!((&*gem.name, &*gem.version, &*gem.platform), ("nokogiri", "1.15.4", "x86_64-linux"));
        assert_eq!(gem.licences, ["MIT", "Ruby"]);
    }

    #[test]
    fn a_vendored_one_may_have_its_version_in_the_folders_name() {
        let text = "Gem::Specification.new do |spec|\n  spec.name = 'x'\n  spec.version = X::VERSION\n";
        assert_eq!(parse_specification(text, "vendor/gems/x-1.2/x.gemspec").expect("a gem").version, "1.2");
        assert_eq!(parse_specification(text, "vendor/gems/x/x.gemspec"), None);
    }

    #[test]
    fn which_files_are_read() {
        assert!(is_specification("usr/lib/ruby/gems/3.1.0/specifications/default/json-2.6.1.gemspec"));
        assert!(is_specification("app/vendor/gems/x/x.gemspec"));
        assert!(!is_specification("usr/lib/ruby/gems/3.1.0/gems/rake-13/rake.gemspec"));
    }
}
