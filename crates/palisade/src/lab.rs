//! `palisade lab`: pods on this machine.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::process::ExitCode;

use palisade_lab::stand_in::attempt::{self, Try};
use palisade_lab::{Executable, JoinTarget, LabError, LabName, RunningLab, Status, UpReport};
use serde::Serialize;

use crate::arguments::OutputFormat;
use crate::arguments::lab::{
    CallArguments, DownArguments, ExecArguments, LabCommand, LabelChange, LogsArguments, PodAddArguments, PodCommand,
    PodRelabelArguments, StatusArguments, UpArguments,
};
use crate::exit::ExitStatus;
use crate::failure::{Failure, Hint};
use crate::table::Table;
use crate::{input, report};

/// The version of the JSON form of `status`; it rises when a field changes its meaning.
const VERSION: u32 = 1;

/// How this executable is told to be a part of the lab.
pub const PREFIX: &str = "lab";

/// Runs one of the lab's commands.
///
/// # Errors
/// When the lab refuses, or there is none.
pub fn run(command: &LabCommand) -> Result<ExitCode, Failure> {
    match command {
        LabCommand::Up(arguments) => up(arguments),
        LabCommand::Status(arguments) => status(arguments),
        LabCommand::Exec(arguments) => exec(arguments),
        LabCommand::Logs(arguments) => logs(arguments),
        LabCommand::Down(arguments) => down(arguments),
        LabCommand::Pod(command) => pod(command),
        LabCommand::Call(arguments) => Ok(attempt::call_once(&the_try(arguments))),
        LabCommand::Calls => Ok(attempt::call_batch(io::stdin().lock(), io::stdout().lock())),
        LabCommand::Shim => Ok(palisade_lab::shim()),
    }
}

impl From<LabError> for Failure {
    fn from(error: LabError) -> Self {
        let hint = error.hint().map(Hint::Change);
        let failure = Self::new(error);
        match hint {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    }
}

fn up(arguments: &UpArguments) -> Result<ExitCode, Failure> {
    let name = &arguments.lab.name;
    let stdin = arguments.manifests.iter().any(|path| input::is_stdin(path)).then(input::read_stdin).transpose()?;
    let files = || arguments.manifests.iter().filter(|path| !input::is_stdin(path));
    files().try_for_each(|path| input::can_be_read_again(path))?;
    let pipe = stdin.as_deref().unwrap_or_default();
    let input = palisade_manifests::load(&arguments.manifests, pipe).map_err(Failure::new)?;
    input::print_problems(&input.problems);
    if input::status(&input) == ExitStatus::Unusable {
        return Ok(ExitStatus::Unusable.into());
    }
    let settings = palisade_lab::Settings {
        name: name.clone(),
        nodes: arguments.nodes,
        manifests: files().map(std::path::absolute).collect::<io::Result<_>>().map_err(Failure::new)?,
        stdin,
        detach: arguments.detach,
        prefix: vec![PREFIX.to_owned()],
        rhythm: arguments.rhythm,
    };
    Ok(palisade_lab::up(settings, &input.value, |report| announce(name, report, arguments.detach))?)
}

fn announce(name: &LabName, report: &UpReport, detached: bool) {
    for problem in &report.problems {
        eprintln!("warning: {problem}");
    }
    if report.ends {
        eprintln!("lab `{name}` was told to end while it started");
        return;
    }
    let seconds = report.millis as f64 / 1000.0;
    eprintln!("lab `{name}` is up: {} of {} pods ready, {seconds:.1} s", report.ready, report.pods);
    if detached {
        eprintln!("hint: palisade lab down --name {name}");
    } else {
        eprintln!("hint: Ctrl-C ends it");
    }
}

fn status(arguments: &StatusArguments) -> Result<ExitCode, Failure> {
    #[derive(Serialize)]
    struct Report<'a> {
        version: u32,
        lab: &'a Status,
    }
    let status = RunningLab::open(&arguments.lab.name)?.status()?;
    let mut output = io::stdout().lock();
    match arguments.output {
        OutputFormat::Text => write!(output, "{}", render_status(&status))?,
        OutputFormat::Json => report::write_json(&mut output, &Report { version: VERSION, lab: &status })?,
    }
    Ok(ExitStatus::Clean.into())
}

fn render_status(status: &Status) -> String {
    let mut nodes = Table::new(&["NODE", "ADDRESSES"]);
    for (name, addresses) in &status.nodes {
        nodes.row([name.clone(), join(addresses)]);
    }
    let mut pods = Table::new(&["NAMESPACE", "POD", "NODE", "ADDRESSES", "PHASE", "READY", "CONTAINERS"]);
    for pod in &status.pods {
        let containers = pod.containers.iter().map(|container| match (&container.message, container.state.as_str()) {
            (None, "running") => container.name.clone(),
            (None, state) => format!("{} ({state})", container.name),
            (Some(message), state) => format!("{} ({state}: {message})", container.name),
        });
        let ready = if pod.ready { "yes" } else { "no" };
        let (addresses, containers) = (join(&pod.addresses), containers.collect::<Vec<_>>().join(", "));
        pods.row([&*pod.namespace, &pod.name, &pod.node, &addresses, &pod.phase, ready, &containers]);
    }
    let mut services = Table::new(&["NAMESPACE", "SERVICE", "ADDRESSES", "PORTS", "BACKENDS"]);
    for service in &status.services {
        let addresses = if service.addresses.is_empty() { "headless".to_owned() } else { join(&service.addresses) };
        let (ports, backends) = (service.ports.join(", "), service.ready_backends.to_string());
        services.row([&*service.namespace, &service.name, &addresses, &ports, &backends]);
    }
    let mut text = format!("{nodes}\n{pods}\n{services}");
    for problem in &status.problems {
        text.push_str(&format!("\nwarning: {problem}"));
    }
    text
}

fn join(values: &[impl ToString]) -> String {
    values.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn exec(arguments: &ExecArguments) -> Result<ExitCode, Failure> {
    let target = match (arguments.target.as_str(), arguments.target.strip_prefix("node/")) {
        ("world", _) => JoinTarget::World,
        (_, Some(node)) => JoinTarget::Node(node.to_owned()),
        (pod, None) => JoinTarget::Container { pod: pod.to_owned(), container: arguments.container.clone() },
    };
    let lab = RunningLab::open(&arguments.lab.name)?;
    let mut command = lab.exec(&Executable::current(vec![PREFIX.to_owned()]), &target, &arguments.command)?;
    Err(Failure::new(command.exec()))
}

fn logs(arguments: &LogsArguments) -> Result<ExitCode, Failure> {
    let LogsArguments { lab, pod, container, follow } = arguments;
    let mut output = io::stdout().lock();
    RunningLab::open(&lab.name)?.print_logs(pod, container.as_deref(), *follow, &mut output)?;
    Ok(ExitStatus::Clean.into())
}

fn down(arguments: &DownArguments) -> Result<ExitCode, Failure> {
    let name = &arguments.lab.name;
    palisade_lab::down(name)?;
    eprintln!("lab `{name}` is gone");
    Ok(ExitStatus::Clean.into())
}

fn pod(command: &PodCommand) -> Result<ExitCode, Failure> {
    match command {
        PodCommand::Add(PodAddArguments { lab, manifests }) => {
            let paths = manifests.iter().map(std::path::absolute).collect::<io::Result<Vec<_>>>();
            let added = RunningLab::open(&lab.name)?.add(&paths.map_err(Failure::new)?)?;
            for problem in &added.problems {
                eprintln!("warning: {problem}");
            }
            for object in &added.objects {
                eprintln!("added {object}");
            }
            if added.objects.is_empty() {
                eprintln!("nothing added: no new pod, Service, Namespace or policy in these files");
                return Ok(ExitStatus::Findings.into());
            }
        }
        PodCommand::Restart(arguments) => {
            eprintln!(
                "restarted {}",
                RunningLab::open(&arguments.lab.name)?.restart(&arguments.pod, palisade_lab::RestartWhat::Pod)?
            );
        }
        PodCommand::Relabel(PodRelabelArguments { lab, pod, labels }) => {
            let (mut set, mut remove) = (BTreeMap::new(), Vec::new());
            for change in labels.clone() {
                match change {
                    LabelChange::Set(key, value) => drop(set.insert(key, value)),
                    LabelChange::Remove(key) => remove.push(key),
                }
            }
            eprintln!("relabelled {}", RunningLab::open(&lab.name)?.label(pod, set, remove)?);
        }
        PodCommand::Remove(arguments) => {
            eprintln!("removed {}", RunningLab::open(&arguments.lab.name)?.delete(&arguments.pod)?);
        }
    }
    Ok(ExitStatus::Clean.into())
}

fn the_try(arguments: &CallArguments) -> Try {
    Try {
        udp: arguments.udp,
        unconnected: arguments.unconnected,
        send: arguments.send.clone(),
        timeout_ms: arguments.timeout,
        ..Try::tcp(&arguments.target)
    }
}
