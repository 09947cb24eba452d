//! What the machine takes away while something is measured.
//!
//! A virtual machine's processors are taken from it whenever its host wants them for others, often for longer than a server needs for an
//! answer, and nothing in a latency tells whose fault it was. So one thread per processor, of a real-time priority, does nothing but
//! to sleep for a millisecond again and again. No server can hold it up, and when it wakes late the processor was not there.
//! (Work of the kernel that cannot be interrupted counts as well; whether a server causes it shows when two servers' shares are compared.)

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::thread::{CpuSet, gettid, sched_getaffinity, sched_setaffinity};

use kew_load::Failure;
use kew_load::histogram::Histogram;
use kew_load::report::Span;

/// How long each thread sleeps.
const SLEEP: Duration = Duration::from_millis(1);

/// Waking up later than this is an interruption: half of what a send takes by median here.
const LATE: Duration = Duration::from_micros(600);

/// The threads' priority, of 1 to 99, under the kernel's first-in, first-out policy.
const PRIORITY: &str = "50";

/// The threads that watch.
#[derive(Debug)]
pub struct Watch {
    is_over: Arc<AtomicBool>,
    threads: Vec<JoinHandle<Vec<Span>>>,
}

impl Watch {
    /// Watches every processor that this process may use, from now on.
    ///
    /// # Errors
    ///
    /// Real-time priority is not permitted, or the program that gives it (`chrt`, of util-linux) is not there.
    pub fn start() -> Result<Self, Failure> {
        let failure = |error: String| Failure::Process("a thread of real-time priority".to_owned(), error);
        let allowed = sched_getaffinity(None).map_err(|error| failure(error.to_string()))?;
        let mut watch = Self { is_over: Arc::default(), threads: Vec::new() };
        for cpu in (0..CpuSet::MAX_CPU).filter(|cpu| allowed.is_set(*cpu)) {
            let is_over = Arc::clone(&watch.is_over);
            let (tell, told) = std::sync::mpsc::channel();
            watch.threads.push(thread::spawn(move || {
                let ready = settle(cpu);
                let is_ready = ready.is_ok();
                let _ = tell.send(ready);
                if is_ready { look(&is_over) } else { Vec::new() }
            }));
            told.recv().unwrap_or_else(|_| Err("it ended".to_owned())).map_err(failure)?;
        }
        Ok(watch)
    }

    /// What was seen.
    #[must_use]
    pub fn end(mut self) -> Interruptions {
        self.is_over.store(true, Ordering::Relaxed);
        let threads = std::mem::take(&mut self.threads);
        Interruptions::of(threads.into_iter().flat_map(|thread| thread.join().unwrap_or_default()).collect())
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
    }
}

/// Binds the calling thread to a processor and gives it its priority.
fn settle(cpu: usize) -> Result<(), String> {
    let mut only = CpuSet::new();
    only.set(cpu);
    sched_setaffinity(None, &only).map_err(|error| error.to_string())?;
    let thread = gettid().as_raw_nonzero().to_string();
    let mut program = Command::new("chrt");
    program.args(["--fifo", "--pid", PRIORITY, &thread]).stdin(Stdio::null()).stdout(Stdio::null());
    let output = program.output().map_err(|error| format!("chrt: {error}"))?;
    if output.status.success() {
        Ok(())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).trim().to_owned())
    }
}

fn look(is_over: &AtomicBool) -> Vec<Span> {
    let mut seen = Vec::new();
    while !is_over.load(Ordering::Relaxed) {
        let due = Instant::now() + SLEEP;
        thread::sleep(SLEEP);
        let now = Instant::now();
        if now.saturating_duration_since(due) > LATE {
            seen.push((due, now));
        }
    }
    seen
}

/// When a processor was not there, in order and apart from each other.
#[derive(Debug, Default)]
pub struct Interruptions(Vec<Span>);

impl Interruptions {
    fn of(mut spans: Vec<Span>) -> Self {
        spans.sort_unstable();
        let mut apart: Vec<Span> = Vec::new();
        for (begin, end) in spans {
            match apart.last_mut() {
                Some(last) if begin <= last.1 => last.1 = last.1.max(end),
                _ => apart.push((begin, end)),
            }
        }
        Self(apart)
    }

    /// Whether one of them falls into a span of time.
    fn touch(&self, (begin, end): Span) -> bool {
        let next = self.0.partition_point(|gone| gone.1 <= begin);
        self.0.get(next).is_some_and(|gone| gone.0 < end)
    }

    /// How long requests took that none of them touched.
    #[must_use]
    pub fn spared(&self, requests: &[Span]) -> Histogram {
        let mut latency = Histogram::default();
        for span in requests.iter().filter(|span| !self.touch(**span)) {
            latency.record(span.1.saturating_duration_since(span.0));
        }
        latency
    }

    /// The part (0 to 1) of the time from the first of some requests to the last in which a processor was not there.
    #[must_use]
    pub fn share(&self, requests: &[Span]) -> f64 {
        let Some(begin) = requests.iter().map(|span| span.0).min() else { return 0.0 };
        let end = requests.iter().map(|span| span.1).max().unwrap_or(begin);
        let gone = |gone: &Span| gone.1.min(end).saturating_duration_since(gone.0.max(begin)).as_secs_f64();
        self.0.iter().map(gone).sum::<f64>() / end.saturating_duration_since(begin).as_secs_f64().max(1e-9)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_requests_that_an_interruption_touches_are_left_out() {
        let begin = Instant::now();
        let at =
            |from: u64, to: u64| (begin + Duration::from_millis(from), begin + Duration::from_millis(to));
        // On two processors, out of order, two of them at one time.
        let gone = Interruptions::of(vec![at(50, 60), at(10, 14), at(12, 20), at(80, 81)]);
        let requests = [at(0, 10), at(9, 11), at(15, 16), at(20, 22), at(40, 70), at(21, 50), at(81, 100)];
        let spared: Vec<bool> = requests.iter().map(|span| !gone.touch(*span)).collect();
        assert_eq!(spared, [true, false, false, true, false, true, true]);
        let latency = gone.spared(&requests);
        assert_eq!((latency.count(), latency.max()), (4, Duration::from_millis(29)));
        assert!((gone.share(&requests) - 0.21).abs() < 1e-6, "{}", gone.share(&requests));
        assert!(Interruptions::default().share(&[]).abs() < f64::EPSILON);
    }
}
