//! Changed inputs against every parser and the evaluator: no panic, no hang, bounded memory.
//!
//! ```text
//! palisade-fuzz [--seconds N] [--seed N] [TARGET...]      in turn, each for N seconds (60)
//! palisade-fuzz --input FILE TARGET                       one input, as it was left
//! palisade-fuzz --list
//! ```
//!
//! Stable Rust: no sanitizer and no compiler plug-in. Built with `-C instrument-coverage --cfg coverage_guidance`, as `make
//! soak` does, inputs that reach code which none reached before are kept and changed further.
#![deny(unsafe_code)]

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use palisade_fuzz::corpus::Corpus;
use palisade_fuzz::limits;
use palisade_fuzz::run::{Budget, Failure, Run};
use palisade_fuzz::target::{self, Target};

/// What a run asks for.
struct Arguments {
    budget: Duration,
    seed: u64,
    input: Option<PathBuf>,
    targets: Vec<&'static Target>,
}

fn main() -> ExitCode {
    let arguments = match parse(std::env::args().skip(1)) {
        Ok(Some(arguments)) => arguments,
        Ok(None) => return ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("error: {message}");
            return ExitCode::from(2);
        }
    };
    limits::bound_memory();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

fn parse(mut words: impl Iterator<Item = String>) -> Result<Option<Arguments>, String> {
    let seed = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let mut arguments = Arguments { budget: Duration::from_secs(60), seed, input: None, targets: Vec::new() };
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| format!("`{word}` needs a value"));
        let number = |text: String| text.parse::<u64>().map_err(|_| format!("`{text}` is no number"));
        match word.as_str() {
            "--seconds" => arguments.budget = Duration::from_secs(number(value()?)?),
            "--seed" => arguments.seed = number(value()?)?,
            "--input" => arguments.input = Some(value()?.into()),
            "--list" => {
                target::ALL.iter().for_each(|target| println!("{:<12} {}", target.name, target.what));
                return Ok(None);
            }
            name => {
                let found = target::ALL.iter().find(|target| target.name == name);
                arguments.targets.push(found.ok_or_else(|| format!("there is no target `{name}`: try --list"))?);
            }
        }
    }
    if arguments.targets.is_empty() {
        arguments.targets = target::ALL.iter().collect();
    }
    Ok(Some(arguments))
}

/// Every target in turn; what broke is told at the end.
fn run(arguments: &Arguments) -> Result<(), String> {
    let mut reports = Vec::new();
    for target in &arguments.targets {
        if let Some(path) = &arguments.input {
            let bytes = std::fs::read(path).map_err(|error| format!("cannot read `{}`: {error}", path.display()))?;
            (target.run)(&bytes);
            continue;
        }
        let corpus = Corpus::of(target).map_err(|error| format!("cannot read the corpus: {error}"))?;
        let left = PathBuf::from(format!("target/fuzz-inputs/{}", target.name));
        let mut run = Run::new(target, corpus, arguments.seed, Some(&left));
        let failures = run.go(Budget::Time(arguments.budget));
        println!("{:<12} seed {} {}", target.name, arguments.seed, run.summary());
        let told = failures.iter().enumerate().map(|(at, failure)| report(target, arguments.seed, at, failure, &left));
        reports.extend(told);
    }
    if reports.is_empty() { Ok(()) } else { Err(reports.join("\n")) }
}

fn report(target: &Target, seed: u64, at: usize, failure: &Failure, left: &Path) -> String {
    let name = target.name;
    let path = left.with_extension(format!("failed-{at}"));
    let kept = std::fs::write(&path, &failure.input).is_ok();
    let again = if kept { format!("palisade-fuzz --input {} {name}", path.display()) } else { String::new() };
    format!("{name}, seed {seed}, try {}: {}\n{again}", failure.number, failure.message)
}
