//! Policies that were written anew, what they cannot say, and how they compare with those that were read.

use std::fmt::Write as _;
use std::io::{self, Write as _};

use palisade_model::{Effect, Problem};
use palisade_policy::compare::Turned;
use palisade_policy::loss::Loss;
use palisade_policy::proof::Proof;
use serde::Serialize;

use crate::answer::VERSION;
use crate::arguments::net::WrittenFormat;
use crate::exit::ExitStatus;
use crate::failure::Failure;
use crate::wrapped::wrap;
use crate::{input, report};

/// So many differences are shown; JSON has them all.
const SHOWN: usize = 20;

/// Policies that were written anew.
#[derive(Serialize)]
pub struct Written {
    /// What was read and written, for people.
    pub what: String,
    /// The manifests.
    pub yaml: String,
    /// Worth knowing, and no loss.
    pub remarks: Vec<String>,
    /// What could not be said.
    pub losses: Vec<Loss>,
    /// What was compared.
    pub proof: Proof,
}

/// The JSON form.
#[derive(Serialize)]
struct Report<'a> {
    version: u32,
    equal: bool,
    #[serde(flatten)]
    written: &'a Written,
    problems: &'a [Problem],
}

/// Prints it: manifests to standard output, what is told of them to standard error unless that is all that is wanted.
///
/// # Errors
/// When the output cannot be written.
pub fn print(written: &Written, format: WrittenFormat, problems: &[Problem]) -> Result<ExitStatus, Failure> {
    let mut output = io::stdout().lock();
    match format {
        WrittenFormat::Yaml => {
            write!(output, "{}", written.yaml)?;
            output.flush()?;
            eprint!("{}", render(written));
            input::print_problems(problems);
        }
        WrittenFormat::Text => {
            write!(output, "{}", render(written))?;
            input::print_problems(problems);
        }
        WrittenFormat::Json => {
            let report = Report { version: VERSION, equal: written.proof.is_equal(), written, problems };
            report::write_json(&mut output, &report)?;
        }
    }
    Ok(status(written, problems))
}

fn status(written: &Written, problems: &[Problem]) -> ExitStatus {
    if !written.losses.is_empty() || !written.proof.is_equal() {
        ExitStatus::Findings
    } else if written.proof.is_cut || problems.iter().any(|problem| problem.effect == Effect::MayChangeAnswers) {
        ExitStatus::Undecided
    } else {
        ExitStatus::Clean
    }
}

fn render(written: &Written) -> String {
    let mut text = String::new();
    wrap(&mut text, &written.what, 0, 2);
    for remark in &written.remarks {
        wrap(&mut text, remark, 0, 2);
    }
    if !written.losses.is_empty() {
        let _ = writeln!(text, "\nwhat cannot be said");
        for of_rule in written.losses.chunk_by(|one, other| (&one.place, &one.rule) == (&other.place, &other.rule)) {
            let Loss { object, rule, place, .. } = &of_rule[0];
            let rule = if rule.is_empty() { String::new() } else { format!(" {rule}") };
            wrap(&mut text, &format!("{object}{rule} ({place})"), 2, 4);
            for loss in of_rule {
                wrap(&mut text, &format!("{}: {}", loss.leaves, loss.what), 4, 6);
            }
        }
    }
    let proof = &written.proof;
    text.push('\n');
    let of_possible = match proof.possible_outside > proof.outside {
        true => format!(" of {}", proof.possible_outside),
        false => String::new(),
    };
    let compared = format!(
        "compared: {} pods in {} classes, {}{} addresses and nodes, {} of {} newcomers by their labels: {} verdicts",
        proof.pods, proof.classes, proof.outside, of_possible, proof.newcomers, proof.possible_newcomers, proof.judged
    );
    wrap(&mut text, &compared, 0, 2);
    if proof.is_cut {
        let _ = writeln!(text, "there was more to compare than the limit: the rest is open");
    }
    differences(&mut text, "of the input", &proof.differences);
    differences(&mut text, "of pods that may come", &proof.newcomer_differences);
    if proof.is_equal() {
        let _ = writeln!(text, "no difference was found");
    }
    text
}

fn differences(text: &mut String, whose: &str, differences: &[Turned]) {
    if differences.is_empty() {
        return;
    }
    let count = if differences.len() == 1 { "1 link".to_owned() } else { format!("{} links", differences.len()) };
    let _ = writeln!(text, "{count} {whose} differ");
    for one in differences.iter().take(SHOWN) {
        let line = format!(
            "{} -> {} {}/{}: {}, now {}",
            one.from,
            one.to,
            one.ports,
            one.protocol,
            one.was.as_str(),
            one.is.as_str()
        );
        wrap(text, &line, 2, 4);
    }
    if differences.len() > SHOWN {
        let _ = writeln!(text, "  and {} more", differences.len() - SHOWN);
    }
}
