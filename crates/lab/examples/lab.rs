//! The lab's commands without the rest of Palisade: `cargo run --example lab -- up -f shop.yaml`.

use std::collections::BTreeMap;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::ExitCode;

use palisade_lab::stand_in::attempt::{self, Try};
use palisade_lab::{DEFAULT_RHYTHM, Executable, JoinTarget, LabError, LabName, RestartWhat, RunningLab, Settings};

pub fn main() -> ExitCode {
    if let Some(code) = palisade_lab::stand_in::stand_in() {
        return code;
    }
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some((command, rest)) = arguments.split_first() else { return usage() };
    let outcome = match command.as_str() {
        "up" => up(rest),
        "down" => with_name(rest).and_then(|(name, _)| palisade_lab::down(&name)).map(|()| ExitCode::SUCCESS),
        "status" => status(rest),
        "exec" => exec(rest),
        "logs" => logs(rest),
        "pod" => pod(rest),
        "shim" => return palisade_lab::shim(),
        "dns" => return palisade_lab::dns(),
        "call" => return call(rest),
        _ => return usage(),
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("error: {error}");
        let mut source = std::error::Error::source(&error);
        while let Some(cause) = source {
            eprintln!("  caused by: {cause}");
            source = cause.source();
        }
        if let Some(hint) = error.hint() {
            eprintln!("\nhint: {hint}");
        }
        ExitCode::from(2)
    })
}

fn usage() -> ExitCode {
    eprintln!("usage: lab up|down|status|exec|logs|pod|call ...");
    ExitCode::from(2)
}

/// Takes `--name NAME` out of `arguments`.
fn with_name(arguments: &[String]) -> Result<(LabName, Vec<String>), LabError> {
    let mut rest = arguments.to_vec();
    let end = rest.iter().position(|argument| argument == "--").unwrap_or(rest.len());
    let Some(position) = rest[..end].iter().position(|argument| argument == "--name") else {
        return Ok((LabName::default(), rest));
    };
    let name = rest.get(position + 1).cloned().unwrap_or_default();
    rest.drain(position..(position + 2).min(rest.len()));
    name.parse()
        .map(|name| (name, rest))
        .map_err(|error: palisade_lab::BadLabName| LabError::Refused(error.to_string()))
}

fn up(arguments: &[String]) -> Result<ExitCode, LabError> {
    let (name, rest) = with_name(arguments)?;
    let mut settings = Settings {
        name,
        nodes: 1,
        manifests: Vec::new(),
        stdin: None,
        detach: false,
        prefix: Vec::new(),
        rhythm: DEFAULT_RHYTHM,
    };
    let mut rest = rest.iter();
    while let Some(option) = rest.next() {
        match option.as_str() {
            "-f" => settings
                .manifests
                .extend(rest.next().map(|path| std::path::absolute(path).unwrap_or_else(|_| PathBuf::from(path)))),
            "--nodes" => settings.nodes = rest.next().and_then(|number| number.parse().ok()).unwrap_or(1),
            "--rhythm-ms" => {
                let millis = rest.next().and_then(|number| number.parse().ok()).unwrap_or(2000);
                settings.rhythm = std::time::Duration::from_millis(millis);
            }
            "--detach" => settings.detach = true,
            other => return Err(LabError::Refused(format!("unknown option `{other}`"))),
        }
    }
    let loaded = palisade_manifests::load(&settings.manifests, io::empty())
        .map_err(|error| LabError::Refused(error.to_string()))?;
    for problem in &loaded.problems {
        eprintln!("problem: {problem}");
    }
    palisade_lab::up(settings, &loaded.value, |report| {
        for problem in &report.problems {
            eprintln!("problem: {problem}");
        }
        eprintln!("{} of {} pods ready after {} ms", report.ready, report.pods, report.millis);
    })
}

fn status(arguments: &[String]) -> Result<ExitCode, LabError> {
    let (name, rest) = with_name(arguments)?;
    let status = RunningLab::open(&name)?.status()?;
    if rest.iter().any(|argument| argument == "--json") {
        println!("{}", serde_json::to_string_pretty(&status).expect("a status is plain data"));
        return Ok(ExitCode::SUCCESS);
    }
    for pod in &status.pods {
        let addresses: Vec<_> = pod.addresses.iter().map(ToString::to_string).collect();
        println!(
            "{}/{} {} {} ready={} {}",
            pod.namespace,
            pod.name,
            pod.node,
            pod.phase,
            pod.ready,
            addresses.join(",")
        );
        for container in &pod.containers {
            let message = container.message.as_deref().unwrap_or_default();
            println!("  {} {} restarts={} {message}", container.name, container.state, container.restarts);
        }
    }
    for service in &status.services {
        println!(
            "service {}/{} {:?} {:?} backends={}",
            service.namespace, service.name, service.addresses, service.ports, service.ready_backends
        );
    }
    Ok(ExitCode::SUCCESS)
}

/// `exec (POD [-c CONTAINER] | --world | --node NODE) -- COMMAND`
fn exec(arguments: &[String]) -> Result<ExitCode, LabError> {
    let (name, rest) = with_name(arguments)?;
    let split = rest.iter().position(|argument| argument == "--").unwrap_or(rest.len());
    let (options, command) = (&rest[..split], rest.get(split + 1..).unwrap_or_default());
    let target = match options {
        [world] if world == "--world" => JoinTarget::World,
        [node, name] if node == "--node" => JoinTarget::Node(name.clone()),
        [pod] => JoinTarget::Container { pod: pod.clone(), container: None },
        [pod, option, container] if option == "-c" => {
            JoinTarget::Container { pod: pod.clone(), container: Some(container.clone()) }
        }
        _ => return Err(LabError::Refused("exec POD [-c CONTAINER] -- COMMAND".to_owned())),
    };
    let mut shim = RunningLab::open(&name)?.exec(&Executable::current(Vec::new()), &target, command)?;
    Err(LabError::System { action: "start the shim".to_owned(), source: shim.exec() })
}

fn logs(arguments: &[String]) -> Result<ExitCode, LabError> {
    let (name, rest) = with_name(arguments)?;
    let pod = rest.first().map(String::as_str).unwrap_or_default();
    let container = rest.get(2).map(String::as_str);
    let follow = rest.iter().any(|argument| argument == "-f");
    RunningLab::open(&name)?.print_logs(pod, container.filter(|_| !follow), follow, &mut io::stdout())?;
    Ok(ExitCode::SUCCESS)
}

fn pod(arguments: &[String]) -> Result<ExitCode, LabError> {
    let (name, rest) = with_name(arguments)?;
    let lab = RunningLab::open(&name)?;
    let rest: Vec<&str> = rest.iter().map(String::as_str).collect();
    match rest.as_slice() {
        ["add", paths @ ..] => {
            let paths: Vec<_> = paths.iter().filter_map(|path| std::path::absolute(path).ok()).collect();
            for problem in lab.add(&paths)?.problems {
                eprintln!("problem: {problem}");
            }
        }
        ["delete", pod] => println!("{} deleted", lab.delete(pod)?),
        ["restart", pod] => println!("{} restarted", lab.restart(pod, RestartWhat::Pod)?),
        ["label", pod, labels @ ..] => {
            let set: BTreeMap<_, _> = labels
                .iter()
                .filter_map(|pair| pair.split_once('='))
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .collect();
            let remove = labels.iter().filter_map(|key| key.strip_suffix('-')).map(ToOwned::to_owned).collect();
            println!("{} labelled", lab.label(pod, set, remove)?);
        }
        _ => return Err(LabError::Refused("pod add|delete|restart|label".to_owned())),
    }
    Ok(ExitCode::SUCCESS)
}

/// `call TARGET [--udp]`, or `call -` with tries on standard input.
fn call(arguments: &[String]) -> ExitCode {
    match arguments {
        [dash] if dash == "-" => attempt::call_batch(io::stdin().lock(), io::stdout().lock()),
        [target] => attempt::call_once(&Try::tcp(target)),
        [target, udp] if udp == "--udp" => attempt::call_once(&Try { udp: true, ..Try::tcp(target) }),
        _ => usage(),
    }
}
