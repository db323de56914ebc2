//! `palisade net map`: who can reach whom.

mod expanded;
mod graph;
mod json;
pub(super) mod ports;
mod rows;
mod text;

use std::io::{self, Write as _};
use std::sync::Arc;

use palisade_model::settings::Settings as ClusterSettings;
use palisade_model::{Effect, Problem};
use palisade_policy::Model;
use palisade_policy::map::{Subject, Subjects};
use palisade_policy::reach::Reach;

use crate::arguments::map::{MapArguments, MapFormat};
use crate::exit::ExitStatus;
use crate::failure::{Failure, Hint};
use crate::input;
use crate::settings::{Settings, Source};

/// Prints the map.
///
/// # Errors
/// When there is no input, or a namespace that is asked for has no pods.
pub fn run(arguments: &MapArguments, settings: &Settings) -> Result<ExitStatus, Failure> {
    if arguments.expand && !matches!(arguments.output, MapFormat::Json | MapFormat::Csv) {
        return Err(
            Failure::new("`--expand` is written as JSON or CSV").hint(Hint::Change("add `-o json` or `-o csv`".into()))
        );
    }
    let read = input::read_something(&Source::from(&arguments.manifests))?;
    let cluster = ClusterSettings::of(&read.value).with_cni(&arguments.cni.profile);
    let outcome = Model::new(Arc::new(read.value), cluster);
    let mut problems = read.problems;
    problems.extend(outcome.problems);
    let model = outcome.value;
    let scope = Scope::of(&model, &arguments.namespaces)?;
    let at = arguments.at.unwrap_or(settings.now);
    let mut reach = model.reach(at);
    let mut output = io::BufWriter::new(io::stdout().lock());
    let printed = match (arguments.output, arguments.expand) {
        (MapFormat::Json, true) => expanded::write_json(&mut output, &mut reach, &scope),
        (MapFormat::Csv, true) => expanded::write_csv(&mut output, &mut reach, &scope),
        (MapFormat::Json, false) => json::write(&mut output, &mut reach, &scope, at, &problems),
        (MapFormat::Csv, false) => rows::write(&mut output, &mut reach, &scope),
        (MapFormat::Dot, _) => graph::write_dot(&mut output, &mut reach, &scope),
        (MapFormat::Mermaid, _) => graph::write_mermaid(&mut output, &mut reach, &scope),
        (MapFormat::Text, _) => text::write(&mut output, &mut reach, &scope, settings.colour),
    };
    printed?;
    output.flush()?;
    if arguments.output != MapFormat::Json || arguments.expand {
        input::print_problems(&problems);
    }
    Ok(status(&problems))
}

/// A map answers no yes or no: it is clean, unless something could not be read that may change it.
fn status(problems: &[Problem]) -> ExitStatus {
    match problems.iter().any(|problem| problem.effect == Effect::MayChangeAnswers) {
        true => ExitStatus::Undecided,
        false => ExitStatus::Clean,
    }
}

/// Which links are asked for.
struct Scope {
    /// Empty: all.
    namespaces: Vec<String>,
}

impl Scope {
    fn of(model: &Model, namespaces: &[String]) -> Result<Self, Failure> {
        let is_known = |namespace: &String| model.pods().iter().any(|pod| *pod.namespace == **namespace);
        if let Some(namespace) = namespaces.iter().find(|namespace| !is_known(namespace)) {
            let mut known: Vec<&str> = model.pods().iter().map(|pod| &*pod.namespace).collect();
            known.dedup();
            let failure = Failure::new(format!("namespace `{namespace}` has no pods"));
            return Err(match known.is_empty() {
                true => failure,
                false => failure.hint(Hint::Change(format!("those that have are {}", known.join(", ")))),
            });
        }
        Ok(Self { namespaces: namespaces.to_vec() })
    }

    fn has(&self, from: Option<&str>, to: Option<&str>) -> bool {
        let asked =
            |namespace: Option<&str>| namespace.is_some_and(|own| self.namespaces.iter().any(|name| name == own));
        self.namespaces.is_empty() || asked(from) || asked(to)
    }

    fn has_subjects(&self, from: &Subject, to: &Subject) -> bool {
        self.has(from.namespace().map(|name| &**name), to.namespace().map(|name| &**name))
    }
}

/// The two ends of every link, by workload.
struct Ends {
    from: Subjects,
    to: Subjects,
}

impl Ends {
    fn of(reach: &Reach<'_>) -> Self {
        Self { from: reach.sending_subjects(), to: reach.receiving_subjects() }
    }
}
