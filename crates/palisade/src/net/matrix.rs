//! `palisade net matrix`: a list of probes, each with its answer.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use palisade_model::link::{End, Link};
use palisade_model::settings::Settings as ClusterSettings;
use palisade_model::verdict::{Because, Judgement, Missing, Verdict, Word};
use palisade_model::{Problem, Protocol, Timestamp};
use palisade_policy::Model;
use serde::Deserialize;
use serde_json::Value;

use crate::arguments::OutputFormat;
use crate::arguments::net::MatrixArguments;
use crate::exit::ExitStatus;
use crate::failure::{Failure, Hint};
use crate::input;
use crate::question::{self, Receivers, Sender, Target};
use crate::settings::{Settings, Source};

/// Messages about probes that cannot be asked; the rest is counted.
const MESSAGES: usize = 20;

/// A list of probes can be longer than this; it is then asked in parts.
const MOST_BYTES: u64 = 1 << 30;

/// Why the probes cannot be read.
#[derive(Debug, thiserror::Error)]
enum ProbesError {
    #[error("cannot read `{}`", path.display())]
    Unreadable { path: std::path::PathBuf, source: io::Error },
    #[error("`{}` is no list of probes", path.display())]
    NoList { path: std::path::PathBuf, source: serde_json::Error },
    #[error("`{}` is longer than {most} bytes", path.display())]
    TooLong { path: std::path::PathBuf, most: u64 },
    #[error("manifests and probes cannot both come from standard input")]
    StdinTwice,
}

/// `[source, destination, port, protocol]`
#[derive(Debug, Deserialize)]
struct Probe(String, String, u32, String);

/// As JSON: true, false, or null when it is undecided.
fn as_json(word: Word) -> &'static str {
    match word {
        Word::Allowed => "true",
        Word::Denied => "false",
        Word::Undecided => "null",
    }
}

/// What several links come to that are asked as one.
fn same(one: Word, other: Word) -> Word {
    if one == other { one } else { Word::Undecided }
}

/// Answers the probes.
///
/// # Errors
/// When there is no input, or the probes cannot be read.
pub fn run(arguments: &MatrixArguments, settings: &Settings) -> Result<ExitStatus, Failure> {
    if input::is_stdin(&arguments.probes) && arguments.manifests.manifests.iter().any(|path| input::is_stdin(path)) {
        return Err(Failure::new(ProbesError::StdinTwice));
    }
    let probes = read_probes(&arguments.probes)?;
    let read = input::read(&Source::from(&arguments.manifests))?;
    let cluster = ClusterSettings::of(&read.value).with_cni(&arguments.cni.profile);
    let outcome = Model::new(Arc::new(read.value), cluster);
    let mut problems = read.problems;
    problems.extend(outcome.problems);
    input::print_problems(&problems);
    let mut asker = Asker::new(&outcome.value, arguments.at.unwrap_or(settings.now));
    let answers: Vec<Word> = probes.iter().enumerate().map(|(position, probe)| asker.ask(position, probe)).collect();
    asker.print_unasked();
    let mut output = io::BufWriter::new(io::stdout().lock());
    match arguments.output {
        OutputFormat::Text => write_text(&mut output, &probes, &answers)?,
        OutputFormat::Json => write_json(&mut output, &probes, &answers)?,
    }
    output.flush()?;
    let is_open = answers.contains(&Word::Undecided) || problems.iter().any(Problem::may_change_links);
    Ok(if is_open { ExitStatus::Undecided } else { ExitStatus::Clean })
}

fn read_probes(path: &Path) -> Result<Vec<Probe>, Failure> {
    let source: Box<dyn Read> = if input::is_stdin(path) {
        Box::new(io::stdin().lock())
    } else {
        let file = File::open(path)
            .map_err(|source| Failure::new(ProbesError::Unreadable { path: path.to_owned(), source }))?;
        Box::new(file)
    };
    parse(source, path, MOST_BYTES)
}

fn parse(source: impl Read, path: &Path, most: u64) -> Result<Vec<Probe>, Failure> {
    let mut source = source.take(most);
    let parsed = serde_json::from_reader(BufReader::new(&mut source));
    parsed.map_err(|error| {
        let path = path.to_owned();
        if source.limit() == 0 {
            return Failure::new(ProbesError::TooLong { path, most }).hint(Hint::Change("ask them in parts".into()));
        }
        Failure::new(ProbesError::NoList { path, source: error }).hint(Hint::Change(
            "write [[\"shop/web\", \"data/db\", 5432, \"TCP\"], ...]: source, destination, port, protocol".into(),
        ))
    })
}

fn write_text(output: &mut impl Write, probes: &[Probe], answers: &[Word]) -> io::Result<()> {
    for (Probe(from, to, port, protocol), answer) in probes.iter().zip(answers) {
        writeln!(output, "{answer:<9}  {from} -> {to} {port}/{protocol}")?;
    }
    Ok(())
}

/// A probe a line.
fn write_json(output: &mut impl Write, probes: &[Probe], answers: &[Word]) -> io::Result<()> {
    writeln!(output, "[")?;
    for (position, (Probe(from, to, port, protocol), answer)) in probes.iter().zip(answers).enumerate() {
        let [from, to, protocol] = [from, to, protocol].map(|text| Value::from(text.as_str()));
        let comma = if position + 1 < probes.len() { "," } else { "" };
        writeln!(output, "[{from},{to},{port},{protocol},{}]{comma}", as_json(*answer))?;
    }
    writeln!(output, "]")
}

/// What stands behind the words of an end, or why nobody does.
type Found<T> = Result<Arc<[T]>, String>;

/// Asks the model, and keeps what stands behind the words.
struct Asker<'m> {
    model: &'m Model,
    now: Timestamp,
    /// Somebody outside of whom no policy knows more.
    stranger: Option<IpAddr>,
    senders: HashMap<String, Found<Sender>>,
    targets: HashMap<(String, u32, Protocol), Found<Target>>,
    unasked: Vec<String>,
    unasked_count: usize,
}

impl<'m> Asker<'m> {
    fn new(model: &'m Model, now: Timestamp) -> Self {
        let stranger = model.world_address(true);
        Self {
            model,
            now,
            stranger,
            senders: HashMap::new(),
            targets: HashMap::new(),
            unasked: Vec::new(),
            unasked_count: 0,
        }
    }

    fn ask(&mut self, position: usize, probe: &Probe) -> Word {
        self.find(probe).unwrap_or_else(|why| {
            self.unasked_count += 1;
            if self.unasked.len() < MESSAGES {
                self.unasked.push(format!("probe {position}: {why}"));
            }
            Word::Undecided
        })
    }

    fn find(&mut self, Probe(from, to, port, protocol): &Probe) -> Result<Word, String> {
        let protocol: Protocol = protocol.parse().map_err(|error| format!("{error}"))?;
        let model = self.model;
        if !self.senders.contains_key(from) {
            let senders = question::senders(model, &by_pod(model, from)).map(Arc::from);
            self.senders.insert(from.clone(), senders.map_err(|failure| failure.message()));
        }
        let key = (to.clone(), *port, protocol);
        if !self.targets.contains_key(&key) {
            let wanted = format!("{port}/{protocol}");
            let targets = question::targets(model, &by_pod(model, to), Some(&wanted)).map(Arc::from);
            self.targets.insert(key.clone(), targets.map_err(|failure| failure.message()));
        }
        let (senders, targets) = (self.senders[from].clone()?, self.targets[&key].clone()?);
        Ok(self.answer(&senders, &targets))
    }

    fn answer(&self, senders: &[Sender], targets: &[Target]) -> Word {
        let pairs = targets.iter().flat_map(|target| senders.iter().map(move |sender| (sender, target)));
        let words = pairs.map(|(sender, target)| self.pair(sender, target));
        words.reduce(same).unwrap_or(Word::Undecided)
    }

    fn pair(&self, sender: &Sender, target: &Target) -> Word {
        if let Receivers::Unknown(_) = target.receivers {
            return Word::Undecided;
        }
        let words = target.links(sender).into_iter().map(|(_, link)| {
            let word = self.link(&link);
            // The receiver may see a node's address instead.
            match self.stranger.filter(|_| target.translating.is_some()) {
                Some(address) => same(word, self.link(&Link { from: End::Address(address), ..link })),
                None => word,
            }
        });
        // A Service without a ready endpoint refuses.
        words.reduce(same).unwrap_or(Word::Denied)
    }

    fn link(&self, link: &Link) -> Word {
        match self.model.judge(link, self.now) {
            Ok(judgement) => word(&judgement, matches!(link.from, End::Address(_))),
            Err(_) => Word::Undecided,
        }
    }

    fn print_unasked(&self) {
        for message in &self.unasked {
            eprintln!("problem: {message}");
        }
        if self.unasked_count > self.unasked.len() {
            eprintln!("problem: {} more probes cannot be asked", self.unasked_count - self.unasked.len());
        }
    }
}

/// A source address says nothing of the socket behind it: that of the own node opens nothing by itself, and whether it is
/// the own node does not matter. What else might open the end comes before it, and would be named as missing instead.
fn word(judgement: &Judgement, is_from_address: bool) -> Word {
    let by_node = |verdict: &Verdict| match verdict {
        Verdict::Allow(Because::OwnNode { .. }) | Verdict::Undecided(Missing::NodeOf { .. }) => true,
        Verdict::Allow(_) | Verdict::Deny(_) | Verdict::Undecided(_) => false,
    };
    let by_address = |verdict: &Verdict| is_from_address && by_node(verdict);
    match judgement.enforced.link().1 {
        _ if by_address(&judgement.enforced.ingress) => Word::Denied,
        verdict => Word::from(verdict),
    }
}

/// `NAMESPACE/NAME` means the pod of the name, when there is one, before a workload.
fn by_pod(model: &Model, text: &str) -> String {
    if text.parse::<IpAddr>().is_err()
        && let Some((namespace, name)) = text.split_once('/')
        && model.pod_named(namespace, name).is_some_and(|pod| !pod.is_template)
    {
        return format!("{namespace}/pod/{name}");
    }
    text.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_without_an_end_is_refused() {
        const LIST: &[u8] = br#"[["a/b", "c/d", 80, "TCP"]]"#;
        let path = Path::new("probes.json");
        let endless = LIST[..LIST.len() - 1].chain(io::repeat(b' '));
        let failure = parse(endless, path, 1 << 16).expect_err("it has no end");
        assert!(format!("{failure:?}").contains("TooLong"), "{failure:?}");
        let failure = parse(&LIST[..9], path, 1 << 16).expect_err("it is cut");
        assert!(format!("{failure:?}").contains("NoList"), "{failure:?}");
        assert_eq!(parse(LIST, path, LIST.len() as u64).expect("exactly as long as can be").len(), 1);
    }
}
