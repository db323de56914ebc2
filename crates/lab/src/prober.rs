//! The prober of a node, as kubelet has one: it asks from the node's own network.

mod check;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use palisade_model::Name;
use palisade_model::pod::{Container, Probe};

use crate::cluster::{PodKey, Step};
use crate::runtime::Runtime;
use check::Subject;

/// Between two looks at what is due.
const TICK: Duration = Duration::from_millis(25);

/// The first pauses of a probe that has not passed yet. Manifests say how long a real program takes
/// to start (`initialDelaySeconds`); a stand-in answers at once, and who looks early loses nothing.
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// A probe that has not passed yet is repeated at least this often.
const LONGEST_EARLY_PAUSE: Duration = Duration::from_secs(1);

/// A container that was ready and fails this often in a row is not any more.
///
/// Source: Pod API reference, `failureThreshold`, default.
const FAILURE_THRESHOLD: u32 = 3;

/// Probes of one node that run at a time; others wait a tick.
const MOST_AT_ONCE: usize = 16;

/// Which of a container's probes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Kind {
    Startup,
    Readiness,
    Liveness,
}

/// A probe of one instance of a container.
type ProbeKey = (Name, Kind);

/// How a probe has gone so far.
struct Course {
    due: Instant,
    running: bool,
    passed_once: bool,
    failures: u32,
    pause: Duration,
}

/// What a probe found.
struct Finding {
    key: ProbeKey,
    pod: PodKey,
    container: Name,
    period: Duration,
    passed: Result<(), String>,
}

/// Probes the pods of node `number` (from 1) on threads of the node's network, for ever.
pub(crate) fn start(runtime: &Arc<Runtime>, number: u8) -> std::io::Result<()> {
    let runtime = Arc::clone(runtime);
    let probe = move || {
        if let Err(error) = runtime.network.nodes[usize::from(number) - 1].join() {
            crate::said::say!("lab: node{number} probes nobody: {error}");
            return;
        }
        run(&runtime, number);
    };
    std::thread::Builder::new().name(format!("probe-node{number}")).spawn(probe).map(drop)
}

fn run(runtime: &Arc<Runtime>, number: u8) {
    let mut courses: BTreeMap<ProbeKey, Course> = BTreeMap::new();
    let running = Arc::new(AtomicUsize::new(0));
    let (sender, findings) = mpsc::channel::<Finding>();
    loop {
        let due = due_probes(runtime, number, &mut courses);
        for (key, subject, container, probe, period) in due {
            if running.load(Ordering::Relaxed) >= MOST_AT_ONCE {
                break;
            }
            if let Some(course) = courses.get_mut(&key) {
                course.running = true;
            }
            running.fetch_add(1, Ordering::Relaxed);
            let (sender, running, runtime) = (sender.clone(), Arc::clone(&running), Arc::clone(runtime));
            let work = move || {
                let passed = check::run(&runtime, &subject, &container, &probe);
                running.fetch_sub(1, Ordering::Relaxed);
                let finding = Finding { key, pod: subject.pod, container: container.name.clone(), period, passed };
                // The receiver lives as long as the lab.
                let _ = sender.send(finding);
            };
            if let Err(error) = std::thread::Builder::new().stack_size(256 * 1024).spawn(work) {
                crate::said::say!("lab: a probe does not run: {error}");
            }
        }
        let mut next = findings.recv_timeout(TICK).ok();
        while let Some(finding) = next {
            note(runtime, &mut courses, finding);
            next = findings.try_recv().ok();
        }
    }
}

/// What is to be probed now; courses of instances that are gone are forgotten.
fn due_probes(
    runtime: &Runtime,
    number: u8,
    courses: &mut BTreeMap<ProbeKey, Course>,
) -> Vec<(ProbeKey, Subject, Container, Probe, Duration)> {
    let now = Instant::now();
    let mut due = Vec::new();
    let mut living: Vec<Name> = Vec::new();
    let cluster = runtime.cluster();
    for pod in cluster.pods.values().filter(|pod| pod.node == number) {
        for (container, state) in pod.containers() {
            let (Some(id), Step::Running) = (&state.id, state.step) else { continue };
            living.push(id.clone());
            let passed = |kind, courses: &BTreeMap<ProbeKey, Course>| {
                courses.get(&(id.clone(), kind)).is_some_and(|course| course.passed_once)
            };
            let started = container.startup.is_none() || passed(Kind::Startup, courses);
            let all = [
                (Kind::Startup, &container.startup),
                (Kind::Readiness, &container.readiness),
                (Kind::Liveness, &container.liveness),
            ];
            for (kind, probe) in all {
                let Some(probe) = probe else { continue };
                let waits = match kind {
                    Kind::Startup => started,
                    Kind::Readiness | Kind::Liveness => !started,
                };
                if waits {
                    continue;
                }
                let delay = match kind {
                    Kind::Liveness => Duration::from_secs(probe.initial_delay_seconds.into()),
                    Kind::Startup | Kind::Readiness => Duration::ZERO,
                };
                let course = courses.entry((id.clone(), kind)).or_insert_with(|| Course {
                    due: now + delay,
                    running: false,
                    passed_once: false,
                    failures: 0,
                    pause: FIRST_PAUSE,
                });
                if !course.running && course.due <= now {
                    let address = pod.addresses.first().copied().unwrap_or(IpAddr::from([127, 0, 0, 1]));
                    let key = (pod.plan.namespace.clone(), pod.plan.name.clone());
                    let period = Duration::from_secs(probe.period_seconds.max(1).into());
                    due.push((
                        (id.clone(), kind),
                        Subject { pod: key, address },
                        container.clone(),
                        probe.clone(),
                        period,
                    ));
                }
            }
        }
    }
    living.sort();
    courses.retain(|(id, _), _| living.binary_search(id).is_ok());
    due
}

fn note(runtime: &Runtime, courses: &mut BTreeMap<ProbeKey, Course>, finding: Finding) {
    let Finding { key, pod, container, period, passed } = finding;
    let (id, kind) = key.clone();
    let Some(course) = courses.get_mut(&key) else { return };
    course.running = false;
    match &passed {
        Ok(()) => {
            course.passed_once = true;
            course.failures = 0;
            course.due = Instant::now() + period;
        }
        Err(_) => {
            course.failures = course.failures.saturating_add(1);
            let pause = if course.passed_once { period } else { course.pause.min(period) };
            course.due = Instant::now() + pause;
            course.pause = (course.pause * 2).min(LONGEST_EARLY_PAUSE);
        }
    }
    let lost = course.failures >= FAILURE_THRESHOLD;
    let changed = {
        let mut cluster = runtime.cluster();
        let state = cluster.pods.get_mut(&pod).and_then(|pod| pod.containers.get_mut(&container));
        let Some(state) = state.filter(|state| state.id.as_ref() == Some(&id)) else { return };
        let before = (state.probed_ready, state.liveness_failures);
        match (kind, &passed) {
            (Kind::Readiness, Ok(())) => {
                state.probed_ready = true;
                state.message = None;
            }
            (Kind::Readiness, Err(message)) => {
                state.probed_ready = state.probed_ready && !lost;
                state.message = Some(format!("readiness: {message}"));
            }
            (Kind::Liveness, Err(message)) => {
                state.liveness_failures += 1;
                state.message = Some(format!("liveness: {message}"));
            }
            (Kind::Startup, Err(message)) => state.message = Some(format!("startup: {message}")),
            (Kind::Liveness | Kind::Startup, Ok(())) => {}
        }
        before != (state.probed_ready, state.liveness_failures)
    };
    if changed {
        runtime.changed();
    }
}
