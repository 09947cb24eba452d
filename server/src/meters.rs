//! What the server counts about itself: plain numbers, each written by one thread and read by whoever asks.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use kew_journal::OVERHEAD;
use kew_wire::{kms, sqs, sts};

/// A number that rises, or a level.
#[derive(Debug, Default)]
pub(crate) struct Meter(AtomicU64);

impl Meter {
    pub(crate) fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    pub(crate) fn subtract(&self, count: u64) {
        self.0.fetch_sub(count, Ordering::Relaxed);
    }

    pub(crate) fn set(&self, level: u64) {
        self.0.store(level, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// How often values fell below each of some bounds.
#[derive(Debug)]
pub(crate) struct Histogram<const N: usize> {
    bounds: &'static [u64; N],
    counts: [Meter; N],
    beyond: Meter,
    sum: Meter,
}

impl<const N: usize> Histogram<N> {
    pub(crate) fn new(bounds: &'static [u64; N]) -> Self {
        Self {
            bounds,
            counts: std::array::from_fn(|_| Meter::default()),
            beyond: Meter::default(),
            sum: Meter::default(),
        }
    }

    /// Adds what another of the same bounds has seen.
    pub(crate) fn add(&self, other: &Self) {
        for (count, more) in self.counts.iter().zip(&other.counts) {
            count.add(more.get());
        }
        self.beyond.add(other.beyond.get());
        self.sum.add(other.sum.get());
    }

    pub(crate) fn see(&self, value: u64) {
        let place = self.bounds.partition_point(|bound| *bound < value);
        self.counts.get(place).unwrap_or(&self.beyond).add(1);
        self.sum.add(value);
    }

    /// Each bound with the count of values up to it.
    pub(crate) fn buckets(&self) -> impl Iterator<Item = (u64, u64)> {
        let mut total = 0;
        self.bounds.iter().zip(&self.counts).map(move |(bound, count)| {
            total += count.get();
            (*bound, total)
        })
    }

    pub(crate) fn count(&self) -> u64 {
        self.counts.iter().map(Meter::get).sum::<u64>() + self.beyond.get()
    }

    pub(crate) fn sum(&self) -> u64 {
        self.sum.get()
    }
}

/// Bounds of the time that one append and its sync take, in microseconds.
const SYNC_MICROS: [u64; 14] =
    [50, 100, 200, 400, 800, 1_600, 3_200, 6_400, 12_800, 25_600, 51_200, 102_400, 409_600, 1_638_400];

/// Bounds of a batch's size, in bytes.
const BATCH_BYTES: [u64; 10] =
    [128, 512, 2_048, 8_192, 32_768, 131_072, 524_288, 2_097_152, 8_388_608, 33_554_432];

/// What one shard counts.
#[derive(Debug)]
pub(crate) struct ShardMeters {
    /// Time of each append with its sync, in microseconds.
    pub(crate) sync_micros: Histogram<14>,
    /// Bytes of each batch.
    pub(crate) batch_bytes: Histogram<10>,
    /// Requests that wait for their answer, long polls included.
    pub(crate) waiting: Meter,
    /// Receives that wait for a message.
    pub(crate) receives_waiting: Meter,
    /// Messages on their way to queues in other shards.
    pub(crate) leaving: Meter,
    /// Appends that failed.
    pub(crate) failures: Meter,
    /// Bytes written to segments: the batches, and what frames them.
    pub(crate) segment_bytes: Meter,
    /// Length of the journal that is not retired yet.
    pub(crate) journal_bytes: Meter,
    /// The length beyond which it is.
    pub(crate) journal_bound: Meter,
    /// Snapshots written.
    pub(crate) snapshots: Meter,
    /// Their bytes.
    pub(crate) snapshot_bytes: Meter,
    /// Bytes written to cold files.
    pub(crate) cold_bytes: Meter,
    /// 1 while the journal is being opened again.
    pub(crate) closed: Meter,
    /// 1 while sends are refused for want of disk space.
    pub(crate) full: Meter,
}

impl Default for ShardMeters {
    fn default() -> Self {
        Self {
            sync_micros: Histogram::new(&SYNC_MICROS),
            batch_bytes: Histogram::new(&BATCH_BYTES),
            waiting: Meter::default(),
            receives_waiting: Meter::default(),
            leaving: Meter::default(),
            failures: Meter::default(),
            segment_bytes: Meter::default(),
            journal_bytes: Meter::default(),
            journal_bound: Meter::default(),
            snapshots: Meter::default(),
            snapshot_bytes: Meter::default(),
            cold_bytes: Meter::default(),
            closed: Meter::default(),
            full: Meter::default(),
        }
    }
}

impl ShardMeters {
    /// What several shards count together.
    pub(crate) fn sum<'a>(shards: impl IntoIterator<Item = &'a Self>) -> Self {
        let sum = Self::default();
        for shard in shards {
            sum.sync_micros.add(&shard.sync_micros);
            sum.batch_bytes.add(&shard.batch_bytes);
            for (total, one) in [
                (&sum.waiting, &shard.waiting),
                (&sum.receives_waiting, &shard.receives_waiting),
                (&sum.leaving, &shard.leaving),
                (&sum.failures, &shard.failures),
                (&sum.snapshots, &shard.snapshots),
                (&sum.snapshot_bytes, &shard.snapshot_bytes),
                (&sum.cold_bytes, &shard.cold_bytes),
                (&sum.closed, &shard.closed),
                (&sum.segment_bytes, &shard.segment_bytes),
                (&sum.journal_bytes, &shard.journal_bytes),
                (&sum.journal_bound, &shard.journal_bound),
            ] {
                total.add(one.get());
            }
            sum.full.set(sum.full.get().max(shard.full.get()));
        }
        sum
    }

    /// One batch of `bytes` became durable after `time`.
    pub(crate) fn see_append(&self, bytes: usize, time: Duration) {
        self.sync_micros.see(u64::try_from(time.as_micros()).unwrap_or(u64::MAX));
        self.batch_bytes.see(bytes as u64);
        // Behind a batch stands the mark that ends the journal, until the next one is written over it.
        self.segment_bytes.add(bytes as u64 + 2 * OVERHEAD);
    }
}

/// Statuses that are counted apart; the last place counts all others.
const STATUSES: [u16; 7] = [200, 400, 403, 404, 413, 500, 503];

/// An operation of any service, as the meters number it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Counted(usize);

impl Counted {
    const SQS: usize = 0;
    const KMS: usize = Self::SQS + sqs::Operation::ALL.len();
    const STS: usize = Self::KMS + kms::Operation::ALL.len();
    /// Those that no service has.
    const UNKNOWN: usize = Self::STS + sts::Operation::ALL.len();

    /// The operation's name.
    pub(crate) fn name(self) -> &'static str {
        Self::named(self.0)
    }

    fn named(row: usize) -> &'static str {
        let sqs = sqs::Operation::ALL.iter().map(|operation| operation.name());
        let kms = kms::Operation::ALL.iter().map(|operation| operation.name());
        let sts = sts::Operation::ALL.iter().map(|operation| operation.name());
        sqs.chain(kms).chain(sts).nth(row).unwrap_or("unknown")
    }
}

impl From<sqs::Operation> for Counted {
    fn from(operation: sqs::Operation) -> Self {
        Self(Self::SQS + operation as usize)
    }
}

impl From<kms::Operation> for Counted {
    fn from(operation: kms::Operation) -> Self {
        Self(Self::KMS + operation as usize)
    }
}

impl From<sts::Operation> for Counted {
    fn from(operation: sts::Operation) -> Self {
        Self(Self::STS + operation as usize)
    }
}

/// What one worker counts.
#[derive(Debug)]
pub(crate) struct WorkerMeters {
    requests: Vec<[Meter; STATUSES.len() + 1]>,
    /// Connections that are open.
    pub(crate) connections: Meter,
    /// Connections ever accepted.
    pub(crate) accepted: Meter,
    /// Bytes of bodies that are being read or waiting for their answer.
    pub(crate) body_bytes: Meter,
    /// Those of them that strangers send where there are access keys.
    pub(crate) stranger_body_bytes: Meter,
    /// HTTP/2's requests whose answers were not taken in full yet.
    pub(crate) streams: Meter,
    /// TLS handshakes that failed.
    pub(crate) handshakes_failed: Meter,
}

impl Default for WorkerMeters {
    fn default() -> Self {
        let row = || std::array::from_fn(|_| Meter::default());
        Self {
            requests: (0..=Counted::UNKNOWN).map(|_| row()).collect(),
            connections: Meter::default(),
            accepted: Meter::default(),
            body_bytes: Meter::default(),
            stranger_body_bytes: Meter::default(),
            streams: Meter::default(),
            handshakes_failed: Meter::default(),
        }
    }
}

impl WorkerMeters {
    /// A request was answered; `None` where its operation is unknown.
    pub(crate) fn see_request(&self, operation: Option<Counted>, status: u16) {
        let row = operation.map_or(Counted::UNKNOWN, |operation| operation.0);
        let column = STATUSES.iter().position(|known| *known == status).unwrap_or(STATUSES.len());
        self.requests[row][column].add(1);
    }

    /// Every count of requests that is not zero: operation, status, count.
    pub(crate) fn requests(&self) -> impl Iterator<Item = (&'static str, String, u64)> {
        self.requests.iter().enumerate().flat_map(|(row, counts)| {
            let operation = Counted::named(row);
            counts.iter().enumerate().filter(|(_, count)| count.get() > 0).map(move |(column, count)| {
                let status = STATUSES.get(column).map_or_else(|| "other".to_owned(), u16::to_string);
                (operation, status, count.get())
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_histogram_counts_values_up_to_each_bound() {
        let histogram = Histogram::new(&[10, 100]);
        for value in [1, 10, 11, 1000] {
            histogram.see(value);
        }
        assert_eq!(histogram.buckets().collect::<Vec<_>>(), [(10, 2), (100, 3)]);
        assert_eq!((histogram.count(), histogram.sum()), (4, 1022));
    }

    #[test]
    fn requests_are_counted_by_operation_and_status() {
        let meters = WorkerMeters::default();
        meters.see_request(Some(sqs::Operation::SendMessage.into()), 200);
        meters.see_request(Some(sqs::Operation::SendMessage.into()), 200);
        meters.see_request(Some(kms::Operation::CreateKey.into()), 400);
        meters.see_request(Some(sts::Operation::GetSessionToken.into()), 403);
        meters.see_request(None, 418);
        let counts: Vec<_> = meters.requests().collect();
        let expected = [
            ("SendMessage", "200".to_owned(), 2),
            ("CreateKey", "400".to_owned(), 1),
            ("GetSessionToken", "403".to_owned(), 1),
            ("unknown", "other".to_owned(), 1),
        ];
        assert_eq!(counts, expected);
    }
}
