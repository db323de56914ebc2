//! `palisade image verify -f`: every image that manifests run.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::{self, Write as _};

use palisade_model::Problem;
use palisade_registry::Reference;
use serde::Serialize;

use super::trust::Trusted;
use super::{Asked, Named, VERSION, ask, badness};
use crate::arguments::OutputFormat;
use crate::arguments::signing::VerifyArguments;
use crate::exit::ExitStatus;
use crate::failure::Failure;
use crate::image::fleet::{self, Unavailable, told};
use crate::image::workloads::{self, User};
use crate::image::{pulls, store};
use crate::settings::Settings;
use crate::wrapped::wrap;
use crate::{input, report};

/// The JSON form.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report<'a> {
    version: u32,
    images: Vec<Image<'a>>,
    /// Images that could not be had: nothing is known of them.
    unavailable: &'a [Unavailable],
    /// What is wrong with the manifests.
    problems: &'a [Problem],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Image<'a> {
    /// What the manifests call it.
    image: &'a str,
    digest: &'a str,
    run_by: &'a BTreeSet<User>,
    /// The Secret of the manifests that it was pulled with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pulled_with: Option<&'a str>,
    answers: &'a [Named],
    problems: &'a [Problem],
}

/// An image, as the manifests have it.
struct Run {
    name: String,
    run_by: BTreeSet<User>,
    /// The Secret of the manifests that it was pulled with.
    pulled_with: Option<String>,
    asked: Asked,
}

/// Judges each image by the policies that are about it.
///
/// # Errors
/// When the manifests or a file of a policy cannot be used.
pub fn run(arguments: &VerifyArguments, trusted: &mut Trusted<'_>, settings: &Settings) -> Result<ExitStatus, Failure> {
    let (mut manifests, pulls) = pulls::read(&arguments.manifests, &arguments.registry, settings)?;
    manifests.problems.extend(fleet::unread(&manifests.value));
    fleet::some_object(&manifests)?;
    let (mut runs, mut unavailable) = (Vec::new(), Vec::new());
    let all = workloads::images(&manifests.value);
    let count = all.len();
    for (number, (name, run_by)) in all.into_iter().enumerate() {
        settings.progress.stage(&format!("image {} of {count}: {name}", number + 1));
        // A signature lies in a repository: the same image under another name is another question.
        let demands = trusted.about(Some(&store::full_name(&name)))?;
        let pull = name.parse::<Reference>().map_err(Failure::new).and_then(|reference| {
            let pull = pulls.of(&reference, &run_by)?;
            Ok((reference, pull))
        });
        let asked = pull.map_err(|failure| failure.message()).and_then(|(reference, pull)| {
            let (with, not_with) = (pull.with.clone(), pull.not_with.clone());
            let opened =
                store::of_registry(pull.into_registry(&pulls).map_err(|failure| failure.message())?, reference);
            let asked = ask(&opened, &demands, arguments, settings);
            asked.map(|asked| (asked, with)).map_err(|failure| pulls::told(failure.message(), &not_with))
        });
        match asked {
            Ok((asked, pulled_with)) => runs.push(Run { name, run_by, pulled_with, asked }),
            Err(why) => unavailable.push(Unavailable { name, why, run_by }),
        }
    }
    settings.progress.clear();
    let mut output = io::BufWriter::new(io::stdout().lock());
    match arguments.output {
        OutputFormat::Text => write!(output, "{}", render(&runs, &unavailable))?,
        OutputFormat::Json => {
            let images = runs.iter().map(|run| Image {
                image: &run.name,
                digest: &run.asked.subject.digest,
                run_by: &run.run_by,
                pulled_with: run.pulled_with.as_deref(),
                answers: &run.asked.answers,
                problems: &run.asked.problems,
            });
            let problems = &manifests.problems;
            let body = Report { version: VERSION, images: images.collect(), unavailable: &unavailable, problems };
            report::write_json(&mut output, &body)?;
        }
    }
    output.flush()?;
    for run in &runs {
        input::print_problems(&run.asked.problems);
    }
    input::print_problems(&manifests.problems);
    let of_images = runs.iter().map(|run| run.asked.status());
    let of_missing = unavailable.iter().map(|_| ExitStatus::Undecided);
    let worst = of_images.chain(of_missing).chain([input::status(&manifests)]).max_by_key(|status| badness(*status));
    Ok(worst.unwrap_or(ExitStatus::Clean))
}

/// Each image with a word, and the reason where it is not "verified".
fn render(runs: &[Run], unavailable: &[Unavailable]) -> String {
    const COLUMN: usize = 11;
    let mut text = String::new();
    let mut line = |heading: &str, body: &str| wrap(&mut text, &format!("{heading:COLUMN$}{body}"), 0, COLUMN);
    for run in runs {
        let word = match run.asked.status() {
            ExitStatus::Clean => "VERIFIED",
            ExitStatus::Findings => "REFUSED",
            ExitStatus::Unusable | ExitStatus::Undecided => "UNDECIDED",
        };
        line(word, &run.name);
        line("", &format!("run by {}", told(&run.run_by)));
        if let Some(secret) = &run.pulled_with {
            line("", &format!("pulled with the Secret `{secret}` of the manifests"));
        }
        if run.asked.answers.is_empty() {
            line("", "no policy is about this image");
        }
        for Named { policy, answer } in &run.asked.answers {
            let policy = policy.as_ref().map_or_else(String::new, |policy| format!("{policy}: "));
            answer.reasons.iter().for_each(|reason| line("", &format!("{policy}{reason}")));
        }
    }
    for it in unavailable {
        line("UNDECIDED", &it.name);
        line("", &format!("run by {}", told(&it.run_by)));
        line("", &format!("not read: {}", it.why));
    }
    let verified = runs.iter().filter(|run| run.asked.status() == ExitStatus::Clean).count();
    let _ = writeln!(text, "\n{verified} of {} images are vouched for", runs.len() + unavailable.len());
    text
}
