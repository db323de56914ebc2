//! A lab and an agent for a test, by the binary alone: what a user types.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock};
use std::time::{Duration, Instant};

use palisade_lab::stand_in::attempt;
use palisade_model::Inventory;
use palisade_model::flow::{FlowOutcome, FlowRecord};

/// Ten times what a lab of this size takes on a busy machine.
const DEADLINE: Duration = Duration::from_secs(60);
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Whether labs can run here.
pub use palisade_peers::is_root_or_skip as can_run;

/// A running lab; brought down when dropped, also by a failed test.
pub struct Lab {
    name: String,
    folder: PathBuf,
}

impl Lab {
    /// Starts the objects of `yaml` on `nodes` nodes and waits until every pod is ready.
    pub fn up(name: &str, yaml: &str, nodes: u8) -> Self {
        let lab = Self::prepare(name);
        std::fs::write(lab.manifests(), yaml).expect("it can be written");
        lab.start(&[lab.manifests()], nodes);
        lab
    }

    /// Starts the objects of files and folders on one node.
    pub fn up_files(name: &str, manifests: &[PathBuf]) -> Self {
        let lab = Self::prepare(name);
        lab.start(manifests, 1);
        lab
    }

    fn prepare(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("palisade-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a temporary folder can be made");
        Self { name: name.to_owned(), folder }
    }

    fn start(&self, manifests: &[PathBuf], nodes: u8) {
        let (paths, nodes) = (manifests.iter().map(|path| path.display().to_string()), nodes.to_string());
        let paths: Vec<String> = paths.flat_map(|path| ["-f".to_owned(), path]).collect();
        let paths = paths.iter().map(String::as_str);
        let arguments: Vec<&str> = ["lab", "up", "--detach", "--nodes", &nodes].into_iter().chain(paths).collect();
        self.palisade(&arguments);
    }

    /// The file that the lab was started from; a change of it reaches the agent.
    pub fn manifests(&self) -> PathBuf {
        self.folder.join("world.yaml")
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn state(&self) -> PathBuf {
        Path::new("/run/palisade").join(&self.name)
    }

    /// Runs `palisade ARGUMENTS --name NAME` and gives its standard output; fails with what it said.
    pub fn palisade(&self, arguments: &[&str]) -> String {
        let output = self.command(arguments).output().expect("the binary starts");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "palisade {arguments:?}: {}\n{said}", output.status);
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// The command `palisade ARGUMENTS --name NAME`.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = palisade();
        // `--name` goes before the `--` that ends the options.
        let end = arguments.iter().position(|argument| *argument == "--").unwrap_or(arguments.len());
        let (options, rest) = arguments.split_at(end);
        command.args(options).args(["--name", &self.name]).args(rest).stdin(Stdio::null());
        command
    }

    /// Starts an agent of every node and waits until its socket answers.
    pub fn agent(&self) -> Agent {
        self.start_agent(None, None)
    }

    /// Starts an agent that takes its rules from `manifests`; `-` is `piped`.
    pub fn agent_by(&self, manifests: &str, piped: &str) -> Agent {
        self.start_agent(None, Some((manifests, piped)))
    }

    /// Starts an agent of one node and waits until its socket answers.
    pub fn agent_of(&self, node: &str) -> Agent {
        self.start_agent(Some(node), None)
    }

    /// Starts an agent by another state folder of that name, which tells of the same nodes and containers.
    pub fn agent_beside(&self, name: &str) -> Agent {
        Self { name: name.to_owned(), folder: self.folder.clone() }.kept(|beside| beside.start_agent(None, None))
    }

    /// Runs `palisade ARGUMENTS` on a state folder beside.
    pub fn palisade_on(&self, name: &str, arguments: &[&str]) -> String {
        Self { name: name.to_owned(), folder: self.folder.clone() }.kept(|beside| beside.palisade(arguments))
    }

    /// Not a lab of its own: nothing ends with it.
    fn kept<T>(self, act: impl FnOnce(&Self) -> T) -> T {
        act(&std::mem::ManuallyDrop::new(self))
    }

    fn start_agent(&self, node: Option<&str>, rules: Option<(&str, &str)>) -> Agent {
        let name = node.map_or("agent".to_owned(), |node| format!("agent-{node}"));
        let log = self.folder.join(format!("{name}.log"));
        let mut command = palisade();
        command.args(["agent", "run", "--name", &self.name]);
        if let Some(node) = node {
            command.args(["--node", node]);
        }
        let output = std::fs::File::create(&log).expect("it can be made");
        let piped = rules.map(|(manifests, piped)| {
            command.args(["-f", manifests]);
            piped
        });
        let child = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(output).spawn();
        let mut child = child.expect("the binary starts");
        let mut stdin = child.stdin.take().expect("piped");
        // An agent that takes no manifests from it does not read.
        let _ = stdin.write_all(piped.unwrap_or_default().as_bytes());
        drop(stdin);
        let socket = self.state().join(format!("{name}.sock"));
        let agent = Agent { child, socket, log, node: node.map(str::to_owned), followed: OnceLock::new() };
        agent.wait_for("the agent's socket", |agent| agent.ask(r#"{"status":{}}"#).is_some());
        agent
    }

    /// Replaces the file that the lab was started from, at once and whole.
    pub fn replace(&self, yaml: &str) {
        let new = self.manifests().with_extension("new");
        std::fs::write(&new, yaml).expect("it can be written");
        std::fs::rename(&new, self.manifests()).expect("it can be renamed");
    }

    /// The IPv4 address of the pod `name`, with `port`.
    pub fn address_of(&self, name: &str, port: u16) -> String {
        let inventory = self.inventory();
        let pod = inventory.pods.iter().find(|pod| pod.meta.name() == name).expect("it runs");
        let address = pod.addresses.iter().find(|address| address.is_ipv4()).expect("it has an IPv4 address");
        format!("{address}:{port}")
    }

    /// What is known of the lab now.
    pub fn inventory(&self) -> Inventory {
        palisade_manifests::load_lab(&self.state()).expect("the lab's state can be read").value
    }

    /// Copies a program of the container to `path`, as malware would.
    pub fn drop_program(&self, pod: &str, container: &str, path: &str) {
        self.palisade(&["lab", "exec", pod, "-c", container, "--", "cp", "/proc/1/exe", path]);
    }

    /// Makes `tries` one after the other as `program` in the container.
    pub fn try_all(&self, pod: &str, container: &str, program: &str, tries: &[attempt::Try]) -> Vec<attempt::Answer> {
        self.calls(&["lab", "exec", pod, "-c", container, "--", program, "lab", "calls"], tries)
    }

    /// Makes `tries` one after the other on the node's network.
    pub fn try_all_on(&self, node: &str, tries: &[attempt::Try]) -> Vec<attempt::Answer> {
        let program = env!("CARGO_BIN_EXE_palisade");
        self.calls(&["lab", "exec", &format!("node/{node}"), "--", program, "lab", "calls"], tries)
    }

    fn calls(&self, arguments: &[&str], tries: &[attempt::Try]) -> Vec<attempt::Answer> {
        let mut child = self
            .command(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let mut stdin = child.stdin.take().expect("piped");
        for each in tries {
            let line = serde_json::to_string(each).expect("a try is JSON");
            let _ = writeln!(stdin, "{line}");
        }
        drop(stdin);
        let output = child.wait_with_output().expect("it ends");
        let text = String::from_utf8_lossy(&output.stdout);
        let answers: Vec<_> = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        assert_eq!(answers.len(), tries.len(), "{arguments:?}: {text}{}", String::from_utf8_lossy(&output.stderr));
        answers
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        let _ = palisade().args(["lab", "down", "--name", &self.name]).stdin(Stdio::null()).status();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// A running agent; ended when dropped.
pub struct Agent {
    child: Child,
    socket: PathBuf,
    log: PathBuf,
    /// Nothing: every node.
    node: Option<String>,
    followed: OnceLock<Followed>,
}

impl Agent {
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Kills it, as `kill -9` does.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Waits until every running pod of the lab is ready, and those of the agent's nodes are guarded.
    pub fn wait_until_guarded(&self, lab: &Lab) {
        let pods_are_guarded = |agent: &Self| {
            lab.inventory().pods.iter().all(|pod| {
                let is_own = agent.node.is_none() || agent.node.as_deref() == pod.node.as_deref();
                let uid = pod.meta.uid.as_deref().unwrap_or_default();
                pod.ready != Some(false) && (!is_own || agent.is_guarded(uid))
            })
        };
        self.wait_for("every pod guarded and ready", pods_are_guarded);
    }

    /// Whether the pod is guarded.
    pub fn is_guarded(&self, uid: &str) -> bool {
        let question = format!(r#"{{"guarded":{{"podUid":"{uid}"}}}}"#);
        self.ask(&question).is_some_and(|answer| answer["guarded"] == true)
    }

    /// One question, one answer.
    pub fn ask(&self, question: &str) -> Option<serde_json::Value> {
        let mut stream = UnixStream::connect(&self.socket).ok()?;
        writeln!(stream, "{question}").ok()?;
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line).ok()?;
        serde_json::from_str(&line).ok()
    }

    /// Waits until `count` records that `matches` have their outcome, and gives them in the order in
    /// which they were tried; fewer when the deadline passes.
    pub fn records(&self, count: usize, matches: impl Fn(&FlowRecord) -> bool) -> Vec<FlowRecord> {
        let begun = Instant::now();
        loop {
            let records = self.told().tries(&matches);
            if records.len() >= count || begun.elapsed() > DEADLINE / 4 {
                return records;
            }
            std::thread::sleep(LOOK_AGAIN);
        }
    }

    /// Every record that the agent has told until now, in that order.
    pub fn history(&self) -> Vec<FlowRecord> {
        self.told().all(|_| true)
    }

    /// What the agent has told, with all that the kernel has told it by now.
    pub fn told(&self) -> &Followed {
        let followed = self.followed.get_or_init(|| self.follow());
        // Whoever asks makes it read the kernel's events first.
        let status = self.ask(r#"{"status":{}}"#).expect("the agent answers");
        let lines = status["records"].as_u64().and_then(|lines| usize::try_from(lines).ok()).expect("a number");
        followed.wait_for_lines(lines);
        followed
    }

    /// Every record from the first on, as they come, however many there will be.
    pub fn follow(&self) -> Followed {
        let mut stream = UnixStream::connect(&self.socket).expect("the agent answers");
        writeln!(stream, r#"{{"observe":{{"since":"start"}}}}"#).expect("the agent reads");
        let followed = Followed::default();
        let told = followed.0.clone();
        std::thread::spawn(move || {
            // Ends with the agent.
            for line in BufReader::new(stream).lines().map_while(Result::ok) {
                let mut heard = told.heard.lock().expect("nobody panics with it");
                heard.lines += 1;
                heard.records.extend(serde_json::from_str::<FlowRecord>(&line));
                told.more.notify_all();
            }
        });
        followed
    }

    /// Fails when `done` does not come true in time.
    pub fn wait_for(&self, what: &str, done: impl Fn(&Self) -> bool) {
        let begun = Instant::now();
        while !done(self) {
            let log = || std::fs::read_to_string(&self.log).unwrap_or_default();
            assert!(begun.elapsed() < DEADLINE, "{what}: not within {DEADLINE:?}\n{}", log());
            std::thread::sleep(LOOK_AGAIN);
        }
    }
}

/// Records that are followed.
#[derive(Clone, Default)]
pub struct Followed(Arc<Told>);

#[derive(Default)]
struct Told {
    heard: Mutex<Heard>,
    more: Condvar,
}

#[derive(Default)]
struct Heard {
    records: Vec<FlowRecord>,
    /// Also those that tell of lost records.
    lines: usize,
}

impl Followed {
    /// Whether there is such a record by now.
    pub fn any(&self, matches: impl Fn(&FlowRecord) -> bool) -> bool {
        self.heard().records.iter().rev().any(matches)
    }

    /// Such records, in the order in which they were told.
    pub fn all(&self, matches: impl Fn(&FlowRecord) -> bool) -> Vec<FlowRecord> {
        self.heard().records.iter().filter(|record| matches(record)).cloned().collect()
    }

    /// The tries among them that have their outcome, in the order in which they were made.
    pub fn tries(&self, matches: impl Fn(&FlowRecord) -> bool) -> Vec<FlowRecord> {
        finished(self.heard().records.iter().filter(|record| matches(record)))
    }

    fn wait_for_lines(&self, lines: usize) {
        let are_missing = |heard: &mut Heard| heard.lines < lines;
        let (heard, _) = self.0.more.wait_timeout_while(self.heard(), DEADLINE, are_missing).expect("as above");
        assert!(heard.lines >= lines, "the agent tells {} of {lines} records", heard.lines);
    }

    fn heard(&self) -> MutexGuard<'_, Heard> {
        self.0.heard.lock().expect("nobody panics with it")
    }
}

/// The newest record of each try that has its outcome.
fn finished<'r>(records: impl Iterator<Item = &'r FlowRecord>) -> Vec<FlowRecord> {
    let tries = records.filter(|record| record.is_try()).map(|record| ((record.time, record.id), record));
    let newest: BTreeMap<_, _> = tries.collect();
    newest.into_values().filter(|record| record.outcome != FlowOutcome::Pending).cloned().collect()
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.kill();
    }
}

fn palisade() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_palisade"));
    command.env_remove("PALISADE_LAB").env("NO_COLOR", "1");
    command
}

/// A program in a container that connects when told.
pub struct Caller {
    child: Child,
    tries: std::process::ChildStdin,
    answers: BufReader<std::process::ChildStdout>,
}

impl Caller {
    pub fn start(lab: &Lab, pod: &str, container: &str, program: &str) -> Self {
        let mut command = lab.command(&["lab", "exec", pod, "-c", container, "--", program, "lab", "calls"]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the binary starts");
        let tries = child.stdin.take().expect("piped");
        let answers = BufReader::new(child.stdout.take().expect("piped"));
        Self { child, tries, answers }
    }

    /// Connects to `target` over TCP, within a second.
    pub fn call(&mut self, target: &str) -> attempt::Answer {
        self.attempt(&attempt::Try::tcp(target))
    }

    /// The same with all the time that a busy machine needs.
    pub fn connect(&mut self, target: &str) -> attempt::Answer {
        self.attempt(&attempt::Try { timeout_ms: patience(), ..attempt::Try::tcp(target) })
    }

    /// The same, and has a word answered: so that calls do not come faster than the server takes them.
    pub fn exchange(&mut self, target: &str) -> attempt::Answer {
        self.attempt(&attempt::Try { send: Some("word".into()), timeout_ms: patience(), ..attempt::Try::tcp(target) })
    }

    fn attempt(&mut self, attempt: &attempt::Try) -> attempt::Answer {
        self.attempts(std::slice::from_ref(attempt)).remove(0)
    }

    /// Makes `tries` one after the other.
    pub fn attempts(&mut self, tries: &[attempt::Try]) -> Vec<attempt::Answer> {
        for each in tries {
            let line = serde_json::to_string(each).expect("a try is JSON");
            writeln!(self.tries, "{line}").expect("the caller reads");
        }
        tries.iter().map(|_| self.answer()).collect()
    }

    fn answer(&mut self) -> attempt::Answer {
        let mut answer = String::new();
        self.answers.read_line(&mut answer).expect("the caller answers");
        serde_json::from_str(&answer).expect("an answer is JSON")
    }
}

fn patience() -> u64 {
    u64::try_from(DEADLINE.as_millis()).unwrap_or(u64::MAX)
}

impl Drop for Caller {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
