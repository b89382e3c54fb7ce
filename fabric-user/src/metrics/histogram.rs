//! How long things took, counted where they happen and read when somebody asks.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

/// Upper bounds of the buckets in nanoseconds: from 10 µs, which a store takes, to the 10 s after which the kernel
/// forwards.
const BOUNDS: [u64; 13] = [
    10_000,
    25_000,
    100_000,
    250_000,
    1_000_000,
    2_500_000,
    10_000_000,
    25_000_000,
    100_000_000,
    250_000_000,
    1_000_000_000,
    2_500_000_000,
    10_000_000_000,
];

/// Durations by buckets. Any thread may add without waiting for another one.
#[derive(Debug, Default)]
pub struct Histogram {
    /// One for each bound, and one for what is above all.
    counts: [AtomicU64; BOUNDS.len() + 1],
    /// Nanoseconds.
    sum: AtomicU64,
}

/// What a [`Histogram`] has counted.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Counted {
    /// Sum of all durations in seconds.
    pub(super) sum: f64,
    /// Number of durations.
    pub(super) count: u64,
    /// Upper bounds in seconds, the last one infinite, with the number of durations in each bucket alone.
    pub(super) buckets: Vec<(f64, u64)>,
}

impl Histogram {
    /// Counts a duration.
    pub fn observe(&self, duration: Duration) {
        let nanoseconds = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        let bucket = BOUNDS.partition_point(|bound| *bound < nanoseconds);
        self.counts[bucket].fetch_add(1, Ordering::Relaxed);
        self.sum.fetch_add(nanoseconds, Ordering::Relaxed);
    }

    /// What was counted so far. The count is that of the buckets, whatever is added meanwhile.
    pub(super) fn read(&self) -> Counted {
        let seconds = BOUNDS.iter().map(|bound| *bound as f64 / 1e9).chain([f64::INFINITY]);
        let counts = self.counts.iter().map(|count| count.load(Ordering::Relaxed));
        let buckets: Vec<(f64, u64)> = seconds.zip(counts).collect();
        let count = buckets.iter().map(|(_, count)| count).sum();
        Counted { sum: self.sum.load(Ordering::Relaxed) as f64 / 1e9, count, buckets }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_counted_in_the_first_bucket_whose_bound_it_does_not_exceed() {
        let histogram = Histogram::default();
        for microseconds in [10, 11, 20_000_000] {
            histogram.observe(Duration::from_micros(microseconds));
        }
        let counted = histogram.read();
        let filled: Vec<(f64, u64)> =
            counted.buckets.iter().copied().filter(|(_, count)| *count > 0).collect();
        assert_eq!(filled, [(1e-5, 1), (2.5e-5, 1), (f64::INFINITY, 1)]);
        assert_eq!((counted.count, counted.sum), (3, 20.000_021));
    }
}
