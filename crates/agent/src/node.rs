//! One guarded node: its guard in the kernel, what the live revision means, and what the kernel tells of it.

use std::collections::{HashMap, VecDeque};
use std::fs::File;
use std::os::fd::BorrowedFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use palisade_bpf::layout::constants as c;
use palisade_bpf::layout::{FlowEvent, JudgedEvent};
use palisade_bpf::node_links::NodeLink;
use palisade_bpf::tables::UnknownPods;
use palisade_bpf::{Event, Guard, HandOver, Options, RING_BYTES, Tables, Waiting, address, clock, network};
use palisade_model::Timestamp;
use palisade_model::flow::{
    Dialled, FLOW_VERSION, FlowDirection, FlowOutcome, FlowPhase, FlowRecord, Reporter, VerdictWord,
};
use palisade_model::port::Protocol;
use palisade_policy::compile::NodeRules;

use crate::agent::Config;
use crate::directory::{Answer, Directory};
use crate::error::{Error, Result};
use crate::flows::{Flows, Joined, flow_id};
use crate::lab_state::LabNode;
use crate::links::Links;
use crate::listeners::{Earlier, Listener, Listeners};
use crate::observed::{self, Meaning};
use crate::past::Past;
use crate::program_paths::{ProgramPaths, ResolvedPrograms};
use crate::status::NodeStatus;
use crate::tables::{self, PlacedPod};
use crate::veths::{Veths, namespace_of};
use crate::view::View;

/// Revisions whose meaning is kept: events of a revision arrive within moments of its end.
const REVISIONS_KEPT: usize = 8;
/// Flows that no packet comes of are looked at this often: a rule's time ends for them as well.
const SWEEP_EVERY: Duration = Duration::from_millis(500);
/// Connections inside pods that no packet passes on: how often they are looked at while rules have an end.
const IDLE_EVERY: Duration = Duration::from_millis(500);

/// Connects whose outcome is not known: how often they are looked at, for those that will have none.
const OUTCOMES_EVERY: Duration = Duration::from_millis(100);

/// A node that this agent guards.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) name: String,
    place: LabNode,
    guard: Guard,
    veths: Veths,
    links: Links,
    /// The interfaces that packets leave the node by.
    uplinks: Vec<u32>,
    /// Whether every veth of the live tables and every uplink is guarded.
    attached: bool,
    sweep_at: Instant,
    /// When connects without outcome are looked at, if there are any.
    outcomes_at: Option<Instant>,
    /// For which revision connections inside pods were judged without a packet, and when.
    idle_judged: Option<(u64, Instant)>,
    live: Option<Live>,
    directories: VecDeque<(u64, Arc<Directory>)>,
    past: Past,
    past_path: PathBuf,
    resolved: ResolvedPrograms,
    paths: ProgramPaths,
    flows: Flows,
    events: u64,
    lost: u64,
    taken: HandOver,
    tai_ahead: i64,
}

/// What the kernel holds.
#[derive(Debug)]
struct Live {
    rules: NodeRules,
    placed: Vec<PlacedPod>,
    tables: Tables,
}

/// What the cluster's settings say of pods that this node does not know.
fn unknown_pods(view: &View) -> UnknownPods {
    view.model.inventory().settings.as_ref().map(|settings| settings.unknown_pods).unwrap_or_default()
}

impl Node {
    /// Takes over or loads the node's guard.
    pub(crate) fn new(node: &LabNode, config: &Config) -> Result<Self> {
        let state = config.state.as_path();
        let past_path = Past::path(state, &node.name);
        let options = Options {
            pins: config.pins().join(&node.name),
            cgroup: node.cgroup.clone(),
            ring_bytes: RING_BYTES,
            flows: config.flows,
        };
        let guard = Guard::load(&options).map_err(|source| Error::Guard { node: node.name.clone(), source })?;
        let lost = guard.lost().unwrap_or(0);
        Ok(Self {
            name: node.name.clone(),
            place: node.clone(),
            guard,
            veths: Veths::default(),
            links: Links::default(),
            uplinks: Vec::new(),
            attached: false,
            sweep_at: Instant::now(),
            outcomes_at: None,
            idle_judged: None,
            live: None,
            directories: VecDeque::new(),
            past: Past::read(&past_path),
            past_path,
            resolved: ResolvedPrograms::read(ResolvedPrograms::path(state, &node.name)),
            paths: ProgramPaths::default(),
            flows: Flows::default(),
            events: 0,
            lost,
            taken: HandOver::default(),
            tai_ahead: clock::tai_ahead_of_wall_clock(),
        })
    }

    /// Whether what it attached judges.
    pub(crate) fn is_in_place(&self) -> bool {
        self.guard.is_in_place()
    }

    /// Whether the node's interfaces or routes changed since the last look.
    pub(crate) fn links_changed(&self) -> bool {
        self.links.changed()
    }

    /// Whether this is the guard of that node as it is now.
    pub(crate) fn guards_cgroup_of(&self, node: &LabNode) -> bool {
        self.name == node.name && palisade_bpf::cgroup::id(&node.cgroup).is_ok_and(|id| id == self.guard.root())
    }

    /// Brings what `view` says into the kernel, when it differs from what is there. True when it did.
    pub(crate) fn apply(&mut self, view: &View, now: Timestamp) -> Result<bool> {
        let refused = |source| Error::Guard { node: self.name.clone(), source };
        let revision = self.guard.revision().map_err(refused)? + 1;
        let rules = view.model.compile(&self.name, revision, now);
        self.resolved.retain(|container| view.lab.containers.contains_key(container));
        let placed = tables::place(&rules, &self.place, &view.lab, &mut self.resolved, &mut self.veths);
        self.resolved.keep();
        let links = self.links.read(&self.place.netns)?;
        let tables = tables::tables(&rules, &placed, &links, unknown_pods(view));
        let uplinks = uplinks(&links, &tables);
        self.attached &= uplinks == self.uplinks;
        self.uplinks = uplinks;
        let tai_ahead = clock::tai_ahead_of_wall_clock();
        if let Some(live) = &self.live
            && live.says_the_same(&rules, &placed, &tables)
            && tai_ahead == self.tai_ahead
        {
            // The numbers mean what they meant; names and addresses may be newer.
            let directory = Arc::new(Directory::new(view.names.clone(), &live.rules, &live.placed));
            if let Some(newest) = self.directories.back_mut() {
                newest.1 = directory;
            }
            self.attach()?;
            return Ok(false);
        }
        let directory = Arc::new(Directory::new(view.names.clone(), &rules, &placed));
        self.directories.push_back((revision, directory));
        if let Err(source) = self.guard.install(&tables) {
            self.directories.pop_back();
            return Err(Error::Guard { node: self.name.clone(), source });
        }
        while self.directories.len() > REVISIONS_KEPT {
            self.directories.pop_front();
        }
        if let Some((_, directory)) = self.directories.back() {
            Past::keep(&self.past_path, revision, directory);
        }
        self.attached &= self.live.as_ref().is_some_and(|live| live.tables.veths == tables.veths);
        self.live = Some(Live { rules, placed, tables });
        self.tai_ahead = tai_ahead;
        self.sweep_at = Instant::now();
        self.attach()?;
        Ok(true)
    }

    /// Guards the veths of the live tables.
    fn attach(&mut self) -> Result<()> {
        let Some(live) = self.live.as_ref().filter(|_| !self.attached) else { return Ok(()) };
        let interfaces: Vec<u32> = live.tables.veths.iter().map(|veth| veth.interface).collect();
        if !interfaces.is_empty() || self.place.netns.exists() {
            let place = &self.place.netns;
            let node = File::open(place).map_err(|source| Error::Network { path: place.clone(), source })?;
            let refused = |source| Error::Guard { node: self.name.clone(), source };
            let taken = self.guard.guard_links(&node, &interfaces, &self.uplinks).map_err(refused)?;
            if taken != HandOver::default() {
                // What the other generation lost was told by its agent.
                self.lost = self.guard.lost().unwrap_or(self.lost) - taken.unread;
                self.taken = taken;
            }
        }
        self.attached = true;
        Ok(())
    }

    /// When something is due that no event tells of.
    pub(crate) fn looks_at(&self) -> Option<Instant> {
        let sweep_at = self.live.as_ref().map(|_| self.sweep_at);
        sweep_at.into_iter().chain(self.outcomes_at).min()
    }

    /// Lets the kernel judge flows anew that no packet comes of, and forget those that are over.
    pub(crate) fn sweep(&mut self) {
        if Instant::now() < self.sweep_at || self.live.is_none() {
            return;
        }
        let more = self.guard.sweep_flows().unwrap_or(false);
        self.judge_idle_inside();
        self.sweep_at = if more { Instant::now() } else { Instant::now() + SWEEP_EVERY };
    }

    /// After a new revision, and now and then while rules end: what stays inside a pod is no flow.
    fn judge_idle_inside(&mut self) {
        let Some(live) = &self.live else { return };
        let revision = self.guard.revision().unwrap_or(0);
        let ends = live.rules.decisions.iter().any(|decision| decision.expires.is_some());
        let is_due =
            self.idle_judged.is_none_or(|(judged, at)| judged != revision || (ends && at.elapsed() >= IDLE_EVERY));
        // What fails is tried again by the next sweep; packets are judged in any case.
        if is_due && self.guard.judge_idle_inside().is_ok() {
            self.idle_judged = Some((revision, Instant::now()));
        }
    }

    /// Notes who listens in a container that ran before the agent: no event tells of that.
    pub(crate) fn note_earlier_listeners(&self, view: &View, earlier: &mut Earlier, listeners: &mut Listeners) {
        let Some(live) = &self.live else { return };
        for pod in &live.placed {
            let subject = &live.rules.subjects[pod.subject];
            for placed in &pod.containers {
                let pid = view.lab.containers.get(&placed.id).map_or(0, |container| container.pid);
                let name = format!("{}/{}", subject.namespace, subject.name);
                listeners.note_earlier(earlier, &name, &subject.containers[placed.container].name, pid);
            }
        }
    }

    /// True when TAI and the wall clock have moved apart since expiries were written into the kernel.
    pub(crate) fn clock_moved(&self) -> bool {
        clock::tai_ahead_of_wall_clock() != self.tai_ahead
    }

    /// Whether a pod's rules, and those of each of the containers that the lab tells of, are in the kernel.
    pub(crate) fn guards(&self, pod_uid: &str, view: &View) -> bool {
        let Some(live) = &self.live else { return false };
        let Some(placed) = live.placed.iter().find(|placed| live.rules.subjects[placed.subject].uid == pod_uid) else {
            return false;
        };
        if !self.attached {
            return false;
        }
        let of_pod = view.lab.containers.iter().filter(|(_, container)| container.pod_uid == pod_uid);
        of_pod.map(|(id, _)| id).all(|id| placed.containers.iter().any(|container| container.id == *id))
    }

    /// The revision in the kernel.
    pub(crate) fn revision(&self) -> u64 {
        self.live.as_ref().map_or(0, |live| live.tables.revision)
    }

    /// Readable when the kernel begins to have something to tell, and when it is much.
    pub(crate) fn descriptor(&self) -> BorrowedFd<'_> {
        self.guard.descriptor()
    }

    /// How much the kernel has to tell.
    pub(crate) fn waiting(&self) -> Waiting {
        self.guard.waiting()
    }

    /// Reads what the kernel has to tell; hands each record and each count of lost events on. Who listens is noted for
    /// all nodes together.
    pub(crate) fn read(&mut self, listeners: &mut Listeners, tell: &mut dyn FnMut(Told)) -> Result<()> {
        let Self { guard, directories, past, paths, flows, name, events, .. } = self;
        let mut refused = Vec::new();
        let mut count = |event| {
            *events += 1;
            event
        };
        let result = guard.events(Duration::ZERO, &mut |event| match count(event) {
            Event::Judged(judged) => {
                let meaning = Meaning { directories, past };
                let mut record = record(&judged, name, meaning, paths);
                listeners.complete(&mut record);
                for record in flows.judged(&judged, record) {
                    tell(Told::Record(Box::new(record)));
                }
            }
            Event::Socket(socket) => {
                if let Some(record) = flows.socket(&socket) {
                    tell(Told::Record(Box::new(record)));
                }
            }
            Event::Exec(exec) => paths.learn(&exec),
            Event::Listen(listen) => {
                let known = directories.back().and_then(|(_, directory)| directory.container(listen.container));
                let program = paths.path(listen.container, listen.program, &listen.process);
                if let (Some((pod, container)), Some(program)) = (known, program) {
                    listeners.note(pod, listen.port, Listener { container: container.clone(), program });
                }
            }
            Event::Flow(flow) if flow.phase == c::PHASE_NAMED => {
                let backend = observed::backend(&flow.flow);
                let named = backend.and_then(|backend| flows.named(flow.flow.socket, flow.flow.attempt, backend));
                // A try that was told already: the backend is in its next record.
                if let Some(Joined::Told(record)) = named {
                    tell(Told::Record(record));
                }
            }
            Event::Flow(flow) => {
                let mut record = observed::of_flow(&flow, name, Meaning { directories, past }, paths);
                listeners.complete(&mut record);
                let joined = join(&flow, &record, flows);
                // The connect's own record tells more than that of its first packet.
                let told_by_other = match (&joined, flow.phase) {
                    (Some(_), c::PHASE_REACHED) => true,
                    (Some(Joined::Told(_)), _) => record.is_try(),
                    (Some(Joined::Noted), _) | (None, _) => false,
                };
                if let Some(Joined::Told(of_sender)) = joined {
                    tell(Told::Record(of_sender));
                }
                let denied = record.verdict.verdict == VerdictWord::Denied;
                if denied && flow.key.protocol == 6 && ends_socket(&flow) {
                    refused.push(flow);
                }
                if !told_by_other {
                    tell(Told::Record(Box::new(record)));
                }
            }
            Event::Drop(event) => {
                tell(Told::Record(Box::new(observed::of_drop(&event, name, Meaning { directories, past }))));
            }
            Event::Exit(_) | Event::Unknown(_) => {}
        });
        self.end_sockets(&refused);
        result.map_err(|source| Error::Guard { node: self.name.clone(), source })?;
        for record in self.flows.due(clock::since_boot()) {
            tell(Told::Record(Box::new(record)));
        }
        self.outcomes_at = (self.flows.len() > 0).then(|| Instant::now() + OUTCOMES_EVERY);
        let lost = self.guard.lost().unwrap_or(self.lost);
        if lost > self.lost {
            tell(Told::Lost(lost - self.lost));
            self.lost = lost;
        }
        Ok(())
    }

    /// Ends the sockets of refused connections: with a reset to the program here and to the other side.
    fn end_sockets(&self, refused: &[FlowEvent]) {
        let Some(live) = self.live.as_ref().filter(|_| !refused.is_empty()) else { return };
        let mut by_pod: HashMap<u64, Vec<_>> = HashMap::new();
        for flow in refused {
            by_pod.entry(flow.pod).or_default().push(observed::socket_ends(&flow.key));
        }
        for (cgroup, ends) in by_pod {
            let Some(pod) = live.placed.iter().find(|pod| pod.pid != 0 && pod.has(cgroup)) else { continue };
            // A pod that ends meanwhile takes its sockets along.
            let Ok(namespace) = File::open(namespace_of(pod.pid)) else { continue };
            let _ = network::end_sockets(&namespace, &ends);
        }
    }

    /// Running pods on networks of their own without a veth, by `namespace/name`.
    pub(crate) fn pods_without_packet_hook(&self) -> Vec<String> {
        self.live.as_ref().map(Live::without_packet_hook).unwrap_or_default()
    }

    /// What a person may want to know of it.
    pub(crate) fn status(&self) -> NodeStatus {
        let placed = self.live.as_ref().map_or(&[][..], |live| &live.placed);
        let containers = placed.iter().flat_map(|pod| &pod.containers);
        let memory = self.guard.memory().unwrap_or_default();
        NodeStatus {
            name: self.name.clone(),
            revision: self.revision(),
            taken_over: self.guard.origin() == palisade_bpf::Origin::TakenOver,
            pods: placed.len(),
            pods_without_packet_hook: self.pods_without_packet_hook(),
            containers: containers.clone().count(),
            programs: containers.map(|container| container.programs.len()).sum(),
            kernel_bytes: memory.total(),
            kernel_bytes_by_map: memory.maps.into_iter().collect(),
            kernel_bytes_by_program: memory.programs.into_iter().collect(),
            flows_taken_over: self.taken.flows,
            earlier_connections: self.taken.sockets,
            events: self.events,
            counters: self
                .guard
                .counters()
                .map(|counters| counters.iter().map(|(name, value)| (name.to_string(), value)).collect())
                .unwrap_or_default(),
            waiting: self.flows.len(),
            paths: self.paths.len(),
        }
    }
}

/// What a node tells.
#[derive(Debug)]
pub(crate) enum Told {
    Record(Box<FlowRecord>),
    Lost(u64),
}

/// The interfaces that are no pod's and that packets leave the node by.
fn uplinks(links: &[NodeLink], tables: &Tables) -> Vec<u32> {
    let is_uplink =
        |link: &&NodeLink| link.is_uplink && tables.links.iter().any(|other| other.interface == link.interface);
    links.iter().filter(is_uplink).map(|link| link.interface).collect()
}

impl Live {
    fn without_packet_hook(&self) -> Vec<String> {
        let unseen = self.placed.iter().filter(|pod| pod.links.is_empty() && pod.pid != 0);
        let subjects = unseen.map(|pod| &self.rules.subjects[pod.subject]).filter(|subject| !subject.host_network);
        subjects.map(|subject| format!("{}/{}", subject.namespace, subject.name)).collect()
    }

    /// Whether the kernel would judge, and records would say, the same: the revision's number aside.
    fn says_the_same(&self, rules: &NodeRules, placed: &[PlacedPod], tables: &Tables) -> bool {
        self.placed == placed
            && self.rules.rules == rules.rules
            && self.rules.decisions == rules.decisions
            && self.rules.subjects == rules.subjects
            && Tables { revision: 0, ..self.tables.clone() } == Tables { revision: 0, ..tables.clone() }
    }
}

/// Joins what a veth saw with the try that it is of.
fn join(event: &FlowEvent, record: &FlowRecord, flows: &mut Flows) -> Option<Joined> {
    let flow = &event.flow;
    if flow.attempt == 0 || !matches!(event.phase, c::PHASE_START | c::PHASE_REACHED) {
        return None;
    }
    if record.verdict.verdict == VerdictWord::Denied {
        return flows.refused(flow.socket, flow.attempt, record).map(|record| Joined::Told(Box::new(record)));
    }
    flows.reached(flow.socket, flow.attempt, record.backend?, record)
}

/// Whether a refused flow may have a socket in the pod: a new one from outside has none.
fn ends_socket(event: &FlowEvent) -> bool {
    matches!(event.phase, c::PHASE_CHANGED | c::PHASE_REACHED) || u32::from(event.flow.origin) == c::FLOW_OUT
}

fn record(event: &JudgedEvent, node: &str, meaning: Meaning<'_>, paths: &mut ProgramPaths) -> FlowRecord {
    let address = address(event.address);
    let protocol = Protocol::from_number(event.protocol).unwrap_or_default();
    let directory = meaning.directory(event.revision());
    let (verdict, would_be) = meaning.verdicts(event.revision(), Answer::from(event));
    let mut from = directory.map(|directory| directory.from(event)).unwrap_or_default();
    from.program = Some(
        paths
            .path(event.container, event.program, &event.process)
            .map_or_else(|| event.command_text(), |path| path.to_string()),
    );
    from.program_named = Some(event.program_flags & palisade_bpf::layout::constants::PROGRAM_NAMED != 0);
    let time = clock::wall_clock(event.header.time);
    FlowRecord {
        version: FLOW_VERSION,
        time: Timestamp::try_from(time).unwrap_or(Timestamp::UNIX_EPOCH),
        id: flow_id(event),
        node: node.to_string(),
        reporter: Reporter::Sender,
        direction: FlowDirection::Egress,
        from,
        to: directory.map(|directory| directory.to(event, address, protocol)).unwrap_or_default(),
        protocol,
        dialled: Dialled {
            address,
            port: event.port,
            service: directory.and_then(|directory| directory.service(address, protocol, event.port)),
        },
        verdict,
        would_be,
        outcome: FlowOutcome::Pending,
        revision: event.revision(),
        repeats: event.repeats,
        phase: FlowPhase::Start,
        traffic: None,
        strength: None,
        backend: None,
        receiver: None,
        packet_protocol: observed::other_protocol(event.protocol),
    }
}
