//! Manifests for a command: from `-f`, or from the running lab.

use std::io::{self, Read as _};
use std::path::Path;

use palisade_lab::LabName;
use palisade_model::problem::Effect;
use palisade_model::{Inventory, Outcome, Problem};

use crate::exit::ExitStatus;
use crate::failure::{Failure, Hint};
use crate::settings::Source;

/// Reads what `source` names.
///
/// # Errors
/// When there is no input at all; what is wrong inside of it comes back as problems.
pub fn read(source: &Source) -> Result<Outcome<Inventory>, Failure> {
    match source {
        Source::Paths(paths) => palisade_manifests::load(paths, io::stdin().lock()).map_err(Failure::new),
        Source::Lab(lab) if lab.state_dir().lab_file().exists() => {
            palisade_manifests::load_lab(lab.state_dir().path()).map_err(Failure::new)
        }
        Source::Lab(lab) => Err(Failure::new(format!("no manifests given, and no lab `{lab}` runs"))
            .hint(Hint::Change("name files or folders with -f, `-` for standard input".into()))
            .hint(Hint::Run(format!("sudo palisade lab up{} -f examples/shop", named(lab))))),
    }
}

/// The same for a command whose answer is about all of it: without a single object there is none.
///
/// # Errors
/// Also when nothing of it could be read; the problems are printed.
pub fn read_something(source: &Source) -> Result<Outcome<Inventory>, Failure> {
    let read = read(source)?;
    if status(&read) == ExitStatus::Unusable {
        print_problems(&read.problems);
        return Err(Failure::new("nothing of the input could be read"));
    }
    Ok(read)
}

/// Whether the path stands for standard input.
pub fn is_stdin(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// Refuses what cannot be read again and again, as a running lab or agent does: the second time a pipe is empty, and an
/// empty file has no rules.
///
/// # Errors
/// When `path` is neither a file nor a folder.
pub fn can_be_read_again(path: &Path) -> Result<(), Failure> {
    let found = std::fs::metadata(path)
        .map_err(|source| Failure::new(palisade_manifests::LoadError::Path { path: path.to_owned(), source }))?;
    match found.is_file() || found.is_dir() {
        true => Ok(()),
        false => Err(Failure::new(format!("`{}` is neither a file nor a folder", path.display()))
            .hint(Hint::Change("pipe it in and name it `-`".into()))),
    }
}

/// What comes through the pipe, for a command that keeps it. One byte more than the loader takes, so that it says so.
///
/// # Errors
/// When standard input fails.
pub fn read_stdin() -> Result<Vec<u8>, Failure> {
    const MOST_BYTES: u64 = (256 << 20) + 1;
    let mut bytes = Vec::new();
    io::stdin().lock().take(MOST_BYTES).read_to_end(&mut bytes).map_err(Failure::new)?;
    Ok(bytes)
}

/// The option that names `lab`, where it is not the one that goes without saying.
pub fn named(lab: &LabName) -> String {
    if *lab == LabName::default() { String::new() } else { format!(" --name {lab}") }
}

/// Prints `problems` for a person, to standard error: one line each, its hint below.
pub fn print_problems(problems: &[Problem]) {
    for problem in problems {
        let word = match problem.effect {
            Effect::MayChangeAnswers => "problem",
            Effect::Harmless => "warning",
        };
        eprintln!("{word}: {problem}");
        if let Some(hint) = &problem.hint {
            eprintln!("  hint: {hint}");
        }
    }
}

/// The status of a command that only reads: nothing usable, something that can change answers, or
/// clean.
pub fn status(input: &Outcome<Inventory>) -> ExitStatus {
    let is_serious = input.problems.iter().any(|problem| problem.effect == Effect::MayChangeAnswers);
    let mut usable = input.value.clone();
    usable.unreadable.clear();
    match (is_serious, usable.is_empty()) {
        (true, true) => ExitStatus::Unusable,
        (true, false) => ExitStatus::Undecided,
        (false, _) => ExitStatus::Clean,
    }
}
