//! `palisade net diff`: what a change opens and closes.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::sync::Arc;

use palisade_model::cni::CniProfile;
use palisade_model::settings::Settings as ClusterSettings;
use palisade_model::verdict::Word;
use palisade_model::{Effect, Problem, Timestamp};
use palisade_policy::Model;
use palisade_policy::difference::{self, Change, Difference};
use palisade_policy::map::{Family, Subject};
use palisade_report::markdown::plain;
use serde::Serialize;

use super::map::ports;
use super::names::{collapsed, wrapped};
use crate::answer::render_verdict;
use crate::arguments::diff::{DiffArguments, DiffFormat, FailOn};
use crate::exit::ExitStatus;
use crate::failure::{Failure, Hint};
use crate::settings::{Settings, Source};
use crate::terminal::{Colour, Tone};
use crate::{input, report};

/// The version of the JSON form; it rises when a field changes its meaning.
const VERSION: u32 = 1;

/// Rows of a Markdown table; a comment on a pull request has an end.
const ROWS: usize = 200;

/// Prints the difference.
///
/// # Errors
/// When one of the two cannot be read at all.
pub fn run(arguments: &DiffArguments, settings: &Settings) -> Result<ExitStatus, Failure> {
    let is_stdin = |paths: &[PathBuf]| paths.iter().any(|path| input::is_stdin(path));
    if is_stdin(&arguments.old.0) && is_stdin(&arguments.new.0) {
        return Err(Failure::new("OLD and NEW cannot both come from standard input")
            .hint(Hint::Change("write one of them to a file".into())));
    }
    let at = arguments.at.unwrap_or(settings.now);
    let (old, mut problems) = read(&arguments.old.0, &arguments.cni.profile)?;
    let (new, of_new) = read(&arguments.new.0, &arguments.cni.profile)?;
    problems.extend(of_new.into_iter().filter(|problem| !problems.contains(problem)).collect::<Vec<_>>());
    let difference = difference::difference(&old, &new, at);
    let mut output = io::BufWriter::new(io::stdout().lock());
    match arguments.output {
        DiffFormat::Text => write!(output, "{}", text(&difference, settings.colour))?,
        DiffFormat::Markdown => write!(output, "{}", markdown(&difference))?,
        DiffFormat::Json => report::write_json(&mut output, &Report::new(&difference, at, &problems))?,
    }
    output.flush()?;
    if arguments.output != DiffFormat::Json {
        let serious: Vec<Problem> =
            problems.iter().filter(|problem| problem.effect == Effect::MayChangeAnswers).cloned().collect();
        input::print_problems(&serious);
    }
    Ok(status(arguments.fail_on, &difference, &problems))
}

fn read(paths: &[PathBuf], plugin: &CniProfile) -> Result<(Model, Vec<Problem>), Failure> {
    let read = input::read_something(&Source::Paths(paths.to_vec()))?;
    let cluster = ClusterSettings::of(&read.value).with_cni(plugin);
    let outcome = Model::new(Arc::new(read.value), cluster);
    let mut problems = read.problems;
    problems.extend(outcome.problems);
    Ok((outcome.value, problems))
}

fn status(fail_on: FailOn, difference: &Difference, problems: &[Problem]) -> ExitStatus {
    let fails = difference.changes.iter().any(|change| match fail_on {
        FailOn::Any => true,
        FailOn::Opens => change.opens(),
        FailOn::Closes => change.closes(),
        FailOn::Never => false,
    });
    match (problems.iter().any(|problem| problem.effect == Effect::MayChangeAnswers), fails) {
        (true, _) => ExitStatus::Undecided,
        (false, true) => ExitStatus::Findings,
        (false, false) => ExitStatus::Clean,
    }
}

/// What a change is, in the order in which it matters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Sort {
    Opens,
    Closes,
    /// It was allowed or denied, and now a fact is missing.
    BecomesUndecided,
    /// A fact was missing, and now it is denied.
    BecomesDenied,
}

impl Sort {
    fn of(change: &Change) -> Self {
        match (change.before, change.after) {
            (_, Word::Allowed) => Self::Opens,
            (_, Word::Undecided) => Self::BecomesUndecided,
            (Word::Undecided, Word::Denied) => Self::BecomesDenied,
            (Word::Allowed | Word::Denied, Word::Denied) => Self::Closes,
        }
    }

    fn heading(self) -> &'static str {
        match self {
            Self::Opens => "opens",
            Self::Closes => "closes",
            Self::BecomesUndecided => "cannot be decided any more",
            Self::BecomesDenied => "is decided now: denied",
        }
    }
}

/// Changes that are told together: whom, on which ports, and why; with who connects.
type Told<'d> = BTreeMap<(Sort, &'d Subject, String, String), BTreeSet<&'d Subject>>;

fn told(difference: &Difference) -> Told<'_> {
    let mut told = Told::new();
    for change in &difference.changes {
        let key = (Sort::of(change), &change.to, shown_ports(change), because(change));
        told.entry(key).or_default().insert(&change.from);
    }
    told
}

fn shown_ports(change: &Change) -> String {
    let ports = ports::shown_spans(&change.ports);
    match change.family {
        None => ports,
        Some(Family::IPv4) => format!("{ports} over IPv4"),
        Some(Family::IPv6) => format!("{ports} over IPv6"),
    }
}

/// What makes the difference: the rule that decides now, or else the one that did.
fn because(change: &Change) -> String {
    let [now, before] = &change.because;
    match (now, before) {
        (Some(now), Some(before)) if now.rule().is_none() && before.rule().is_some() => {
            format!("was {}", render_verdict(before))
        }
        (Some(now), _) => render_verdict(now),
        (None, Some(_)) => "an end is not there any more".to_owned(),
        (None, None) => String::new(),
    }
}

/// What is told of a receiver: ports, who connects, and why.
type Lines = Vec<(String, Vec<String>, String)>;

pub(super) fn text(difference: &Difference, colour: Colour) -> String {
    let mut text = String::new();
    for (sort, receivers) in paragraphs(difference) {
        let gap = if text.is_empty() { "" } else { "\n" };
        let tone = match sort {
            Sort::Opens => Tone::Caution,
            Sort::Closes => Tone::Bad,
            Sort::BecomesUndecided | Sort::BecomesDenied => Tone::Strong,
        };
        let _ = writeln!(text, "{gap}{}", colour.paint(tone, sort.heading()));
        for (names, lines) in receivers {
            wrapped(&names, 2).iter().for_each(|line| {
                let _ = writeln!(text, "  {line}");
            });
            lines.iter().for_each(|line| write_line(&mut text, line));
        }
    }
    if text.is_empty() {
        text.push_str("no link is different\n");
    }
    for (word, workloads) in [("new", &difference.added), ("gone", &difference.removed)] {
        if !workloads.is_empty() {
            let _ = writeln!(text, "\n{word}: {}", workloads.join(", "));
        }
    }
    text
}

fn write_line(text: &mut String, (ports, names, because): &(String, Vec<String>, String)) {
    /// A longer lead has a line of its own.
    const LEAD: usize = 28;
    let lead = format!("    {ports}  from ");
    let indent = if lead.len() > LEAD { "      ".len() } else { lead.len() };
    for (position, line) in wrapped(names, indent).iter().enumerate() {
        let _ = match position {
            0 if lead.len() > LEAD => writeln!(text, "{}\n      {line}", lead.trim_end()),
            0 => writeln!(text, "{lead}{line}"),
            _ => writeln!(text, "{}{line}", " ".repeat(indent)),
        };
    }
    if !because.is_empty() {
        let _ = writeln!(text, "      {because}");
    }
}

/// By sort, the receivers of whom the same is told, and what.
fn paragraphs(difference: &Difference) -> BTreeMap<Sort, Vec<(Vec<String>, Lines)>> {
    let senders: Vec<&Subject> = difference.senders.iter().collect();
    let mut by_receiver: BTreeMap<(Sort, &Subject), Lines> = BTreeMap::new();
    for ((sort, to, ports, because), from) in told(difference) {
        let names = collapsed(&senders, &from, |subject| subject == to);
        by_receiver.entry((sort, to)).or_default().push((ports, names, because));
    }
    let mut paragraphs: BTreeMap<Sort, Vec<(Vec<String>, Lines)>> = BTreeMap::new();
    for ((sort, to), lines) in by_receiver {
        let of_sort = paragraphs.entry(sort).or_default();
        match of_sort.iter_mut().find(|(_, others)| *others == lines) {
            Some((receivers, _)) => receivers.push(to.to_string()),
            None => of_sort.push((vec![to.to_string()], lines)),
        }
    }
    paragraphs
}

fn markdown(difference: &Difference) -> String {
    let mut text = String::from("### Network reachability\n");
    let told = told(difference);
    if told.is_empty() {
        text.push_str("\nNo link is different.\n");
    }
    let senders: Vec<&Subject> = difference.senders.iter().collect();
    for sort in [Sort::Opens, Sort::Closes, Sort::BecomesUndecided, Sort::BecomesDenied] {
        let rows: Vec<_> = told.iter().filter(|((of, ..), _)| *of == sort).collect();
        if rows.is_empty() {
            continue;
        }
        let heading = sort.heading();
        let capital = heading[..1].to_uppercase() + &heading[1..];
        let _ = writeln!(
            text,
            "\n**{capital}** ({})\n\n| From | To | Ports | Because |\n| --- | --- | --- | --- |",
            rows.len()
        );
        for ((_, to, ports, because), from) in rows.iter().take(ROWS) {
            let names = collapsed(&senders, from, |subject| subject == *to).join(", ");
            let cells = [names.as_str(), &to.to_string(), ports, because].map(plain).join(" | ");
            let _ = writeln!(text, "| {cells} |");
        }
        if rows.len() > ROWS {
            let _ = writeln!(text, "\n{} more are not shown.", rows.len() - ROWS);
        }
    }
    for (word, workloads) in [("New workloads", &difference.added), ("Gone workloads", &difference.removed)] {
        if !workloads.is_empty() {
            let _ = writeln!(text, "\n{word}: {}", plain(&workloads.join(", ")));
        }
    }
    text
}

/// The JSON form.
#[derive(Serialize)]
pub(super) struct Report<'a> {
    version: u32,
    at: Timestamp,
    changes: Vec<JsonChange>,
    added: &'a [String],
    removed: &'a [String],
    problems: &'a [Problem],
}

/// A change of a pair.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct JsonChange {
    kind: Sort,
    from: String,
    to: String,
    before: Word,
    after: Word,
    #[serde(skip_serializing_if = "Option::is_none")]
    family: Option<&'static str>,
    ports: ports::JsonPorts,
    /// What decides now, and what did.
    now: Option<palisade_model::verdict::Verdict>,
    was: Option<palisade_model::verdict::Verdict>,
}

impl<'a> Report<'a> {
    pub(super) fn new(difference: &'a Difference, at: Timestamp, problems: &'a [Problem]) -> Self {
        let changes = difference.changes.iter().map(|change| JsonChange {
            kind: Sort::of(change),
            from: change.from.to_string(),
            to: change.to.to_string(),
            before: change.before,
            after: change.after,
            family: change.family.map(|family| match family {
                Family::IPv4 => "IPv4",
                Family::IPv6 => "IPv6",
            }),
            ports: ports::JsonPorts::of_spans(&change.ports),
            now: change.because[0].clone(),
            was: change.because[1].clone(),
        });
        let mut changes: Vec<JsonChange> = changes.collect();
        changes.sort_by(|a, b| (a.kind, &a.to, &a.from).cmp(&(b.kind, &b.to, &b.from)));
        Self { version: VERSION, at, changes, added: &difference.added, removed: &difference.removed, problems }
    }
}
