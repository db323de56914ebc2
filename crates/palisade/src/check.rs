//! `palisade check`: may FROM reach TO?

use std::io::{self, Write as _};
use std::sync::Arc;

use palisade_model::settings::Guarded;
use palisade_model::{Problem, Timestamp};
use palisade_policy::Model;
use serde::Serialize;

use crate::answer::{self, Answer, VERSION};
use crate::arguments::{OutputFormat, QuestionArguments};
use crate::exit::ExitStatus;
use crate::failure::{Failure, Hint};
use crate::question;
use crate::settings::{Settings, Source};
use crate::{input, report};

/// The JSON form.
#[derive(Serialize)]
struct Report<'a> {
    version: u32,
    at: Timestamp,
    answers: &'a [Answer],
    problems: &'a [Problem],
}

/// Prints the verdict.
///
/// # Errors
/// When there is no input, or the question names what is not in it.
pub fn run(arguments: &QuestionArguments, settings: &Settings) -> Result<ExitStatus, Failure> {
    let asked = Asked::read(arguments, settings)?;
    let mut output = io::stdout().lock();
    match arguments.output {
        OutputFormat::Text => {
            for answer in &asked.answers {
                write!(output, "{}", answer.render(settings.colour))?;
            }
            input::print_problems(&asked.problems);
        }
        OutputFormat::Json => {
            let Asked { answers, problems, now, .. } = &asked;
            let report = Report { version: VERSION, at: *now, answers, problems };
            report::write_json(&mut output, &report)?;
        }
    }
    Ok(answer::status(&asked.answers, &asked.problems))
}

/// A question, read and answered.
pub struct Asked {
    /// The model that answered.
    pub model: Model,
    /// The instant.
    pub now: Timestamp,
    /// The answers.
    pub answers: Vec<Answer>,
    /// What was wrong with the input.
    pub problems: Vec<Problem>,
}

impl Asked {
    /// Reads the manifests and answers the question.
    ///
    /// # Errors
    /// When there is no input, or the question names what is not in it.
    pub fn read(arguments: &QuestionArguments, settings: &Settings) -> Result<Self, Failure> {
        let input = input::read(&Source::from(&arguments.manifests))?;
        let profile = &arguments.cni.profile;
        let mut cluster = palisade_model::settings::Settings::of(&input.value).with_cni(profile);
        if !arguments.guarded.is_empty() {
            cluster.guarded = Guarded::Only(arguments.guarded.iter().map(|node| node.as_str().into()).collect());
        }
        let now = arguments.at.unwrap_or(settings.now);
        let outcome = Model::new(Arc::new(input.value), cluster);
        let mut problems = input.problems;
        problems.extend(outcome.problems);
        let model = outcome.value;
        let known = |name: &String| model.inventory().nodes.iter().any(|node| node.meta.name() == name);
        if let Some(name) = arguments.guarded.iter().find(|name| !model.inventory().nodes.is_empty() && !known(name)) {
            let names: Vec<&str> = model.inventory().nodes.iter().map(|node| node.meta.name()).collect();
            return Err(Failure::new(format!("there is no node `{name}`"))
                .hint(Hint::Change(format!("the nodes are {}", names.join(", ")))));
        }
        let port = arguments.port.as_deref();
        let mut answers = answers(&model, (&arguments.from, &arguments.to, port), now).inspect_err(|_| {
            // What could not be read may be just what the question names.
            input::print_problems(&problems);
        })?;
        let model = answer::compare_plugins(model, profile, &mut answers, now).map_err(Failure::new)?;
        Ok(Self { model, now, answers, problems })
    }
}

/// The answers to a question, or to each on the way through a door.
fn answers(
    model: &Model,
    (from, to, port): (&str, &str, Option<&str>),
    now: Timestamp,
) -> Result<Vec<Answer>, Failure> {
    let Some(legs) = question::through_door(model, from, to, now)? else {
        let question = question::resolve(model, from, to, port, now)?;
        return answer::answer(model, &question).map_err(Failure::new);
    };
    if let Some(port) = port {
        return Err(Failure::new(format!("`{to}` is a door, and `{port}` a port of a receiver"))
            .hint(Hint::Change("leave the port out: it follows from the door".into())));
    }
    let legs = legs.iter().map(|leg| Ok(question::of_door(answer::answer(model, leg).map_err(Failure::new)?)));
    Ok(legs.collect::<Result<Vec<_>, Failure>>()?.into_iter().flatten().collect())
}
