//! The supervisor's side of the control socket.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;
use std::time::Duration;

use palisade_model::pod::Phase;
use palisade_model::{Labels, Outcome};

use crate::cluster::{PodKey, Step};
use crate::control::{ContainerStatus, JoinTarget, PodStatus, Request, Response, RestartWhat, ServiceStatus, Status};
use crate::endpoints;
use crate::error::one_line;
use crate::runtime::Runtime;
use crate::supervisor;

/// A request is a line of at most this length.
const LONGEST_REQUEST: u64 = 1 << 20;

/// A client that says nothing for so long is left alone.
const PATIENCE: Duration = Duration::from_secs(5);

/// Answers requests on threads of their own.
pub(crate) fn serve(runtime: Arc<Runtime>, listener: UnixListener) {
    let spawned = std::thread::Builder::new().name("control".into()).spawn(move || {
        for stream in listener.incoming() {
            let Ok(stream) = stream else { continue };
            let runtime = Arc::clone(&runtime);
            let answered = std::thread::Builder::new().spawn(move || {
                if let Err(error) = answer(&runtime, stream) {
                    crate::said::say!("lab: a client went away: {error}");
                }
            });
            if let Err(error) = answered {
                crate::said::say!("lab: cannot answer a client: {error}");
            }
        }
    });
    if let Err(error) = spawned {
        crate::said::say!("lab: cannot answer clients: {error}");
    }
}

fn answer(runtime: &Arc<Runtime>, mut stream: UnixStream) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut line = String::new();
    BufReader::new(stream.try_clone()?.take(LONGEST_REQUEST)).read_line(&mut line)?;
    if line.is_empty() {
        return Ok(());
    }
    let response = match serde_json::from_str(&line) {
        Ok(request) => respond(runtime, request),
        Err(error) => Response::Refused(format!("not a request: {error}")),
    };
    let ends = matches!(&response, Response::Done { what, .. } if what.is_empty());
    stream.write_all(format!("{}\n", serde_json::to_string(&response)?).as_bytes())?;
    if ends {
        supervisor::end();
    }
    Ok(())
}

fn respond(runtime: &Arc<Runtime>, request: Request) -> Response {
    let done = |key: Result<PodKey, crate::cluster::NoSuchPod>| match key {
        Ok((namespace, name)) => Response::Done { what: format!("{namespace}/{name}"), problems: Vec::new() },
        Err(error) => Response::Refused(error.to_string()),
    };
    match request {
        Request::Status => Response::Status(status(runtime)),
        Request::Join(target) => join(runtime, &target),
        Request::Add { manifests } => {
            let Outcome { value, mut problems } = match palisade_manifests::load(&manifests, io::empty()) {
                Ok(outcome) => outcome,
                Err(error) => return Response::Refused(one_line(&error)),
            };
            if let Some(unreadable) = value.unreadable.first() {
                let said: Vec<_> = problems.iter().map(ToString::to_string).collect();
                let place = &unreadable.place;
                return Response::Refused(format!(
                    "not taken: `{}:{}` cannot be read and may be a policy\n{}",
                    place.file,
                    place.line,
                    said.join("\n")
                ));
            }
            let added = runtime.add_manifests(manifests, &value);
            problems.extend(added.problems);
            Response::Added { objects: added.value, problems: problems.iter().map(ToString::to_string).collect() }
        }
        Request::Delete { pod } => done(runtime.delete(&pod)),
        Request::Restart { pod, what } => done(match what {
            RestartWhat::Pod => runtime.restart(&pod),
            RestartWhat::Containers => runtime.restart_containers(&pod),
        }),
        Request::Label { pod, set, remove } => done(runtime.label(&pod, &set.into_iter().collect::<Labels>(), &remove)),
        Request::Logs { pod, container } => logs(runtime, &pod, container.as_deref()),
        Request::Down => Response::Done { what: String::new(), problems: Vec::new() },
    }
}

fn join(runtime: &Arc<Runtime>, target: &JoinTarget) -> Response {
    match runtime.join_setup(target) {
        Ok(setup) => Response::Join(Box::new(setup)),
        Err(message) => Response::Refused(message),
    }
}

fn logs(runtime: &Runtime, pod: &str, container: Option<&str>) -> Response {
    let cluster = runtime.cluster();
    let pod = match cluster.find_pod(pod) {
        Ok(pod) => pod,
        Err(error) => return Response::Refused(error.to_string()),
    };
    let (namespace, name) = (&pod.plan.namespace, &pod.plan.name);
    let files: Vec<_> = pod
        .plan
        .spec
        .containers
        .iter()
        .filter(|it| container.is_none_or(|name| *it.name == *name))
        .map(|container| (container.name.to_string(), runtime.state.log_file(namespace, name, &container.name)))
        .collect();
    match (files.is_empty(), container) {
        (true, Some(container)) => {
            Response::Refused(format!("pod `{namespace}/{name}` has no container `{container}`"))
        }
        _ => Response::Logs(files),
    }
}

fn status(runtime: &Runtime) -> Status {
    let cluster = runtime.cluster();
    let pods = cluster.pods.values().map(|pod| PodStatus {
        namespace: pod.plan.namespace.to_string(),
        name: pod.plan.name.to_string(),
        uid: pod.uid.to_string(),
        node: cluster.node(pod.node).map(|node| node.name.to_string()).unwrap_or_default(),
        addresses: pod.addresses.clone(),
        phase: match pod.phase() {
            Phase::Pending => "Pending",
            Phase::Running => "Running",
            Phase::Succeeded => "Succeeded",
            Phase::Failed => "Failed",
            Phase::Unknown => "Unknown",
        }
        .to_owned(),
        ready: pod.is_ready(),
        containers: pod
            .containers()
            .map(|(container, state)| ContainerStatus {
                name: container.name.to_string(),
                id: state.id.as_ref().map(ToString::to_string),
                pid: state.pid,
                state: match state.step {
                    Step::Waiting => "waiting".to_owned(),
                    Step::Created => "created".to_owned(),
                    Step::Running => "running".to_owned(),
                    Step::Ended { code } => format!("ended {code}"),
                },
                ready: state.is_ready(),
                restarts: state.restarts,
                liveness_failures: state.liveness_failures,
                message: state.message.clone(),
            })
            .collect(),
    });
    let services = cluster.services.values().map(|service| {
        let ports = endpoints::of_service(service, &cluster);
        ServiceStatus {
            namespace: service.meta.namespace().to_owned(),
            name: service.meta.name().to_owned(),
            addresses: service.cluster_ips.clone(),
            ports: service
                .ports
                .iter()
                .map(|port| match port.node_port {
                    Some(number) => format!("{}:{number}/{}", port.port, port.protocol),
                    None => format!("{}/{}", port.port, port.protocol),
                })
                .collect(),
            ready_backends: ports
                .iter()
                .map(|port| port.backends.iter().filter(|backend| backend.ready).count())
                .min()
                .unwrap_or_default(),
        }
    });
    let unwritten = runtime.unwritten().map(|error| format!("what lives is not told: {}", one_line(&error)));
    Status {
        name: runtime.name.to_string(),
        pid: runtime.guard_pid,
        nodes: cluster.nodes.iter().map(|node| (node.name.to_string(), node.addresses.clone())).collect(),
        pods: pods.collect(),
        services: services.collect(),
        problems: unwritten.into_iter().chain(cluster.problems.iter().map(ToString::to_string)).collect(),
    }
}
