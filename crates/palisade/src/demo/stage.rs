//! The lab and the agent of the demo, from their start to their end.

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use palisade_lab::stand_in::attempt::Answer;
use palisade_lab::{Executable, JoinTarget, LabName, RunningLab};

use super::View;
use super::acts::Act;
use crate::failure::{Failure, Hint};
use crate::terminal::Tone;
use crate::{agent, input, lab};

/// The lab's name: not the user's own.
const NAME: &str = "demo";
/// How often the application's programs call each other.
const RHYTHM: Duration = Duration::from_millis(500);
/// How long the agent may take until it answers.
const AGENT_START: Duration = Duration::from_secs(10);
/// How long the agent may take to leave once the lab is gone.
const AGENT_END: Duration = Duration::from_secs(3);

/// A running lab with an agent; both end with the value.
pub struct Stage {
    name: LabName,
    lab: RunningLab,
    agent: Option<Child>,
}

impl Stage {
    /// Starts the application of `folder`, and the agent on it.
    pub fn set(folder: &Path, view: &mut View) -> Result<Self, Failure> {
        let name: LabName = NAME.parse().map_err(Failure::new)?;
        let manifests = vec![std::path::absolute(folder).map_err(Failure::new)?];
        let input = palisade_manifests::load(&manifests, io::empty()).map_err(Failure::new)?;
        input::print_problems(&input.problems);
        let settings = palisade_lab::Settings {
            name: name.clone(),
            nodes: 1,
            manifests,
            stdin: None,
            detach: true,
            prefix: vec![lab::PREFIX.to_owned()],
            rhythm: RHYTHM,
        };
        let mut words = String::new();
        palisade_lab::up(settings, &input.value, |report| {
            let seconds = report.millis as f64 / 1000.0;
            words = format!("the lab runs {} pods ({seconds:.1} s)", report.pods);
        })?;
        let lab = RunningLab::open(&name)?;
        let mut stage = Self { name, lab, agent: None };
        view.line(Tone::Faint, &words)?;
        let words = stage.start_agent()?;
        view.line(Tone::Faint, &words)?;
        Ok(stage)
    }

    /// The agent's socket.
    pub fn agent_socket(&self) -> PathBuf {
        self.name.state_dir().agent_socket()
    }

    /// Runs an act's command. That it is refused is no error.
    pub fn run(&self, act: &Act) -> Result<(), Failure> {
        let target =
            JoinTarget::Container { pod: act.sender.pod.to_owned(), container: Some(act.sender.container.to_owned()) };
        self.exec(&target, &act.command()).map(drop)
    }

    /// Calls the storefront from the outside, through the node's port; what came of it in words.
    pub fn visitor(&self) -> Result<(Tone, String), Failure> {
        let node = self.lab.file().nodes.first().map(|node| node.address.to_string()).unwrap_or_default();
        let target = format!("{node}:30080");
        let own = std::env::current_exe().map_err(Failure::new)?;
        let command = [&own.display().to_string(), "lab", "call", "--send", "GET / HTTP/1.0\r\n\r\n", &target];
        let output = self.exec(&JoinTarget::World, &command.map(str::to_owned))?;
        let answer: Answer = serde_json::from_slice(&output).map_err(Failure::new)?;
        Ok(match answer.answer.as_deref().and_then(|text| text.lines().next()) {
            Some(line) => (Tone::Good, format!("answered  world -> {target} (edge/gateway): {line}")),
            None => (Tone::Bad, format!("failed    world -> {target}: {}", answer.error.unwrap_or_default())),
        })
    }

    fn exec(&self, target: &JoinTarget, command: &[String]) -> Result<Vec<u8>, Failure> {
        let executable = Executable::current(vec![lab::PREFIX.to_owned()]);
        let mut command = self.lab.exec(&executable, target, command)?;
        let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output().map_err(Failure::new)?;
        Ok(output.stdout)
    }

    fn start_agent(&mut self) -> Result<String, Failure> {
        let begun = Instant::now();
        let own = std::env::current_exe().map_err(Failure::new)?;
        let child = Command::new(own)
            .args(["agent", "run", "--name", NAME])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(Failure::new)?;
        let child = self.agent.insert(child);
        let status = loop {
            if let Ok(status) = agent::ask_status(&self.name.state_dir().agent_socket()) {
                break status;
            }
            let ended = child.try_wait().map_err(Failure::new)?.is_some();
            if ended || begun.elapsed() > AGENT_START {
                return Err(no_agent(child, ended));
            }
            std::thread::sleep(Duration::from_millis(10));
        };
        let millis = begun.elapsed().as_millis();
        let node = &status["nodes"][0];
        let memory = status["residentBytes"].as_u64().unwrap_or(0) / 1024;
        let kernel = node["kernelBytes"].as_u64().unwrap_or(0) / 1024;
        Ok(format!(
            "the agent guards {} pods, {} containers ({millis} ms; {memory} KiB, in the kernel {kernel} KiB)",
            node["pods"], node["containers"]
        ))
    }
}

fn no_agent(child: &mut Child, ended: bool) -> Failure {
    let mut said = String::new();
    if ended && let Some(stderr) = &mut child.stderr {
        // What it said is a help, not a need.
        let _ = stderr.read_to_string(&mut said);
    }
    Failure::new(format!("the agent did not start\n{}", said.trim_end())).hint(Hint::Run("palisade agent probe".into()))
}

impl Drop for Stage {
    /// The lab ends first: the agent then takes its programs out of the kernel and ends by itself.
    fn drop(&mut self) {
        let state = self.name.state_dir();
        if let Err(error) = palisade_lab::down(&self.name) {
            eprintln!("warning: {error}\n  hint: palisade lab down --name {NAME}");
        }
        let Some(mut agent) = self.agent.take() else { return };
        let begun = Instant::now();
        while matches!(agent.try_wait(), Ok(None)) && begun.elapsed() < AGENT_END {
            std::thread::sleep(Duration::from_millis(10));
        }
        // It may have ended; then there is nothing to kill.
        let _ = agent.kill();
        let _ = agent.wait();
        if let Err(error) = palisade_agent::unload(state.path()) {
            eprintln!("warning: {error}\n  hint: palisade agent unload --name {NAME}");
        }
    }
}
