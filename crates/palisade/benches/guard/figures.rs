//! From many measurements to the few numbers that are printed.

use std::time::Instant;

pub fn micros(begun: Instant) -> u64 {
    u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX)
}

pub fn percentile(values: &mut [u64], percent: usize) -> u64 {
    values.sort_unstable();
    values.get((values.len().max(1) - 1) * percent / 100).copied().unwrap_or(0)
}

pub fn ratio(value: u64, base: u64) -> f64 {
    value as f64 / base.max(1) as f64
}

pub fn print_times(what: &str, micros: &mut [u64]) {
    let mut millis = |percent| percentile(micros, percent) as f64 / 1000.0;
    println!("  {what:<36} p50 {:>7.1} ms   p90 {:>7.1} ms   max {:>7.1} ms", millis(50), millis(90), millis(100));
}
