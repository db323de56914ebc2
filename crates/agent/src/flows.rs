//! Joins what was judged with what became of it.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use palisade_bpf::layout::constants as c;
use palisade_bpf::layout::{JudgedEvent, SocketEvent};
use palisade_model::flow::{FlowOutcome, FlowRecord, VerdictWord};
use palisade_policy::compile::Reason;

/// Connects without an outcome that are remembered; beyond that the oldest is told as pending and forgotten.
const WAITING_MAX: usize = 8192;
/// A connect that has not left the host after this long never will: its first packet goes out within the call.
const LEAVES_WITHIN: Duration = Duration::from_millis(250);
/// A record without outcome is told after this long; another with the same id follows.
const TOLD_AFTER: Duration = Duration::from_secs(1);
/// The kernel gives up a connect long before that.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(300);
/// Quicker than any answer: the kernel itself refused to send.
const LOCAL_FAILURE: Duration = Duration::from_millis(2);

// inet_sock_set_state tells states by number (include/net/tcp_states.h).
const TCP_ESTABLISHED: u8 = 1;
const TCP_SYN_SENT: u8 = 2;

/// The reason of a connect to a Service whose backends differ.
const MIXED: &str = Reason::ServiceMixed.as_str();

/// What a packet's event means for the try that it is of.
#[derive(Debug)]
pub(crate) enum Joined {
    /// The try's own record will say it.
    Noted,
    /// The try's own record, which says it.
    Told(Box<FlowRecord>),
}

/// A judged socket and the attempt on it.
type Attempt = (u64, u64);

/// Connects that wait for their outcome.
#[derive(Debug, Default)]
pub(crate) struct Flows {
    waiting: HashMap<Attempt, Waiting>,
    /// In the order in which they were judged.
    order: VecDeque<Attempt>,
}

#[derive(Debug)]
struct Waiting {
    record: FlowRecord,
    left: bool,
    told: bool,
}

impl Flows {
    /// Takes a record whose outcome is not known yet; returns the records that are ready to be told.
    pub(crate) fn judged(&mut self, event: &JudgedEvent, mut record: FlowRecord) -> Vec<FlowRecord> {
        if record.verdict.verdict == VerdictWord::Denied {
            record.outcome = match record.verdict.reason.as_str() {
                "no-endpoints" => FlowOutcome::NoEndpoints,
                _ => FlowOutcome::Refused,
            };
            return vec![record];
        }
        // Only TCP's connects have an outcome that the kernel tells of.
        let is_stream = u32::from(event.hook) == c::HOOK_CONNECT && event.protocol == 6;
        record.outcome = if is_stream { FlowOutcome::Pending } else { FlowOutcome::Sent };
        // Of datagrams to a Service the first one's packet tells the backend; where the backends differ, the verdict too.
        if !is_stream && record.dialled.service.is_none() && u32::from(event.cause) != c::CAUSE_MIXED {
            return vec![record];
        }
        let attempt = (event.socket, event.attempt);
        self.waiting.insert(attempt, Waiting { record, left: false, told: false });
        self.order.push_back(attempt);
        self.bound()
    }

    /// Takes a change of a socket's state; returns the record when that is its outcome.
    pub(crate) fn socket(&mut self, event: &SocketEvent) -> Option<FlowRecord> {
        let attempt = (event.socket, event.attempt);
        if event.new_state == TCP_SYN_SENT {
            if let Some(waiting) = self.waiting.get_mut(&attempt) {
                waiting.left = true;
            }
            return None;
        }
        let waiting = self.waiting.remove(&attempt)?;
        let took = Duration::from_nanos(event.header.time.saturating_sub(event.attempt));
        let outcome = match event.new_state {
            TCP_ESTABLISHED => FlowOutcome::Established,
            _ => outcome_of_error(i32::from(event.error), took),
        };
        Some(FlowRecord { outcome, ..waiting.record })
    }

    /// The receiver of a waiting try was found, and let it pass. Returns the record when nothing more is to be known.
    pub(crate) fn reached(
        &mut self,
        socket: u64,
        attempt: u64,
        backend: SocketAddr,
        by: &FlowRecord,
    ) -> Option<Joined> {
        let record = &mut self.waiting.get_mut(&(socket, attempt))?.record;
        // Until now it was only known that the backends differ.
        if [&record.verdict, &record.would_be].iter().any(|verdict| verdict.reason == MIXED) {
            record.verdict = by.verdict.clone();
            record.would_be = by.would_be.clone();
            record.revision = by.revision;
        }
        self.named(socket, attempt, backend)
    }

    /// The backend that a waiting try to a Service goes to. Returns the record when nothing more is to be known.
    pub(crate) fn named(&mut self, socket: u64, attempt: u64, backend: SocketAddr) -> Option<Joined> {
        let record = &mut self.waiting.get_mut(&(socket, attempt))?.record;
        record.backend = Some(backend);
        if record.outcome != FlowOutcome::Sent {
            return Some(Joined::Noted);
        }
        self.waiting.remove(&(socket, attempt)).map(|waiting| Joined::Told(Box::new(waiting.record)))
    }

    /// A waiting connect was refused on its way, by the receiver or a newer revision: that is its verdict and its outcome.
    pub(crate) fn refused(&mut self, socket: u64, attempt: u64, by: &FlowRecord) -> Option<FlowRecord> {
        let waiting = self.waiting.remove(&(socket, attempt))?;
        Some(FlowRecord {
            verdict: by.verdict.clone(),
            would_be: by.would_be.clone(),
            revision: by.revision,
            outcome: FlowOutcome::Refused,
            backend: by.backend.or(waiting.record.backend),
            ..waiting.record
        })
    }

    /// What is due at `now` (nanoseconds since boot).
    pub(crate) fn due(&mut self, now: u64) -> Vec<FlowRecord> {
        let mut due = Vec::new();
        let mut keep = VecDeque::new();
        while let Some(attempt) = self.order.front().copied() {
            let age = Duration::from_nanos(now.saturating_sub(attempt.1));
            if age < LEAVES_WITHIN {
                break;
            }
            self.order.pop_front();
            let Some(waiting) = self.waiting.get_mut(&attempt) else { continue };
            if !waiting.left {
                let sent = waiting.record.outcome == FlowOutcome::Sent;
                // Its packet may wait for the next hop's address.
                if sent && age < TOLD_AFTER {
                    keep.push_back(attempt);
                    continue;
                }
                let record = waiting.record.clone();
                self.waiting.remove(&attempt);
                // Later sends of a socket go to where its first one went.
                due.push(if sent { record } else { FlowRecord { outcome: FlowOutcome::NeverSent, ..record } });
                continue;
            }
            if age >= TOLD_AFTER && !waiting.told {
                waiting.told = true;
                due.push(waiting.record.clone());
            }
            if age >= FORGOTTEN_AFTER {
                self.waiting.remove(&attempt);
                continue;
            }
            keep.push_back(attempt);
        }
        // Still waiting, and older than what is left in the queue.
        while let Some(attempt) = keep.pop_back() {
            self.order.push_front(attempt);
        }
        due
    }

    /// Connects that wait.
    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }

    fn bound(&mut self) -> Vec<FlowRecord> {
        let mut told = Vec::new();
        while self.waiting.len() > WAITING_MAX {
            let Some(oldest) = self.order.pop_front() else { break };
            told.extend(self.waiting.remove(&oldest).filter(|waiting| !waiting.told).map(|waiting| waiting.record));
        }
        // Attempts that ended stay in the queue until they are due.
        if self.order.len() > 2 * WAITING_MAX {
            self.order.retain(|attempt| self.waiting.contains_key(attempt));
        }
        told
    }
}

/// `sk_err` of a connect that failed. Numbers of errno(3), the same on every architecture that Kubernetes runs on.
fn outcome_of_error(error: i32, took: Duration) -> FlowOutcome {
    const ENETUNREACH: i32 = 101;
    const ETIMEDOUT: i32 = 110;
    const ECONNREFUSED: i32 = 111;
    const EHOSTUNREACH: i32 = 113;
    match error {
        // No error on the socket: no port or address to send from, or the caller gave up waiting.
        0 if took < LOCAL_FAILURE => FlowOutcome::NeverSent,
        0 | ETIMEDOUT => FlowOutcome::TimedOut,
        ECONNREFUSED => FlowOutcome::NobodyListens,
        ENETUNREACH | EHOSTUNREACH => FlowOutcome::Unreachable,
        _ => FlowOutcome::Failed,
    }
}

/// Names a flow on its node; below 2^53, so that every reader of JSON keeps it whole.
pub(crate) fn flow_id(event: &JudgedEvent) -> u64 {
    id_of(event.socket, event.attempt)
}

/// The same of a socket and the attempt on it.
pub(crate) fn id_of(socket: u64, attempt: u64) -> u64 {
    (attempt ^ socket.rotate_left(40)).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 11
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_of_the_socket_has_a_name() {
        let second = Duration::from_secs(1);
        assert_eq!(outcome_of_error(111, second), FlowOutcome::NobodyListens);
        assert_eq!(outcome_of_error(110, second), FlowOutcome::TimedOut);
        assert_eq!(outcome_of_error(113, second), FlowOutcome::Unreachable);
        assert_eq!(outcome_of_error(0, second), FlowOutcome::TimedOut);
        assert_eq!(outcome_of_error(0, Duration::from_micros(50)), FlowOutcome::NeverSent);
        assert_eq!(outcome_of_error(104, second), FlowOutcome::Failed);
    }
}
