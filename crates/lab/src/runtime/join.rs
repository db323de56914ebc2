//! How a process joins what runs in the lab.

use std::path::PathBuf;

use palisade_model::Name;

use super::{Runtime, locked};
use crate::cluster::PodKey;
use crate::command;
use crate::control::JoinTarget;
use crate::setup::JoinSetup;

impl Runtime {
    /// What a process needs to know to join `target`; in words, when that is not there.
    pub fn join_setup(&self, target: &JoinTarget) -> Result<JoinSetup, String> {
        match target {
            JoinTarget::Container { pod, container } => self.join_container(pod, container.as_deref()),
            JoinTarget::Node(name) => {
                let index = self.cluster().nodes.iter().position(|node| *node.name == **name);
                index
                    .map(|index| self.join_network(self.holders[index]))
                    .ok_or_else(|| format!("no node is named `{name}`"))
            }
            JoinTarget::World => Ok(self.join_network(self.holders.last().copied().unwrap_or_default())),
        }
    }

    fn join_network(&self, holder: u32) -> JoinSetup {
        JoinSetup {
            cgroup_processes: None,
            all_of: None,
            network: Some(PathBuf::from(format!("/proc/{holder}/ns/net"))),
            pids_of: Some(self.machine_pid),
            process: None,
            command: Vec::new(),
        }
    }

    /// The same for a process of the supervisor itself, who counts processes otherwise.
    pub fn join_from_within(&self, pod: &PodKey, container: &Name, command: &[String]) -> Result<JoinSetup, String> {
        let (namespace, name) = pod;
        let mut setup = self.join_container(&format!("{namespace}/{name}"), Some(container))?;
        let pid =
            locked(&self.tasks).get(pod).and_then(|task| task.pid_of(container)).ok_or("the container is gone")?;
        setup.all_of = u32::try_from(pid.as_raw()).ok();
        if let (Some(process), Some(program)) = (&mut setup.process, command.first()) {
            process.program.clone_from(program);
            process.arguments = command.to_vec();
        }
        Ok(setup)
    }

    fn join_container(&self, pod: &str, container: Option<&str>) -> Result<JoinSetup, String> {
        let cluster = self.cluster();
        let pod = cluster.find_pod(pod).map_err(|error| error.to_string())?;
        let full = format!("{}/{}", pod.plan.namespace, pod.plan.name);
        let mut named = pod.containers().filter(|(it, _)| container.is_none_or(|name| *it.name == *name)).peekable();
        if named.peek().is_none() {
            return Err(format!("pod `{full}` has no container `{}`", container.unwrap_or_default()));
        }
        let living = named.find_map(|(container, state)| Some((container, state.pid?, state.id.clone()?)));
        let (container, pid, id) = living.ok_or_else(|| format!("no such container of pod `{full}` runs now"))?;
        let node = cluster.node(pod.node).ok_or("its node is gone")?;
        let cgroup = self.kubepods(node).pod(pod.plan.spec.qos, &pod.uid).child(&id);
        let mut environment = command::base_environment(pod.plan.hostname());
        environment.extend(container.env.iter().map(|(name, value)| (name.to_string(), value.clone())));
        let resolved = command::of_container(container, &pod.plan.annotations);
        let (process, _) = command::process(container, &pod.plan.spec, &resolved, environment);
        Ok(JoinSetup {
            cgroup_processes: Some(cgroup.processes()),
            all_of: Some(pid),
            network: None,
            pids_of: None,
            process: Some(process),
            command: Vec::new(),
        })
    }
}
