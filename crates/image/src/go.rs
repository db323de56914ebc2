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
