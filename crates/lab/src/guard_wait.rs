//! Asking the agent, where one runs, whether it guards a pod.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// A pod's first program waits no longer than this for the agent.
const LIMIT: Duration = Duration::from_secs(2);

/// Between two questions; an agent learns of a pod in a few milliseconds.
const PAUSE: Duration = Duration::from_millis(5);

/// How a pod's first program may start.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Guard {
    /// No agent answers.
    NoAgent,
    /// The agent guards the pod.
    Guarded,
    /// The agent answers, but did not guard the pod in time.
    Late,
}

/// Waits until the agent behind the first of `sockets` that answers guards the pod `uid`.
pub(crate) fn wait(sockets: &[PathBuf], uid: &str) -> Guard {
    let deadline = Instant::now() + LIMIT;
    let connect = || sockets.iter().find_map(|socket| Agent::connect(socket));
    let Some(mut agent) = connect() else { return Guard::NoAgent };
    loop {
        match agent.guards(uid) {
            Some(true) => return Guard::Guarded,
            Some(false) => {}
            None => match connect() {
                Some(again) => agent = again,
                None => return Guard::NoAgent,
            },
        }
        if Instant::now() > deadline {
            return Guard::Late;
        }
        std::thread::sleep(PAUSE);
    }
}

struct Agent {
    input: BufReader<UnixStream>,
    output: UnixStream,
}

impl Agent {
    fn connect(socket: &Path) -> Option<Self> {
        let output = UnixStream::connect(socket).ok()?;
        output.set_read_timeout(Some(LIMIT)).ok()?;
        output.set_write_timeout(Some(LIMIT)).ok()?;
        Some(Self { input: BufReader::new(output.try_clone().ok()?), output })
    }

    /// `None` when the agent hung up or talks something else.
    fn guards(&mut self, uid: &str) -> Option<bool> {
        let question = serde_json::json!({"guarded": {"podUid": uid}});
        self.output.write_all(format!("{question}\n").as_bytes()).ok()?;
        let mut line = String::new();
        self.input.read_line(&mut line).ok()?;
        serde_json::from_str::<serde_json::Value>(&line).ok()?.get("guarded")?.as_bool()
    }
}
