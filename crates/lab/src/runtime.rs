//! The running lab, inside its supervisor.

mod container;
mod join;
mod pod;
mod publish;
mod services;
mod world;

use std::collections::BTreeMap;
use std::fs::File;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use palisade_model::{Inventory, Labels, Outcome, Problem, Timestamp};

use crate::address_plan::{AddressPlan, node_address, node_address_6};
use crate::cgroup::Cgroup;
use crate::cluster::{Cluster, ContainerState, NoSuchPod, Node, Pod, PodKey};
use crate::error::LabError;
use crate::expand::{PlannedPod, expand};
use crate::images::Images;
use crate::name::{LabName, StateDir};
use crate::network::{Network, link_name};
use crate::random;
use crate::shortcomings;
use pod::PodTask;
use publish::Publisher;
use world::WorldServer;

/// Everything that the supervisor's threads share.
pub(crate) struct Runtime {
    pub name: LabName,
    pub state: StateDir,
    /// How this executable is told to be the lab: the arguments before `shim`, `dns` and so on.
    pub prefix: Vec<String>,
    /// The guard process, whom `lab.json` names.
    pub guard_pid: u32,
    /// Ourselves, as the machine's procfs counts.
    pub machine_pid: u32,
    pub network: Network,
    /// Processes that hold the nodes' and, last, the world's network namespace.
    pub holders: Vec<u32>,
    pub cgroup: Cgroup,
    pub images: Images,
    /// How often a stand-in calls its dependencies.
    pub rhythm: Duration,
    pub manifests: Mutex<Vec<PathBuf>>,
    null: File,
    cluster: Mutex<Cluster>,
    plan: Mutex<AddressPlan>,
    tasks: Mutex<BTreeMap<PodKey, Arc<PodTask>>>,
    publisher: Publisher,
    world_server: Mutex<WorldServer>,
}

/// What a runtime is made of.
pub(crate) struct Parts {
    pub name: LabName,
    pub prefix: Vec<String>,
    pub guard_pid: u32,
    pub machine_pid: u32,
    pub network: Network,
    pub holders: Vec<u32>,
    pub cgroup: Cgroup,
    pub images: Images,
    pub rhythm: Duration,
    pub manifests: Vec<PathBuf>,
}

impl Runtime {
    /// A lab with its nodes and no pod.
    ///
    /// # Errors
    /// When a node's cgroup cannot be made.
    pub fn create(parts: Parts) -> Result<Arc<Self>, LabError> {
        let Parts { name, prefix, guard_pid, machine_pid, network, holders, cgroup, images, rhythm, manifests } = parts;
        let nodes: Vec<_> = (1..).zip(&network.nodes).map(|(number, _)| node(number, network.ipv6)).collect();
        let null =
            File::options().read(true).write(true).open("/dev/null").map_err(LabError::file("open", "/dev/null"))?;
        let runtime = Self {
            state: name.state_dir(),
            name,
            prefix,
            guard_pid,
            machine_pid,
            network,
            holders,
            cgroup,
            images,
            rhythm,
            manifests: Mutex::new(manifests),
            null,
            cluster: Mutex::new(Cluster { nodes, ..Cluster::default() }),
            plan: Mutex::default(),
            tasks: Mutex::default(),
            publisher: Publisher::default(),
            world_server: Mutex::default(),
        };
        for node in &runtime.cluster().nodes {
            runtime.kubepods(node).create()?;
        }
        Ok(Arc::new(runtime))
    }

    /// What lives; never hold it while doing anything slow.
    pub fn cluster(&self) -> MutexGuard<'_, Cluster> {
        locked(&self.cluster)
    }

    /// The cgroup of all pods of a node.
    pub fn kubepods(&self, node: &Node) -> Cgroup {
        self.cgroup.child(&node.name).child("kubepods")
    }

    /// Takes the objects of `inventory` over and starts its pods.
    pub fn add(self: &Arc<Self>, inventory: &Inventory) -> Vec<Problem> {
        let nodes = self.network.nodes.len();
        let Outcome { value: planned, mut problems } = expand(inventory, nodes);
        problems.extend(self.take_services(inventory));
        self.note_namespaces(inventory, &planned);
        self.note_nodes(inventory);
        problems.extend(shortcomings::of_pods(&planned));
        let mut tasks = Vec::new();
        for (index, plan) in planned.into_iter().enumerate() {
            match self.place(plan, index) {
                Ok(task) => tasks.push(task),
                Err(problem) => problems.push(*problem),
            }
        }
        self.cluster().problems.extend(problems.iter().cloned());
        for task in tasks {
            task.start(Arc::clone(self));
        }
        self.changed();
        problems
    }

    /// Takes further manifests over, which belong to the lab's input from now on: what is new by them. When nothing is,
    /// they are left alone.
    pub fn add_manifests(self: &Arc<Self>, paths: Vec<PathBuf>, inventory: &Inventory) -> Outcome<Vec<String>> {
        let (new, taken) = self.new_objects(inventory);
        if new.is_empty() {
            return Outcome { value: new, problems: taken };
        }
        {
            let mut manifests = locked(&self.manifests);
            for path in paths {
                if !manifests.contains(&path) {
                    manifests.push(path);
                }
            }
        }
        Outcome { value: new, problems: self.add(inventory) }
    }

    /// The objects that the lab does not have yet, and the pods that it has.
    fn new_objects(&self, inventory: &Inventory) -> (Vec<String>, Vec<Problem>) {
        let planned = expand(inventory, self.network.nodes.len()).value;
        let cluster = self.cluster();
        let has = |pod: &PlannedPod| cluster.pods.contains_key(&(pod.namespace.clone(), pod.name.clone()));
        let taken = planned.iter().filter(|pod| has(pod)).map(name_taken).collect();
        let pods = planned.iter().filter(|pod| !has(pod)).map(|pod| format!("Pod {}/{}", pod.namespace, pod.name));
        let services = inventory
            .services
            .iter()
            .map(|service| &service.meta)
            .filter(|meta| !cluster.services.values().any(|service| service.meta.reference == meta.reference));
        let others = inventory
            .namespaces
            .iter()
            .map(|namespace| &namespace.meta)
            .chain(inventory.network_policies.iter().map(|policy| &policy.meta))
            .chain(inventory.perimeters.iter().map(|policy| &policy.meta))
            .chain(inventory.access_policies.iter().map(|policy| &policy.meta));
        (pods.chain(services.chain(others).map(|meta| meta.reference.to_string())).collect(), taken)
    }

    fn note_namespaces(&self, inventory: &Inventory, planned: &[PlannedPod]) {
        let mut cluster = self.cluster();
        let used = planned
            .iter()
            .map(|pod| pod.namespace.clone())
            .chain(inventory.services.iter().map(|service| service.meta.namespace().into()));
        let has_object = |name: &str| inventory.namespaces.iter().any(|namespace| namespace.meta.name() == name);
        for namespace in used.filter(|name| !has_object(name)) {
            cluster.bare_namespaces.insert(namespace);
        }
        cluster.bare_namespaces.retain(|name| !has_object(name));
    }

    /// A Node object of one of our names says which labels the node has besides its own.
    fn note_nodes(&self, inventory: &Inventory) {
        let mut cluster = self.cluster();
        for object in &inventory.nodes {
            if let Some(node) = cluster.nodes.iter_mut().find(|node| *node.name == *object.meta.name()) {
                for (key, value) in &object.meta.labels.0 {
                    node.labels.0.entry(key.clone()).or_insert_with(|| value.clone());
                }
            }
        }
    }

    /// Finds a node and addresses for a pod, and notes it as pending.
    fn place(self: &Arc<Self>, plan: PlannedPod, index: usize) -> Result<Arc<PodTask>, Box<Problem>> {
        let problem = |code, message: String| {
            Box::new(Problem::warning(code, message).of(plan.origin.0.clone()).at(&plan.origin.1))
        };
        let node = self.choose_node(&plan, index);
        let uid = random::uid().map_err(|error| problem("lab-pod", error.to_string()))?;
        let key: PodKey = (plan.namespace.clone(), plan.name.clone());
        if self.cluster().pods.contains_key(&key) {
            return Err(Box::new(name_taken(&plan)));
        }
        let own = if plan.spec.host_network {
            None
        } else {
            let taken = locked(&self.plan).take_pod(node.number);
            Some(taken.ok_or_else(|| {
                problem("lab-node-full", format!("`{}` has no address left for `{}`", node.name, plan.name))
            })?)
        };
        let families = if self.network.ipv6 { 2 } else { 1 };
        let addresses = own.map_or_else(|| node.addresses.clone(), |pair| pair[..families].to_vec());
        let containers = plan
            .spec
            .containers
            .iter()
            .map(|container| {
                let state = ContainerState { probed_ready: container.readiness.is_none(), ..ContainerState::default() };
                (container.name.clone(), state)
            })
            .collect();
        let cgroup = self.kubepods(&node).pod(plan.spec.qos, &uid);
        let pod =
            Pod { plan, uid: uid.as_str().into(), node: node.number, addresses, created: Timestamp::now(), containers };
        let link = own.and_then(|pair| match pair[0] {
            IpAddr::V4(address) => Some(link_name(address)),
            IpAddr::V6(_) => None,
        });
        let task = Arc::new(PodTask::new(&pod, cgroup, own, link));
        self.cluster().pods.insert(key.clone(), pod);
        locked(&self.tasks).insert(key, Arc::clone(&task));
        Ok(task)
    }

    /// As asked by name or `nodeSelector`, else in turn. Pods of one node of another cluster stay
    /// together.
    fn choose_node(&self, plan: &PlannedPod, index: usize) -> Node {
        let mut cluster = self.cluster();
        let selector = &plan.spec.node_selector;
        let own = |cluster: &Cluster, name: &str| cluster.nodes.iter().position(|node| *node.name == *name);
        let mut selected = cluster.nodes.iter().enumerate().filter(|(_, node)| selector.is_subset_of(&node.labels));
        let chosen = match &plan.node {
            Some(name) => own(&cluster, name).or_else(|| {
                let known = cluster.foreign_nodes.iter().position(|foreign| foreign == name);
                known.or_else(|| {
                    cluster.foreign_nodes.push(name.clone());
                    Some(cluster.foreign_nodes.len() - 1)
                })
            }),
            None if selector.0.is_empty() => plan.node_index,
            // One of several fits as well as another: the turn decides below.
            None => match (selected.next(), selected.next()) {
                (Some((only, _)), None) => Some(only),
                _ => plan.node_index,
            },
        };
        let turn = chosen.unwrap_or(index) % cluster.nodes.len();
        cluster.nodes[turn].clone()
    }

    /// Stops a pod and forgets it.
    ///
    /// # Errors
    /// When no pod is meant.
    pub fn delete(self: &Arc<Self>, reference: &str) -> Result<PodKey, NoSuchPod> {
        let key = self.key(reference)?;
        let task = locked(&self.tasks).remove(&key);
        if let Some(task) = task {
            task.stop();
            task.join();
            task.clean(self);
        }
        self.cluster().pods.remove(&key);
        self.publish();
        Ok(key)
    }

    /// Ends a pod and runs it again under its name, with another uid and address.
    ///
    /// # Errors
    /// When no pod is meant.
    pub fn restart(self: &Arc<Self>, reference: &str) -> Result<PodKey, NoSuchPod> {
        let (plan, node) = {
            let cluster = self.cluster();
            let pod = cluster.find_pod(reference)?;
            (pod.plan.clone(), pod.node)
        };
        let key = self.delete(reference)?;
        match self.place(plan, usize::from(node - 1)) {
            Ok(task) => task.start(Arc::clone(self)),
            Err(problem) => {
                crate::said::say!("lab: {problem}");
                self.cluster().problems.push(*problem);
            }
        }
        self.publish();
        Ok(key)
    }

    /// Ends the running containers of a pod; they start anew with new ids in the same pod.
    ///
    /// # Errors
    /// When no pod is meant.
    pub fn restart_containers(&self, reference: &str) -> Result<PodKey, NoSuchPod> {
        let key = self.key(reference)?;
        let task = locked(&self.tasks).get(&key).cloned();
        if let Some(task) = task {
            task.restart();
        }
        Ok(key)
    }

    /// Changes the labels of a living pod.
    ///
    /// # Errors
    /// When no pod is meant.
    pub fn label(&self, reference: &str, set: &Labels, remove: &[String]) -> Result<PodKey, NoSuchPod> {
        let key = self.key(reference)?;
        if let Some(pod) = self.cluster().pods.get_mut(&key) {
            pod.plan.labels.0.extend(set.0.clone());
            pod.plan.labels.0.retain(|key, _| !remove.iter().any(|gone| **key == **gone));
        }
        self.publish();
        Ok(key)
    }

    /// The pod that a reference means.
    fn key(&self, reference: &str) -> Result<PodKey, NoSuchPod> {
        self.cluster().find_pod(reference).map(|pod| (pod.plan.namespace.clone(), pod.plan.name.clone()))
    }

    /// Ends every pod, as fast as it goes.
    pub fn stop_all(&self) {
        let tasks = std::mem::take(&mut *locked(&self.tasks));
        for task in tasks.values() {
            task.stop();
        }
        for task in tasks.values() {
            task.join();
        }
    }
}

fn node(number: u8, ipv6: bool) -> Node {
    let mut addresses = vec![IpAddr::V4(node_address(number))];
    if ipv6 {
        addresses.push(node_address_6(number).into());
    }
    let name = format!("node{number}");
    let labels = [
        ("kubernetes.io/hostname", name.as_str()),
        ("kubernetes.io/os", "linux"),
        ("beta.kubernetes.io/os", "linux"),
        ("kubernetes.io/arch", "amd64"),
    ];
    Node { name: name.as_str().into(), number, labels: labels.into_iter().collect(), addresses }
}

/// A thread that panicked leaves values that are still whole: each change is one assignment.
pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn name_taken(plan: &PlannedPod) -> Problem {
    let message = format!("a pod named `{}` runs already", plan.name);
    Problem::warning("lab-pod-name-taken", message).of(plan.origin.0.clone()).at(&plan.origin.1)
}
