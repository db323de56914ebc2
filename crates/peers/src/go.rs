//! Programs in Go, and the toolchain that builds them.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::shared;
use crate::shelf::{Inputs, Shelf};
use crate::unavailable::{Unavailable, is_ci, or_skip};

/// The same for all that is built: what one program has compiled, the next one takes from Go's cache.
const FLAGS: [&str; 3] = ["-trimpath", "-ldflags", "-s -w"];

/// A program that is built from the registry of Go modules.
#[derive(Debug, Clone, Copy)]
pub struct Program {
    pub name: &'static str,
    pub(crate) source: Source,
    pub(crate) patience: Patience,
}

/// Where a program comes from.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Source {
    /// What `go install` takes as it is: `PATH@VERSION`, where the end of the path is the program's name.
    Module(&'static str),
    /// A package of a module in `programs`, whose `go.mod` has the versions.
    Folder { folder: &'static str, package: &'static str },
}

/// Who waits for it to be compiled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Patience {
    Anybody,
    /// It takes minutes: whoever has `../shared`, and CI. Who tries Palisade from a fresh clone does not.
    WhoHasShared,
}

impl Program {
    /// The program's file, built if nobody did before. `None`, and SKIPPED is printed, where it cannot be had.
    ///
    /// # Panics
    /// With CI=true instead of skipping.
    #[track_caller]
    pub fn get(&self) -> Option<PathBuf> {
        or_skip(self.find())
    }

    /// The same, and it is for the caller to say what follows.
    ///
    /// # Errors
    /// What Go says, or that there is none, or that nobody waits for this one.
    pub fn find(&self) -> Result<PathBuf, Unavailable> {
        let (toolchain, shelf) = (toolchain(self.name)?, Shelf::of_the_user());
        let is_awaited = self.patience == Patience::Anybody || is_ci() || shared::find("").is_ok();
        if !is_awaited && !shelf.has(self.name, self.inputs(&toolchain)?) {
            let why = "takes minutes to compile, and nobody asked for it".to_owned();
            let hint = Some("`cargo run -p palisade-peers` builds all that tests ask for");
            return Err(Unavailable { what: self.name.to_owned(), why, hint });
        }
        self.build_with(&toolchain, &shelf)
    }

    /// Builds it, however long that takes.
    ///
    /// # Errors
    /// What Go says, or that there is none.
    pub fn build(&self) -> Result<PathBuf, Unavailable> {
        self.build_with(&toolchain(self.name)?, &Shelf::of_the_user())
    }

    fn build_with(&self, toolchain: &str, shelf: &Shelf) -> Result<PathBuf, Unavailable> {
        let folder = shelf.keep(self.name, self.inputs(toolchain)?, |to| match self.source {
            Source::Module(module) => {
                run(self.name, command(to).arg("install").args(FLAGS).arg(module).env("GOBIN", to))
            }
            Source::Folder { folder, package } => {
                let mut build = command(&module(folder));
                run(self.name, build.arg("build").args(FLAGS).arg("-o").arg(to.join(self.name)).arg(package))
            }
        })?;
        Ok(folder.join(self.name))
    }

    fn inputs(&self, toolchain: &str) -> Result<Inputs, Unavailable> {
        let inputs = FLAGS.into_iter().fold(Inputs::default().text(toolchain), Inputs::text);
        match self.source {
            Source::Module(module) => Ok(inputs.text(module)),
            Source::Folder { folder, package } => inputs.text(package).folder(&module(folder)).map_err(|error| {
                Unavailable { what: self.name.to_owned(), why: format!("crates/peers/programs: {error}"), hint: None }
            }),
        }
    }
}

/// Builds packages of a module in `programs` to a folder, with these flags of the linker; nothing of it is kept but in
/// Go's own cache.
///
/// # Errors
/// What Go says, or that there is none.
pub fn build(of: &str, packages: &[String], linker: &str, to: &Path) -> Result<(), Unavailable> {
    toolchain(of)?;
    // The slash says that it is a folder.
    let to = format!("{}/", to.display());
    run(of, command(&module(of)).args(["build", "-trimpath", "-ldflags", linker, "-o", &to]).args(packages))
}

/// The folder in which the sources of a dependency of a module in `programs` lie; with `@VERSION` those of that one, which the
/// module need not know.
///
/// # Errors
/// What Go says, or that there is none.
pub fn sources(of: &str, dependency: &str) -> Result<PathBuf, Unavailable> {
    toolchain(of)?;
    run(of, command(&module(of)).args(["mod", "download", dependency]))?;
    let listed = said(of, command(&module(of)).args(["list", "-m", "-f", "{{.Dir}}", dependency]))?;
    Ok(listed.trim().into())
}

/// The folder of a module in `programs`.
pub fn module(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("programs").join(name)
}

/// The version of Go that is here.
fn toolchain(what: &str) -> Result<String, Unavailable> {
    said(what, command(Path::new(".")).arg("version"))
}

/// `go` in a folder, with what makes its output the same on all machines.
fn command(folder: &Path) -> Command {
    let mut command = Command::new("go");
    command.current_dir(folder).stdin(Stdio::null());
    command.envs([("CGO_ENABLED", "0"), ("GOFLAGS", "-buildvcs=false"), ("GOWORK", "off")]);
    command
}

fn run(what: &str, command: &mut Command) -> Result<(), Unavailable> {
    said(what, command).map(drop)
}

/// What it writes to standard output.
fn said(what: &str, command: &mut Command) -> Result<String, Unavailable> {
    let failed = |why: String, hint| Err(Unavailable { what: what.to_owned(), why, hint });
    match command.output() {
        Ok(output) if output.status.success() => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        Ok(output) => failed(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr)), None),
        Err(error) => failed(format!("go: {error}"), Some("install Go, https://go.dev/dl; Debian's golang is too old")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_go_says_of_a_program_that_cannot_be_built_is_told() {
        let Some(toolchain) = or_skip(toolchain("go")) else { return };
        let folder = std::env::temp_dir().join(format!("palisade-peers-{}", std::process::id()));
        let source = Source::Folder { folder: "goyaml", package: "./nowhere" };
        let program = Program { name: "nowhere", source, patience: Patience::Anybody };
        let built = program.build_with(&toolchain, &Shelf::at(folder.clone()));
        let _ = std::fs::remove_dir_all(folder);
        let why = built.expect_err("there is no such package").to_string();
        assert!(why.starts_with("nowhere: ") && why.contains("goyaml/nowhere: directory not found"), "{why}");
    }
}
