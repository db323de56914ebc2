//! The agent's socket: one JSON line asks, one line or a stream of lines answers.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::error::{Error, Result};
use crate::history::History;

/// Clients at the same time; more are turned away.
const CLIENTS_MAX: usize = 64;
/// The longest request.
const REQUEST_MAX: usize = 4096;
/// Bytes that wait for one client at most, beside the history that it reads from.
const OUTPUT_MAX: usize = 64 * 1024;

/// What a client may ask.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Request {
    /// A stream of records.
    Observe(Observe),
    /// One line about the agent.
    Status(Empty),
    /// Whether a pod's rules are in the kernel.
    Guarded(Guarded),
    /// Take everything out of the kernel and end.
    Unload(Empty),
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Observe {
    pub(crate) since: Since,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Since {
    Start,
    Now,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Empty {}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Guarded {
    pub(crate) pod_uid: String,
}

/// The socket and its clients.
#[derive(Debug)]
pub(crate) struct Server {
    listener: UnixListener,
    path: PathBuf,
    clients: Vec<Client>,
}

#[derive(Debug)]
pub(crate) struct Client {
    stream: UnixStream,
    input: Vec<u8>,
    output: Vec<u8>,
    /// The number of the next line of the history that it gets.
    next: Option<u64>,
    /// It shut its side: it goes when it has its answers.
    asked_all: bool,
    closed: bool,
}

impl Server {
    /// Listens at `path`, for root alone. A socket that nobody answers on is replaced.
    pub(crate) fn new(path: &Path) -> Result<Self> {
        if UnixStream::connect(path).is_ok() {
            return Err(Error::AlreadyRuns { socket: path.to_owned() });
        }
        let failed = |source| Error::Socket { socket: path.to_owned(), source };
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
            Ok(()) | Err(_) => {}
        }
        let listener = UnixListener::bind(path).map_err(failed)?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        Ok(Self { listener, path: path.to_owned(), clients: Vec::new() })
    }

    /// Readable when somebody comes.
    pub(crate) fn descriptor(&self) -> BorrowedFd<'_> {
        self.listener.as_fd()
    }

    /// The clients' sockets, and whether one waits to be written to.
    pub(crate) fn clients(&self, history: &History) -> impl Iterator<Item = (BorrowedFd<'_>, bool)> {
        let end = history.end();
        self.clients.iter().map(move |client| {
            let behind = client.next.is_some_and(|next| next < end);
            (client.stream.as_fd(), behind || !client.output.is_empty())
        })
    }

    /// Takes new clients and what they ask; streams are set up here, the rest is put into `asked` with its client.
    pub(crate) fn take(&mut self, history: &History, asked: &mut Vec<(usize, Request)>) {
        while let Ok((stream, _)) = self.listener.accept() {
            if self.clients.len() < CLIENTS_MAX && stream.set_nonblocking(true).is_ok() {
                let client = Client {
                    stream,
                    input: Vec::new(),
                    output: Vec::new(),
                    next: None,
                    asked_all: false,
                    closed: false,
                };
                self.clients.push(client);
            }
        }
        for (number, client) in self.clients.iter_mut().enumerate() {
            client.read(history, &mut |request| asked.push((number, request)));
        }
    }

    /// Puts an answer behind what waits for a client; valid until the next [`Server::write`].
    pub(crate) fn say(&mut self, client: usize, line: &str) {
        self.clients[client].say(line);
    }

    /// Writes what can be written, and lets clients go that are done.
    pub(crate) fn write(&mut self, history: &History) {
        for client in &mut self.clients {
            client.write(history);
            client.closed |= client.asked_all && client.output.is_empty() && client.next.is_none();
        }
        self.clients.retain(|client| !client.closed);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

impl Client {
    fn read(&mut self, history: &History, ask: &mut dyn FnMut(Request)) {
        let mut bytes = [0; 1024];
        loop {
            match self.stream.read(&mut bytes) {
                // One that asked and shut its side may still be reading its answer; a stream ends when nobody is there.
                Ok(0) => {
                    self.asked_all = true;
                    self.closed |= self.next.is_some();
                    break;
                }
                Ok(count) => self.input.extend_from_slice(&bytes[..count]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => {
                    self.closed = true;
                    break;
                }
            }
            if self.input.len() > REQUEST_MAX {
                self.say(r#"{"error":"the request is too long"}"#);
                self.input.clear();
                break;
            }
        }
        while let Some(end) = self.input.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.input.drain(..=end).collect();
            match serde_json::from_slice(&line) {
                Ok(Request::Observe(observe)) => {
                    self.next = Some(match observe.since {
                        // What has made room by now is told as lost.
                        Since::Start => 0,
                        Since::Now => history.end(),
                    });
                }
                Ok(request) => ask(request),
                Err(error) => {
                    let line = serde_json::json!({ "error": error.to_string() }).to_string();
                    self.say(&line);
                }
            }
        }
    }

    fn say(&mut self, line: &str) {
        self.output.extend_from_slice(line.as_bytes());
        self.output.push(b'\n');
    }

    /// Fills the output from the history and writes until the client has enough.
    fn write(&mut self, history: &History) {
        loop {
            while let Some(next) = self.next.filter(|next| *next < history.end() && self.output.len() < OUTPUT_MAX) {
                let Some(line) = history.line(next) else {
                    // Too slow: what it has not read has made room.
                    let lost = history.start() - next;
                    self.next = Some(history.start());
                    self.say(&lost_line(lost));
                    continue;
                };
                self.output.extend_from_slice(line.as_bytes());
                self.output.push(b'\n');
                self.next = Some(next + 1);
            }
            if self.output.is_empty() {
                return;
            }
            match self.stream.write(&self.output) {
                Ok(0) => return,
                Ok(count) => {
                    self.output.drain(..count);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(_) => {
                    self.closed = true;
                    return;
                }
            }
        }
    }
}

/// Tells a reader that records are missing here.
pub(crate) fn lost_line(lost: u64) -> Box<str> {
    format!("{{\"lost\":{lost}}}").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_read_as_the_contract_writes_them() {
        let parse = |text: &str| serde_json::from_str::<Request>(text).ok();
        assert_eq!(parse(r#"{"observe":{"since":"start"}}"#), Some(Request::Observe(Observe { since: Since::Start })));
        assert_eq!(parse(r#"{"status":{}}"#), Some(Request::Status(Empty {})));
        let guarded = Request::Guarded(Guarded { pod_uid: "u1".to_string() });
        assert_eq!(parse(r#"{"guarded":{"podUid":"u1"}}"#), Some(guarded));
        assert_eq!(parse(r#"{"drop":{}}"#), None);
    }

    #[test]
    fn a_slow_reader_is_told_what_it_missed() {
        let path = std::env::temp_dir().join(format!("palisade-server-{}", std::process::id()));
        let mut server = Server::new(&path).expect("a socket");
        let mut history = History::default();
        let mut reader = UnixStream::connect(&path).expect("connected");
        reader.write_all(b"{\"observe\":{\"since\":\"start\"}}\n").expect("asked");
        let line = "x".repeat(1 << 20);
        for _ in 0..6 {
            history.push(line.as_str().into());
        }
        server.take(&history, &mut Vec::new());
        server.write(&history);
        let mut start = [0; 11];
        reader.read_exact(&mut start).expect("answered");
        assert_eq!(String::from_utf8_lossy(&start), "{\"lost\":2}\n");
    }
}
