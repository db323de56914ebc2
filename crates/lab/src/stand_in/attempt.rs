//! One try to reach somebody, and what came of it.

use std::io::{self, BufRead, Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, ToSocketAddrs, UdpSocket};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// How long a try waits when nobody says.
pub const DEFAULT_TIMEOUT_MS: u64 = 1000;

/// More of an answer than this is not kept.
const ANSWER_LIMIT: usize = 400;

/// A try to make.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Try {
    /// Given back as it is, to tell answers apart.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub id: Value,
    /// `ADDRESS:PORT` or `NAME:PORT`.
    pub target: String,
    /// UDP instead of TCP: one datagram, and an answer awaited.
    #[serde(default)]
    pub udp: bool,
    /// UDP by a socket that is not connected.
    #[serde(default)]
    pub unconnected: bool,
    /// Sent over the connection; then an answer is awaited and kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub send: Option<String>,
    /// Limit of each step in milliseconds.
    #[serde(default = "default_timeout")]
    pub timeout_ms: u64,
}

fn default_timeout() -> u64 {
    DEFAULT_TIMEOUT_MS
}

/// What came of a try.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    /// The try's id.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub id: Value,
    /// The try's target.
    pub target: String,
    /// TCP: the connection stands (and was answered, when something was sent). UDP: answered.
    pub ok: bool,
    /// The error number of the step that failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub errno: Option<i32>,
    /// What failed, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The address that was dialled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer: Option<SocketAddr>,
    /// Our own address of the connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub local: Option<SocketAddr>,
    /// The answer, cut short.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<String>,
    /// How long it took.
    pub micros: u64,
}

impl Try {
    /// A TCP connection to `target`, with the usual limit.
    pub fn tcp(target: impl Into<String>) -> Self {
        Self {
            id: Value::Null,
            target: target.into(),
            udp: false,
            unconnected: false,
            send: None,
            timeout_ms: DEFAULT_TIMEOUT_MS,
        }
    }

    /// Makes the try: at each address of the target in turn, until one answers.
    pub fn run(&self) -> Answer {
        let begun = Instant::now();
        let mut answer = Answer {
            id: self.id.clone(),
            target: self.target.clone(),
            ok: false,
            errno: None,
            error: None,
            peer: None,
            local: None,
            answer: None,
            micros: 0,
        };
        let tried = match self.target.to_socket_addrs() {
            Ok(addresses) => self.run_each(addresses, &mut answer),
            Err(error) => Err(io::Error::new(error.kind(), format!("cannot resolve: {error}"))),
        };
        match tried {
            Ok(()) => answer.ok = true,
            Err(error) => {
                answer.errno =
                    error.raw_os_error().or_else(|| timed_out(&error).then_some(nix::errno::Errno::ETIMEDOUT as i32));
                answer.error = Some(error.to_string());
            }
        }
        answer.micros = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX);
        answer
    }

    fn run_each(&self, addresses: impl Iterator<Item = SocketAddr>, answer: &mut Answer) -> io::Result<()> {
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
        for address in addresses {
            answer.peer = Some(address);
            match if self.udp { self.run_udp(address, answer) } else { self.run_tcp(address, answer) } {
                Ok(()) => return Ok(()),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms.max(1))
    }

    fn run_tcp(&self, address: SocketAddr, answer: &mut Answer) -> io::Result<()> {
        let mut stream = TcpStream::connect_timeout(&address, self.timeout())?;
        answer.local = stream.local_addr().ok();
        if let Some(text) = &self.send {
            stream.set_read_timeout(Some(self.timeout()))?;
            stream.write_all(text.as_bytes())?;
            let mut buffer = [0; ANSWER_LIMIT];
            let count = stream.read(&mut buffer)?;
            if count == 0 {
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "closed without an answer"));
            }
            answer.answer = Some(String::from_utf8_lossy(&buffer[..count]).into_owned());
        }
        Ok(())
    }

    fn run_udp(&self, address: SocketAddr, answer: &mut Answer) -> io::Result<()> {
        let any: SocketAddr = match address {
            SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
            SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
        };
        let socket = UdpSocket::bind(any)?;
        socket.set_read_timeout(Some(self.timeout()))?;
        let payload = self.send.as_deref().unwrap_or("palisade");
        if self.unconnected {
            socket.send_to(payload.as_bytes(), address)?;
        } else {
            socket.connect(address)?;
            socket.send(payload.as_bytes())?;
        }
        answer.local = socket.local_addr().ok();
        let mut buffer = [0; ANSWER_LIMIT];
        let (count, _) = socket.recv_from(&mut buffer)?;
        answer.answer = Some(String::from_utf8_lossy(&buffer[..count]).into_owned());
        Ok(())
    }
}

fn timed_out(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock)
}

/// Makes one try and prints its answer as a JSON line; the exit code is 0 when it was answered.
pub fn call_once(attempt: &Try) -> ExitCode {
    let answer = attempt.run();
    print_line(&mut io::stdout().lock(), &answer);
    if answer.ok { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Reads tries as JSON lines and prints an answer for each, in order, as soon as it is there.
///
/// The exit code is 0 when every line was a try, whatever the answers.
pub fn call_batch(input: impl BufRead, mut output: impl Write) -> ExitCode {
    let mut code = ExitCode::SUCCESS;
    for line in input.lines() {
        let Ok(line) = line else { return ExitCode::from(2) };
        if line.trim().is_empty() {
            continue;
        }
        match serde_json::from_str::<Try>(&line) {
            Ok(attempt) => print_line(&mut output, &attempt.run()),
            Err(error) => {
                eprintln!("error: `{line}` is no try: {error}");
                code = ExitCode::from(2);
            }
        }
    }
    code
}

fn print_line(output: &mut impl Write, answer: &Answer) {
    if let Ok(line) = serde_json::to_string(answer) {
        // Who closed our output does not want to know.
        let _ = writeln!(output, "{line}").and_then(|()| output.flush());
    }
}
