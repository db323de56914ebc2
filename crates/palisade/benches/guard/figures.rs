//! From many measurements to the few numbers that are printed.

use std::fmt;
use std::time::Instant;

pub fn micros(begun: Instant) -> u64 {
    u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX)
}

pub fn percentile(values: &mut [u64], percent: usize) -> u64 {
    values.sort_unstable();
    values.get((values.len().max(1) - 1) * percent / 100).copied().unwrap_or(0)
}

pub fn print_times(what: &str, micros: &mut [u64]) {
    let mut millis = |percent| percentile(micros, percent) as f64 / 1000.0;
    println!("  {what:<36} p50 {:>7.1} ms   p90 {:>7.1} ms   max {:>7.1} ms", millis(50), millis(90), millis(100));
}

/// A figure of one variant in one round, and the baseline's just before and just after it: what else the machine does
/// changes from second to second, and falls on both.
#[derive(Clone, Copy, Default)]
pub struct Beside {
    pub value: u64,
    pub base: u64,
}

impl Beside {
    pub fn new(value: u64, before: u64, after: u64) -> Self {
        Self { value, base: u64::midpoint(before, after) }
    }

    fn ratio(self) -> f64 {
        self.value as f64 / self.base.max(1) as f64
    }
}

/// One figure of one variant, round by round.
#[derive(Default)]
pub struct Rounds(Vec<Beside>);

impl Rounds {
    pub fn push(&mut self, one: Beside) {
        self.0.push(one);
    }

    /// The median over the rounds.
    pub fn value(&self) -> u64 {
        percentile(&mut self.0.iter().map(|one| one.value).collect::<Vec<_>>(), 50)
    }

    /// Against the baseline.
    pub fn ratio(&self) -> Ratio {
        Ratio::of(self.0.iter().map(|one| one.ratio()))
    }

    /// Against another variant's, round by round, each measured by its own baseline first.
    pub fn ratio_to(&self, other: &Self) -> Ratio {
        Ratio::of(self.0.iter().zip(&other.0).map(|(one, other)| one.ratio() / other.ratio()))
    }
}

/// The median of a ratio over the rounds, and between what half of them lie.
pub struct Ratio([f64; 3]);

impl Ratio {
    fn of(ratios: impl Iterator<Item = f64>) -> Self {
        let mut ratios: Vec<f64> = ratios.collect();
        ratios.sort_by(f64::total_cmp);
        let at = |quarter: usize| ratios.get((ratios.len().max(1) - 1) * quarter / 4).copied().unwrap_or(0.0);
        Self([at(1), at(2), at(3)])
    }
}

impl fmt::Display for Ratio {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [low, middle, high] = self.0;
        write!(formatter, "{middle:.2} ({low:.2}-{high:.2})")
    }
}

/// The variants of one round, each time beginning with another, so that none always comes after the same.
pub fn in_turn<T>(variants: &[T], round: usize) -> impl Iterator<Item = (usize, &T)> {
    let count = variants.len();
    (0..count).map(move |step| (step + round) % count).map(|index| (index, &variants[index]))
}
