//! Lock files: what would be installed, from a folder of sources.

mod gem;
mod go_module;
mod maven;
mod node;
mod python;
mod tables;

use crate::package::Ecosystem;

/// A package that a lock file names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Locked {
    /// Whose it is.
    pub ecosystem: Ecosystem,
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Whether it only serves to build or test.
    pub development: bool,
}

impl Locked {
    fn new(ecosystem: Ecosystem, name: &str, version: &str) -> Self {
        Self { ecosystem, name: name.to_owned(), version: version.to_owned(), development: false }
    }

    fn for_development(mut self, development: bool) -> Self {
        self.development = development;
        self
    }
}

/// Which lock file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockKind {
    /// `package-lock.json`, `npm-shrinkwrap.json`.
    Npm,
    /// `yarn.lock`, both forms.
    Yarn,
    /// `pnpm-lock.yaml`.
    Pnpm,
    /// `poetry.lock`, `uv.lock`, `pdm.lock`.
    PythonTables,
    /// `Pipfile.lock`.
    Pipfile,
    /// `requirements.txt`: exact versions alone.
    Requirements,
    /// `Gemfile.lock`.
    Gemfile,
    /// `go.mod`.
    GoModule,
    /// `Cargo.lock`.
    Cargo,
    /// `pom.xml`: what it says itself, without its parents.
    Maven,
}

impl LockKind {
    /// By the name of the file.
    pub fn of_name(name: &str) -> Option<Self> {
        Some(match name {
            "package-lock.json" | "npm-shrinkwrap.json" => Self::Npm,
            "yarn.lock" => Self::Yarn,
            "pnpm-lock.yaml" => Self::Pnpm,
            "poetry.lock" | "uv.lock" | "pdm.lock" => Self::PythonTables,
            "Pipfile.lock" => Self::Pipfile,
            "requirements.txt" => Self::Requirements,
            "Gemfile.lock" | "gems.locked" => Self::Gemfile,
            "go.mod" => Self::GoModule,
            "Cargo.lock" => Self::Cargo,
            "pom.xml" => Self::Maven,
            _ => return None,
        })
    }
}

/// Packages of one lock file: the largest have some 5,000.
const MOST_PACKAGES: usize = 100_000;

/// Reads a lock file: each package once, sorted.
///
/// # Errors
/// Why it cannot be read.
pub fn parse(kind: LockKind, text: &str) -> Result<Vec<Locked>, String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut locked = match kind {
        LockKind::Npm => node::parse_package_lock(text)?,
        LockKind::Yarn => node::parse_yarn(text),
        LockKind::Pnpm => node::parse_pnpm(text),
        LockKind::PythonTables => tables::parse(text, &Ecosystem::PyPi),
        LockKind::Pipfile => python::parse_pipfile(text)?,
        LockKind::Requirements => python::parse_requirements(text),
        LockKind::Gemfile => gem::parse(text),
        LockKind::GoModule => go_module::parse(text),
        LockKind::Cargo => tables::parse(text, &Ecosystem::CratesIo),
        LockKind::Maven => maven::parse(text),
    };
    locked.retain(|it| !it.name.is_empty() && !it.version.is_empty());
    locked.sort();
    // What is needed to run as well is not only for development; `false` sorts first.
    locked.dedup_by(|b, a| (&a.ecosystem, &a.name, &a.version) == (&b.ecosystem, &b.name, &b.version));
    match locked.len() {
        0..=MOST_PACKAGES => Ok(locked),
        more => Err(format!("it names {more} packages; {MOST_PACKAGES} are read")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `name version`, with `(dev)` behind what only serves to build or test.
    fn check(name: &str, text: &str, expected: &[&str]) {
        let kind = LockKind::of_name(name).expect("a lock file");
        let locked = parse(kind, text).expect("it can be read").into_iter();
        let rows = locked.map(|it| format!("{} {}{}", it.name, it.version, if it.development { " (dev)" } else { "" }));
        assert_eq!(rows.collect::<Vec<_>>(), expected, "{name}");
    }

    #[test]
    fn node() {
        check(
            "package-lock.json",
            r#"{"lockfileVersion":3,"packages":{"":{"name":"app","version":"1.0.0"},"node_modules/a":{"version":"1.1.0"},
               "node_modules/a/node_modules/@s/b":{"version":"2.0.0","dev":true},"packages/x":{"version":"3.0.0"},
               "node_modules/x":{"link":true},"node_modules/alias":{"name":"real","version":"4.0.0"}}}"#,
            &["@s/b 2.0.0 (dev)", "a 1.1.0", "real 4.0.0"],
        );
        check(
            "npm-shrinkwrap.json",
            r#"{"dependencies":{"a":{"version":"1.0.0","dependencies":{"b":{"version":"2.0.0","dev":true}}},"c":{"version":"git+ssh://x"}}}"#,
            &["a 1.0.0", "b 2.0.0 (dev)"],
        );
        check(
            "yarn.lock",
            "# yarn lockfile v1\n\n\"@babel/core@^7.0.0\", \"@babel/core@^7.1.0\":\n  version \"7.2.0\"\n  dependencies:\n    a \"^1\"\n\na@^1:\n  version \"1.0.1\"\n",
            &["@babel/core 7.2.0", "a 1.0.1"],
        );
        check(
            "yarn.lock",
            "__metadata:\n  version: 6\n\n\"a@npm:^1, a@npm:^1.1\":\n  version: 1.1.0\n  resolution: \"a@npm:1.1.0\"\n\n\"app@workspace:.\":\n  version: 0.0.0-use.local\n  resolution: \"app@workspace:.\"\n",
            &["a 1.1.0"],
        );
        check(
            "pnpm-lock.yaml",
            "lockfileVersion: '6.0'\n\npackages:\n\n  /@s/a@1.0.0(b@2.0.0):\n    resolution: {}\n    dev: true\n\n  /b@2.0.0:\n    dev: false\n\nsnapshots:\n  c@9.0.0: {}\n",
            &["@s/a 1.0.0 (dev)", "b 2.0.0"],
        );
        check(
            "pnpm-lock.yaml",
            "packages:\n  /b/2.0.0:\n    dev: false\n  '@s/a@1.0.0':\n    x: 1\n",
            &["@s/a 1.0.0", "b 2.0.0"],
        );
    }

    #[test]
    fn python() {
        check(
            "poetry.lock",
            "[[package]]\nname = \"a\"\nversion = \"1.0\"\ncategory = \"dev\"\n\n[package.dependencies]\nversion = \"9\"\n\n[[package]]\nname = \"b\"\nversion = \"2\"\n",
            &["a 1.0 (dev)", "b 2"],
        );
        check(
            "Pipfile.lock",
            r#"{"default":{"a":{"version":"==1.0"}},"develop":{"b":{"version":"==2"},"c":{"git":"x"}}}"#,
            &["a 1.0", "b 2 (dev)"],
        );
        check(
            "requirements.txt",
            "# x\na[extra]==1.0 ; python_version > '3' # why\nb>=2\nc == 3.0 \\\n  --hash=sha256:0\n-r other.txt\nd===4\ne==1.*\n",
            &["a 1.0", "c 3.0", "d 4"],
        );
    }

    #[test]
    fn ruby_rust_and_go() {
        check(
            "Gemfile.lock",
            "GEM\n  remote: https://rubygems.org/\n  specs:\n    nokogiri (1.15.4-x86_64-linux)\n      racc (~> 1.4)\n    racc (1.7.1)\n\nPLATFORMS\n  ruby\n\nDEPENDENCIES\n  nokogiri\n",
            &["nokogiri 1.15.4", "racc 1.7.1"],
        );
        check(
            "Cargo.lock",
            "version = 3\n\n[[package]]\nname = \"serde\"\nversion = \"1.0.1\"\nsource = \"registry\"\n",
            &["serde 1.0.1"],
        );
        check(
            "go.mod",
            "module example.test/app\n\ngo 1.21\ntoolchain go1.21.5\n\nrequire (\n\ta.test/x v1.0.0\n\tb.test/y v1.1.0 // indirect\n)\nrequire c.test/z v0.1.0\nreplace b.test/y => d.test/y v2.0.0\nreplace c.test/z v0.1.0 => ./z\n",
            &["a.test/x v1.0.0", "d.test/y v2.0.0", "stdlib 1.21.5"],
        );
    }

    #[test]
    fn java() {
        check(
            "pom.xml",
            "<project><properties><v>1.2</v></properties><!-- <dependency> --><dependencies><dependency><groupId>a</groupId><artifactId>b</artifactId><version>${v}</version></dependency>\n<dependency><groupId>c</groupId><artifactId>d</artifactId><version>2</version><scope>test</scope></dependency><dependency><groupId>e</groupId><artifactId>f</artifactId></dependency></dependencies></project>",
            &["a:b 1.2", "c:d 2 (dev)"],
        );
    }

    #[test]
    fn what_is_no_lock_file_is_an_error_or_nothing() {
        for name in ["package-lock.json", "Pipfile.lock"] {
            assert!(parse(LockKind::of_name(name).expect("a lock file"), "{").is_err());
        }
        for name in
            ["yarn.lock", "pnpm-lock.yaml", "poetry.lock", "requirements.txt", "Gemfile.lock", "go.mod", "pom.xml"]
        {
            assert_eq!(
                parse(LockKind::of_name(name).expect("a lock file"), "\u{0}<a><b>\"'==((:\n  :\n"),
                Ok(vec![]),
                "{name}"
            );
        }
    }
}
