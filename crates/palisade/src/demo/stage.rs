//! The lab and the agent of the demo, as a user would start them; gone when dropped.

use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use palisade_lab::stand_in::attempt::Answer;
use palisade_lab::{LabName, RunningLab};
use serde_json::Value;

use crate::agent::ask_status;
use crate::demo::script::{Program, Step};
use crate::failure::{Failure, Hint};

/// A lab and an agent take about two seconds; a busy machine gets thirty times that.
const DEADLINE: Duration = Duration::from_secs(60);
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// A lab that a dying demo had begun to start is up by then.
const LEFTOVER: Duration = Duration::from_secs(5);

/// The running lab with its agent.
pub struct Stage {
    pub(super) name: LabName,
    agent: Child,
    _heir: Heir,
    /// How long the pods took to run, and the agent to guard them.
    pub took: (Duration, Duration),
}

impl Stage {
    /// Starts the lab, then the agent, and waits for both.
    ///
    /// # Errors
    /// When one of them cannot start; nothing is left then.
    pub fn set(name: LabName, manifests: &[PathBuf], scratch: &Path) -> Result<Self, Failure> {
        let begun = Instant::now();
        if RunningLab::open(&name).is_ok() {
            return Err(Failure::new(format!("a lab named `{name}` is running"))
                .hint(Hint::Run(format!("sudo palisade lab down --name {name}"))));
        }
        let heir = Heir::start(scratch)?;
        let mut up = palisade(&["lab", "up", "--detach", "--name", name.as_str()]);
        for path in manifests {
            up.arg("-f").arg(path);
        }
        // It writes to the terminal what cannot run; that it is up is ours to say.
        let output = up.stdin(Stdio::null()).output().map_err(Failure::new)?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr).trim_end().to_owned();
            return Err(Failure::new(format!("the lab does not start\n{said}"))
                .hint(Hint::Run(format!("sudo palisade lab down --name {name}"))));
        }
        let up_in = begun.elapsed();
        let agent = palisade(&["agent", "run", "--name", name.as_str()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let agent = agent.map_err(|error| {
            take_down(&name);
            Failure::new(error)
        })?;
        let mut stage = Self { name, agent, _heir: heir, took: (up_in, Duration::ZERO) };
        stage.wait_for_agent()?;
        stage.took.1 = begun.elapsed() - up_in;
        Ok(stage)
    }

    fn wait_for_agent(&mut self) -> Result<(), Failure> {
        let begun = Instant::now();
        while self.status().is_err() {
            let ended = self.agent.try_wait().map_err(Failure::new)?;
            if ended.is_some() || begun.elapsed() > DEADLINE {
                let command = format!("sudo palisade agent run --name {}", self.name);
                return Err(Failure::new("the agent does not start").hint(Hint::Run(command)));
            }
            std::thread::sleep(LOOK_AGAIN);
        }
        Ok(())
    }

    /// The agent's socket.
    pub fn socket(&self) -> PathBuf {
        self.name.state_dir().agent_socket()
    }

    /// What the agent says of itself.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn status(&self) -> io::Result<Value> {
        ask_status(&self.socket())
    }

    /// The running lab.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn lab(&self) -> Result<RunningLab, Failure> {
        Ok(RunningLab::open(&self.name)?)
    }

    /// Makes the step, really: in the container, as that program.
    ///
    /// # Errors
    /// When the lab cannot run it.
    pub fn make(&self, step: &Step) -> Result<Answer, Failure> {
        if let Program::Dropped(path) = step.program {
            self.exec(step, &["cp", "/proc/1/exe", path])?;
        }
        let said = self.exec(step, &[step.program.path(), "lab", "call", step.target])?;
        serde_json::from_str(&said).map_err(Failure::new)
    }

    /// Somebody outside asks `target` for a page.
    ///
    /// # Errors
    /// When the lab cannot run it.
    pub fn visit(&self, target: &str) -> Result<Answer, Failure> {
        let request = "GET / HTTP/1.0\r\nHost: shop\r\n\r\n";
        let mut command = palisade(&["lab", "exec", "world", "--name", self.name.as_str(), "--"]);
        command.arg(std::env::current_exe().map_err(Failure::new)?).args(["lab", "call", target, "--send", request]);
        let output = command.stdin(Stdio::null()).output().map_err(Failure::new)?;
        serde_json::from_slice(&output.stdout).map_err(Failure::new)
    }

    fn exec(&self, step: &Step, words: &[&str]) -> Result<String, Failure> {
        let mut command =
            palisade(&["lab", "exec", step.pod, "-c", step.container, "--name", self.name.as_str(), "--"]);
        let output = command.args(words).stdin(Stdio::null()).output().map_err(Failure::new)?;
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        let _ = self.agent.kill();
        let _ = self.agent.wait();
        take_down(&self.name);
    }
}

/// A process that cleans up when the demo dies without doing so: it holds the end of a line from the demo, which the
/// kernel closes. Dropping it is the orderly end, where it has nothing to do.
struct Heir(Child);

impl Heir {
    fn start(scratch: &Path) -> Result<Self, Failure> {
        let mut command = palisade(&["demo", "--clean-up-after"]);
        // Whoever kills the demo's whole group does not mean to leave a lab behind.
        command.arg(scratch).process_group(0);
        let child = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        child.map(Self).map_err(Failure::new)
    }
}

impl Drop for Heir {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What the heir does: waits until the demo is gone, and then takes down what it has left.
pub fn clean_up_after(name: &LabName, scratch: &Path) {
    // The demo never says anything; this ends with it.
    let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
    let begun = Instant::now();
    // The lab may only just be starting.
    while palisade_lab::down(name).is_err() && begun.elapsed() < LEFTOVER {
        std::thread::sleep(LOOK_AGAIN);
    }
    let _ = std::fs::remove_dir_all(scratch);
}

/// Ends the lab; its end takes the agent's programs and maps along.
fn take_down(name: &LabName) {
    let mut down = palisade(&["lab", "down", "--name", name.as_str()]);
    let _ = down.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
}

fn palisade(words: &[&str]) -> Command {
    let mut command = Command::new("/proc/self/exe");
    command.args(words).env_remove("PALISADE_LAB");
    command
}
