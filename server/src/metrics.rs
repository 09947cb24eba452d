//! `GET /metrics`: figures of every queue under the names that CloudWatch knows, and the server's own, as Prometheus reads
//! them.

use std::fmt::{Display, Write};
use std::sync::Arc;

use http::StatusCode;
use kew_engine::services::sqs::stats::QueueStats;
use kew_engine::shard::{Command, Reply};
use kew_engine::time::Moment;

use crate::audit::{Audit, Counts};
use crate::clock::Clock;
use crate::http::{Addresses, Response, respond};
use crate::meters::{Histogram, Meter, ShardMeters, WorkerMeters};
use crate::router::Router;
use crate::tls::Tls;

const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Whatever counts.
#[derive(Debug)]
pub(crate) struct Metrics {
    pub(crate) clock: Arc<Clock>,
    /// By the shards' numbers.
    pub(crate) shards: Vec<(u32, Arc<ShardMeters>)>,
    pub(crate) workers: Vec<Arc<WorkerMeters>>,
    pub(crate) addresses: Arc<Addresses>,
    pub(crate) tls: Option<Arc<Tls>>,
    pub(crate) audit: Option<Arc<Audit>>,
}

impl Metrics {
    /// Everything, as text.
    pub(crate) async fn text(&self, router: &Router) -> Response {
        let stats = match router.ask(Command::Stats).await {
            Ok(answer) => match answer.reply {
                Reply::Stats(stats) => stats,
                _ => Vec::new(),
            },
            // The server's own figures tell why.
            Err(_) => Vec::new(),
        };
        let mut text = Text(String::with_capacity(4096));
        queues(&mut text, &stats, self.clock.now());
        self.server(&mut text, router);
        respond(StatusCode::OK, CONTENT_TYPE, text.0)
    }

    fn server(&self, text: &mut Text, router: &Router) {
        let shard = ShardMeters::sum(self.shards.iter().map(|(_, meters)| &**meters));
        text.family("kew_info", "gauge", "The release that runs.");
        text.sample("kew_info", &[("version", &env!("CARGO_PKG_VERSION"))], &1);
        text.family("kew_requests_total", "counter", "Requests answered, by operation and HTTP status.");
        for worker in &self.workers {
            // Workers count apart; so are their series.
            let number = self.workers.iter().position(|other| Arc::ptr_eq(other, worker)).unwrap_or_default();
            for (operation, status, count) in worker.requests() {
                let labels: [(&str, &dyn Display); 3] =
                    [("operation", &operation), ("status", &status), ("worker", &number)];
                text.sample("kew_requests_total", &labels, &count);
            }
        }
        let sum = |of: fn(&WorkerMeters) -> u64| self.workers.iter().map(|worker| of(worker)).sum::<u64>();
        let gauges: [(&str, &str, u64); 12] = [
            ("kew_connections", "Connections that are open.", sum(|worker| worker.connections.get())),
            (
                "kew_request_body_bytes",
                "Bytes of request bodies in memory.",
                sum(|worker| worker.body_bytes.get()),
            ),
            (
                "kew_request_body_stranger_bytes",
                "Bytes of request bodies in memory whose head says that nobody known sends them.",
                sum(|worker| worker.stranger_body_bytes.get()),
            ),
            (
                "kew_requests_waiting",
                "Requests that wait for their answer, long polls included.",
                shard.waiting.get(),
            ),
            ("kew_receives_waiting", "Receives that wait for a message.", shard.receives_waiting.get()),
            (
                "kew_mailbox_depth",
                "Requests that wait for the shard to take them up.",
                router.shards().map(|shard| shard.depth() as u64).sum(),
            ),
            ("kew_shards", "Shards that serve.", router.shards().count() as u64),
            (
                "kew_shards_damaged",
                "Shards that do not serve because their data is damaged.",
                router.damaged().count() as u64,
            ),
            (
                "kew_messages_between_shards",
                "Messages on their way to a queue in another shard: dead letters and what move tasks move.",
                shard.leaving.get(),
            ),
            (
                "kew_journal_bytes",
                "Length of the journal that is not retired yet.",
                shard.journal_bytes.get(),
            ),
            (
                "kew_journal_bound_bytes",
                "Length of the journal beyond which its oldest part is retired.",
                shard.journal_bound.get(),
            ),
            ("kew_disk_full", "1 while sends are refused for want of disk space.", shard.full.get()),
        ];
        for (name, help, value) in gauges {
            text.family(name, "gauge", help);
            text.sample(name, &[], &value);
        }
        if let Some(expires) = self.tls.as_ref().and_then(|tls| tls.expires()) {
            let name = "kew_tls_certificate_expiry_timestamp_seconds";
            text.family(name, "gauge", "When the certificate expires, in seconds since 1970.");
            text.sample(name, &[], &expires);
        }
        let audit = self.audit.as_ref().map(|audit| &*audit.ledger().counts);
        let audit = |of: fn(&Counts) -> &Meter| audit.map_or(0, |counts| of(counts).get());
        let counters: [(&str, &str, u64); 12] = [
            ("kew_audit_records_total", "Records written to the audit log.", audit(|counts| &counts.written)),
            (
                "kew_audit_records_lost_total",
                "Records of the audit log that were lost, for it could not be written.",
                audit(|counts| &counts.lost),
            ),
            (
                "kew_audit_failures_total",
                "Attempts to write the audit log that failed.",
                audit(|counts| &counts.failures),
            ),
            ("kew_connections_accepted_total", "Connections accepted.", sum(|worker| worker.accepted.get())),
            (
                "kew_connections_refused_total",
                "Connections closed at once, for their address had all that it may.",
                self.addresses.refused.get(),
            ),
            (
                "kew_tls_handshakes_failed_total",
                "TLS handshakes that failed.",
                sum(|worker| worker.handshakes_failed.get()),
            ),
            (
                "kew_journal_failures_total",
                "Appends that failed; each rebuilt the state.",
                shard.failures.get(),
            ),
            ("kew_journal_event_bytes_total", "Bytes of what happened.", shard.batch_bytes.sum()),
            ("kew_journal_written_bytes_total", "Bytes written to the journal.", shard.segment_bytes.get()),
            ("kew_journal_snapshots_total", "Snapshots written.", shard.snapshots.get()),
            ("kew_journal_snapshot_bytes_total", "Bytes of snapshots written.", shard.snapshot_bytes.get()),
            ("kew_journal_cold_bytes_total", "Bytes written to cold files.", shard.cold_bytes.get()),
        ];
        for (name, help, value) in counters {
            text.family(name, "counter", help);
            text.sample(name, &[], &value);
        }
        let seconds = |micros: u64| micros as f64 / 1e6;
        text.histogram(
            "kew_journal_sync_seconds",
            "Time of each append with its sync.",
            &shard.sync_micros,
            seconds,
        );
        let bytes = |bytes: u64| bytes as f64;
        text.histogram("kew_journal_batch_bytes", "Bytes of each append.", &shard.batch_bytes, bytes);
    }
}

/// One figure of a queue: name, kind, explanation, and where to find it.
type Figure = (&'static str, &'static str, &'static str, fn(&QueueStats, Moment) -> u64);

/// The names are CloudWatch's, in Prometheus's spelling.
const FIGURES: &[Figure] = &[
    ("approximate_number_of_messages_visible", "gauge", "Messages that can be received.", |q, _| q.visible),
    ("approximate_number_of_messages_not_visible", "gauge", "Messages in flight.", |q, _| q.in_flight),
    ("approximate_number_of_messages_delayed", "gauge", "Messages that are delayed.", |q, _| q.delayed),
    ("approximate_age_of_oldest_message_seconds", "gauge", "Age of the oldest message.", |q, now| {
        age(q.oldest, now)
    }),
    (
        "approximate_number_of_groups_with_inflight_messages",
        "gauge",
        "FIFO: message groups with messages in flight.",
        |q, _| q.groups_in_flight,
    ),
    (
        "approximate_number_of_noisy_groups",
        "gauge",
        "Fair queues: message groups that count as noisy.",
        |q, _| q.noisy_groups,
    ),
    (
        "approximate_number_of_messages_visible_in_quiet_groups",
        "gauge",
        "Fair queues: visible messages of quiet groups.",
        |q, _| q.visible_quiet,
    ),
    (
        "approximate_number_of_messages_not_visible_in_quiet_groups",
        "gauge",
        "Fair queues: messages of quiet groups in flight.",
        |q, _| q.in_flight_quiet,
    ),
    (
        "approximate_number_of_messages_delayed_in_quiet_groups",
        "gauge",
        "Fair queues: delayed messages of quiet groups.",
        |q, _| q.delayed_quiet,
    ),
    (
        "approximate_age_of_oldest_message_in_quiet_groups_seconds",
        "gauge",
        "Fair queues: age of the oldest message of a quiet group.",
        |q, now| age(q.oldest_quiet, now),
    ),
    (
        "messages_in_memory",
        "gauge",
        "Messages of which memory knows where they lie; all others cost disk alone.",
        |q, _| q.in_memory,
    ),
    ("remembered_ids", "gauge", "FIFO: deduplication ids and receive attempts remembered.", |q, _| {
        q.remembered
    }),
    ("number_of_messages_sent_total", "counter", "Messages sent.", |q, _| q.totals.sent),
    ("sent_message_size_bytes_total", "counter", "Bytes of messages sent.", |q, _| q.totals.sent_bytes),
    ("number_of_messages_received_total", "counter", "Messages received.", |q, _| q.totals.received),
    ("number_of_messages_deleted_total", "counter", "Messages deleted.", |q, _| q.totals.deleted),
    ("number_of_empty_receives_total", "counter", "Receives that found nothing.", |q, _| {
        q.totals.empty_receives
    }),
    (
        "number_of_deduplicated_sent_messages_total",
        "counter",
        "FIFO: sends recognised as duplicates.",
        |q, _| q.totals.deduplicated,
    ),
    ("number_of_messages_expired_total", "counter", "Messages that retention removed.", |q, _| {
        q.totals.expired
    }),
    (
        "number_of_messages_moved_total",
        "counter",
        "Messages moved away by redrive or a move task.",
        |q, _| q.totals.moved,
    ),
];

fn age(oldest: Option<Moment>, now: Moment) -> u64 {
    oldest.map_or(0, |oldest| (now - oldest).0 / 1000)
}

fn queues(text: &mut Text, stats: &[QueueStats], now: Moment) {
    for (name, kind, help, value) in FIGURES {
        let name = format!("kew_sqs_{name}");
        text.family(&name, kind, help);
        // AWS has some figures for one type of queue alone.
        let applies = |queue: &&QueueStats| match help.split_once(": ") {
            Some(("FIFO", _)) => queue.key.is_fifo(),
            Some(("Fair queues", _)) => !queue.key.is_fifo(),
            _ => true,
        };
        for queue in stats.iter().filter(applies) {
            let key = &queue.key;
            let labels: [(&str, &dyn Display); 3] =
                [("queue", &key.name), ("account", &key.account), ("region", &key.region)];
            text.sample(&name, &labels, &value(queue, now));
        }
    }
}

/// Prometheus's text form. Label values need no escaping: names of queues, regions and operations have no quotes.
struct Text(String);

impl Text {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &dyn Display)], value: &dyn Display) {
        self.0.push_str(name);
        for (index, (label, text)) in labels.iter().enumerate() {
            let _ = write!(self.0, "{}{label}=\"{text}\"", if index == 0 { '{' } else { ',' });
        }
        let _ = writeln!(self.0, "{} {value}", if labels.is_empty() { "" } else { "}" });
    }

    fn histogram<const N: usize>(
        &mut self,
        name: &str,
        help: &str,
        histogram: &Histogram<N>,
        unit: fn(u64) -> f64,
    ) {
        self.family(name, "histogram", help);
        let bucket = format!("{name}_bucket");
        for (bound, count) in histogram.buckets() {
            self.sample(&bucket, &[("le", &unit(bound))], &count);
        }
        self.sample(&bucket, &[("le", &"+Inf")], &histogram.count());
        self.sample(&format!("{name}_sum"), &[], &unit(histogram.sum()));
        self.sample(&format!("{name}_count"), &[], &histogram.count());
    }
}

#[cfg(test)]
mod tests {
    use kew_engine::identity::Account;
    use kew_engine::services::sqs::QueueKey;
    use kew_engine::services::sqs::stats::Totals;

    use super::*;

    #[test]
    fn a_queue_is_shown_with_its_name_account_and_region() {
        let stats = QueueStats {
            key: QueueKey { account: Account::DEFAULT, region: "us-east-1".into(), name: "orders".into() },
            visible: 3,
            in_flight: 2,
            delayed: 1,
            oldest: Some(Moment(1_000)),
            groups_in_flight: 0,
            noisy_groups: 0,
            visible_quiet: 0,
            in_flight_quiet: 0,
            delayed_quiet: 0,
            oldest_quiet: None,
            in_memory: 3,
            remembered: 0,
            totals: Totals { sent: 6, ..Totals::default() },
        };
        let mut text = Text(String::new());
        queues(&mut text, &[stats], Moment(6_500));
        for line in [
            r#"kew_sqs_approximate_number_of_messages_visible{queue="orders",account="000000000000",region="us-east-1"} 3"#,
            r#"kew_sqs_approximate_age_of_oldest_message_seconds{queue="orders",account="000000000000",region="us-east-1"} 5"#,
            r#"kew_sqs_number_of_messages_sent_total{queue="orders",account="000000000000",region="us-east-1"} 6"#,
            "# TYPE kew_sqs_number_of_messages_sent_total counter",
        ] {
            assert!(text.0.lines().any(|found| found == line), "{line} is not in\n{}", text.0);
        }
    }

    #[test]
    fn a_histogram_ends_with_all_values() {
        let histogram = Histogram::new(&[100, 1000]);
        histogram.see(50);
        histogram.see(5000);
        let mut text = Text(String::new());
        text.histogram("h_seconds", "Help.", &histogram, |micros| micros as f64 / 1e6);
        assert_eq!(
            text.0,
            "# HELP h_seconds Help.\n# TYPE h_seconds histogram\nh_seconds_bucket{le=\"0.0001\"} 1\n\
             h_seconds_bucket{le=\"0.001\"} 1\nh_seconds_bucket{le=\"+Inf\"} 2\nh_seconds_sum 0.00505\nh_seconds_count 2\n"
        );
    }
}
