//! What a file is for, by its path alone.

/// What kind of thing a file is or belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    Shell,
    PackageManager,
    Compiler,
    NetworkTool,
    /// What a package manager left behind.
    Cache,
    /// What only people read.
    Documentation,
    /// Packages of a language, which its interpreter runs.
    Tree(Language),
    Interpreter(Language),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Language {
    Java,
    Node,
    Python,
    Ruby,
}

impl Language {
    pub fn name(self) -> &'static str {
        match self {
            Self::Java => "Java",
            Self::Node => "Node",
            Self::Python => "Python",
            Self::Ruby => "Ruby",
        }
    }
}

const SHELLS: &[&str] =
    &["ash", "bash", "busybox", "csh", "dash", "fish", "ksh", "mksh", "rbash", "sh", "tcsh", "toybox", "zsh"];

const PACKAGE_MANAGERS: &[&str] = &[
    "apk", "apt", "apt-get", "bundle", "bundler", "cargo", "composer", "conda", "dnf", "dnf5", "dpkg", "gem", "gradle",
    "microdnf", "mvn", "npm", "npx", "opkg", "pacman", "pip", "pip3", "pnpm", "poetry", "rpm", "tdnf", "uv", "yarn",
    "yum", "zypper",
];

const COMPILERS: &[&str] =
    &["as", "c++", "cc", "clang", "clang++", "cpp", "g++", "gcc", "ghc", "go", "javac", "ld", "make", "rustc", "tcc"];

const NETWORK_TOOLS: &[&str] = &[
    "curl", "ftp", "gdb", "nc", "ncat", "netcat", "nmap", "rsync", "scp", "socat", "ssh", "strace", "tcpdump",
    "telnet", "wget",
];

/// Folders that come with a tool, and are of no use without it.
const COMPANIONS: &[(&str, Kind)] = &[
    ("usr/lib/apt/", Kind::PackageManager),
    ("usr/lib/gcc/", Kind::Compiler),
    ("usr/libexec/gcc/", Kind::Compiler),
    ("usr/lib/llvm", Kind::Compiler),
    ("usr/lib/node_modules/npm/", Kind::PackageManager),
    ("usr/local/lib/node_modules/npm/", Kind::PackageManager),
    ("usr/local/go/", Kind::Compiler),
    ("usr/local/cargo/", Kind::Compiler),
    ("usr/local/rustup/", Kind::Compiler),
    ("root/.cache/", Kind::Cache),
    ("root/.npm/", Kind::Cache),
    ("usr/local/share/.cache/", Kind::Cache),
    ("var/cache/apk/", Kind::Cache),
    ("var/cache/apt/", Kind::Cache),
    ("var/cache/dnf/", Kind::Cache),
    ("var/cache/yum/", Kind::Cache),
    ("var/lib/apt/lists/", Kind::Cache),
    ("usr/share/doc/", Kind::Documentation),
    ("usr/share/info/", Kind::Documentation),
    ("usr/share/man/", Kind::Documentation),
];

/// Whether the file is a program by where it lies.
fn program(path: &str) -> Option<&str> {
    let (folder, name) = path.rsplit_once('/')?;
    let is_of_programs = matches!(folder.rsplit('/').next(), Some("bin" | "sbin"));
    is_of_programs.then_some(name)
}

/// What the file at the path is for; the second is the folder that it is one of many in, or its own path.
pub fn kind_of(path: &str) -> Option<(Kind, &str)> {
    if let Some((folder, kind)) = COMPANIONS.iter().find(|(folder, _)| path.starts_with(folder)) {
        return Some((*kind, &path[..folder.len()]));
    }
    if let Some(tree) = tree_of(path) {
        return Some(tree);
    }
    let name = program(path)?;
    let is_in = |list: &[&str]| list.contains(&name);
    let kind = match name {
        _ if is_in(SHELLS) => Kind::Shell,
        _ if is_in(PACKAGE_MANAGERS) => Kind::PackageManager,
        _ if is_in(COMPILERS) || is_versioned(name, &["gcc-", "g++-", "clang-", "x86_64-linux-gnu-gcc"]) => {
            Kind::Compiler
        }
        _ if is_in(NETWORK_TOOLS) => Kind::NetworkTool,
        "bun" | "deno" | "node" | "nodejs" => Kind::Interpreter(Language::Node),
        "java" => Kind::Interpreter(Language::Java),
        "jruby" | "ruby" => Kind::Interpreter(Language::Ruby),
        _ if is_versioned(name, &["ruby"]) => Kind::Interpreter(Language::Ruby),
        _ if is_versioned(name, &["python", "pypy"]) => Kind::Interpreter(Language::Python),
        _ => return None,
    };
    Some((kind, path))
}

/// `python`, `python3`, `python3.11`, `gcc-12`.
fn is_versioned(name: &str, stems: &[&str]) -> bool {
    let version = stems.iter().find_map(|stem| name.strip_prefix(stem));
    version.is_some_and(|version| version.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.' || byte == b'-'))
}

/// The outermost tree of a language's packages that the file lies in.
fn tree_of(path: &str) -> Option<(Kind, &str)> {
    const FOLDERS: &[(&str, Language)] = &[
        ("node_modules/", Language::Node),
        ("site-packages/", Language::Python),
        ("dist-packages/", Language::Python),
    ];
    let in_folder = FOLDERS.iter().find_map(|(folder, language)| {
        let at = path.find(folder).filter(|at| *at == 0 || path.as_bytes()[at - 1] == b'/')?;
        Some((Kind::Tree(*language), &path[..at + folder.len()]))
    });
    let is_jar = [".jar", ".war", ".ear"].iter().any(|end| path.ends_with(end));
    in_folder
        .or_else(|| {
            let at = path.find("/gems/").filter(|at| path[..*at].contains("ruby"))?;
            Some((Kind::Tree(Language::Ruby), &path[..at + "/gems/".len()]))
        })
        .or_else(|| is_jar.then(|| (Kind::Tree(Language::Java), &path[..path.rfind('/').map_or(0, |at| at + 1)])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_told_by_where_they_lie() {
        for (path, kind, whole) in [
            ("bin/sh", Kind::Shell, "bin/sh"),
            ("usr/bin/apt-get", Kind::PackageManager, "usr/bin/apt-get"),
            ("usr/bin/gcc-12", Kind::Compiler, "usr/bin/gcc-12"),
            ("usr/lib/gcc/x86_64-linux-gnu/12/cc1", Kind::Compiler, "usr/lib/gcc/"),
            ("var/lib/apt/lists/x_InRelease", Kind::Cache, "var/lib/apt/lists/"),
            ("app/node_modules/a/node_modules/b/x.js", Kind::Tree(Language::Node), "app/node_modules/"),
            ("usr/lib/python3/dist-packages/x.py", Kind::Tree(Language::Python), "usr/lib/python3/dist-packages/"),
            ("usr/local/bin/python3.11", Kind::Interpreter(Language::Python), "usr/local/bin/python3.11"),
            ("app/lib/x.jar", Kind::Tree(Language::Java), "app/lib/"),
        ] {
            assert_eq!(kind_of(path), Some((kind, whole)), "{path}");
        }
        for path in ["bin/envoy", "etc/sh", "app/shell/sh", "usr/bin/python-config", "sh"] {
            assert_eq!(kind_of(path), None, "{path}");
        }
    }
}
