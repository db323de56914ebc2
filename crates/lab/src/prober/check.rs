//! One probe of one container.

use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use palisade_model::Protocol;
use palisade_model::pod::{Container, Probe, ProbeHandler, ProbePort};

use crate::cluster::PodKey;
use crate::image;
use crate::runtime::Runtime;
use crate::shim::JOIN_VARIABLE;

/// A response's first line fits well within it.
const HEAD_BYTES: usize = 256;

/// Whom a probe asks.
pub(super) struct Subject {
    pub pod: PodKey,
    pub address: IpAddr,
}

/// Runs `probe`; in words, why it did not pass.
pub(super) fn run(runtime: &Runtime, subject: &Subject, container: &Container, probe: &Probe) -> Result<(), String> {
    let limit = Duration::from_secs(probe.timeout_seconds.max(1).into());
    match &probe.handler {
        ProbeHandler::HttpGet { path, port, host, https } => {
            let address = address(subject, container, port, host.as_deref())?;
            let stream = connect(address, limit)?;
            // What lies behind TLS is taken to be well when it answers at all.
            if *https { Ok(()) } else { http_get(stream, path, &address.to_string(), limit) }
        }
        ProbeHandler::TcpSocket { port, host } => {
            connect(address(subject, container, port, host.as_deref())?, limit).map(drop)
        }
        ProbeHandler::Grpc { port } => connect((subject.address, *port).into(), limit).map(drop),
        ProbeHandler::Exec { command } => exec(runtime, subject, container, command, limit),
    }
}

fn address(
    subject: &Subject,
    container: &Container,
    port: &ProbePort,
    host: Option<&str>,
) -> Result<SocketAddr, String> {
    let number = match port {
        ProbePort::Number(number) => *number,
        ProbePort::Name(name) => {
            let named =
                container.ports.iter().find(|port| port.name.as_ref() == Some(name) && port.protocol == Protocol::Tcp);
            named.map(|port| port.number).ok_or_else(|| format!("no TCP port is named `{name}`"))?
        }
    };
    let Some(host) = host else { return Ok((subject.address, number).into()) };
    let mut found = (host, number).to_socket_addrs().map_err(|error| format!("{host}: {error}"))?;
    found.next().ok_or_else(|| format!("{host} has no address"))
}

fn connect(address: SocketAddr, limit: Duration) -> Result<TcpStream, String> {
    TcpStream::connect_timeout(&address, limit).map_err(|error| format!("{address}: {error}"))
}

/// Source: Pod API reference, `httpGet`: any code from 200 to below 400 passes.
fn http_get(mut stream: TcpStream, path: &str, host: &str, limit: Duration) -> Result<(), String> {
    let words = |error: io::Error| format!("{host}: {error}");
    stream.set_read_timeout(Some(limit)).map_err(words)?;
    stream.set_write_timeout(Some(limit)).map_err(words)?;
    let clean: String = path.chars().filter(|letter| !letter.is_ascii_control() && *letter != ' ').collect();
    let slash = if clean.starts_with('/') { "" } else { "/" };
    let request = format!(
        "GET {slash}{clean} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: kube-probe/1.34\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).map_err(words)?;
    let mut head = Vec::new();
    while head.len() < HEAD_BYTES && !head.contains(&b'\n') {
        let mut buffer = [0; HEAD_BYTES];
        match stream.read(&mut buffer).map_err(words)? {
            0 => break,
            count => head.extend_from_slice(&buffer[..count]),
        }
    }
    let line = String::from_utf8_lossy(&head);
    match line.split(' ').nth(1).and_then(|code| code.parse::<u16>().ok()) {
        Some(200..=399) => Ok(()),
        Some(code) => Err(format!("{host}: HTTP status {code}")),
        None => Err(format!("{host}: no HTTP answer")),
    }
}

/// A command that only the real image has is taken to pass.
fn exec(
    runtime: &Runtime,
    subject: &Subject,
    container: &Container,
    command: &[String],
    limit: Duration,
) -> Result<(), String> {
    let Some(program) = command.first() else { return Err("no command".to_owned()) };
    if image::on_the_host(program).is_none() {
        return Ok(());
    }
    let setup = runtime.join_from_within(&subject.pod, &container.name, command)?;
    let orders = serde_json::to_string(&setup).map_err(|error| error.to_string())?;
    let mut child = Command::new("/proc/self/exe")
        .args(&runtime.prefix)
        .arg("shim")
        .env_clear()
        .env(JOIN_VARIABLE, orders)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| error.to_string())?;
    let deadline = Instant::now() + limit;
    loop {
        match child.try_wait().map_err(|error| error.to_string())? {
            Some(status) if status.success() => return Ok(()),
            Some(status) => return Err(format!("`{program}`: {status}")),
            None if Instant::now() > deadline => {
                // The command is tied to the shim's life.
                let _ = child.kill();
                let _ = child.wait();
                return Err(format!("`{program}`: no end after {} s", limit.as_secs()));
            }
            None => std::thread::sleep(Duration::from_millis(10)),
        }
    }
}
