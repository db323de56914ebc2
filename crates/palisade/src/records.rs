//! The agents' records, as they come through their sockets.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, SyncSender};

use palisade_lab::LabName;
use palisade_model::flow::FlowRecord;
use serde::{Deserialize, Serialize};

use crate::arguments::Since;
use crate::failure::{Failure, Hint};
use crate::input::named;

/// Why there is nothing to show.
#[derive(Debug, thiserror::Error)]
enum RecordsError {
    #[error("no agent answers on `{}`", socket.display())]
    NoAgent { socket: PathBuf, source: io::Error },
    #[error("the connection to the agent broke")]
    Broken(#[source] io::Error),
    #[error("the agent sent a line that is no record: `{line}`")]
    NotARecord { line: String, source: serde_json::Error },
}

/// The longest part of a line from the agent that a message repeats.
const SHOWN: usize = 120;

/// The longest line that is taken from the agent; a record is below 4 KiB.
const LONGEST_LINE: u64 = 1 << 20;

/// What the agent tells in a line.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub enum Line {
    /// So many records could not be kept.
    Lost {
        /// How many.
        lost: u64,
    },
    /// A connection tried.
    Record(Box<FlowRecord>),
}

/// Lines that are read ahead of what is shown; a reader that is slower still is told by the agent what it missed.
const READ_AHEAD: usize = 1024;

/// Open streams of records.
pub struct Records {
    lines: Receiver<Result<(String, Line), Failure>>,
}

impl Records {
    /// Asks the agents behind `sockets` for their records; those that have died are passed over.
    ///
    /// # Errors
    /// When none answers.
    pub fn connect(sockets: &[PathBuf], lab: &LabName, since: Since) -> Result<Self, Failure> {
        let (sender, lines) = mpsc::sync_channel(READ_AHEAD);
        let mut first_error = None;
        let mut any = false;
        for socket in sockets {
            match open(socket, lab, since) {
                Ok(stream) => {
                    any = true;
                    let sender = sender.clone();
                    std::thread::spawn(move || pass_on(&mut BufReader::new(stream), &sender));
                }
                Err(error) => first_error = first_error.or(Some(error)),
            }
        }
        match first_error {
            Some(error) if !any => Err(error),
            Some(_) | None => Ok(Self { lines }),
        }
    }

    /// The next line of any of them: as it came, and understood; `None` when all agents are gone.
    ///
    /// # Errors
    /// When a connection breaks, or a line is no record.
    pub fn next(&self) -> Result<Option<(String, Line)>, Failure> {
        self.lines.recv().ok().transpose()
    }
}

fn open(socket: &Path, lab: &LabName, since: Since) -> Result<UnixStream, Failure> {
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
    let mut stream = UnixStream::connect(socket).map_err(|source| no_agent(socket, lab, source))?;
    let mut request = serde_json::to_vec(&Request { observe: Observe { since } }).map_err(Failure::new)?;
    request.push(b'\n');
    stream.write_all(&request).map_err(|source| Failure::new(RecordsError::Broken(source)))?;
    Ok(stream)
}

/// Until the agent is gone, or nobody listens.
fn pass_on(lines: &mut impl BufRead, sender: &SyncSender<Result<(String, Line), Failure>>) {
    while let Some(line) = next_line(lines).transpose() {
        let is_last = line.is_err();
        if sender.send(line).is_err() || is_last {
            return;
        }
    }
}

/// `None` when the agent is gone. One that was killed can leave a line without its end, which is nothing.
fn next_line(lines: &mut impl BufRead) -> Result<Option<(String, Line)>, Failure> {
    let mut text = String::new();
    let read = match lines.by_ref().take(LONGEST_LINE).read_line(&mut text) {
        Ok(read) => read as u64,
        // How the kernel tells that the other side died with something unread.
        Err(error) if error.kind() == io::ErrorKind::ConnectionReset => 0,
        // Cut within a character.
        Err(error) if error.kind() == io::ErrorKind::InvalidData && lines.fill_buf().is_ok_and(<[u8]>::is_empty) => 0,
        Err(error) => return Err(Failure::new(RecordsError::Broken(error))),
    };
    if read == 0 || (read < LONGEST_LINE && !text.ends_with('\n')) {
        return Ok(None);
    }
    text.truncate(text.trim_end().len());
    let line = serde_json::from_str(&text).map_err(|source| {
        let line = text.chars().take(SHOWN).collect();
        Failure::new(RecordsError::NotARecord { line, source })
    })?;
    Ok(Some((text, line)))
}

fn no_agent(socket: &Path, lab: &LabName, source: io::Error) -> Failure {
    let hint = match source.kind() {
        io::ErrorKind::PermissionDenied => Hint::Run(format!("sudo palisade observe{}", named(lab))),
        _ => Hint::Run(format!("sudo palisade agent run{}", named(lab))),
    };
    Failure::new(RecordsError::NoAgent { socket: socket.to_owned(), source }).hint(hint)
}
