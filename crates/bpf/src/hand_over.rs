//! From one generation of the programs to the next: what is known of connections, and what was counted. Best effort: what
//! cannot be read is judged anew by who holds its socket, see [`crate::earlier`].

use std::time::Duration;

use libbpf_rs::{MapCore, MapFlags, MapHandle};

use crate::counters::Counters;
use crate::guard::{open_map, read_carried, read_counter};
use crate::layout::constants::COUNTER_LOST;
use crate::pins::Generation;
use crate::ring::Ring;
use crate::shape::{Shape, Types};
use crate::veth;

/// What went over to a new generation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HandOver {
    /// Flows and the like that an earlier generation knew.
    pub flows: usize,
    /// Connections whose holders were looked up.
    pub sockets: usize,
    /// Events of the earlier generation that nobody read.
    pub unread: u64,
}

/// Maps that go over: name, struct of the key, struct of the value (none = a number of 8 bytes).
const MAPS: [(&str, &str, Option<&str>); 4] = [
    ("flows", "flow_key", Some("flow_value")),
    ("sends", "send_key", Some("send_record")),
    ("answers", "answer_key", None),
    ("fragments", "fragment_key", None),
];
/// Entries of one map that are taken: what the largest may hold.
const ENTRIES_MAX: usize = *crate::guard::FLOWS_RANGE.end() as usize;
/// Reads of a ring that holds a whole agent's absence.
const READS_MAX: usize = 64;

/// Copies what `from` knows and `to` does not. Returns how many entries there were.
pub(crate) fn flows(from: &Generation, to: &Generation) -> usize {
    let types =
        |generation| veth::open_program(generation, veth::SWEEPER).and_then(|program| Types::of_program(&program));
    let (Ok(old), Ok(new)) = (types(from), types(to)) else { return 0 };
    MAPS.iter()
        .filter_map(|(name, key, value)| {
            let of = |types: &Types, name: &Option<&str>| match name {
                Some(name) => types.shape(name),
                None => Some(Shape::number(size_of::<u64>())),
            };
            let keys = (of(&old, &Some(key))?, of(&new, &Some(key))?);
            let values = (of(&old, value)?, of(&new, value)?);
            let maps = (open_map(from, name).ok()?, open_map(to, name).ok()?);
            Some(copy(&maps.0, &maps.1, &keys, &values))
        })
        .sum()
}

fn copy(from: &MapHandle, to: &MapHandle, keys: &(Shape, Shape), values: &(Shape, Shape)) -> usize {
    let mut copied = 0;
    for key in from.keys().take(ENTRIES_MAX) {
        let Ok(Some(value)) = from.lookup(&key, MapFlags::ANY) else { continue };
        let key = keys.1.convert(&keys.0, &key, true);
        let value = values.1.convert(&values.0, &value, false);
        let (Some(key), Some(value)) = (key, value) else { continue };
        // Known already, or no room: then it is judged anew.
        copied += usize::from(to.update(&key, &value, MapFlags::NO_EXIST).is_ok());
    }
    copied
}

/// Adds what `from` counted to `carried`, by the counters' names. Returns how many of its events nobody read; they count as
/// lost.
pub(crate) fn counters(from: &Generation, to: &Generation, carried: &MapHandle) -> u64 {
    let unread = unread(from);
    let numbers = |generation| {
        let program = veth::open_program(generation, veth::SWEEPER).ok()?;
        Some(Types::of_program(&program).ok()?.numbers("counter")).filter(|numbers| !numbers.is_empty())
    };
    let (old, new) = (numbers(from), numbers(to));
    let Ok(counted) = open_map(from, "counters") else { return unread };
    let before = open_map(from, "carried").ok();
    for index in 0..Counters::LENGTH {
        let name = new.iter().flatten().find(|(_, number)| usize::try_from(**number).is_ok_and(|one| one == index));
        // A build that does not tell its names has the same ones.
        let of_old = match (&old, name) {
            (Some(old), Some((name, _))) => old.get(name).and_then(|number| usize::try_from(*number).ok()),
            _ => Some(index),
        };
        let Some(of_old) = of_old else { continue };
        let earlier = before.as_ref().and_then(|before| read_carried(before, of_old).ok()).unwrap_or(0);
        let lost = if index == COUNTER_LOST as usize { unread } else { 0 };
        let more = read_counter(&counted, of_old).unwrap_or(0) + earlier + lost;
        if more > 0 {
            let total = read_carried(carried, index).unwrap_or(0) + more;
            let _ = carried.update(&(index as u32).to_ne_bytes(), &total.to_ne_bytes(), MapFlags::ANY);
        }
    }
    unread
}

/// Events that wait in a ring whose reader is gone. Another build's cannot be understood, only counted.
fn unread(generation: &Generation) -> u64 {
    let Ok(mut ring) = open_map(generation, "events").and_then(|map| Ring::new(&map)) else { return 0 };
    let mut count = 0;
    for _ in 0..READS_MAX {
        let before = count;
        if ring.poll(Duration::ZERO, &mut |_| count += 1).is_err() || count == before {
            break;
        }
    }
    count
}
