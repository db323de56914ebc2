//! The guard of one node: programs, maps and pins.

use std::collections::HashMap;
use std::fs::File;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::path::PathBuf;
use std::time::Duration;

use libbpf_rs::skel::{OpenSkel, Skel, SkelBuilder};
use libbpf_rs::{MapCore, MapFlags, MapHandle};

use crate::cgroup;
use crate::counters::Counters;
use crate::earlier;
use crate::error::{Error, Result};
use crate::event::Event;
use crate::hand_over::{self, HandOver};
use crate::install::{self, TABLES};
use crate::layout::constants::{COUNTER_LOST, STATE_REVISION_SHIFT};
use crate::memory::{self, Memory};
use crate::pins::{self, Generation, MadeFor};
use crate::ring::{self, Ring, Waiting};
use crate::skeleton::GuardSkelBuilder;
use crate::tables::Tables;
use crate::veth;

/// The programs and where they attach: the first ten to the pods' root cgroup, the rest to tracepoints.
const PROGRAMS: [(&str, u32); 14] = [
    ("connect4", libbpf_sys::BPF_CGROUP_INET4_CONNECT),
    ("connect6", libbpf_sys::BPF_CGROUP_INET6_CONNECT),
    ("sendmsg4", libbpf_sys::BPF_CGROUP_UDP4_SENDMSG),
    ("sendmsg6", libbpf_sys::BPF_CGROUP_UDP6_SENDMSG),
    ("recvmsg4", libbpf_sys::BPF_CGROUP_UDP4_RECVMSG),
    ("recvmsg6", libbpf_sys::BPF_CGROUP_UDP6_RECVMSG),
    ("post_bind4", libbpf_sys::BPF_CGROUP_INET4_POST_BIND),
    ("post_bind6", libbpf_sys::BPF_CGROUP_INET6_POST_BIND),
    ("inside_out", libbpf_sys::BPF_CGROUP_INET_EGRESS),
    ("inside_in", libbpf_sys::BPF_CGROUP_INET_INGRESS),
    ("process_fork", libbpf_sys::BPF_TRACE_RAW_TP),
    ("process_exec", libbpf_sys::BPF_TRACE_RAW_TP),
    ("process_exit", libbpf_sys::BPF_TRACE_RAW_TP),
    ("socket_state", libbpf_sys::BPF_TRACE_RAW_TP),
];
/// Maps beside the tables.
const PLAIN_MAPS: [&str; 17] = [
    "state",
    "events",
    "counters",
    "carried",
    "connects",
    "tries",
    "answers",
    "asked",
    "listening",
    "starts",
    "sends",
    "flows",
    "shares",
    "fragments",
    "drops",
    "owned",
    "scratch",
];

/// What a guard is made for.
#[derive(Clone, Debug)]
pub struct Options {
    /// Folder of the node's pins, in a bpffs (see [`crate::pins::mount`]).
    pub pins: PathBuf,
    /// The pods' root cgroup of the node, as a path below the cgroup2 mount.
    pub cgroup: PathBuf,
    /// Size of the ring of events, a power of two and a multiple of the page size.
    pub ring_bytes: u32,
    /// Flows that the node remembers, some 300 bytes each; a quarter of them may be one pod's that nobody has answered.
    /// Another size is another generation: what is known goes over.
    pub flows: u32,
}

/// Flows that a node remembers unless told otherwise.
pub const FLOWS: u32 = 16_384;
/// What it may be told.
pub const FLOWS_RANGE: std::ops::RangeInclusive<u32> = 1024..=1 << 20;

/// Bytes of the ring unless told otherwise: some 2,500 verdicts may wait.
pub const RING_BYTES: u32 = 512 * 1024;

/// How a guard came to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Programs and maps were loaded now; they attach with the first revision.
    Loaded,
    /// An earlier agent's pins were taken over: its revision is live.
    TakenOver,
}

/// The guard of one node.
#[derive(Debug)]
pub struct Guard {
    node: PathBuf,
    generation: Generation,
    root: u64,
    origin: Origin,
    fresh: Option<Fresh>,
    tables: Vec<MapHandle>,
    state: MapHandle,
    counters: MapHandle,
    carried: MapHandle,
    ring: Ring,
    sweeper: OwnedFd,
    /// The veth of each known container's pod.
    interfaces: HashMap<u64, u32>,
    /// The newest revision of any earlier generation: revisions never go backwards.
    floor: u64,
}

/// Loaded programs that wait for the first revision.
#[derive(Debug)]
struct Fresh {
    /// In the order of [`PROGRAMS`].
    programs: Vec<OwnedFd>,
    cgroup: File,
}

impl Guard {
    /// Takes over the pins of an earlier agent, or loads programs and maps.
    ///
    /// Loaded programs judge nothing until [`Guard::install`] brings the first revision: without one they would refuse
    /// everything. Programs of an earlier generation (another build, another cgroup) stay attached until then.
    ///
    /// # Errors
    /// When the cgroup or the pins cannot be used, or the kernel refuses a program.
    pub fn load(options: &Options) -> Result<Self> {
        let root = cgroup::identify(&options.cgroup)?;
        let made_for = MadeFor { cgroup: root.id, flows: options.flows };
        let existing = pins::generations(&options.pins)?;
        let floor = existing.iter().filter_map(|generation| live_revision(generation).ok()).max().unwrap_or(0);
        if let Some(generation) = existing.iter().rev().find(|one| one.fits(made_for) && is_whole(one)) {
            return Self::open(options, root.id, generation.clone(), Origin::TakenOver, None, floor);
        }
        let generation = pins::next_generation(&options.pins, made_for, &existing);
        let cgroup =
            File::open(&options.cgroup).map_err(|error| Error::path("open the cgroup", &options.cgroup, error))?;
        generation.create()?;
        let programs = load_programs(&root, options, &generation).inspect_err(|_| {
            let _ = pins::remove(&generation.folder);
        })?;
        Self::open(options, root.id, generation, Origin::Loaded, Some(Fresh { programs, cgroup }), floor)
    }

    fn open(
        options: &Options,
        root: u64,
        generation: Generation,
        origin: Origin,
        fresh: Option<Fresh>,
        floor: u64,
    ) -> Result<Self> {
        let tables = TABLES.iter().map(|name| open_map(&generation, name)).collect::<Result<Vec<_>>>()?;
        Ok(Self {
            node: options.pins.clone(),
            root,
            origin,
            fresh,
            tables,
            state: open_map(&generation, "state")?,
            counters: open_map(&generation, "counters")?,
            carried: open_map(&generation, "carried")?,
            ring: Ring::new(&open_map(&generation, "events")?)?,
            sweeper: veth::open_program(&generation, veth::SWEEPER)?,
            interfaces: HashMap::new(),
            generation,
            floor,
        })
    }

    /// The pods' root cgroup that it guards, by its id.
    pub fn root(&self) -> u64 {
        self.root
    }

    /// How this guard came to be.
    pub fn origin(&self) -> Origin {
        self.origin
    }

    /// The revision that is live in the kernel, or the newest that ever was; 0 before the first.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub fn revision(&self) -> Result<u64> {
        Ok((install::read_state(&self.state)? >> STATE_REVISION_SHIFT).max(self.floor))
    }

    /// Makes `tables` the rules of this node, in one step; the first time, attaches the programs after it.
    ///
    /// # Errors
    /// When the revision is not newer than [`Guard::revision`], when the tables contradict themselves, or when the kernel
    /// refuses. The rules that were live stay live then.
    pub fn install(&mut self, tables: &Tables) -> Result<()> {
        let live = self.revision()?;
        if tables.revision <= live {
            return Err(Error::OldRevision { revision: tables.revision, live });
        }
        let learning = self.others()?.iter().any(veth::has_links);
        install::install(&self.tables, &self.state, tables, learning)?;
        let of_subject: HashMap<u32, u32> = tables.veths.iter().map(|veth| (veth.subject, veth.interface)).collect();
        let interface = |subject| of_subject.get(&subject).copied();
        let containers = tables.containers.iter();
        self.interfaces = containers.filter_map(|one| Some((one.cgroup, interface(one.subject)?))).collect();
        if let Some(fresh) = &self.fresh {
            attach(fresh, &self.generation)?;
            self.fresh = None;
            // What guards veths stays until this generation does.
            let _unread = self.remove_others(|other| !veth::has_links(other))?;
        }
        Ok(())
    }

    /// False when somebody removed pins of it, or all of them: what they held in place judges no more.
    pub fn is_in_place(&self) -> bool {
        self.fresh.is_some() || is_whole(&self.generation)
    }

    /// Guards exactly the veths and uplinks of these interface indexes, in the network namespace `node`: attaches to those
    /// that are new, lets go of the others. The first time, connections that are older than this generation go over to it: who
    /// holds them, and what an earlier generation knew of them. Packets are judged by the one or the other all the while.
    ///
    /// # Errors
    /// When the namespace cannot be entered or the kernel refuses; what was attached before stays.
    pub fn guard_links(&self, node: &File, veths: &[u32], uplinks: &[u32]) -> Result<HandOver> {
        let others = self.others()?;
        let mut done = HandOver::default();
        if others.is_empty() && veth::has_links(&self.generation) {
            veth::guard(&self.generation, node, veths, uplinks)?;
            return Ok(done);
        }
        for other in &others {
            done.flows += hand_over::flows(other, &self.generation);
        }
        done.sockets = earlier::note(&self.generation, &self.interfaces)?;
        veth::guard(&self.generation, node, veths, uplinks)?;
        // What began meanwhile: from now on both generations see it.
        for other in &others {
            done.flows += hand_over::flows(other, &self.generation);
        }
        install::end_learning(&self.state)?;
        done.unread = self.remove_others(|_| true)?;
        Ok(done)
    }

    /// Judges known flows again, tells of long ones and forgets those that are over. True when there is more to do once
    /// the events have been read.
    ///
    /// # Errors
    /// When the kernel refuses to run the program.
    pub fn sweep_flows(&self) -> Result<bool> {
        veth::sweep(&self.sweeper)
    }

    /// Judges connections inside pods again that no packet passes on.
    ///
    /// # Errors
    /// When the kernel refuses to run the program.
    pub fn judge_idle_inside(&self) -> Result<()> {
        earlier::judge_idle(&self.generation)
    }

    /// Hands waiting events to `each`, a few thousand at most; waits up to `timeout` when the kernel has not much to say.
    ///
    /// # Errors
    /// When the ring cannot be read.
    pub fn events(&mut self, timeout: Duration, each: &mut dyn FnMut(Event)) -> Result<()> {
        self.ring.poll(timeout, each)
    }

    /// Becomes readable with the first event after all were read, and when much waits; [`Guard::waiting`] tells which, and
    /// takes that back.
    pub fn descriptor(&self) -> BorrowedFd<'_> {
        self.ring.descriptor()
    }

    /// How much there is for [`Guard::events`].
    pub fn waiting(&self) -> Waiting {
        self.ring.waiting()
    }

    /// What the programs counted, all processors together.
    ///
    /// # Errors
    /// When the map cannot be read.
    pub fn counters(&self) -> Result<Counters> {
        let mut totals = Counters::default();
        for index in 0..Counters::LENGTH {
            totals.add(index, self.counter(index)?);
        }
        Ok(totals)
    }

    /// Events that did not fit into the ring: [`Counters::lost`] without reading the others.
    ///
    /// # Errors
    /// When the map cannot be read.
    pub fn lost(&self) -> Result<u64> {
        self.counter(COUNTER_LOST as usize)
    }

    fn counter(&self, index: usize) -> Result<u64> {
        Ok(read_counter(&self.counters, index)? + read_carried(&self.carried, index)?)
    }

    /// What programs and maps hold of the kernel's memory.
    ///
    /// # Errors
    /// When a pin cannot be opened.
    pub fn memory(&self) -> Result<Memory> {
        let mut memory = Memory::default();
        for name in PLAIN_MAPS {
            memory.add_map(name, memory::of(&open_map(&self.generation, name)?)?);
        }
        for (name, outer) in TABLES.iter().zip(&self.tables) {
            memory.add_map(name, memory::of(outer)? + memory::of_inner(outer)?);
        }
        for name in veth::PINNED {
            memory.add_program(name, memory::of_program(&veth::open_program(&self.generation, name)?)?);
        }
        for (name, _) in PROGRAMS {
            let path = self.generation.link(name);
            if path.exists() {
                memory.add_program(name, memory::of_linked_program(&path)?);
            }
        }
        Ok(memory)
    }

    /// Other generations: of other builds, of cgroups that are gone, and what an agent left that died.
    fn others(&self) -> Result<Vec<Generation>> {
        let mut all = pins::generations(&self.node)?;
        all.retain(|other| *other != self.generation);
        Ok(all)
    }

    /// Removes other generations; what they counted stays counted. Returns how many of their events nobody read.
    fn remove_others(&self, which: impl Fn(&Generation) -> bool) -> Result<u64> {
        let mut unread = 0;
        for other in self.others()?.iter().filter(|other| which(other)) {
            unread += hand_over::counters(other, &self.generation, &self.carried);
            pins::remove(&other.folder)?;
        }
        Ok(unread)
    }
}

/// Loads the object and pins its maps. What libbpf holds of it (the kernel's type information, some megabytes) is given
/// back at the end; the programs stay by their descriptors.
fn load_programs(root: &cgroup::Identity, options: &Options, generation: &Generation) -> Result<Vec<OwnedFd>> {
    let mut place = MaybeUninit::uninit();
    let mut open =
        GuardSkelBuilder::default().open(&mut place).map_err(|error| Error::kernel("open", "guard.bpf.o", error))?;
    let settings =
        open.maps.rodata_data.as_deref_mut().ok_or_else(|| Error::Missing("the object has no settings".to_string()))?;
    settings.root_cgroup = root.id;
    settings.root_level = root.level;
    settings.wake_bytes = u64::from(ring::wake_bytes(options.ring_bytes));
    open.maps
        .events
        .set_max_entries(options.ring_bytes)
        .map_err(|error| Error::kernel("set the size of", "events", error))?;
    settings.flows_max = options.flows;
    open.maps.flows.set_max_entries(options.flows).map_err(|error| Error::kernel("set the size of", "flows", error))?;
    let mut skeleton = open.load().map_err(|error| Error::kernel("load", "guard.bpf.o", error))?;
    for mut map in skeleton.object_mut().maps_mut() {
        let name = map.name().to_string_lossy().into_owned();
        if TABLES.contains(&name.as_str()) || PLAIN_MAPS.contains(&name.as_str()) {
            map.pin(generation.map(&name)).map_err(|error| Error::kernel("pin", name, error))?;
        }
    }
    for mut program in skeleton.object_mut().progs_mut() {
        let name = program.name().to_string_lossy().into_owned();
        if veth::PINNED.contains(&name.as_str()) {
            program.pin(generation.program(&name)).map_err(|error| Error::kernel("pin", name, error))?;
        }
    }
    let object = skeleton.object();
    PROGRAMS
        .iter()
        .map(|(name, _)| {
            let program = object
                .progs()
                .find(|program| program.name() == *name)
                .ok_or_else(|| Error::Missing(format!("the object has no program `{name}`")))?;
            program.as_fd().try_clone_to_owned().map_err(|error| Error::path("keep the program", *name, error))
        })
        .collect()
}

/// Attaches every program and pins its link.
fn attach(fresh: &Fresh, generation: &Generation) -> Result<()> {
    for ((name, kind), program) in PROGRAMS.iter().zip(&fresh.programs) {
        // Attached by a try that failed half-way.
        if generation.link(name).exists() {
            continue;
        }
        let target = if *kind == libbpf_sys::BPF_TRACE_RAW_TP { 0 } else { fresh.cgroup.as_raw_fd() };
        // SAFETY: both descriptors are open; no options are passed.
        let link = unsafe { libbpf_sys::bpf_link_create(program.as_raw_fd(), target, *kind, std::ptr::null()) };
        let link = owned(link).map_err(|error| Error::path("attach the program", *name, error))?;
        pins::pin(&link, &generation.link(name))?;
    }
    Ok(())
}

fn owned(descriptor: i32) -> std::io::Result<OwnedFd> {
    if descriptor < 0 {
        return Err(std::io::Error::from_raw_os_error(-descriptor));
    }
    // SAFETY: the kernel has just given it to us.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

/// Sum over the processors of what the programs counted.
pub(crate) fn read_counter(counters: &MapHandle, index: usize) -> Result<u64> {
    let per_processor = counters
        .lookup_percpu(&(index as u32).to_ne_bytes(), MapFlags::ANY)
        .map_err(|error| Error::kernel("read", "counters", error))?
        .unwrap_or_default();
    Ok(per_processor.iter().filter_map(|value| value.as_slice().try_into().ok()).map(u64::from_ne_bytes).sum())
}

/// What earlier generations counted.
pub(crate) fn read_carried(carried: &MapHandle, index: usize) -> Result<u64> {
    let value = carried
        .lookup(&(index as u32).to_ne_bytes(), MapFlags::ANY)
        .map_err(|error| Error::kernel("read", "carried", error))?
        .unwrap_or_default();
    Ok(value.as_slice().try_into().map_or(0, u64::from_ne_bytes))
}

pub(crate) fn open_map(generation: &Generation, name: &str) -> Result<MapHandle> {
    MapHandle::from_pinned_path(generation.map(name)).map_err(|error| Error::kernel("open the pinned map", name, error))
}

fn live_revision(generation: &Generation) -> Result<u64> {
    Ok(install::read_state(&open_map(generation, "state")?)? >> STATE_REVISION_SHIFT)
}

/// False when an agent died while it made the pins.
fn is_whole(generation: &Generation) -> bool {
    let maps = TABLES.iter().chain(&PLAIN_MAPS).all(|name| generation.map(name).exists());
    let links = PROGRAMS.iter().all(|(name, _)| generation.link(name).exists());
    maps && links && veth::PINNED.iter().all(|name| generation.program(name).exists())
}
