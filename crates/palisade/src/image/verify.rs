//! `palisade image verify`: who vouches for an image.

mod many;
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
use crate::image::store::{self, Opened};
use crate::image::verify::trust::{Demands, Trusted};
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

/// An image that was asked about.
struct Asked {
    subject: Subject,
    answers: Vec<Named>,
    problems: Vec<Problem>,
}

impl Asked {
    fn status(&self) -> ExitStatus {
        let all = self.answers.iter().map(|named| status(named.answer.verdict));
        // No policy is about the image: nobody has said what would be good.
        all.max_by_key(|status| badness(*status)).unwrap_or(ExitStatus::Undecided)
    }
}

/// Reads the image and what lies beside it, and judges that.
///
/// # Errors
/// When the image, a policy or a file that it names cannot be used.
pub fn run(arguments: &VerifyArguments, settings: &Settings) -> Result<ExitStatus, Failure> {
    let mut trusted = Trusted::read(arguments)?;
    let Some(image) = &arguments.image else { return many::run(arguments, &mut trusted, settings) };
    if arguments.policy.is_empty() && arguments.notation_policy.is_none() {
        // Nobody is asked for an image before it is known whose signature it needs.
        trusted.about(None)?;
    }
    let opened = store::open(image, &arguments.registry, settings)?;
    let name = arguments.name.as_deref().map(store::full_name).or_else(|| opened.name.clone());
    // A layout that nobody has named goes by its path, for policies that are about every image.
    let by_path = (!arguments.policy.is_empty()).then(|| image.clone());
    let demands = trusted.about(name.or(by_path).as_deref())?;
    let asked = ask(&opened, &demands, arguments, settings)?;
    let mut output = io::BufWriter::new(io::stdout().lock());
    match arguments.output {
        OutputFormat::Text => write!(output, "{}", text::render(image, &asked.subject, &asked.answers))?,
        OutputFormat::Json => report::write_json(
            &mut output,
            &Report {
                version: VERSION,
                image,
                digest: &asked.subject.digest,
                index: asked.subject.index.as_ref().map(|index| index.digest.as_str()),
                answers: &asked.answers,
                problems: &asked.problems,
            },
        )?,
    }
    output.flush()?;
    input::print_problems(&asked.problems);
    Ok(asked.status())
}

/// Fetches the image's manifest and what lies beside it, and judges that by each demand.
fn ask(opened: &Opened, demands: &Demands, arguments: &VerifyArguments, settings: &Settings) -> Result<Asked, Failure> {
    let shelf = opened.shelf.as_ref();
    let read = subject::read(shelf, opened.version.as_deref(), arguments)?;
    let mut beside = Beside::default();
    for subject in read.subject.all() {
        beside.collect(shelf, &subject.digest);
    }
    let answers = demands.iter().map(|(policy, demand)| {
        let mut answer = judged(&read.subject, &beside, demand, settings);
        if let Some(refusal) = &read.refusal {
            answer.verdict = Verdict::Refused;
            answer.reasons.insert(0, refusal.clone());
        }
        Named { policy: policy.clone(), answer }
    });
    Ok(Asked { answers: answers.collect(), problems: beside.problems, subject: read.subject })
}

fn judged(subject: &Subject, beside: &Beside, demand: &Demand, settings: &Settings) -> Answer {
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
