//! The programs at the pods' veths, the node's uplinks and its own way in: pinned, attached one by one as those come, and
//! held by pinned links.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use crate::error::{Error, Result};
use crate::network;
use crate::pins::{self, Generation};

/// The programs of a veth's host side: what comes from the pod is ingress there.
pub(crate) const PROGRAMS: [(&str, u32); 2] =
    [("veth_out", libbpf_sys::BPF_TCX_INGRESS), ("veth_in", libbpf_sys::BPF_TCX_EGRESS)];

/// The program of an uplink of the node.
pub(crate) const UPLINK: (&str, u32) = ("uplink_out", libbpf_sys::BPF_TCX_EGRESS);

/// The program of what comes in to the node itself; its place is a protocol family of netfilter's.
pub(crate) const NODE: (&str, u32) = ("node_in", libbpf_sys::BPF_NETFILTER);
const FAMILIES: [i32; 2] = [libbpf_rs::NFPROTO_IPV4, libbpf_rs::NFPROTO_IPV6];
/// Where among netfilter's hooks, beside nobody else's BPF program. Any place is behind the translation.
const PRIORITIES: std::ops::Range<i32> = 60..76;

/// All of them.
pub(crate) const OF_LINKS: [(&str, u32); 4] = [PROGRAMS[0], PROGRAMS[1], UPLINK, NODE];

/// The program that goes through all flows; attached nowhere.
pub(crate) const SWEEPER: &str = "sweep_flows";
/// Every program that is pinned, and opened when it is needed.
pub(crate) const PINNED: [&str; 7] =
    [PROGRAMS[0].0, PROGRAMS[1].0, UPLINK.0, NODE.0, SWEEPER, crate::earlier::PROGRAM, crate::earlier::IDLE_INSIDE];

/// The least that the kernel takes as a packet.
const PACKET_BYTES: usize = 64;

pub(crate) fn open_program(generation: &Generation, name: &str) -> Result<OwnedFd> {
    libbpf_rs::Program::fd_from_pinned_path(generation.program(name))
        .map_err(|error| Error::kernel("open the pinned program", name, error))
}

pub(crate) fn guard(generation: &Generation, node: &File, veths: &[u32], uplinks: &[u32]) -> Result<()> {
    let pinned = pinned(generation)?;
    let of_veths = PROGRAMS.iter().flat_map(|program| veths.iter().map(move |interface| (program, *interface)));
    let of_uplinks = uplinks.iter().map(|interface| (&UPLINK, *interface));
    let of_node = FAMILIES.iter().map(|family| (&NODE, family.cast_unsigned()));
    let mut missing = Vec::new();
    let mut kept = HashSet::new();
    for ((name, kind), place) in of_veths.chain(of_uplinks).chain(of_node) {
        let pin = pin_name(name, place);
        if !pinned.contains(&pin) {
            missing.push((*name, *kind, place, pin.clone()));
        }
        kept.insert(pin);
    }
    for name in pinned.iter().filter(|name| !kept.contains(*name)) {
        let path = generation.link(name);
        // A veth that is gone took its links along; the pin is all that is left.
        if let Ok(link) = libbpf_rs::Link::open(&path) {
            let _ = link.detach();
        }
        fs::remove_file(&path).map_err(|error| Error::path("remove", &path, error))?;
    }
    if missing.is_empty() {
        return Ok(());
    }
    let programs = OF_LINKS
        .iter()
        .map(|(name, _)| Ok((*name, open_program(generation, name)?)))
        .collect::<Result<Vec<(&str, OwnedFd)>>>()?;
    network::inside(node, || {
        for (name, kind, place, pin) in missing {
            let program = programs.iter().find(|(known, _)| *known == name);
            let (_, program) = program.expect("opened above");
            let link = if kind == NODE.1 { link_to_input(program, place) } else { link_to(program, place, kind) };
            if link < 0 {
                let error = io::Error::from_raw_os_error(-link);
                // The pod went away meanwhile: there is nothing to guard.
                if error.raw_os_error() == Some(libc::ENODEV) {
                    continue;
                }
                return Err(Error::path("attach the program", pin, error));
            }
            // SAFETY: the kernel has just given it to us.
            let link = unsafe { OwnedFd::from_raw_fd(link) };
            pins::pin(&link, &generation.link(&pin))?;
        }
        Ok(())
    })
    .map_err(|error| Error::path("enter the network of", "the node", error))?
}

/// A link to an interface: its descriptor, or an error's number below zero.
fn link_to(program: &OwnedFd, interface: u32, kind: u32) -> i32 {
    let target = i32::try_from(interface).unwrap_or(i32::MAX);
    // SAFETY: the descriptor is open; no options are passed.
    unsafe { libbpf_sys::bpf_link_create(program.as_raw_fd(), target, kind, std::ptr::null()) }
}

/// The same to netfilter's input hook in this network. An earlier generation, or somebody else, may have a place there.
fn link_to_input(program: &OwnedFd, family: u32) -> i32 {
    let mut options = libbpf_sys::bpf_link_create_opts {
        sz: size_of::<libbpf_sys::bpf_link_create_opts>() as libbpf_sys::size_t,
        ..Default::default()
    };
    options.__bindgen_anon_1.netfilter.pf = family;
    options.__bindgen_anon_1.netfilter.hooknum = libbpf_rs::NF_INET_LOCAL_IN.cast_unsigned();
    let mut link = -libc::EBUSY;
    for priority in PRIORITIES {
        options.__bindgen_anon_1.netfilter.priority = priority;
        // SAFETY: the descriptor is open, and the options outlive the call.
        link = unsafe { libbpf_sys::bpf_link_create(program.as_raw_fd(), 0, NODE.1, &options) };
        if link != -libc::EBUSY {
            break;
        }
    }
    link
}

fn pin_name(program: &str, place: u32) -> String {
    format!("{program}-{place}")
}

/// Whether a generation guards veths.
pub(crate) fn has_links(generation: &Generation) -> bool {
    pinned(generation).is_ok_and(|names| !names.is_empty())
}

/// Names of the links to places of the node that are pinned.
fn pinned(generation: &Generation) -> Result<HashSet<String>> {
    let folder = generation.folder.join("links");
    let read = |error| Error::path("read", &folder, error);
    let mut names = HashSet::new();
    for entry in fs::read_dir(&folder).map_err(read)? {
        let name = entry.map_err(read)?.file_name().to_string_lossy().into_owned();
        if OF_LINKS.iter().any(|(program, _)| name.strip_prefix(program).is_some_and(|rest| rest.starts_with('-'))) {
            names.insert(name);
        }
    }
    Ok(names)
}

/// Runs the program once; true when it left something for the next run.
pub(crate) fn sweep(program: &OwnedFd) -> Result<bool> {
    let packet = [0u8; PACKET_BYTES];
    let mut options = libbpf_sys::bpf_test_run_opts {
        sz: size_of::<libbpf_sys::bpf_test_run_opts>() as libbpf_sys::size_t,
        data_in: packet.as_ptr().cast(),
        data_size_in: PACKET_BYTES as u32,
        ..Default::default()
    };
    // SAFETY: the descriptor is open, and the options point to memory that outlives the call.
    let result = unsafe { libbpf_sys::bpf_prog_test_run_opts(program.as_raw_fd(), &mut options) };
    if result < 0 {
        return Err(Error::path("run the program", SWEEPER, io::Error::from_raw_os_error(-result)));
    }
    Ok(options.retval == 1)
}
