//! What this kernel can do, and what follows from what it cannot. Nothing is attached, and nothing stays.

use std::fs;
use std::path::Path;
use std::sync::OnceLock;

use libbpf_rs::btf::Btf;
use libbpf_rs::btf::types::{Func, Struct, Typedef};
use libbpf_rs::{MapType, ProgramType};

use crate::cgroup;

/// One capability of the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capability {
    /// A short name.
    pub name: &'static str,
    /// Whether it is there.
    pub present: bool,
    /// Whether the agent can not run without it.
    pub required: bool,
    /// What it is for.
    pub purpose: &'static str,
    /// What follows when it is missing.
    pub without: &'static str,
}

/// Tries every capability that the guard uses, or would use if it were there.
pub fn probe() -> Vec<Capability> {
    let mut found = vec![needed("root", is_root(), "loads and attaches programs")];
    found.push(needed("cgroup2", cgroup::mount_point().is_ok(), "a container is its cgroup"));
    found.push(needed("bpffs", filesystem("bpf"), "verdicts outlive the agent"));
    let btf = Btf::from_vmlinux().ok();
    found.push(needed("btf", btf.is_some(), "finds the kernel's own structs (CO-RE)"));
    found.extend(programs_and_maps());
    if let Some(btf) = &btf {
        found.extend(kernel_types(btf));
    }
    found.extend(later());
    found
}

/// Whether packet programs see what a packet was before its translation. Asked of the kernel once.
pub fn shows_translation() -> bool {
    static SHOWS: OnceLock<bool> = OnceLock::new();
    *SHOWS.get_or_init(|| Btf::from_vmlinux().is_ok_and(|btf| has_translation(&btf)))
}

fn has_translation(btf: &Btf<'_>) -> bool {
    btf.type_by_name::<Struct<'_>>("nf_conn").is_some()
}

/// The capabilities without which the agent does not run.
pub fn missing(capabilities: &[Capability]) -> impl Iterator<Item = &Capability> {
    capabilities.iter().filter(|capability| capability.required && !capability.present)
}

fn needed(name: &'static str, present: bool, purpose: &'static str) -> Capability {
    Capability { name, present, required: true, purpose, without: "the agent does not run" }
}

fn wanted(name: &'static str, present: bool, purpose: &'static str, without: &'static str) -> Capability {
    Capability { name, present, required: false, purpose, without }
}

fn programs_and_maps() -> Vec<Capability> {
    let program = |kind: ProgramType| kind.is_supported().unwrap_or(false);
    let map = |kind: MapType| kind.is_supported().unwrap_or(false);
    let helper = |kind: ProgramType, id| kind.is_helper_supported(id).unwrap_or(false);
    vec![
        needed("cgroup-sock-addr", program(ProgramType::CgroupSockAddr), "judges connects and sends"),
        needed("cgroup-sock", program(ProgramType::CgroupSock), "judges who may listen"),
        needed("map-in-map", map(MapType::ArrayOfMaps), "rules of two revisions never mix"),
        needed("lpm-trie", map(MapType::LpmTrie), "finds what an address is"),
        needed("ring-buffer", map(MapType::RingBuf), "tells what happened"),
        needed("socket-storage", map(MapType::SkStorage), "ties an outcome to its verdict"),
        needed(
            "ktime-tai",
            helper(ProgramType::CgroupSockAddr, libbpf_sys::BPF_FUNC_ktime_get_tai_ns),
            "rules expire with the agent dead (kernel 6.1)",
        ),
        needed(
            "set-retval",
            helper(ProgramType::CgroupSockAddr, libbpf_sys::BPF_FUNC_set_retval),
            "a refused caller sees EACCES (kernel 5.18)",
        ),
    ]
}

fn kernel_types(btf: &Btf<'_>) -> Vec<Capability> {
    let tracepoint = |name: &str| btf.type_by_name::<Typedef<'_>>(name).is_some();
    let overlay =
        btf.type_by_name::<Struct<'_>>("ovl_inode").is_some() || Path::new("/sys/kernel/btf/overlay").exists();
    vec![
        needed(
            "exec-tracepoint",
            tracepoint("btf_trace_sched_process_exec") && tracepoint("btf_trace_sched_process_exit"),
            "knows the paths of programs",
        ),
        needed(
            "socket-state-tracepoint",
            tracepoint("btf_trace_inet_sock_set_state"),
            "knows what became of a connect",
        ),
        needed("tcx", btf.type_by_name::<Func<'_>>("tcx_link_attach").is_some(), "judges packets at pods' veths (6.6)"),
        needed(
            "netfilter-link",
            btf.type_by_name::<Func<'_>>("bpf_nf_link_attach").is_some(),
            "judges what pods send to Services of the node's own network (6.4)",
        ),
        wanted(
            "translation",
            has_translation(btf),
            "a receiver knows its sender behind a Service or NodePort, and each backend of a Service is judged",
            "what a node has translated is judged by the address that it has then; mixed Services are refused",
        ),
        wanted(
            "cast-to-socket",
            btf.type_by_name::<Func<'_>>("bpf_rdonly_cast").is_some(),
            "judges a socket that was passed between containers for both (kernel 6.2)",
            "such a connect is judged for the caller alone",
        ),
        wanted(
            "overlay-types",
            overlay,
            "tells a file of the image from one written to the container",
            "a program's change time and size alone tell it",
        ),
    ]
}

/// What later layers use where it is there.
fn later() -> Vec<Capability> {
    let lsm =
        fs::read_to_string("/sys/kernel/security/lsm").is_ok_and(|list| list.split(',').any(|name| name == "bpf"));
    let protocols = fs::read_to_string("/proc/net/protocols").unwrap_or_default();
    let protocol = |name: &str| protocols.lines().any(|line| line.split_whitespace().next() == Some(name));
    vec![
        wanted("bpf-lsm", lsm, "would see every way to open a connection", "not used: the cgroup hooks judge"),
        wanted(
            "sctp",
            protocol("SCTP"),
            "SCTP links",
            "rules for SCTP are decided by `check`; no program can open such a link on this kernel",
        ),
    ]
}

fn is_root() -> bool {
    // SAFETY: has no preconditions.
    unsafe { libc::geteuid() == 0 }
}

fn filesystem(name: &str) -> bool {
    let known = fs::read_to_string("/proc/filesystems").unwrap_or_default();
    known.lines().any(|line| line.split_whitespace().last() == Some(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_capability_says_what_follows() {
        let capabilities = probe();
        assert!(capabilities.iter().all(|one| !one.purpose.is_empty() && !one.without.is_empty()));
        assert!(missing(&capabilities).all(|one| one.required));
    }
}
