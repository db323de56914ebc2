//! What the kernel programs counted: events that did not fit, and everything that they could not do.

use crate::layout::constants as c;

/// Names and meanings, by index. A name says what was counted.
const NAMES: [(u32, &str); 51] = [
    (c::COUNTER_CONNECTS, "connects"),
    (c::COUNTER_SENDS, "sends"),
    (c::COUNTER_BINDS, "binds"),
    (c::COUNTER_EXECS, "execs"),
    (c::COUNTER_REFUSED, "refused"),
    (c::COUNTER_LOST, "events-lost"),
    (c::COUNTER_MERGED, "merged"),
    (c::COUNTER_ANSWERS, "answers"),
    (c::COUNTER_NO_STATE, "no-state"),
    (c::COUNTER_NO_TABLE, "no-table"),
    (c::COUNTER_NO_CELL, "no-cell"),
    (c::COUNTER_NO_DECISION, "no-decision"),
    (c::COUNTER_NO_STORAGE, "no-storage"),
    (c::COUNTER_NO_PROGRAM, "no-program"),
    (c::COUNTER_NO_SOCKET_CGROUP, "no-socket-cgroup"),
    (c::COUNTER_NO_RETVAL, "no-retval"),
    (c::COUNTER_MAP_FULL, "map-full"),
    (c::COUNTER_PATH_CUT, "path-cut"),
    (c::COUNTER_FOREIGN_SOCKET, "foreign-socket"),
    (c::COUNTER_LIMIT, "limit"),
    (c::COUNTER_COMMAND_UNREADABLE, "command-unreadable"),
    (c::COUNTER_FORGED, "forged-program"),
    (c::COUNTER_FLOWS, "flows"),
    (c::COUNTER_RESETS, "resets"),
    (c::COUNTER_NO_RESET, "no-reset"),
    (c::COUNTER_REJUDGED, "rejudged"),
    (c::COUNTER_DROPS_MERGED, "drops-merged"),
    (c::COUNTER_NO_TRACK, "no-track"),
    (c::COUNTER_UNREACHABLE, "unreachable"),
    (c::COUNTER_RECALLED, "flows-recalled"),
    (c::COUNTER_DROPPED + c::DROP_UNKNOWN_POD, "dropped-unknown-pod"),
    (c::COUNTER_DROPPED + c::DROP_UNREADABLE, "dropped-unreadable"),
    (c::COUNTER_DROPPED + c::DROP_SOURCE_HARDWARE, "dropped-source-hardware"),
    (c::COUNTER_DROPPED + c::DROP_SOURCE_ADDRESS, "dropped-source-address"),
    (c::COUNTER_DROPPED + c::DROP_ARP, "dropped-arp"),
    (c::COUNTER_DROPPED + c::DROP_NEIGHBOUR, "dropped-neighbour"),
    (c::COUNTER_DROPPED + c::DROP_ROUTER, "dropped-router"),
    (c::COUNTER_DROPPED + c::DROP_VLAN, "dropped-vlan"),
    (c::COUNTER_DROPPED + c::DROP_ETHERTYPE, "dropped-ethertype"),
    (c::COUNTER_DROPPED + c::DROP_HEADER, "dropped-header"),
    (c::COUNTER_DROPPED + c::DROP_PROTOCOL, "dropped-protocol"),
    (c::COUNTER_DROPPED + c::DROP_FRAGMENT, "dropped-fragment"),
    (c::COUNTER_DROPPED + c::DROP_RAW_SOCKET, "dropped-raw-socket"),
    (c::COUNTER_DROPPED + c::DROP_NO_SOCKET, "dropped-no-socket"),
    (c::COUNTER_DROPPED + c::DROP_UNRELATED, "dropped-unrelated"),
    (c::COUNTER_DROPPED + c::DROP_FLOW_LIMIT, "dropped-flow-limit"),
    (c::COUNTER_DROPPED + c::DROP_REFUSED, "dropped-refused"),
    (c::COUNTER_DROPPED + c::DROP_DESTINATION, "dropped-destination"),
    (c::COUNTER_DROPPED + c::DROP_BACKEND, "dropped-backend"),
    (c::COUNTER_DROPPED + c::DROP_NO_CONNECTION, "dropped-no-connection"),
    (c::COUNTER_DROPPED + c::DROP_PORT_OWNER, "dropped-port-owner"),
];

/// The counters of one guard since its maps were made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counters {
    values: [u64; Self::LENGTH],
}

impl Default for Counters {
    fn default() -> Self {
        Self { values: [0; Self::LENGTH] }
    }
}

impl Counters {
    pub(crate) const LENGTH: usize = c::COUNTERS as usize;

    pub(crate) fn add(&mut self, index: usize, value: u64) {
        self.values[index] += value;
    }

    /// Events that did not fit into the ring.
    pub fn lost(&self) -> u64 {
        self.values[c::COUNTER_LOST as usize]
    }

    /// Calls that were refused.
    pub fn refused(&self) -> u64 {
        self.values[c::COUNTER_REFUSED as usize]
    }

    /// Tries that no event of their own tells of, because many like them went before.
    pub fn merged(&self) -> u64 {
        self.values[c::COUNTER_MERGED as usize]
    }

    /// Every counter by its name.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        NAMES.iter().map(|(index, name)| (*name, self.values[*index as usize]))
    }

    /// The counter of that name; 0 when there is none.
    pub fn value(&self, name: &str) -> u64 {
        self.iter().find(|(known, _)| *known == name).map_or(0, |(_, value)| value)
    }
}
