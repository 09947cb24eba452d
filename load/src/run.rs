//! One measurement: when it begins and ends, how fast it goes, and what is counted.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::pin::Pin;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval_at, sleep_until};

use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::options::Options;
use crate::pace::Pace;
use crate::process::cpu_time;
use crate::progress::{self, Progress};
use crate::report::{Report, Row};

/// How long requests may still be on their way after the end.
const GRACE: Duration = Duration::from_secs(1);

/// The row of what is done but not counted.
pub const NO_ROW: usize = usize::MAX;

/// One connection's work: it goes on until [`Run::take`] refuses.
pub type Worker = Pin<Box<dyn Future<Output = Result<(), Failure>>>>;

/// What all workers of one measurement share.
#[derive(Debug)]
pub struct Run {
    begin: Instant,
    end: Option<Instant>,
    /// Messages that the last row shall count, if that is what ends the run.
    count: Option<u64>,
    left: Cell<u64>,
    done: Notify,
    pace: Option<Pace>,
    keeps_spans: bool,
    last: Cell<Instant>,
    rows: RefCell<Vec<Row>>,
    errors: RefCell<BTreeMap<String, u64>>,
    first_error: RefCell<Option<String>>,
    is_told: bool,
    interrupt: Interrupt,
}

impl Run {
    /// A run whose limits are those of `options`: a count of messages, or else a duration after a warm-up.
    pub fn new(options: &Options, rows: &[&'static str]) -> Rc<Self> {
        let warmup = if options.count.is_some() { 0.0 } else { options.warmup.max(0.0) };
        let begin = Instant::now() + Duration::from_secs_f64(warmup);
        let end = begin + Duration::from_secs_f64(options.duration.max(0.001));
        Self::until(options, rows, begin, options.count.is_none().then_some(end))
    }

    /// A run that ends with its count of messages or at `end`, whichever comes first.
    pub fn until(options: &Options, rows: &[&'static str], begin: Instant, end: Option<Instant>) -> Rc<Self> {
        let rows = rows.iter().map(|name| Row { name, ..Row::default() }).collect();
        Rc::new(Self {
            begin,
            end,
            count: options.count,
            done: Notify::new(),
            left: Cell::new(options.count.unwrap_or(u64::MAX)),
            pace: options.rate.filter(|rate| *rate > 0.0).map(Pace::start),
            keeps_spans: options.keeps_spans,
            last: Cell::new(begin),
            rows: RefCell::new(rows),
            errors: RefCell::default(),
            first_error: RefCell::default(),
            is_told: options.progress,
            interrupt: options.interrupt.clone(),
        })
    }

    /// Asks to go on with up to `count` messages. Gives how many may be done: 0 is the end.
    pub fn take(&self, count: u64) -> u64 {
        if self.is_over() {
            return 0;
        }
        let taken = count.min(self.left.get());
        self.left.set(self.left.get() - taken);
        taken
    }

    /// Gives back what was taken and not done.
    pub fn give_back(&self, count: u64) {
        self.left.set(self.left.get().saturating_add(count));
    }

    /// Whether the time is over. A run by count ends its workers itself.
    pub fn is_over(&self) -> bool {
        self.interrupt.is_hit() || self.end.is_some_and(|end| Instant::now() >= end)
    }

    /// Waits until the next request is due, and gives the moment from which its latency counts.
    pub async fn due(&self) -> Instant {
        match &self.pace {
            Some(pace) => pace.next().await,
            None => Instant::now(),
        }
    }

    /// Counts an operation of the row that began at `started` and is done now.
    pub fn record(&self, row: usize, started: Instant, messages: u64) {
        let now = Instant::now();
        if now < self.begin || self.end.is_some_and(|end| now > end) {
            return;
        }
        self.last.set(now);
        let mut rows = self.rows.borrow_mut();
        let last = rows.len().checked_sub(1) == Some(row);
        let Some(row) = rows.get_mut(row) else { return };
        row.messages += messages;
        row.latency.record(now.saturating_duration_since(started));
        if self.keeps_spans {
            row.spans.push((started, now));
        }
        if last && self.count.is_some_and(|count| row.messages >= count) {
            self.done.notify_one();
        }
    }

    /// Counts something that went wrong, in the warm-up too. `detail` says more of the first one.
    pub fn error(&self, what: String, detail: impl FnOnce() -> String) {
        let mut first = self.first_error.borrow_mut();
        if first.is_none() {
            let detail = detail();
            *first = Some(if detail.is_empty() { what.clone() } else { format!("{what}: {detail}") });
        }
        *self.errors.borrow_mut().entry(what).or_default() += 1;
    }

    /// How much went wrong so far.
    pub fn error_count(&self) -> u64 {
        self.errors.borrow().values().sum()
    }

    /// Drives the workers to the end and gives what they found. Must be called within a `LocalSet`.
    pub async fn drive(
        self: Rc<Self>,
        work: &'static str,
        pid: Option<u32>,
        workers: Vec<Worker>,
    ) -> Result<Report, Failure> {
        let cost = || Ok::<_, Failure>((pid.map(cpu_time).transpose()?, cpu_time(std::process::id())?));
        let mut tasks = JoinSet::new();
        for worker in workers {
            tasks.spawn_local(worker);
        }
        let mut progress = Progress::new(work);
        let mut told = interval_at(tokio::time::Instant::now() + progress::INTERVAL, progress::INTERVAL);
        told.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut before = None;
        let is_timed_out = loop {
            let end = self.end.unwrap_or(self.begin);
            tokio::select! {
                biased;
                () = sleep_until(self.begin.into()), if before.is_none() => before = Some(cost()?),
                () = sleep_until(end.into()), if self.end.is_some() => break true,
                () = self.done.notified() => break false,
                () = self.interrupt.wait() => break false,
                _ = told.tick(), if self.is_told => self.tell(&mut progress),
                joined = tasks.join_next() => match joined {
                    Some(result) => result.map_err(|error| Failure::Process(work.to_owned(), error.to_string()))??,
                    None => break false,
                },
            }
        };
        let after = cost()?;
        let before = before.unwrap_or(after);
        progress.end();
        let until = if is_timed_out { self.end.unwrap_or(self.begin) } else { self.last.get() };
        let late = self.pace.as_ref().map_or(0, |pace| pace.late(until));
        // Whoever has an answer to come takes it, so that the server is quiet when the next measurement begins.
        let _ = tokio::time::timeout(GRACE, async { while tasks.join_next().await.is_some() {} }).await;
        tasks.shutdown().await;
        Ok(Report {
            work,
            rows: self.rows.take(),
            time: until.saturating_duration_since(self.begin),
            errors: self.errors.take(),
            first_error: self.first_error.take(),
            late,
            interrupted: self.interrupt.is_hit(),
            server_cpu: after.0.zip(before.0).map(|(after, before)| after.saturating_sub(before)),
            own_cpu: after.1.saturating_sub(before.1),
        })
    }

    fn tell(&self, progress: &mut Progress) {
        let messages = self.rows.borrow().last().map_or(0, |row| row.messages);
        progress.tell(self.begin, self.end, messages, self.error_count());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        tokio::task::LocalSet::new().block_on(&runtime, future)
    }

    #[test]
    fn a_run_by_count_ends_when_the_messages_are_done() {
        let options = Options { count: Some(25), ..Options::default() };
        let run = Run::new(&options, &["send"]);
        let worker = |run: Rc<Run>| async move {
            loop {
                let count = run.take(10);
                if count == 0 {
                    return Ok(());
                }
                run.record(0, Instant::now(), count);
            }
        };
        let workers: Vec<Worker> = vec![Box::pin(worker(Rc::clone(&run))), Box::pin(worker(Rc::clone(&run)))];
        let report = block_on(run.drive("test", None, workers)).expect("a report");
        assert_eq!(report.rows[0].messages, 25);
        assert_eq!(report.rows[0].latency.count(), 3);
    }

    #[test]
    fn a_failing_worker_ends_the_run() {
        let run = Run::new(&Options::default(), &["send"]);
        let failing: Worker = Box::pin(async { Err(Failure::Process("it".into(), "fails".into())) });
        let waiting: Worker = Box::pin(std::future::pending());
        assert!(block_on(run.drive("test", None, vec![waiting, failing])).is_err());
    }

    #[test]
    fn an_interrupted_run_gives_what_it_has_found() {
        let options = Options { duration: 3600.0, warmup: 0.0, ..Options::default() };
        let run = Run::new(&options, &["send"]);
        let worker = {
            let (run, interrupt) = (Rc::clone(&run), options.interrupt.clone());
            async move {
                run.record(0, Instant::now(), 1);
                run.error("it".to_owned(), || "first".to_owned());
                run.error("it".to_owned(), || "second".to_owned());
                interrupt.hit();
                assert_eq!(run.take(1), 0);
                std::future::pending().await
            }
        };
        let report = block_on(run.drive("test", None, vec![Box::pin(worker)])).expect("a report");
        assert!(report.interrupted && report.time < Duration::from_secs(60));
        assert_eq!((report.rows[0].messages, report.errors["it"]), (1, 2));
        assert_eq!(report.first_error.as_deref(), Some("it: first"));
    }
}
