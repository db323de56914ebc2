//! Which nodes have a living agent, and which rules that agent has in its kernel.
//!
//! An agent holds a lock for each node that it guards. The kernel lets go of it however the agent ends, and closing the
//! locked file is what wakes the agents that watch it. Beside the lock lies what the agent reports.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use palisade_model::access_policy::AccessPolicy;
use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// An agent that is alive reads a changed policy at its own moment. For so long its node counts as one that has it: a
/// change must not cut what both the old and the new rules allow. One that has not followed by then has not judged by it.
const SETTLES_WITHIN: Duration = Duration::from_secs(1);
/// What a dead agent has pinned judges on. For so long its node still counts: an agent that is started anew, or replaced by
/// a newer one, must not cut what it allows.
const SUCCEEDED_WITHIN: Duration = Duration::from_secs(2);
/// Whoever looks whether a lock is held holds it for a moment.
const LOOKED_AT_FOR: Duration = Duration::from_millis(500);
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// What the rules of a revision are told by: the same for every agent that reads the same rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Rules(u64);

impl Rules {
    /// Of these policies, wherever they stand: what of them can name a sender's container or program.
    pub(crate) fn of(policies: &[Arc<AccessPolicy>]) -> Self {
        /// FNV-1a: stays what it is from one build of the agent to the next.
        const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
        const PRIME: u64 = 0x0100_0000_01b3;
        let mut hash = OFFSET;
        for policy in policies {
            for rule in &policy.rules {
                let parts =
                    (&policy.meta.reference.namespace, policy.mode, rule.action, &rule.from, &rule.to, &rule.ports);
                let text = serde_json::to_vec(&(parts, rule.expires)).unwrap_or_default();
                hash = text.iter().fold(hash, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(PRIME));
            }
        }
        Self(hash)
    }
}

/// What an agent reports of a node that it guards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Report {
    rules: Rules,
}

/// The nodes that this agent guards, and what it sees of the others.
#[derive(Debug)]
pub(crate) struct Guards {
    folder: PathBuf,
    own: BTreeMap<String, Own>,
    others: BTreeMap<String, Seen>,
}

#[derive(Debug)]
struct Own {
    /// Held as long as this lives.
    _lock: File,
    reported: Option<Report>,
}

/// Another agent's node as it was last seen.
#[derive(Clone, Copy, Debug)]
struct Seen {
    /// Nothing when none has guarded it, or it was unloaded.
    report: Option<Report>,
    wanted: Rules,
    /// Since when report and wanted rules are what they are.
    since: Instant,
    life: Life,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Life {
    Lives,
    /// Seen to have died then.
    DiedAt(Instant),
    /// It was dead when it was first looked at.
    Dead,
}

impl Guards {
    pub(crate) fn new(state: &Path) -> Result<Self> {
        let folder = folder(state);
        // Whoever can open a lock can hold it, and so pass for a living agent or keep one from starting.
        fs::create_dir_all(&folder)
            .and_then(|()| fs::set_permissions(&folder, Permissions::from_mode(0o700)))
            .map_err(|source| Error::GuardFile { path: folder.clone(), source })?;
        Ok(Self { folder, own: BTreeMap::new(), others: BTreeMap::new() })
    }

    /// Takes a node for this agent.
    ///
    /// # Errors
    /// When another agent that lives guards it.
    pub(crate) fn take(&mut self, node: &str) -> Result<()> {
        if self.own.contains_key(node) {
            return Ok(());
        }
        let path = lock_path(&self.folder, node);
        let failed = |source| Error::GuardFile { path: path.clone(), source };
        let lock = File::options().create(true).append(true).open(&path).map_err(failed)?;
        let begun = Instant::now();
        while let Err(error) = flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            if error != rustix::io::Errno::WOULDBLOCK {
                return Err(failed(error.into()));
            }
            if begun.elapsed() > LOOKED_AT_FOR {
                return Err(Error::GuardedByOther { node: node.to_owned() });
            }
            std::thread::sleep(LOOK_AGAIN);
        }
        self.others.remove(node);
        self.own.insert(node.to_owned(), Own { _lock: lock, reported: None });
        Ok(())
    }

    /// Lets go of nodes that are gone.
    pub(crate) fn keep(&mut self, exists: impl Fn(&str) -> bool) {
        self.own.retain(|node, _| exists(node));
        self.others.retain(|node, _| exists(node));
    }

    /// Tells the other agents which rules the node has in its kernel.
    pub(crate) fn report(&mut self, node: &str, rules: Rules) {
        let report = Report { rules };
        let Some(own) = self.own.get_mut(node).filter(|own| own.reported != Some(report)) else { return };
        let (path, new) = (report_path(&self.folder, node), self.folder.join(format!("{node}.report.new")));
        let text = serde_json::to_string(&report).unwrap_or_default();
        // Not told: the others take the node for one that has not followed, and refuse. The next load tries again.
        if fs::write(&new, text).is_ok() && fs::rename(&new, &path).is_ok() {
            own.reported = Some(report);
        }
    }

    /// Looks at the nodes of other agents; true when one came, died, or reports other rules.
    pub(crate) fn look<'n>(&mut self, nodes: impl Iterator<Item = &'n str>, wanted: Rules) -> bool {
        let mut changed = false;
        for node in nodes.filter(|node| !self.own.contains_key(*node)).map(str::to_owned).collect::<Vec<_>>() {
            let (lives, report) = self.read(&node);
            let now = Instant::now();
            let seen = self.others.entry(node).or_insert_with(|| {
                changed = true;
                Seen { report, wanted, since: now, life: Life::Dead }
            });
            let life = match (lives, seen.life) {
                (true, _) => Life::Lives,
                (false, Life::Lives) => Life::DiedAt(now),
                (false, dead @ (Life::DiedAt(_) | Life::Dead)) => dead,
            };
            changed |= seen.report != report || seen.life != life;
            if (seen.report, seen.wanted) != (report, wanted) {
                seen.since = now;
            }
            *seen = Seen { report, wanted, life, ..*seen };
        }
        changed
    }

    /// The nodes whose agent lives and has the wanted rules, by what was seen last: this agent's own and others'.
    pub(crate) fn guarded(&self, fails: &BTreeSet<String>) -> BTreeSet<String> {
        let own = self.own.keys().filter(|node| !fails.contains(*node));
        let others = self.others.iter().filter(|(_, seen)| seen.counts(Instant::now())).map(|(node, _)| node);
        own.chain(others).cloned().collect()
    }

    /// When a node of another agent ceases to count, unless its agent follows, or has a successor.
    pub(crate) fn settles_at(&self) -> Option<Instant> {
        let now = Instant::now();
        self.others.values().filter_map(Seen::counts_until).filter(|until| *until > now).min()
    }

    /// Whether an agent of the node lives, and what it, or the last one, reports.
    fn read(&self, node: &str) -> (bool, Option<Report>) {
        let Ok(lock) = File::open(lock_path(&self.folder, node)) else { return (false, None) };
        let lives = flock(&lock, FlockOperation::NonBlockingLockShared) == Err(rustix::io::Errno::WOULDBLOCK);
        let text = fs::read_to_string(report_path(&self.folder, node)).unwrap_or_default();
        (lives, serde_json::from_str(&text).ok())
    }
}

impl Seen {
    fn counts(&self, now: Instant) -> bool {
        match (self.report, self.life) {
            (None, _) => false,
            (Some(report), Life::Lives) if report.rules == self.wanted => true,
            (Some(_), _) => self.counts_until().is_some_and(|until| now < until),
        }
    }

    /// The end of its time, when it counts for a time only.
    fn counts_until(&self) -> Option<Instant> {
        let settled = self.report?.rules == self.wanted;
        let rules = (!settled).then_some(self.since + SETTLES_WITHIN);
        match self.life {
            Life::Lives => rules,
            Life::DiedAt(at) => Some(rules.unwrap_or(at + SUCCEEDED_WITHIN).min(at + SUCCEEDED_WITHIN)),
            Life::Dead => None,
        }
    }
}

/// Forgets what the agent of a node reported: its programs are taken out of the kernel.
pub(crate) fn forget(state: &Path, node: &str) {
    let _ = fs::remove_file(report_path(&folder(state), node));
}

/// Where locks and reports lie.
pub(crate) fn folder(state: &Path) -> PathBuf {
    state.join("guards")
}

/// The files of a node that tell when its agent comes, dies or reports.
pub(crate) fn files(state: &Path, node: &str) -> [PathBuf; 2] {
    [lock_path(&folder(state), node), report_path(&folder(state), node)]
}

fn lock_path(folder: &Path, node: &str) -> PathBuf {
    folder.join(format!("{node}.lock"))
}

fn report_path(folder: &Path, node: &str) -> PathBuf {
    folder.join(format!("{node}.report"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: Rules = Rules(1);
    const NEW: Rules = Rules(2);

    fn state(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("palisade-guards-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).expect("a folder");
        path
    }

    fn names(guarded: BTreeSet<String>) -> Vec<String> {
        guarded.into_iter().collect()
    }

    #[test]
    fn nobody_else_can_pass_for_an_agent() {
        let state = state("private");
        fs::create_dir(folder(&state)).expect("made");
        fs::set_permissions(folder(&state), Permissions::from_mode(0o755)).expect("as an earlier agent left it");
        Guards::new(&state).expect("taken over");
        assert_eq!(fs::metadata(folder(&state)).expect("it is there").permissions().mode() & 0o777, 0o700);
        fs::remove_dir_all(state).expect("removed");
    }

    #[test]
    fn a_node_is_guarded_while_its_agent_lives_and_has_the_rules() {
        let state = state("lives");
        let (mut here, mut there) = (Guards::new(&state).expect("made"), Guards::new(&state).expect("made"));
        here.take("node1").expect("nobody has it");
        there.take("node2").expect("nobody has it");
        let nodes = ["node1", "node2"];
        here.look(nodes.into_iter(), OLD);
        assert_eq!(names(here.guarded(&BTreeSet::new())), ["node1"], "it has not reported yet");
        there.report("node2", OLD);
        assert!(here.look(nodes.into_iter(), OLD));
        assert!(!here.look(nodes.into_iter(), OLD));
        assert_eq!(names(here.guarded(&BTreeSet::new())), nodes);
        assert_eq!(here.settles_at(), None);
        assert_eq!(names(here.guarded(&["node1".to_owned()].into())), ["node2"], "what fails here guards nothing");
        drop(there);
        assert!(here.look(nodes.into_iter(), OLD));
        assert!(here.settles_at().is_some(), "it may have a successor");
        let mut later = Guards::new(&state).expect("made");
        later.look(nodes.into_iter(), OLD);
        assert_eq!(names(later.guarded(&BTreeSet::new())), Vec::<String>::new(), "who comes later takes it for dead");
        forget(&state, "node2");
        assert!(here.look(nodes.into_iter(), OLD));
        assert_eq!(names(here.guarded(&BTreeSet::new())), ["node1"], "it was unloaded");
        fs::remove_dir_all(state).expect("removed");
    }

    #[test]
    fn an_agent_that_does_not_follow_a_change_counts_no_longer_than_a_second() {
        let now = Instant::now();
        let seen = |report| Seen { report: Some(Report { rules: report }), wanted: NEW, since: now, life: Life::Lives };
        assert!(seen(NEW).counts(now + 10 * SETTLES_WITHIN));
        assert!(seen(OLD).counts(now + SETTLES_WITHIN / 2));
        assert!(!seen(OLD).counts(now + SETTLES_WITHIN));
        assert_eq!((seen(NEW).counts_until(), seen(OLD).counts_until()), (None, Some(now + SETTLES_WITHIN)));
        assert!(!Seen { report: None, ..seen(NEW) }.counts(now));
    }

    #[test]
    fn a_dead_agent_counts_until_a_successor_should_have_come() {
        let now = Instant::now();
        let died =
            |report| Seen { report: Some(Report { rules: report }), wanted: NEW, since: now, life: Life::DiedAt(now) };
        assert!(died(NEW).counts(now + SUCCEEDED_WITHIN / 2));
        assert!(!died(NEW).counts(now + SUCCEEDED_WITHIN));
        assert!(!died(OLD).counts(now + SETTLES_WITHIN));
        // A change of the rules gives the dead no new time.
        assert!(!Seen { since: now + SUCCEEDED_WITHIN, ..died(OLD) }.counts(now + SUCCEEDED_WITHIN));
        assert!(!Seen { life: Life::Dead, ..died(NEW) }.counts(now));
    }

    #[test]
    fn two_agents_do_not_guard_one_node() {
        let state = state("two");
        let (mut one, mut other) = (Guards::new(&state).expect("made"), Guards::new(&state).expect("made"));
        one.take("node1").expect("nobody has it");
        one.take("node1").expect("it is its own");
        let error = other.take("node1").expect_err("somebody has it");
        assert_eq!(error.to_string(), "another agent guards node `node1`");
        drop(one);
        other.take("node1").expect("nobody has it any more");
        fs::remove_dir_all(state).expect("removed");
    }
}
