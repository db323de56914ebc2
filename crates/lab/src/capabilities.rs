//! Which capabilities a container gets.

use palisade_model::pod::SecurityContext;

/// All capabilities by number.
///
/// Source: include/uapi/linux/capability.h.
const NAMES: [&str; 41] = [
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETGID",
    "SETUID",
    "SETPCAP",
    "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_ADMIN",
    "NET_RAW",
    "IPC_LOCK",
    "IPC_OWNER",
    "SYS_MODULE",
    "SYS_RAWIO",
    "SYS_CHROOT",
    "SYS_PTRACE",
    "SYS_PACCT",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_NICE",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "MKNOD",
    "LEASE",
    "AUDIT_WRITE",
    "AUDIT_CONTROL",
    "SETFCAP",
    "MAC_OVERRIDE",
    "MAC_ADMIN",
    "SYSLOG",
    "WAKE_ALARM",
    "BLOCK_SUSPEND",
    "AUDIT_READ",
    "PERFMON",
    "BPF",
    "CHECKPOINT_RESTORE",
];

/// What Docker and containerd give when nobody says anything.
///
/// Source: moby, oci/caps/defaults.go.
const DEFAULT: [&str; 14] = [
    "CHOWN",
    "DAC_OVERRIDE",
    "FSETID",
    "FOWNER",
    "MKNOD",
    "NET_RAW",
    "SETGID",
    "SETUID",
    "SETFCAP",
    "SETPCAP",
    "NET_BIND_SERVICE",
    "SYS_CHROOT",
    "KILL",
    "AUDIT_WRITE",
];

/// How many capabilities there are.
pub(crate) const COUNT: u32 = NAMES.len() as u32;

/// The bits of the capabilities that a container with `security` is bounded by, and the names in
/// it that are no capability.
pub fn of_container(security: &SecurityContext) -> (u64, Vec<String>) {
    let all = (1 << COUNT) - 1;
    if security.privileged == Some(true) {
        return (all, Vec::new());
    }
    let mut unknown = Vec::new();
    let mut bits_of = |names: &[palisade_model::Name]| {
        names.iter().fold(0, |bits, name| match bit(name) {
            Some(bit) => bits | bit,
            None if is_all(name) => all,
            None => {
                unknown.push(name.to_string());
                bits
            }
        })
    };
    let (add, drop) = (bits_of(&security.add), bits_of(&security.drop));
    let default = DEFAULT.iter().filter_map(|name| bit(name)).fold(0, |bits, bit| bits | bit);
    // As runc is told: what is dropped and named in `add` again stays; `add: [ALL]` minus drops.
    let bits = if add == all { all & !drop } else { (default & !drop) | add };
    (bits, unknown)
}

fn is_all(name: &str) -> bool {
    name.eq_ignore_ascii_case("ALL")
}

fn bit(name: &str) -> Option<u64> {
    let upper = name.to_ascii_uppercase();
    let bare = upper.strip_prefix("CAP_").unwrap_or(&upper);
    NAMES.iter().position(|known| *known == bare).map(|number| 1 << number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn security(add: &[&str], drop: &[&str]) -> SecurityContext {
        let names = |names: &[&str]| names.iter().map(|name| palisade_model::Name::from(*name)).collect();
        SecurityContext { add: names(add), drop: names(drop), ..SecurityContext::default() }
    }

    #[test]
    fn the_default_is_dockers_with_net_raw() {
        // CapBnd of `docker run --rm debian grep Cap /proc/1/status`.
        assert_eq!(of_container(&security(&[], &[])), (0xa804_25fb, Vec::new()));
    }

    #[test]
    fn all_is_dropped_in_either_case_and_names_come_back() {
        let (bits, unknown) = of_container(&security(&["NET_BIND_SERVICE"], &["all"]));
        assert_eq!((bits, unknown.len()), (1 << 10, 0));
        assert_eq!(
            of_container(&security(&["cap_net_admin", "NO_SUCH"], &["ALL"])),
            (1 << 12, vec!["NO_SUCH".to_owned()])
        );
    }
}
