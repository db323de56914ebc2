//! Telling everybody what lives: state files, NAT rules, the DNS zone.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use super::{Runtime, locked};
use crate::cluster::Cluster;
use crate::cluster_files;
use crate::dns::ZONE_FILE;
use crate::error::{LabError, one_line};
use crate::lab_file::{LabContainer, LabFile, LabNode, write_atomically};
use crate::nat;
use crate::world;
use crate::zone;

/// Nobody waits longer for a publication; a file system that is that slow is broken.
const LIMIT: Duration = Duration::from_secs(5);
/// What could not be written is tried again after this long.
const TRY_AGAIN: Duration = Duration::from_secs(1);

/// Counts changes asked for and published, so that many changes make one publication.
#[derive(Default)]
pub(super) struct Publisher {
    counts: Mutex<Counts>,
    asked: Condvar,
    done: Condvar,
    /// Files that are not as they should be, and why.
    unwritten: Mutex<BTreeMap<PathBuf, io::Error>>,
}

#[derive(Default)]
struct Counts {
    asked: u64,
    done: u64,
    closed: bool,
}

/// What was published last, so that nothing is written twice.
#[derive(Default)]
struct Last {
    files: BTreeMap<PathBuf, String>,
    rules: Vec<String>,
}

impl Runtime {
    /// Something changed; it is published soon.
    pub fn changed(&self) {
        locked(&self.publisher.counts).asked += 1;
        self.publisher.asked.notify_all();
    }

    /// Publishes what is so far, and waits until it is.
    pub fn publish(&self) {
        let mine = {
            let mut counts = locked(&self.publisher.counts);
            counts.asked += 1;
            counts.asked
        };
        self.publisher.asked.notify_all();
        let counts = locked(&self.publisher.counts);
        let waiting = |counts: &mut Counts| counts.done < mine && !counts.closed;
        drop(self.publisher.done.wait_timeout_while(counts, LIMIT, waiting).unwrap_or_else(PoisonError::into_inner));
    }

    /// Publishes on a thread of its own until the lab ends.
    pub fn start_publishing(self: &Arc<Self>) -> std::io::Result<()> {
        let runtime = Arc::clone(self);
        std::thread::Builder::new().name("publish".into()).spawn(move || runtime.publish_forever()).map(drop)
    }

    /// Ends publishing: nothing is written any more.
    pub fn stop_publishing(&self) {
        locked(&self.publisher.counts).closed = true;
        self.publisher.asked.notify_all();
        self.publisher.done.notify_all();
    }

    /// A file that does not tell what lives, because it cannot be written.
    pub fn unwritten(&self) -> Option<LabError> {
        let unwritten = locked(&self.publisher.unwritten);
        let (path, error) = unwritten.first_key_value()?;
        Some(LabError::file("write", path)(io::Error::new(error.kind(), error.to_string())))
    }

    fn publish_forever(&self) {
        let mut last = Last::default();
        loop {
            let patience = if self.unwritten().is_some() { TRY_AGAIN } else { Duration::MAX };
            let asked = {
                let counts = locked(&self.publisher.counts);
                let idle = |counts: &mut Counts| counts.asked == counts.done && !counts.closed;
                let waited = self.publisher.asked.wait_timeout_while(counts, patience, idle);
                let (counts, _) = waited.unwrap_or_else(PoisonError::into_inner);
                if counts.closed {
                    return;
                }
                counts.asked
            };
            self.publish_once(&mut last);
            locked(&self.publisher.counts).done = asked;
            self.publisher.done.notify_all();
        }
    }

    /// The objects first, then the processes that belong to them, so that who reads `lab.json`
    /// finds the pod of each container.
    fn publish_once(&self, last: &mut Last) {
        let (files, lab, zone, rules, world) = {
            let cluster = self.cluster();
            let zone = zone::of_cluster(&cluster);
            let rules: Vec<_> =
                cluster.nodes.iter().map(|node| nat::render(&cluster, node.number, self.network.ipv6)).collect();
            (cluster_files::render(&cluster), self.lab_file(&cluster), zone, rules, world::listens(&cluster))
        };
        let folder = self.state.cluster();
        let objects = files.into_iter().map(|(name, contents)| (folder.join(name), Ok(contents)));
        let lab = (self.state.lab_file(), serde_json::to_string_pretty(&lab).map_err(io::Error::from));
        let zone = (self.zone_folder().join(ZONE_FILE), serde_json::to_string(&zone).map_err(io::Error::from));
        let mut unwritten = BTreeMap::new();
        for (path, contents) in objects.chain([lab, zone]) {
            if let Err(error) = contents.and_then(|contents| last.write(&path, contents)) {
                crate::said::say!("lab: cannot write `{}`: {error}", path.display());
                unwritten.insert(path, error);
            }
        }
        *locked(&self.publisher.unwritten) = unwritten;
        self.serve_world(world);
        for (index, (rules, node)) in rules.into_iter().zip(&self.network.nodes).enumerate() {
            if last.rules.get(index) != Some(&rules) {
                if let Err(error) = node.nft(&rules) {
                    crate::said::say!("lab: the Services of node{} are stale: {}", index + 1, one_line(&error));
                }
                last.rules.resize(self.network.nodes.len(), String::new());
                last.rules[index] = rules;
            }
        }
    }

    /// The folder that the name server's container sees.
    pub(super) fn zone_folder(&self) -> PathBuf {
        self.state.scratch().join("zone")
    }

    fn lab_file(&self, cluster: &Cluster) -> LabFile {
        let nodes = cluster.nodes.iter().zip(&self.holders).map(|(node, holder)| LabNode {
            name: node.name.to_string(),
            address: node.addresses[0],
            address6: node.addresses.get(1).copied(),
            netns: PathBuf::from(format!("/proc/{holder}/ns/net")),
            cgroup: self.kubepods(node).path().to_owned(),
        });
        let containers = cluster.pods.values().flat_map(|pod| {
            pod.containers.iter().filter_map(|(name, state)| {
                let container = LabContainer {
                    pid: state.pid?,
                    pod_uid: pod.uid.to_string(),
                    name: name.to_string(),
                    namespace: pod.plan.namespace.to_string(),
                    pod: pod.plan.name.to_string(),
                    made: state.made,
                };
                Some((state.id.as_ref()?.to_string(), container))
            })
        });
        LabFile {
            name: self.name.to_string(),
            pid: self.guard_pid,
            manifests: locked(&self.manifests).clone(),
            cluster: self.state.cluster(),
            nodes: nodes.collect(),
            world: PathBuf::from(format!("/proc/{}/ns/net", self.holders.last().copied().unwrap_or_default())),
            containers: containers.collect(),
        }
    }
}

impl Last {
    fn write(&mut self, path: &Path, contents: String) -> io::Result<()> {
        if self.files.get(path) != Some(&contents) {
            write_file(path, &contents)?;
            self.files.insert(path.to_owned(), contents);
        }
        Ok(())
    }
}

fn write_file(path: &Path, contents: &str) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    write_atomically(path, contents.as_bytes())
}
