//! The agent's records, as they come, and what of them is new.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use palisade_model::flow::{FlowRecord, FlowVerdict, VerdictWord};

use crate::arguments::Since;
use crate::failure::Failure;
use crate::observe;
use crate::records::{Line, Records};

/// How often a wait looks whether it shall stop.
const GLANCE: Duration = Duration::from_millis(50);

/// A record, shown without what changes from pod to pod.
#[derive(Debug, Clone)]
pub struct Seen {
    /// The record.
    pub record: FlowRecord,
    number: u64,
}

/// How many records came.
#[derive(Debug, Clone, Copy, Default)]
pub struct Counts {
    /// All of them.
    pub records: u64,
    /// By the enforced verdict.
    pub allowed: u64,
    /// By the enforced verdict.
    pub refused: u64,
    /// Allowed, but not if the objects in Audit were enforced.
    pub would_be_refused: u64,
    /// Lost on the way.
    pub lost: u64,
}

/// The stream of records.
pub struct Feed {
    lines: Receiver<Line>,
    stop: Arc<AtomicBool>,
    counts: Counts,
    shown: BTreeSet<String>,
    links: BTreeSet<String>,
}

impl Feed {
    /// Begins to read what the agent behind `socket` records.
    pub fn open(socket: &Path, stop: Arc<AtomicBool>) -> Result<Self, Failure> {
        let mut records = Records::connect(socket, Since::Start)?;
        let (sender, receiver) = channel();
        std::thread::spawn(move || {
            while let Ok(Some((_, line))) = records.next() {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Ok(Self { lines: receiver, stop, counts: Counts::default(), shown: BTreeSet::new(), links: BTreeSet::new() })
    }

    /// Gives each record that shows something new, or is refused, to `show`, until `show` says that it is
    /// enough, `limit` has passed or the user interrupts.
    pub fn watch(
        &mut self,
        limit: Duration,
        mut show: impl FnMut(&Self, &Seen) -> Result<bool, Failure>,
    ) -> Result<(), Failure> {
        let end = Instant::now() + limit;
        while Instant::now() < end && !self.stop.load(Ordering::Relaxed) {
            let record = match self.lines.recv_timeout(GLANCE) {
                Ok(Line::Record(record)) => *record,
                Ok(Line::Lost { lost }) => {
                    self.counts.lost += lost;
                    continue;
                }
                Err(RecvTimeoutError::Timeout) => continue,
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            };
            let seen = self.count(record);
            let is_new = self.shown.insert(format!("{}{}{}", seen.from(), seen.to(), seen.by()));
            let is_refused = seen.record.verdict.verdict == VerdictWord::Denied;
            if !is_name_lookup(&seen.record) && (is_new || is_refused) && show(self, &seen)? {
                return Ok(());
            }
        }
        Ok(())
    }

    fn count(&mut self, record: FlowRecord) -> Seen {
        self.counts.records += 1;
        match record.verdict.verdict {
            VerdictWord::Allowed => self.counts.allowed += 1,
            VerdictWord::Denied => self.counts.refused += 1,
        }
        let seen = Seen { record, number: self.counts.records };
        self.counts.would_be_refused += u64::from(seen.would_be_refused());
        if seen.record.verdict.verdict == VerdictWord::Allowed {
            self.links.insert(seen.link());
        }
        seen
    }

    /// The newest record's number.
    pub fn newest(&self) -> u64 {
        self.counts.records
    }

    /// Whether a connection of this kind was allowed.
    pub fn has_seen(&self, link: &str) -> bool {
        self.links.contains(link)
    }

    /// How many records came so far.
    pub fn counts(&self) -> Counts {
        self.counts
    }
}

fn is_name_lookup(record: &FlowRecord) -> bool {
    const DNS: u16 = 53;
    record.dialled.port == DNS
}

impl Seen {
    /// Whether it came after the record `number`.
    pub fn id_after(&self, number: u64) -> bool {
        self.number > number
    }

    /// `shop/web nginx /usr/sbin/nginx`.
    pub fn from(&self) -> String {
        let from = &self.record.from;
        let words = [Some(self.sender()), from.container.clone(), from.program.clone()];
        words.into_iter().flatten().collect::<Vec<_>>().join(" ")
    }

    fn sender(&self) -> String {
        let from = &self.record.from;
        let workload = from.workload.as_deref().and_then(|workload| workload.rsplit('/').next());
        match (&from.namespace, workload) {
            (Some(namespace), Some(workload)) => format!("{namespace}/{workload}"),
            (_, _) => observe::row::render_end(from),
        }
    }

    /// `-> shop/orders:8080`.
    pub fn to(&self) -> String {
        format!("-> {}", self.receiver())
    }

    fn receiver(&self) -> String {
        let (to, dialled) = (&self.record.to, &self.record.dialled);
        let workload = to.workload.as_deref().and_then(|workload| workload.rsplit('/').next());
        match (&dialled.service, &to.namespace, workload) {
            (Some(service), _, _) => format!("{service}:{}", dialled.port),
            (None, Some(namespace), Some(workload)) => format!("{namespace}/{workload}:{}", dialled.port),
            (None, _, _) => format!("{}:{}", dialled.address, dialled.port),
        }
    }

    fn link(&self) -> String {
        format!("{} -> {}", self.sender(), self.receiver())
    }

    /// The rule that decided, or the reason.
    pub fn by(&self) -> String {
        observe::row::render_why(&self.record.verdict)
    }

    /// Whether the objects in Audit would refuse what was allowed.
    pub fn would_be_refused(&self) -> bool {
        let word = |verdict: &FlowVerdict| verdict.verdict;
        word(&self.record.verdict) == VerdictWord::Allowed && word(&self.record.would_be) == VerdictWord::Denied
    }

    /// By which rule it would be.
    pub fn would_be_by(&self) -> String {
        observe::row::render_why(&self.record.would_be)
    }
}
