//! What came of a world, or of all.

use std::collections::BTreeMap;

use palisade_worlds::Coverage;

/// Which nodes judge.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Way {
    /// Both nodes are guarded.
    Both,
    /// Only the sender's.
    SenderOnly,
    /// Only the receiver's.
    ReceiverOnly,
}

impl Way {
    pub const ALL: [Self; 3] = [Self::Both, Self::SenderOnly, Self::ReceiverOnly];
}

/// What came of a world, or of all.
#[derive(Default)]
pub struct Outcome {
    /// Tries, and how many of them the engine allows.
    tries: BTreeMap<Way, (usize, usize)>,
    /// Receivers' records that were held against the engine.
    pub received: usize,
    coverage: BTreeMap<Way, Coverage>,
    pub failures: String,
}

impl Outcome {
    pub fn of(&self, way: Way) -> (usize, usize) {
        self.tries.get(&way).copied().unwrap_or_default()
    }

    pub fn counts(&self) -> String {
        let of = |way: &Way| format!("{way:?} {} of {} tries allowed", self.of(*way).1, self.of(*way).0);
        let ways: Vec<String> = Way::ALL.iter().map(of).collect();
        format!("{}, {} records of receivers", ways.join(", "), self.received)
    }

    pub fn add(&mut self, other: Self) {
        for (way, (tried, allowed)) in other.tries {
            let sum = self.tries.entry(way).or_default();
            *sum = (sum.0 + tried, sum.1 + allowed);
        }
        self.received += other.received;
        for (way, coverage) in &other.coverage {
            self.coverage.entry(*way).or_default().merge(coverage);
        }
        self.failures.push_str(&other.failures);
    }

    /// What decided, all ways together.
    pub fn coverage(&self) -> Coverage {
        let mut whole = Coverage::default();
        self.coverage.values().for_each(|coverage| whole.merge(coverage));
        whole
    }

    /// What decided, by way.
    pub fn coverages(&self) -> String {
        self.coverage.iter().map(|(way, coverage)| format!("{way:?}\n{coverage}")).collect()
    }

    pub fn covers(&mut self, way: Way) -> &mut Coverage {
        self.coverage.entry(way).or_default()
    }

    pub fn count(&mut self, way: Way, allowed: bool) {
        let sum = self.tries.entry(way).or_default();
        *sum = (sum.0 + 1, sum.1 + usize::from(allowed));
    }

    pub fn fails(&mut self, who: &str, wrong: impl IntoIterator<Item = String>) {
        wrong.into_iter().for_each(|wrong| self.failures.push_str(&format!("{who}: {wrong}\n")));
    }
}
