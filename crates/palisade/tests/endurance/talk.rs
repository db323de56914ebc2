//! A connection that a program of a container keeps, and talks over.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::time::{Duration, Instant};

use super::lab::Lab;

/// Sends each line to the server and says what came back; `over` when nothing did.
const SCRIPT: &str = "exec 3<>/dev/tcp/$1/$2 || exit; echo begun; while read word; do echo $word >&3; if read -t 2 back <&3; then echo $back; else echo over; exit; fi; done";

/// A shell with a connection.
pub struct Talk {
    child: Child,
    words: ChildStdin,
    answers: BufReader<ChildStdout>,
    said: u32,
}

impl Talk {
    /// Has `shell` of the client connect, which must succeed.
    pub fn start(lab: &Lab, shell: &str, to: &str) -> Self {
        let (address, port) = to.split_once(':').expect("an address and a port");
        let arguments = ["lab", "exec", "shop/client", "-c", "main", "--", shell, "-c", SCRIPT, "talk", address, port];
        let mut command = lab.command(&arguments);
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        let mut child = child.expect("the binary starts");
        let words = child.stdin.take().expect("piped");
        let answers = BufReader::new(child.stdout.take().expect("piped"));
        let mut talk = Self { child, words, answers, said: 0 };
        assert_eq!(talk.answer(), "begun", "{shell} reaches {to}");
        talk
    }

    /// Whether a word goes there and comes back.
    pub fn works(&mut self) -> bool {
        self.said += 1;
        let word = format!("word-{}", self.said);
        writeln!(self.words, "{word}").is_ok() && self.answer() == word
    }

    /// Whether the connection is cut in that time.
    pub fn ends_within(&mut self, time: Duration) -> bool {
        let begun = Instant::now();
        while begun.elapsed() < time {
            if !self.works() {
                return true;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        false
    }

    fn answer(&mut self) -> String {
        let mut line = String::new();
        let _ = self.answers.read_line(&mut line);
        line.trim().to_owned()
    }
}

impl Drop for Talk {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
