//! `palisade image verify`: who vouches for an image.

pub mod subject;
mod text;
pub mod trust;

use std::io::{self, Write as _};

use palisade_model::Problem;
use palisade_model::problem::Effect;
use palisade_signatures::{Answer, Demand, Subject, Verdict, judge};
use serde::Serialize;

use crate::arguments::OutputFormat;
use crate::arguments::signing::VerifyArguments;
use crate::exit::ExitStatus;
use crate::failure::Failure;
use crate::image::beside::Beside;
use crate::image::store;
use crate::input;
use crate::report;
use crate::settings::Settings;

/// The version of the JSON form; it rises when a field changes its meaning.
const VERSION: u32 = 1;

/// The JSON form.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report<'a> {
    version: u32,
    image: &'a str,
    digest: &'a str,
    index: Option<&'a str>,
    /// One for each policy that is about the image, or the one of the command line.
    answers: &'a [Named],
    problems: &'a [Problem],
}

/// An answer to one policy.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Named {
    /// By name; none for the command line's.
    policy: Option<String>,
    #[serde(flatten)]
    answer: Answer,
}

/// Reads the image and what lies beside it, and judges that.
///
/// # Errors
/// When the image, a policy or a file that it names cannot be used.
pub fn run(arguments: &VerifyArguments, settings: &Settings) -> Result<ExitStatus, Failure> {
    let demands = trust::demands(arguments)?;
    let opened = store::open(&arguments.image, &arguments.registry, settings)?;
    let asked = subject::read(opened.shelf.as_ref(), opened.version.as_deref(), arguments)?;
    let subject = asked.subject;
    let mut beside = Beside::default();
    for subject in subject.all() {
        beside.collect(opened.shelf.as_ref(), &subject.digest);
    }
    let mut answers: Vec<Named> = demands
        .iter()
        .map(|(policy, demand)| Named { policy: policy.clone(), answer: ask(&subject, &beside, demand, settings) })
        .collect();
    for Named { answer, .. } in &mut answers {
        if let Some(refusal) = &asked.refusal {
            answer.verdict = Verdict::Refused;
            answer.reasons.insert(0, refusal.clone());
        }
    }
    let mut output = io::BufWriter::new(io::stdout().lock());
    match arguments.output {
        OutputFormat::Text => write!(output, "{}", text::render(&arguments.image, &subject, &answers))?,
        OutputFormat::Json => report::write_json(
            &mut output,
            &Report {
                version: VERSION,
                image: &arguments.image,
                digest: &subject.digest,
                index: subject.index.as_ref().map(|index| index.digest.as_str()),
                answers: &answers,
                problems: &beside.problems,
            },
        )?,
    }
    output.flush()?;
    input::print_problems(&beside.problems);
    Ok(answers.iter().map(|named| status(named.answer.verdict)).max_by_key(|status| badness(*status)).unwrap_or(
        // No policy is about the image: nobody has said what would be good.
        ExitStatus::Undecided,
    ))
}

fn ask(subject: &Subject, beside: &Beside, demand: &Demand, settings: &Settings) -> Answer {
    let mut answer = judge(subject, &beside.attached, demand, settings.now);
    // What could not be read may be the signature that is missing.
    let is_whole = beside.problems.iter().all(|problem| problem.effect == Effect::Harmless);
    if answer.verdict == Verdict::Refused && !is_whole {
        answer.verdict = Verdict::Undecided;
    }
    answer
}

fn status(verdict: Verdict) -> ExitStatus {
    match verdict {
        Verdict::Verified => ExitStatus::Clean,
        Verdict::Refused => ExitStatus::Findings,
        Verdict::Undecided => ExitStatus::Undecided,
    }
}

/// A refusal by one policy is one, whatever another one cannot say.
fn badness(status: ExitStatus) -> u8 {
    match status {
        ExitStatus::Clean => 0,
        ExitStatus::Undecided => 1,
        ExitStatus::Findings => 2,
        ExitStatus::Unusable => 3,
    }
}
