//! `docker-credential-NAME get`: programs that keep secrets.
//!
//! Source: `github.com/docker/docker-credential-helpers`, "Development": the server's name on standard input, an object
//! with `Username` and `Secret` on standard output.

use std::io::{Read as _, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use serde::Deserialize;

use super::Credentials;

/// Some ask the user, or a service of the cloud; none is waited for longer.
const PATIENCE: Duration = Duration::from_secs(30);

/// An answer has some kilobytes: tokens of clouds are long.
const LONGEST_ANSWER: u64 = 1 << 20;

/// What programs write when they have nothing. Source: `credentials/error.go` of docker-credential-helpers.
const NOTHING: &str = "credentials not found in native keychain";

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    #[serde(default)]
    username: String,
    #[serde(default)]
    secret: String,
}

/// What the program gives for a server; `None` when it has nothing for it.
pub fn ask(name: &str, server: &str) -> Result<Option<Credentials>, String> {
    let is_plain = |it: u8| it.is_ascii_alphanumeric() || matches!(it, b'-' | b'_' | b'.');
    // It becomes part of a program's name, and no path.
    if !name.bytes().all(is_plain) {
        return Err("that is no name of a program".into());
    }
    let mut child = Command::new(format!("docker-credential-{name}"))
        .arg("get")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| error.to_string())?;
    let answer = converse(&mut child, server);
    if answer.is_err() {
        let _ = child.kill();
    }
    let status = child.wait().map_err(|error| error.to_string())?;
    let answer = answer?;
    if !status.success() {
        let said = String::from_utf8_lossy(&answer).trim().chars().take(200).collect::<String>();
        return if said.contains(NOTHING) { Ok(None) } else { Err(format!("{status}: {said}")) };
    }
    let answer: Answer =
        serde_json::from_slice(&answer).map_err(|_| "its answer is no JSON of that form".to_owned())?;
    Ok(match (&*answer.username, answer.secret) {
        (_, secret) if secret.is_empty() => None,
        ("<token>", token) => Some(Credentials::Identity(token)),
        (user, password) => Some(Credentials::Password { user: user.to_owned(), password }),
    })
}

fn converse(child: &mut Child, server: &str) -> Result<Vec<u8>, String> {
    let mut input = child.stdin.take().ok_or("it has no input")?;
    let output = child.stdout.take().ok_or("it has no output")?;
    // Some end without reading.
    let _ = input.write_all(server.as_bytes());
    drop(input);
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let read = output.take(LONGEST_ANSWER).read_to_end(&mut bytes).map(|_| bytes);
        let _ = sender.send(read);
    });
    match receiver.recv_timeout(PATIENCE) {
        Ok(read) => read.map_err(|error| error.to_string()),
        Err(_) => Err(format!("no answer within {} s", PATIENCE.as_secs())),
    }
}
