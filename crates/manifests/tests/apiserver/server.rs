//! The real API server, as a process that answers lines.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use palisade_peers::programs::APISERVER;
use serde_json::{Value as Json, json};

/// An object to create, as its URL and its YAML.
#[derive(Debug, Clone)]
pub struct Question {
    pub path: String,
    pub body: String,
}

/// What the server made of it.
#[derive(Debug)]
pub struct Answer {
    /// The status of HTTP.
    pub code: u64,
    /// The object with every default, or a `Status` that says what is wrong.
    pub body: Json,
    /// Fields that it does not know and dropped, as `unknown field "spec.colour"`.
    pub warnings: Vec<String>,
}

impl Answer {
    /// Whether the object would be there.
    pub fn is_taken(&self) -> bool {
        self.code == 201
    }

    /// Whether it was refused for no other reason than an object of that name.
    pub fn is_there_already(&self) -> bool {
        self.body["reason"] == "AlreadyExists"
    }

    /// The paths of the fields that were dropped.
    pub fn unknown_fields(&self) -> Vec<String> {
        let unknown = self.warnings.iter().filter_map(|warning| warning.strip_prefix("unknown field "));
        let mut paths: Vec<String> = unknown.map(|path| path.trim_matches('"').to_owned()).collect();
        paths.sort();
        paths
    }
}

/// A running API server with its own etcd; nothing of it outlives the value.
pub struct ApiServer {
    child: Child,
    /// Gone only when the server is abandoned.
    answers: Option<BufReader<ChildStdout>>,
    folder: PathBuf,
}

impl ApiServer {
    /// Builds and starts it; says SKIPPED where that cannot be, which with CI=true is a failure.
    pub fn start() -> Option<Self> {
        APISERVER.get().map(|program| Self::run(&program))
    }

    fn run(program: &Path) -> Self {
        /// Somebody may take the port between its choice and its use.
        const TRIES: usize = 3;
        (0..TRIES)
            .find_map(|_| Self::try_run(program))
            .expect("run crates/peers/programs/apiserver by hand: it does not start")
    }

    fn try_run(program: &Path) -> Option<Self> {
        static STARTED: AtomicUsize = AtomicUsize::new(0);
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("palisade-apiserver-{}-{number}", std::process::id()));
        let mut child = Command::new(program)
            .arg(&folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // Its log is long and of no interest while it answers.
            .stderr(Stdio::null())
            .spawn()
            .expect("the program was just built");
        let mut answers = BufReader::new(child.stdout.take().expect("stdout is piped"));
        let mut line = String::new();
        answers.read_line(&mut line).expect("the program writes text");
        let server = Self { child, answers: Some(answers), folder };
        (line == "ready\n").then_some(server)
    }

    /// The folder with everything that it writes.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The process that is the server.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The answers to `questions`, in their order.
    pub fn ask(&mut self, questions: &[Question]) -> Vec<Answer> {
        let lines = lines(questions);
        let stdin = self.child.stdin.as_mut().expect("stdin is piped");
        let answers = self.answers.as_mut().expect("it is there until it is abandoned");
        std::thread::scope(|scope| {
            // The program answers while it is asked: nobody may wait for the other.
            let writer = scope.spawn(move || stdin.write_all(lines.as_bytes()));
            let answered = questions.iter().map(|_| read_answer(answers)).collect();
            writer.join().expect("the writer does not panic").expect("the program reads all of its input");
            answered
        })
    }

    /// Asks and goes away as somebody who is killed does; answers whether the server has ended and left nothing.
    pub fn abandon(mut self, questions: &[Question]) -> bool {
        let mut stdin = self.child.stdin.take().expect("stdin is piped");
        drop(self.answers.take());
        // It may have noticed already that nobody listens.
        let _ = stdin.write_all(lines(questions).as_bytes());
        drop(stdin);
        let ended = self.child.wait();
        ended.is_ok() && !self.folder.exists()
    }
}

impl Drop for ApiServer {
    /// The program ends with its input and takes its folder away; should it not, that is done here.
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn lines(questions: &[Question]) -> String {
    questions.iter().map(|question| json!({"path": question.path, "body": question.body}).to_string() + "\n").collect()
}

fn read_answer(answers: &mut impl BufRead) -> Answer {
    let mut line = String::new();
    answers.read_line(&mut line).expect("the program writes text");
    let mut answer: Json = serde_json::from_str(&line).expect("the program writes a line of JSON for each question");
    let code = answer["code"].as_u64().expect("`code` is a number");
    assert_ne!(code, 0, "no answer from the server: {}", answer["body"]);
    let warnings = answer["warnings"].as_array().into_iter().flatten().filter_map(Json::as_str);
    let warnings =
        warnings.map(|text| text.trim_start_matches("299 - ").replace('\\', "").trim_matches('"').to_owned()).collect();
    Answer { code, body: answer["body"].take(), warnings }
}
