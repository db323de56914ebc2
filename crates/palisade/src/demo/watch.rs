//! The agent's records, gathered while the demo goes on.

use std::collections::BTreeSet;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, Instant};

use palisade_lab::LabName;
use palisade_model::Protocol;
use palisade_model::flow::{FlowPhase, FlowRecord, VerdictWord};

use crate::arguments::Since;
use crate::failure::Failure;
use crate::records::{Line, Records};

/// More than an application of this size makes between two looks; the rest waits in the socket.
const WAITING: usize = 4096;

/// Records as they come, and what has come so far.
pub struct Watch {
    lines: Receiver<Line>,
    seen: BTreeSet<(u64, String)>,
    /// Connections tried.
    pub tried: u64,
    /// Of them, refused by policy.
    pub refused: u64,
    /// Of them, allowed and refused if Audit objects were enforced.
    pub would_be_refused: u64,
    /// Records that were lost.
    pub lost: u64,
}

impl Watch {
    /// Watches the agent of `lab` from now on.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn start(lab: &LabName) -> Result<Self, Failure> {
        let records = Records::connect(&[lab.state_dir().agent_socket()], lab, Since::Now)?;
        let (sender, lines) = sync_channel(WAITING);
        // Ends with the agent, or when nobody listens any more.
        std::thread::spawn(move || {
            while let Ok(Some((_, line))) = records.next() {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Ok(Self { lines, seen: BTreeSet::new(), tried: 0, refused: 0, would_be_refused: 0, lost: 0 })
    }

    /// Gives every new connection to `each` until `limit` has passed or `each` says that it is
    /// enough; an empty stream is waited for.
    pub fn during(&mut self, limit: Duration, mut each: impl FnMut(&FlowRecord) -> Enough) {
        let end = Instant::now() + limit;
        while let Some(rest) = end.checked_duration_since(Instant::now()) {
            let Ok(line) = self.lines.recv_timeout(rest) else { return };
            let record = match line {
                Line::Lost { lost } => {
                    self.lost += lost;
                    continue;
                }
                Line::Record(record) => record,
            };
            // The same connection comes again when its outcome is known, from its receiver, and when it ends; of who comes
            // from outside only the receiver tells.
            let from_outside = record.from.kind == "world" && record.phase == FlowPhase::Start;
            if !(record.is_try() || from_outside) || !self.seen.insert((record.id, record.node.clone())) {
                continue;
            }
            self.count(&record);
            if each(&record) == Enough::Yes {
                return;
            }
        }
    }

    fn count(&mut self, record: &FlowRecord) {
        self.tried += 1;
        let denied = record.verdict.verdict == VerdictWord::Denied;
        self.refused += u64::from(denied);
        self.would_be_refused += u64::from(!denied && record.would_be.verdict == VerdictWord::Denied);
    }
}

/// Whether to go on watching.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Enough {
    Yes,
    No,
}

/// Asking for names goes on all the time and is shown by nobody.
pub fn is_name_lookup(record: &FlowRecord) -> bool {
    record.dialled.port == 53 && record.protocol == Protocol::Udp
}
