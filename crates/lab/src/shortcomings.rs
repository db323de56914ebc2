//! What of a manifest the lab does otherwise than a cluster would.

use std::collections::BTreeSet;

use palisade_model::pod::VolumeSource;
use palisade_model::{ObjectRef, Problem, Protocol};

use crate::capabilities;
use crate::expand::PlannedPod;

/// One problem for each object and shortcoming, however many pods the object makes.
pub(crate) fn of_pods(pods: &[PlannedPod]) -> Vec<Problem> {
    let mut seen: BTreeSet<(ObjectRef, String)> = BTreeSet::new();
    let mut problems = Vec::new();
    for pod in pods {
        let (object, place) = &pod.origin;
        for (code, message) in of_pod(pod) {
            if seen.insert((object.clone(), message.clone())) {
                problems.push(Problem::warning(code, message).of(object.clone()).at(place));
            }
        }
    }
    problems
}

fn of_pod(pod: &PlannedPod) -> Vec<(&'static str, String)> {
    let mut found = Vec::new();
    for volume in &pod.spec.volumes {
        match &volume.source {
            VolumeSource::EmptyDir => {}
            VolumeSource::HostPath(path) => {
                found.push(("lab-host-path", format!("`hostPath` {path} is an empty folder in the lab")));
            }
            VolumeSource::Image(_) => {
                found.push(("lab-volume", format!("volume `{}` (image) is an empty folder in the lab", volume.name)));
            }
            VolumeSource::Other(kind) => {
                found.push(("lab-volume", format!("volume `{}` ({kind}) is an empty folder in the lab", volume.name)));
            }
        }
    }
    for container in &pod.spec.containers {
        let (_, unknown) = capabilities::of_container(&container.security);
        for name in unknown {
            found.push(("lab-capability", format!("container `{}`: `{name}` is no capability", container.name)));
        }
        for port in container.ports.iter().filter(|port| port.protocol == Protocol::Sctp) {
            found.push((
                "lab-sctp",
                format!("container `{}`: nothing serves SCTP port {}", container.name, port.number),
            ));
        }
    }
    found
}
