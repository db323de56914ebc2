//! `palisade observe`: the agent's records, live.

use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use palisade_model::flow::FlowRecord;
use serde::{Deserialize, Serialize};

use crate::arguments::{ObserveArguments, OutputFormat, Since};
use crate::exit::ExitStatus;
use crate::failure::{Failure, Hint};
use crate::settings::Settings;
use crate::terminal::Tone;

use filter::Filter;
use row::Rows;

mod filter;
pub mod row;

/// Why there is nothing to show.
#[derive(Debug, thiserror::Error)]
enum ObserveError {
    #[error("no agent answers on `{}`", socket.display())]
    NoAgent { socket: PathBuf, source: io::Error },
    #[error("the connection to the agent broke")]
    Broken(#[source] io::Error),
    #[error("the agent sent a line that is no record: `{line}`")]
    NotARecord { line: String, source: serde_json::Error },
}

/// A line of the agent's stream.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Line {
    Lost { lost: u64 },
    Record(Box<FlowRecord>),
}

/// The longest part of a line from the agent that a message repeats.
const SHOWN: usize = 120;

/// The longest line that is taken from the agent; a record is below 4 KiB.
const LONGEST_LINE: u64 = 1 << 20;

/// Prints records until the agent goes away, the limit is reached or the reader leaves.
pub fn run(arguments: &ObserveArguments, settings: &Settings) -> Result<ExitStatus, Failure> {
    let socket = arguments.socket.clone().unwrap_or_else(|| arguments.lab.name.state_dir().agent_socket());
    let stream = connect(&socket, arguments.since)?;
    let filter = Filter::new(&arguments.filters);
    let mut rows = Rows::new(settings.colour);
    let mut output = io::stdout().lock();
    if arguments.output == OutputFormat::Text {
        writeln!(output, "{}", rows.header())?;
    }
    let mut shown = 0;
    let mut lines = BufReader::new(stream);
    while arguments.limit.is_none_or(|limit| shown < limit) {
        let Some(text) = next_line(&mut lines)? else { break };
        match parse(&text)? {
            Line::Lost { lost } => print_lost(&mut output, arguments.output, lost, settings)?,
            Line::Record(record) if filter.passes(&record) => {
                match arguments.output {
                    OutputFormat::Text => writeln!(output, "{}", rows.render(&record))?,
                    OutputFormat::Json => writeln!(output, "{text}")?,
                }
                shown += 1;
            }
            Line::Record(_) => {}
        }
        output.flush()?;
    }
    Ok(ExitStatus::Clean)
}

/// Asks the agent behind `socket` for its records.
fn connect(socket: &Path, since: Since) -> Result<UnixStream, Failure> {
    #[derive(Serialize)]
    struct Request {
        observe: Observe,
    }
    #[derive(Serialize)]
    struct Observe {
        since: &'static str,
    }
    let since = match since {
        Since::Start => "start",
        Since::Now => "now",
    };
    let mut stream = UnixStream::connect(socket).map_err(|source| no_agent(socket, source))?;
    let mut request = serde_json::to_vec(&Request { observe: Observe { since } }).map_err(Failure::new)?;
    request.push(b'\n');
    stream.write_all(&request).map_err(|source| Failure::new(ObserveError::Broken(source)))?;
    Ok(stream)
}

fn no_agent(socket: &Path, source: io::Error) -> Failure {
    let hint = match source.kind() {
        io::ErrorKind::PermissionDenied => Hint::Run("sudo palisade observe".into()),
        _ => Hint::Run("sudo palisade agent run".into()),
    };
    Failure::new(ObserveError::NoAgent { socket: socket.to_owned(), source }).hint(hint)
}

/// The next line without its end; `None` at the end of the stream.
fn next_line(lines: &mut impl BufRead) -> Result<Option<String>, Failure> {
    let mut text = String::new();
    let read = io::Read::take(lines, LONGEST_LINE).read_line(&mut text);
    match read.map_err(|source| Failure::new(ObserveError::Broken(source)))? {
        0 => Ok(None),
        _ => Ok(Some(text.trim_end().to_owned())),
    }
}

fn parse(text: &str) -> Result<Line, Failure> {
    serde_json::from_str(text).map_err(|source| {
        let line = text.chars().take(SHOWN).collect();
        Failure::new(ObserveError::NotARecord { line, source })
    })
}

fn print_lost(output: &mut impl Write, format: OutputFormat, lost: u64, settings: &Settings) -> io::Result<()> {
    match format {
        OutputFormat::Json => writeln!(output, "{{\"lost\":{lost}}}"),
        OutputFormat::Text => {
            let words = format!("-- {lost} records lost: the agent was not fast enough for them --");
            writeln!(output, "{}", settings.colour.paint(Tone::Caution, &words))
        }
    }
}
