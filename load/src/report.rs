//! What a run found, as a table for people and as JSON for machines.

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::histogram::Histogram;

/// When something began, and when it was done.
pub type Span = (Instant, Instant);

/// One kind of request (or of message) within a run.
#[derive(Debug, Clone, Default)]
pub struct Row {
    /// What was measured.
    pub name: &'static str,
    /// Messages that went through.
    pub messages: u64,
    /// How long each took; its count is the number of operations.
    pub latency: Histogram,
    /// When each began (or was due) and ended, if that is kept: [`Options::keeps_spans`](crate::options::Options::keeps_spans).
    pub spans: Vec<Span>,
}

/// The outcome of one run.
#[derive(Debug, Clone)]
pub struct Report {
    /// The work's name.
    pub work: &'static str,
    /// Kinds of requests. The last one's messages are those that the work is about.
    pub rows: Vec<Row>,
    /// How long was measured.
    pub time: Duration,
    /// What went wrong, by status and fault, and how often.
    pub errors: BTreeMap<String, u64>,
    /// The first error, in the endpoint's own words.
    pub first_error: Option<String>,
    /// Requests of an open loop that were due and were not even begun, for want of a free connection.
    pub late: u64,
    /// Whether it was ended before its time.
    pub interrupted: bool,
    /// CPU time of the server, if its process is known.
    pub server_cpu: Option<Duration>,
    /// CPU time of this process.
    pub own_cpu: Duration,
}

impl Report {
    /// The row that the work is about.
    pub fn main(&self) -> Option<&Row> {
        self.rows.last()
    }

    /// Messages per second.
    pub fn rate(&self) -> f64 {
        self.main().map_or(0.0, |row| self.per_second(row.messages))
    }

    /// Server CPU per message in microseconds.
    pub fn server_micros(&self) -> Option<f64> {
        Some(self.server_cpu?.as_secs_f64() * 1e6 / self.main()?.messages as f64)
            .filter(|micros| micros.is_finite())
    }

    /// Adds what another run of the same work found, as if it had been one run with a break in between.
    pub fn add(&mut self, other: Self) {
        for (row, more) in self.rows.iter_mut().zip(other.rows) {
            row.messages += more.messages;
            row.latency.add(&more.latency);
            row.spans.extend(more.spans);
        }
        self.late += other.late;
        self.interrupted |= other.interrupted;
        self.time += other.time;
        self.server_cpu = self.server_cpu.zip(other.server_cpu).map(|(one, more)| one + more);
        self.own_cpu += other.own_cpu;
        self.add_errors(other.errors, other.first_error);
    }

    /// Adds what else went wrong.
    pub(crate) fn add_errors(&mut self, errors: BTreeMap<String, u64>, first: Option<String>) {
        for (what, count) in errors {
            *self.errors.entry(what).or_default() += count;
        }
        self.first_error = self.first_error.take().or(first);
    }

    /// How many requests, or entries of batches, went wrong.
    pub fn error_count(&self) -> u64 {
        self.errors.values().sum()
    }

    /// Everything, for machines.
    pub fn json(&self) -> Value {
        let rows = self.rows.iter().map(|row| {
            json!({
                "name": row.name,
                "operations_per_second": self.per_second(row.latency.count()),
                "messages_per_second": self.per_second(row.messages),
                "operations": row.latency.count(),
                "messages": row.messages,
                "p50_us": micros(row.latency.quantile(0.5)),
                "p90_us": micros(row.latency.quantile(0.9)),
                "p99_us": micros(row.latency.quantile(0.99)),
                "p99.9_us": micros(row.latency.quantile(0.999)),
                "max_us": micros(row.latency.max()),
            })
        });
        json!({
            "work": self.work,
            "seconds": self.time.as_secs_f64(),
            "rows": rows.collect::<Vec<_>>(),
            "errors": self.errors,
            "first_error": self.first_error,
            "late": self.late,
            "interrupted": self.interrupted,
            "server_cpu_us_per_message": self.server_micros(),
            "generator_cpu_us_per_request": self.own_micros(),
        })
    }

    fn per_second(&self, count: u64) -> f64 {
        count as f64 / self.time.as_secs_f64().max(1e-9)
    }

    /// CPU of this process per request in microseconds.
    pub fn own_micros(&self) -> f64 {
        let operations = self.rows.iter().map(|row| row.latency.count()).sum::<u64>().max(1);
        self.own_cpu.as_secs_f64() * 1e6 / operations as f64
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:<16}{:>12}{:>14}{:>11}{:>11}{:>11}{:>11}{:>11}",
            self.work, "requests/s", "messages/s", "p50", "p90", "p99", "p99.9", "max"
        )?;
        for row in &self.rows {
            let [p50, p90, p99, p999] = [0.5, 0.9, 0.99, 0.999].map(|share| row.latency.quantile(share));
            writeln!(
                f,
                "  {:<14}{:>12}{:>14}{:>11}{:>11}{:>11}{:>11}{:>11}",
                row.name,
                grouped(self.per_second(row.latency.count())),
                grouped(self.per_second(row.messages)),
                short(p50),
                short(p90),
                short(p99),
                short(p999),
                short(row.latency.max())
            )?;
        }
        write!(f, "  {:.2} s;", self.time.as_secs_f64())?;
        if let Some(micros) = self.server_micros() {
            write!(f, " server CPU {micros:.1} us per message;")?;
        }
        write!(f, " generator CPU {:.1} us per request; ", self.own_micros())?;
        if self.errors.is_empty() {
            f.write_str("no errors")?;
        } else {
            f.write_str("errors:")?;
            self.errors.iter().try_for_each(|(what, count)| write!(f, " {what} x {count};"))?;
        }
        if let Some(first) = &self.first_error {
            write!(f, "\n  the first error: {first}")?;
        }
        if self.late > 0 {
            write!(
                f,
                "\n  {} requests were due and not sent: too few connections, or too slow a server",
                self.late
            )?;
        }
        if self.interrupted {
            write!(f, "\n  interrupted: this is what was measured until then")?;
        }
        Ok(())
    }
}

/// A count with its thousands apart.
pub fn grouped(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A duration with three digits and its unit.
pub fn short(time: Duration) -> String {
    let micros = micros(time);
    let (value, unit) = match micros {
        ..1e3 => (micros, "us"),
        ..1e6 => (micros / 1e3, "ms"),
        _ => (micros / 1e6, "s"),
    };
    let decimals = if value < 9.995 { 2 } else { usize::from(value < 99.95) };
    format!("{value:.decimals$} {unit}")
}

/// A duration in microseconds.
pub fn micros(time: Duration) -> f64 {
    time.as_nanos() as f64 / 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_to_be_read() {
        assert_eq!(grouped(0.0), "0");
        assert_eq!(grouped(999.6), "1,000");
        assert_eq!(grouped(1_234_567.0), "1,234,567");
        assert_eq!(short(Duration::from_nanos(1234)), "1.23 us");
        assert_eq!(short(Duration::from_micros(45_678)), "45.7 ms");
        assert_eq!(short(Duration::from_millis(120_000)), "120 s");
    }

    #[test]
    fn rates_are_those_of_the_last_row() {
        let mut report = Report {
            work: "test",
            rows: vec![Row { messages: 5, ..Row::default() }, Row { messages: 100, ..Row::default() }],
            time: Duration::from_secs(2),
            errors: BTreeMap::new(),
            first_error: None,
            late: 0,
            interrupted: false,
            server_cpu: Some(Duration::from_millis(1)),
            own_cpu: Duration::ZERO,
        };
        assert_eq!(report.rate(), 50.0);
        assert_eq!(report.server_micros(), Some(10.0));
        report.add(report.clone());
        assert_eq!((report.rate(), report.server_micros()), (50.0, Some(10.0)));
        report.rows[1].messages = 0;
        assert_eq!(report.server_micros(), None);
    }
}
