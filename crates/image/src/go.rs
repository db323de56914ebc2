//! Go programs: what their linker wrote into them.

mod build_info;
mod functions;

pub use build_info::read_build_info;
pub use functions::{FunctionNames, read_functions};

use std::sync::Arc;

use serde::Serialize;

/// A Go program.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GoBinary {
    /// The version of Go as it is written: `go1.21.3`, `go1.22.1 X:boringcrypto`, `devel go1.23-abcdef`.
    pub go_version: String,
    /// The path of the main package: `k8s.io/kubernetes/cmd/kubectl`; empty in builds before 1.13 or without modules.
    pub path: String,
    /// The main module.
    pub main: Option<GoModule>,
    /// The other modules, sorted by path. A replaced one is what replaces it.
    pub modules: Vec<GoModule>,
    /// `build` lines: (`CGO_ENABLED`, `1`), (`vcs.revision`, ...).
    pub settings: Vec<(String, String)>,
    /// Which functions are in it.
    pub functions: GoFunctions,
}

/// A module of a program.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GoModule {
    /// Its path.
    pub path: String,
    /// `v1.2.3`, a pseudo version, `(devel)`; empty for a local folder.
    pub version: String,
    /// The path of the module that this one replaces. The packages keep the import path of the replaced module.
    pub replaces: Option<String>,
}

/// The names in the function-name and inline tables of a program. A stripped program still has them.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum GoFunctions {
    /// Every name as the linker writes it: `net/http.(*Server).Serve`, `main.main.func1`.
    Names(Arc<FunctionNames>),
    /// The table cannot be read, and why.
    Unreadable(String),
    /// Nobody asked for them.
    NotRead,
}

impl GoBinary {
    /// The version of the standard library as advisories count it: `1.22.1` of `go1.22.1 X:boringcrypto`,
    /// `1.21.0-rc.2` of `go1.21rc2`; `(devel)` of a build from Go's own repository.
    pub fn standard_library_version(&self) -> String {
        let Some(version) = self.go_version.strip_prefix("go") else { return "(devel)".to_owned() };
        // `go1.20.5b7` of Google, `go1.19.2-fips`, `go1.22.1 X:loopvar`, `go1.21.3 (Red Hat ...)`.
        let numbers = version.find(|it: char| !it.is_ascii_digit() && it != '.').unwrap_or(version.len());
        let (number, rest) = version.split_at(numbers);
        let number = number.trim_end_matches('.');
        for (mark, word) in [("rc", "rc"), ("beta", "beta")] {
            if let Some(count) = rest.strip_prefix(mark) {
                let count: String = count.chars().take_while(char::is_ascii_digit).collect();
                let patch = if number.matches('.').count() < 2 { ".0" } else { "" };
                return format!("{number}{patch}-{word}.{count}");
            }
        }
        number.to_owned()
    }

    /// The version of the program itself where the module says `(devel)`: what the linker was told to write into a
    /// variable of that name.
    pub fn main_version(&self) -> Option<String> {
        let main = self.main.as_ref().filter(|main| matches!(main.version.as_str(), "" | "(devel)"))?;
        let flags = self.settings.iter().find(|(key, _)| key == "-ldflags").map(|(_, value)| value.as_str())?;
        let words = flags.split_whitespace().map(|word| word.trim_matches(['\'', '"']).trim_start_matches("-X="));
        let written = words.filter_map(|word| word.split_once('=')).filter(|(variable, _)| {
            let (package, name) = variable.rsplit_once('.').unwrap_or(("", variable));
            let name = name.to_ascii_lowercase();
            let is_own = package == "main" || package.starts_with(&main.path);
            is_own && matches!(name.as_str(), "version" | "gitversion" | "appversion" | "buildversion" | "semver")
        });
        let mut versions = written.map(|(_, value)| value.trim_matches(['\'', '"'])).filter(|value| {
            let numbers = value.trim_start_matches('v').split(['-', '+']).next().unwrap_or("");
            numbers.split('.').count() >= 2 && numbers.split('.').all(|it| !it.is_empty() && it.parse::<u64>().is_ok())
        });
        versions.next().map(|version| format!("v{}", version.trim_start_matches('v')))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn binary(go_version: &str, flags: &str) -> GoBinary {
        GoBinary {
            go_version: go_version.to_owned(),
            path: String::new(),
            main: Some(GoModule { path: "example.test/app".into(), version: "(devel)".into(), replaces: None }),
            modules: Vec::new(),
            settings: vec![("-ldflags".into(), flags.to_owned())],
            functions: GoFunctions::NotRead,
        }
    }

    #[test]
    fn the_standard_library_has_a_version_without_what_vendors_add() {
        for (written, version) in [
            ("go1.22.1", "1.22.1"),
            ("go1.22.1 X:boringcrypto,loopvar", "1.22.1"),
            ("go1.19.2-fips", "1.19.2"),
            ("go1.20.5b7", "1.20.5"),
            ("go1.21rc2", "1.21.0-rc.2"),
            ("go1.20", "1.20"),
            ("devel go1.23-abcdef Mon", "(devel)"),
        ] {
            assert_eq!(binary(written, "").standard_library_version(), version, "{written}");
        }
    }

    #[test]
    fn the_linker_may_have_been_told_the_version() {
        let version = |flags| binary("go1.22.1", flags).main_version();
        assert_eq!(version("-s -w -X main.version=1.2.3").as_deref(), Some("v1.2.3"));
        assert_eq!(version("-X 'example.test/app/build.Version=v1.2.3-rc1'").as_deref(), Some("v1.2.3-rc1"));
        assert_eq!(version("-X other.test/lib.Version=v9.9.9 -X main.commit=1.2.3"), None);
        assert_eq!(version("-X main.version=dev"), None);
    }
}
