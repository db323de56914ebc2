//! The loop: wait, load, install, read, answer.

use std::collections::BTreeSet;
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use palisade_bpf::pins;
use palisade_manifests::Kept;
use palisade_model::Timestamp;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::batch::Batch;
use crate::error::{Error, Result};
use crate::guards::{self, Guards};
use crate::history::History;
use crate::lab_state::{LabNode, LabState};
use crate::lease::{ignore_lease_breaks, is_being_written};
use crate::listeners::{Earlier, Listeners};
use crate::memory::{release_code, resident_bytes};
use crate::node::{Node, Told};
use crate::past::Past;
use crate::program_paths::ResolvedPrograms;
use crate::server::{Guarded, Request, Server, lost_line};
use crate::status::{STATUS_VERSION, Status};
use crate::view::View;
use crate::watch::{Change, Watch};

/// How often manifests are looked at that somebody writes while the agent starts.
const LOOK_AGAIN: Duration = Duration::from_millis(20);
/// Some pods had no cgroup or no first process yet when they were last looked at: again after this long, and after twice
/// as long each time, up to the second.
const RETRY: [Duration; 2] = [Duration::from_millis(50), Duration::from_secs(2)];
/// A file that nobody closed for this long is read as it is: it may have been made by other means than writing, or its
/// writer sleeps.
const UNFINISHED_FOR: Duration = Duration::from_secs(30);
/// How often the clocks are compared.
const CLOCK_CHECK: Duration = Duration::from_secs(1);
/// Problems that the status shows.
const PROBLEMS_SHOWN: usize = 50;

/// What an agent is started for.
#[derive(Clone, Debug)]
pub struct Config {
    /// The lab's state folder, `/run/palisade/NAME`.
    pub state: PathBuf,
    /// The node whose pods it guards; nothing = those of every node of the lab.
    pub node: Option<String>,
    /// Manifests that count instead of those that the lab was started with; none = those.
    pub manifests: Vec<PathBuf>,
    /// Flows that each node remembers, within [`palisade_bpf::FLOWS_RANGE`].
    pub flows: u32,
}

impl Config {
    /// The agent's socket.
    pub fn socket(&self) -> PathBuf {
        match &self.node {
            Some(node) => self.state.join(format!("agent-{node}.sock")),
            None => self.state.join("agent.sock"),
        }
    }

    fn is_own(&self, node: &str) -> bool {
        self.node.as_deref().is_none_or(|own| own == node)
    }

    fn unload(&self) -> Result<()> {
        match &self.node {
            Some(node) => unload_node(&self.state, node),
            None => unload(&self.state),
        }
    }

    pub(crate) fn pins(&self) -> PathBuf {
        pins_of(&self.state)
    }
}

fn readable(descriptor: BorrowedFd<'_>) -> PollFd<'_> {
    PollFd::from_borrowed_fd(descriptor, PollFlags::IN)
}

fn pins_of(state: &Path) -> PathBuf {
    state.join("bpf")
}

/// Takes every program, map and pin of a lab's agents out of the kernel, whether or not an agent runs.
///
/// # Errors
/// When a pin cannot be removed or the bpffs not unmounted; that there is nothing is no error.
pub fn unload(state: &Path) -> Result<()> {
    // What the revision meant is of use only beside its pins.
    let _ = std::fs::remove_dir_all(state.join("agent"));
    let _ = std::fs::remove_dir_all(guards::folder(state));
    pins::unmount(&pins_of(state)).map_err(Error::Pins)
}

/// Takes those of one node out of the kernel.
///
/// # Errors
/// When a pin cannot be removed or the bpffs not unmounted; that there is nothing is no error.
pub fn unload_node(state: &Path, node: &str) -> Result<()> {
    guards::forget(state, node);
    for file in [Past::path(state, node), ResolvedPrograms::path(state, node)] {
        let _ = std::fs::remove_file(file);
    }
    pins::unmount_one(&pins_of(state), node).map_err(Error::Pins)
}

/// The agent of a lab's nodes.
#[derive(Debug)]
pub struct Agent {
    config: Config,
    server: Server,
    watch: Watch,
    watched: Vec<PathBuf>,
    kept: Kept,
    unfinished_until: Option<Instant>,
    guards: Guards,
    /// Nodes that the newest rules could not be brought to.
    failing: BTreeSet<String>,
    view: View,
    nodes: Vec<Node>,
    batch: Batch,
    history: History,
    listeners: Listeners,
    loads: u64,
    last_change: Duration,
    trouble: Option<String>,
    /// Somebody asked for the end of the guard.
    unloads: bool,
    retry_at: Option<Instant>,
    retry_after: Duration,
    /// Then another agent should have followed a change.
    settles_at: Option<Instant>,
    clock_check_at: Instant,
}

impl Agent {
    /// Loads the rules, attaches to the nodes and brings the rules into the kernel. When this returns, the pods that run
    /// are guarded and the socket answers.
    ///
    /// # Errors
    /// When no lab runs there, another agent guards it, or the kernel refuses.
    pub fn start(config: Config) -> Result<Self> {
        let mut watch = Watch::new().map_err(Error::Watch)?;
        watch.add(&LabState::path(&config.state));
        ignore_lease_breaks();
        let lab = LabState::read(&config.state)?;
        if let Some(node) = config.node.as_ref().filter(|node| lab.nodes.iter().all(|known| known.name != **node)) {
            let known = lab.nodes.into_iter().map(|node| node.name).collect();
            return Err(Error::NoSuchNode { node: node.clone(), known });
        }
        let server = Server::new(&config.socket())?;
        let mut guards = Guards::new(&config.state)?;
        for node in lab.nodes.iter().filter(|node| config.is_own(&node.name)) {
            guards.take(&node.name)?;
        }
        let view = View::load(&config, &mut Kept::default(), &mut guards, &BTreeSet::new())?;
        pins::mount(&config.pins()).map_err(Error::Pins)?;
        let mut agent = Self {
            config,
            server,
            watch,
            watched: Vec::new(),
            kept: Kept::new(is_being_written),
            unfinished_until: None,
            guards,
            failing: BTreeSet::new(),
            view,
            nodes: Vec::new(),
            batch: Batch::default(),
            history: History::default(),
            listeners: Listeners::default(),
            loads: 1,
            last_change: Duration::ZERO,
            trouble: None,
            unloads: false,
            retry_at: None,
            retry_after: RETRY[0],
            settles_at: None,
            clock_check_at: Instant::now() + CLOCK_CHECK,
        };
        let lab = agent.view.lab.clone();
        agent.watch_manifests(&lab);
        // What changed between the first load and the watch is seen now.
        agent.load_whole_files()?;
        agent.install()?;
        let mut earlier = Earlier::look();
        for node in &agent.nodes {
            node.note_earlier_listeners(&agent.view, &mut earlier, &mut agent.listeners);
        }
        release_code();
        Ok(agent)
    }

    /// What the agent tells of itself.
    pub fn status(&self) -> Status {
        let problems = self.view.problems.iter().map(ToString::to_string);
        let unseen = self.nodes.iter().flat_map(Node::pods_without_packet_hook);
        let unseen =
            unseen.map(|pod| format!("pod {pod} has no veth: its connects and sends are judged, its packets are not"));
        let unguarded: Vec<String> = self.unguarded().map(str::to_owned).collect();
        Status {
            version: STATUS_VERSION,
            pid: std::process::id(),
            lab: self.view.lab.name.clone(),
            guarded: unguarded.is_empty(),
            unguarded,
            nodes: self.nodes.iter().map(Node::status).collect(),
            resident_bytes: resident_bytes(),
            records: self.history.len(),
            loads: self.loads,
            last_change_microseconds: u64::try_from(self.last_change.as_micros()).unwrap_or(u64::MAX),
            problems: self.trouble.iter().cloned().chain(unseen).chain(problems).take(PROBLEMS_SHOWN).collect(),
        }
    }

    /// Whether each of its nodes has a guard whose programs judge.
    fn is_in_place(&self) -> bool {
        self.own_nodes().all(|node| self.guards_node(node))
    }

    fn guards_node(&self, lab_node: &LabNode) -> bool {
        self.nodes.iter().any(|node| node.name == lab_node.name && node.is_in_place())
    }

    /// The nodes of the lab that have no guard here, and no agent elsewhere that lives and has the rules.
    fn unguarded(&self) -> impl Iterator<Item = &str> {
        let is_guarded = |node: &LabNode| match self.config.is_own(&node.name) {
            true => self.guards_node(node),
            false => self.view.model.settings().guarded.contains(Some(&node.name)),
        };
        self.view.lab.nodes.iter().filter(move |node| !is_guarded(node)).map(|node| node.name.as_str())
    }

    /// The lab's nodes that this agent guards.
    fn own_nodes(&self) -> impl Iterator<Item = &LabNode> {
        self.view.lab.nodes.iter().filter(|node| self.config.is_own(&node.name))
    }

    /// Works until `stop` is set, the lab is gone, or it is told to unload. What is pinned stays in the first case alone.
    ///
    /// # Errors
    /// When waiting or reading the kernel's events fails.
    pub fn run(&mut self, stop: &AtomicBool) -> Result<()> {
        while !stop.load(Ordering::Relaxed) {
            let called = self.wait()?;
            let changed = self.take_changes();
            if changed {
                self.retry_after = RETRY[0];
            }
            if changed || self.is_time_to_retry() {
                if !LabState::path(&self.config.state).exists() {
                    return self.config.unload();
                }
                self.reload();
            }
            if self.is_time_to_read(called) {
                self.read_events()?;
            }
            self.serve();
            if self.unloads {
                self.nodes.clear();
                return self.config.unload();
            }
        }
        Ok(())
    }

    /// Sleeps until somebody calls or something is due. True when it was another than the kernel with its events: they
    /// wait for each other.
    fn wait(&self) -> Result<bool> {
        let mut waits: Vec<PollFd<'_>> = self.nodes.iter().map(|node| readable(node.descriptor())).collect();
        let events = waits.len();
        waits.push(readable(self.watch.descriptor()));
        waits.push(readable(self.server.descriptor()));
        waits.extend(self.server.clients(&self.history).map(|(descriptor, writes)| {
            let flags = if writes { PollFlags::IN | PollFlags::OUT } else { PollFlags::IN };
            PollFd::from_borrowed_fd(descriptor, flags)
        }));
        let left = self.sleeps_until().saturating_duration_since(Instant::now());
        let timeout = Timespec { tv_sec: left.as_secs() as i64, tv_nsec: i64::from(left.subsec_nanos()) };
        match poll(&mut waits, Some(&timeout)) {
            Ok(_) => Ok(waits[events..].iter().any(|wait| !wait.revents().is_empty())),
            Err(rustix::io::Errno::INTR) => Ok(false),
            Err(error) => Err(Error::Poll(error.into())),
        }
    }

    /// When the next thing is due that nobody calls for.
    fn sleeps_until(&self) -> Instant {
        let due = [self.batch.due(), self.retry_at, self.settles_at, self.unfinished_until];
        let of_nodes = self.nodes.iter().filter_map(Node::looks_at);
        due.into_iter().flatten().chain(of_nodes).fold(self.clock_check_at, Instant::min)
    }

    /// Whether the kernel's events are to be read now: because they waited long enough, the nodes have something due that
    /// may make some, or somebody is served anyway.
    fn is_time_to_read(&mut self, called: bool) -> bool {
        let now = Instant::now();
        let mut due = called;
        for node in &mut self.nodes {
            due |= node.looks_at().is_some_and(|at| now >= at);
            node.sweep();
            self.batch.note(node.waiting(), now);
        }
        due || self.batch.due().is_some_and(|at| now >= at)
    }

    fn is_time_to_retry(&mut self) -> bool {
        let now = Instant::now();
        if now >= self.clock_check_at {
            self.clock_check_at = now + CLOCK_CHECK;
            // The closing of its lock tells of a node's end a moment before the lock is free.
            let others = self.view.look(&mut self.guards);
            let moved = |node: &Node| node.clock_moved() | node.links_changed();
            if others || self.nodes.iter().any(moved) || !self.is_in_place() {
                return true;
            }
        }
        if self.settles_at.is_some_and(|at| now >= at) {
            self.settles_at = None;
            return true;
        }
        if self.unfinished_until.is_some_and(|until| now >= until) {
            self.unfinished_until = None;
            self.kept.take_halves();
            return true;
        }
        if self.retry_at.is_some_and(|at| now >= at) {
            self.retry_at = None;
            return true;
        }
        false
    }

    fn retry_later(&mut self) {
        self.retry_at = Some(Instant::now() + self.retry_after);
        self.retry_after = (2 * self.retry_after).min(RETRY[1]);
    }

    /// Takes what changed on disk; true when something did. Only files that were closed or replaced are read anew.
    fn take_changes(&mut self) -> bool {
        let changes = self.watch.take();
        if changes.all {
            self.kept.forget_all();
        }
        let guards = guards::folder(&self.config.state);
        for change in changes.paths {
            if change.path().starts_with(&guards) {
                continue;
            }
            match change {
                Change::Whole(path) => self.kept.forget(&path),
                Change::Unfinished(path) => {
                    self.kept.is_unfinished(path);
                    self.unfinished_until = Some(Instant::now() + UNFINISHED_FOR);
                }
            }
        }
        changes.any
    }

    /// Loads the rules and pods, once nobody writes a manifest any more: rules that an earlier agent left judge meanwhile.
    fn load_whole_files(&mut self) -> Result<()> {
        let began = Instant::now();
        self.load()?;
        loop {
            let unfinished: Vec<PathBuf> = self.kept.unfinished().map(Path::to_owned).collect();
            if unfinished.is_empty() {
                return Ok(());
            }
            unfinished.iter().for_each(|file| self.kept.forget(file));
            if began.elapsed() > UNFINISHED_FOR {
                self.kept.take_halves();
            }
            std::thread::sleep(LOOK_AGAIN);
            self.load()?;
        }
    }

    /// Loads the rules and pods as they are now. New manifests are watched before they are read.
    fn load(&mut self) -> Result<()> {
        let lab = LabState::read(&self.config.state)?;
        self.watch_manifests(&lab);
        self.view.reload(&self.config, &mut self.kept, &mut self.guards, &self.failing)?;
        self.settles_at = self.guards.settles_at();
        self.kept.retain(|file| self.watch.covers(file));
        if self.kept.unfinished().next().is_some() {
            self.unfinished_until.get_or_insert_with(|| Instant::now() + UNFINISHED_FOR);
        }
        Ok(())
    }

    /// Brings what is new into the kernel. What fails leaves the old rules in force, and is told.
    fn reload(&mut self) {
        let began = Instant::now();
        self.loads += 1;
        let result = self.load().and_then(|()| self.install());
        match result {
            Ok(true) => {
                self.last_change = began.elapsed();
                self.trouble = None;
            }
            Ok(false) => self.trouble = None,
            Err(error) => {
                self.trouble = Some(chain(&error));
                self.retry_later();
            }
        }
        release_code();
    }

    /// Attaches to nodes that are new, and installs what differs. True when something did.
    fn install(&mut self) -> Result<bool> {
        // Somebody may have removed the pins: what they held in place is made anew.
        pins::mount(&self.config.pins()).map_err(Error::Pins)?;
        self.nodes.retain(Node::is_in_place);
        let lab_nodes: Vec<LabNode> = self.own_nodes().cloned().collect();
        // A node that is gone, or whose cgroup was made anew, is another node.
        self.nodes.retain(|node| lab_nodes.iter().any(|lab_node| node.guards_cgroup_of(lab_node)));
        self.guards.keep(|name| self.view.lab.nodes.iter().any(|node| node.name == name));
        let now = Timestamp::now();
        let mut changed = false;
        let mut refused = None;
        for lab_node in &lab_nodes {
            match self.install_on(lab_node, now) {
                // The rules of the others were made without it.
                Ok(_) if self.failing.remove(&lab_node.name) => self.retry_later(),
                Ok(one) => changed |= one,
                Err(error) => {
                    self.failing.insert(lab_node.name.clone());
                    refused = refused.or(Some(error));
                }
            }
        }
        if let Some(error) = refused {
            return Err(error);
        }
        if !self.all_are_placed() {
            self.retry_later();
        }
        Ok(changed)
    }

    fn install_on(&mut self, lab_node: &LabNode, now: Timestamp) -> Result<bool> {
        self.guards.take(&lab_node.name)?;
        let node = match self.nodes.iter_mut().position(|node| node.name == lab_node.name) {
            Some(position) => &mut self.nodes[position],
            None => {
                self.nodes.push(Node::new(lab_node, &self.config)?);
                self.nodes.last_mut().expect("it was pushed")
            }
        };
        let changed = node.apply(&self.view, now)?;
        self.guards.report(&lab_node.name, self.view.rules);
        Ok(changed)
    }

    /// Whether every pod with a running container is in the kernel.
    fn all_are_placed(&self) -> bool {
        let running = self.view.lab.containers.values().filter(|container| container.pid != 0);
        running.map(|container| &container.pod_uid).all(|uid| self.guards(uid) || self.is_elsewhere(uid))
    }

    fn guards(&self, pod_uid: &str) -> bool {
        self.nodes.iter().any(|node| node.guards(pod_uid, &self.view))
    }

    /// Whether the pod is on a node that is another agent's.
    fn is_elsewhere(&self, pod_uid: &str) -> bool {
        let pod = self.view.model.pods().iter().find(|pod| pod.uid.as_deref() == Some(pod_uid));
        pod.and_then(|pod| pod.node.as_deref()).is_some_and(|node| !self.config.is_own(node))
    }

    fn watch_manifests(&mut self, lab: &LabState) {
        if self.watch.take_lost() {
            self.watched.clear();
            self.watch.add(&LabState::path(&self.config.state));
        }
        let cluster = lab.cluster.clone().unwrap_or_else(|| self.config.state.join("cluster"));
        let others = lab.nodes.iter().filter(|node| !self.config.is_own(&node.name));
        let of_guards = others.flat_map(|node| guards::files(&self.config.state, &node.name));
        let manifests = if self.config.manifests.is_empty() { &lab.manifests } else { &self.config.manifests };
        for path in manifests.iter().cloned().chain([cluster]).chain(of_guards) {
            if !self.watched.contains(&path) {
                self.watch.add(&path);
                self.watched.push(path);
            }
        }
    }

    fn read_events(&mut self) -> Result<()> {
        self.batch.take();
        let Self { nodes, batch, history, listeners, view, .. } = self;
        for node in nodes {
            node.read(listeners, &mut |told| match told {
                Told::Record(mut record) => {
                    record.receiver = view.names.receiver(&record);
                    if !history.push_json(&record) {
                        history.push(lost_line(1));
                    }
                }
                Told::Lost(lost) => history.push(lost_line(lost)),
            })?;
            // One reading takes only so many; and nobody tells of what came while it ended.
            batch.note(node.waiting(), Instant::now());
        }
        Ok(())
    }

    fn serve(&mut self) {
        // Answers need the whole agent; the server is set aside meanwhile.
        let mut asked = Vec::new();
        self.server.take(&self.history, &mut asked);
        for (client, request) in asked {
            let line = self.answer(&request);
            self.server.say(client, &line);
        }
        self.server.write(&self.history);
    }

    fn answer(&mut self, request: &Request) -> String {
        match request {
            Request::Status(_) => serde_json::to_string(&self.status()).unwrap_or_default(),
            Request::Guarded(Guarded { pod_uid }) => {
                // Whoever asks has just written the pod's files.
                if self.take_changes() || !self.guards(pod_uid) {
                    self.reload();
                }
                let revision = self.nodes.iter().map(Node::revision).max().unwrap_or(0);
                format!("{{\"guarded\":{},\"revision\":{revision}}}", self.guards(pod_uid))
            }
            Request::Unload(_) => {
                self.unloads = true;
                "{\"unloads\":true}".to_string()
            }
            Request::Observe(_) => String::new(),
        }
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
