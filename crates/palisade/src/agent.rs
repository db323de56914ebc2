//! `palisade agent`: the guard of this node's pods.

use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use palisade_agent::probe::{self, Capability};
use palisade_agent::{Agent, Config};
use palisade_lab::{LabError, StateDir};
use palisade_manifests::LoadError;
use serde::Serialize;
use serde_json::Value;

use crate::arguments::OutputFormat;
use crate::arguments::agent::{
    AgentCommand, AgentProbeArguments, AgentRunArguments, AgentStatusArguments, AgentUnloadArguments,
};
use crate::exit::ExitStatus;
use crate::failure::{Failure, Hint};
use crate::table::Table;
use crate::{input, report};

/// The version of the JSON form of `probe`; it rises when a field changes its meaning.
const VERSION: u32 = 1;

/// Runs one of the agent's commands.
///
/// # Errors
/// When the kernel refuses, or there is nobody to guard.
pub fn run(command: &AgentCommand) -> Result<ExitCode, Failure> {
    match command {
        AgentCommand::Run(arguments) => guard(arguments),
        AgentCommand::Probe(arguments) => print_probe(arguments),
        AgentCommand::Status(arguments) => print_status(arguments),
        AgentCommand::Unload(arguments) => unload(arguments),
    }
}

fn guard(arguments: &AgentRunArguments) -> Result<ExitCode, Failure> {
    let found = probe::probe();
    let missing: Vec<_> = probe::missing(&found).collect();
    if !missing.is_empty() {
        let names: Vec<_> = missing.iter().map(|capability| capability.name).collect();
        return Err(Failure::new(format!("this machine lacks what the agent needs: {}", names.join(", ")))
            .hint(Hint::Run("palisade agent probe".into())));
    }
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM, signal_hook::consts::SIGHUP] {
        signal_hook::flag::register(signal, Arc::clone(&stop)).map_err(Failure::new)?;
    }
    let name = &arguments.lab.name;
    let state = name.state_dir();
    let manifests = rules(&arguments.manifests, &state)?;
    let config =
        Config { state: state.path().to_owned(), node: arguments.node.clone(), manifests, flows: arguments.flows };
    let mut agent = Agent::start(config).map_err(|error| match error {
        error @ palisade_agent::Error::State { .. } => {
            Failure::new(error).hint(Hint::Run(format!("sudo palisade lab up --name {name} -f MANIFESTS")))
        }
        error => Failure::new(error),
    })?;
    let status = agent.status();
    let pods: usize = status.nodes.iter().map(|node| node.pods).sum();
    let nodes: Vec<&str> = status.nodes.iter().map(|node| node.name.as_str()).collect();
    eprintln!("guarding {pods} pods on {} of lab `{name}`", nodes.join(", "));
    for problem in &status.problems {
        eprintln!("warning: {problem}");
    }
    agent.run(&stop).map_err(Failure::new)?;
    if state.agent_pins().exists() {
        eprintln!("the agent ends, its verdicts stay in force");
        eprintln!("hint: palisade agent unload --name {name}");
    }
    Ok(ExitStatus::Clean.into())
}

/// The paths of the rules, absolute; what comes through a pipe is put beside the agent's state, for every later load.
fn rules(paths: &[PathBuf], state: &StateDir) -> Result<Vec<PathBuf>, Failure> {
    let mut rules = Vec::new();
    for path in paths {
        if !input::is_stdin(path) {
            input::can_be_read_again(path)?;
            rules.push(std::path::absolute(path).map_err(Failure::new)?);
            continue;
        }
        let folder = state.path().join("agent");
        let piped = folder.join("stdin.yaml");
        if rules.contains(&piped) {
            return Err(Failure::new(LoadError::StdinTwice));
        }
        let bytes = input::read_stdin()?;
        // Without a lab the agent itself says so.
        if state.path().exists() {
            std::fs::create_dir_all(&folder).and_then(|()| std::fs::write(&piped, bytes)).map_err(Failure::new)?;
        }
        rules.push(piped);
    }
    Ok(rules)
}

fn print_probe(arguments: &AgentProbeArguments) -> Result<ExitCode, Failure> {
    let found = probe::probe();
    let mut output = io::stdout().lock();
    match arguments.output {
        OutputFormat::Text => write!(output, "{}", render_probe(&found))?,
        OutputFormat::Json => report::write_json(&mut output, &ProbeReport::new(&found))?,
    }
    let status = if probe::missing(&found).next().is_none() { ExitStatus::Clean } else { ExitStatus::Findings };
    Ok(status.into())
}

fn render_probe(found: &[Capability]) -> String {
    let mut table = Table::new(&["CAPABILITY", "HERE", "WHAT FOR", "WITHOUT IT"]);
    for capability in found {
        let here = match (capability.present, capability.required) {
            (true, _) => "yes",
            (false, true) => "NO",
            (false, false) => "no",
        };
        let without = if capability.present { "" } else { capability.without };
        table.row([capability.name, here, capability.purpose, without]);
    }
    table.to_string()
}

/// The JSON form of `probe`.
#[derive(Serialize)]
struct ProbeReport {
    version: u32,
    capabilities: Vec<ProbedCapability>,
}

#[derive(Serialize)]
struct ProbedCapability {
    name: &'static str,
    present: bool,
    required: bool,
    purpose: &'static str,
    without: &'static str,
}

impl ProbeReport {
    fn new(found: &[Capability]) -> Self {
        let capabilities = found.iter().map(|capability| {
            let Capability { name, present, required, purpose, without } = *capability;
            ProbedCapability { name, present, required, purpose, without }
        });
        Self { version: VERSION, capabilities: capabilities.collect() }
    }
}

fn print_status(arguments: &AgentStatusArguments) -> Result<ExitCode, Failure> {
    let name = &arguments.lab.name;
    let sockets = match &arguments.node {
        Some(node) => vec![name.state_dir().agent_socket_of(node)],
        None => name.state_dir().agent_sockets(),
    };
    let mut answers = Vec::new();
    let mut refused = None;
    for socket in &sockets {
        match ask_status(socket) {
            Ok(status) => answers.push(status),
            Err(error) => refused = refused.or(Some((socket, error))),
        }
    }
    if let Some((socket, error)) = refused.filter(|_| answers.is_empty()) {
        let node = arguments.node.as_ref().map(|node| format!(" --node {node}")).unwrap_or_default();
        return Err(Failure::new(format!("no agent answers on `{}`: {error}", socket.display()))
            .hint(Hint::Run(format!("sudo palisade agent run --name {name}{node}"))));
    }
    let mut output = io::stdout().lock();
    for (position, status) in answers.iter().enumerate() {
        match arguments.output {
            OutputFormat::Text if position > 0 => write!(output, "\n{}", render_status(status))?,
            OutputFormat::Text => write!(output, "{}", render_status(status))?,
            OutputFormat::Json => report::write_json(&mut output, status)?,
        }
    }
    Ok(if answers.iter().all(is_guarded) { ExitStatus::Clean } else { ExitStatus::Findings }.into())
}

fn is_guarded(status: &Value) -> bool {
    status["guarded"].as_bool().unwrap_or(false)
}

/// What the agent behind `socket` says of itself; its own JSON, versioned by it.
pub fn ask_status(socket: &std::path::Path) -> io::Result<Value> {
    ask(socket, "status")
}

/// A question without arguments, and its answer.
fn ask(socket: &std::path::Path, question: &str) -> io::Result<Value> {
    let mut stream = UnixStream::connect(socket)?;
    stream.write_all(format!("{{\"{question}\":{{}}}}\n").as_bytes())?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line)?;
    Ok(serde_json::from_str(&line)?)
}

fn render_status(status: &Value) -> String {
    let number = |value: &Value| value.as_u64().unwrap_or(0);
    let mut table = Table::new(&["NODE", "REVISION", "PODS", "CONTAINERS", "PROGRAMS", "KERNEL MEMORY"]);
    for node in status["nodes"].as_array().into_iter().flatten() {
        table.row([
            node["name"].as_str().unwrap_or_default().to_owned(),
            number(&node["revision"]).to_string(),
            number(&node["pods"]).to_string(),
            number(&node["containers"]).to_string(),
            number(&node["programs"]).to_string(),
            kibibytes(number(&node["kernelBytes"])),
        ]);
    }
    let mut text = table.to_string();
    if !is_guarded(status) {
        let names = status["unguarded"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let names: Vec<&str> = names.collect();
        text.push_str(&format!("\nNOT GUARDED: {}\n", names.join(", ")));
    }
    text.push_str(&format!(
        "\nagent: pid {}, {} resident, {} records kept, last change in {} us\n",
        number(&status["pid"]),
        kibibytes(number(&status["residentBytes"])),
        number(&status["records"]),
        number(&status["lastChangeMicroseconds"]),
    ));
    for problem in status["problems"].as_array().into_iter().flatten() {
        text.push_str(&format!("problem: {}\n", problem.as_str().unwrap_or_default()));
    }
    text
}

fn kibibytes(bytes: u64) -> String {
    format!("{} KiB", bytes / 1024)
}

/// The agent that is told to unload answers at once and is gone in a moment; a busy machine gets much longer.
const UNLOAD_LIMIT: Duration = Duration::from_secs(20);

/// An agent that runs is told to unload and ends; what a dead one has left is removed here.
fn unload(arguments: &AgentUnloadArguments) -> Result<ExitCode, Failure> {
    let name = &arguments.lab.name;
    let state = name.state_dir();
    if !state.path().exists() {
        return Err(LabError::NotRunning { name: name.to_string() }.into());
    }
    let sockets = match &arguments.node {
        Some(node) if ask_status(&state.agent_socket()).is_ok() => {
            return Err(Failure::new(format!("the agent that runs guards every node, not `{node}` alone"))
                .hint(Hint::Run(format!("sudo palisade agent unload --name {name}"))));
        }
        Some(node) => vec![state.agent_socket_of(node)],
        None => state.agent_sockets(),
    };
    let begun = Instant::now();
    let told: Vec<_> = sockets.iter().filter(|socket| ask(socket, "unload").is_ok()).collect();
    for socket in told {
        while socket.exists() {
            if begun.elapsed() > UNLOAD_LIMIT {
                return Err(Failure::new(format!("the agent on `{}` does not end", socket.display())));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        eprintln!("the agent has ended");
    }
    match &arguments.node {
        Some(node) => {
            palisade_agent::unload_node(state.path(), node).map_err(Failure::new)?;
            eprintln!("node `{node}` of lab `{name}` is no longer guarded");
        }
        None => {
            palisade_agent::unload(state.path()).map_err(Failure::new)?;
            eprintln!("lab `{name}` is no longer guarded");
        }
    }
    Ok(ExitStatus::Clean.into())
}
