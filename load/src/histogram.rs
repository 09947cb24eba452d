//! Latencies, kept to within one part in 128.

use std::time::Duration;

/// Values below this are counted exactly; each doubling above it is divided into half as many steps.
const STEPS: u64 = 256;
const STEP_BITS: u32 = STEPS.trailing_zeros();
/// Values are cut off here: 2^40 ns are 18 minutes.
const TOP_BITS: u32 = 40;
const BUCKETS: usize = (STEPS / 2 * (TOP_BITS - STEP_BITS + 2) as u64) as usize;

/// How often each latency was seen: logarithmic buckets, divided linearly.
#[derive(Debug, Clone)]
pub struct Histogram {
    counts: Box<[u64]>,
    count: u64,
    max: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: vec![0; BUCKETS].into(), count: 0, max: 0 }
    }
}

impl Histogram {
    /// Counts one value.
    pub fn record(&mut self, value: Duration) {
        let nanos = u64::try_from(value.as_nanos()).unwrap_or(u64::MAX);
        self.counts[bucket(nanos)] += 1;
        self.count += 1;
        self.max = self.max.max(nanos);
    }

    /// Counts all values of another one too.
    pub fn add(&mut self, other: &Self) {
        self.counts.iter_mut().zip(&other.counts).for_each(|(count, more)| *count += more);
        self.count += other.count;
        self.max = self.max.max(other.max);
    }

    /// How many values were counted.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The largest value, exactly.
    pub fn max(&self) -> Duration {
        Duration::from_nanos(self.max)
    }

    /// The value that `share` (0 to 1) of all values do not exceed, rounded up to its bucket's end; zero if there are none.
    pub fn quantile(&self, share: f64) -> Duration {
        let rank = ((share * self.count as f64).ceil() as u64).clamp(1, self.count.max(1));
        let mut seen = 0;
        for (index, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= rank {
                return Duration::from_nanos(highest(index).min(self.max));
            }
        }
        Duration::from_nanos(self.max)
    }
}

/// The bucket that a value is counted in.
fn bucket(nanos: u64) -> usize {
    let nanos = nanos.min((1 << TOP_BITS) - 1);
    if nanos < STEPS {
        return nanos as usize;
    }
    let shift = nanos.ilog2() + 1 - STEP_BITS;
    ((STEPS / 2) * u64::from(shift) + (nanos >> shift)) as usize
}

/// The highest value that is counted in a bucket.
fn highest(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    if bucket < STEPS {
        return bucket;
    }
    let shift = bucket / (STEPS / 2) - 1;
    let step = bucket - (STEPS / 2) * shift;
    ((step + 1) << shift) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_lies_in_a_bucket_that_ends_within_one_part_in_128_above_it() {
        let mut value = 1_u64;
        while value < 1 << TOP_BITS {
            for near in [value - 1, value, value + 1, value + value / 3] {
                let near = near.min((1 << TOP_BITS) - 1);
                let end = highest(bucket(near));
                assert!(end >= near && end - near <= near / 128, "{near} is counted up to {end}");
            }
            value *= 2;
        }
        assert!(bucket(u64::MAX) < BUCKETS);
    }

    #[test]
    fn quantiles_are_those_of_the_values_counted() {
        let mut histogram = Histogram::default();
        for micros in 1..=1000 {
            histogram.record(Duration::from_micros(micros));
        }
        let near = |share: f64, micros: f64| {
            let got = histogram.quantile(share).as_secs_f64() * 1e6;
            assert!((got / micros - 1.0).abs() < 0.01, "{share}: {got} for {micros}");
        };
        near(0.5, 500.0);
        near(0.99, 990.0);
        near(1.0, 1000.0);
        assert_eq!(histogram.max(), Duration::from_micros(1000));
        assert_eq!(Histogram::default().quantile(0.5), Duration::ZERO);
    }

    #[test]
    fn two_halves_add_up() {
        let (mut low, mut high) = (Histogram::default(), Histogram::default());
        (1..=500).for_each(|micros| low.record(Duration::from_micros(micros)));
        (501..=1000).for_each(|micros| high.record(Duration::from_micros(micros)));
        low.add(&high);
        assert_eq!((low.count(), low.max()), (1000, Duration::from_micros(1000)));
        assert!(low.quantile(0.75) > Duration::from_micros(745));
    }
}
