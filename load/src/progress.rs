//! How a measurement is getting on, for whoever watches.

use std::io::{IsTerminal as _, Write as _, stderr};
use std::time::{Duration, Instant};

use crate::report::grouped;

/// How often it is told.
pub(crate) const INTERVAL: Duration = Duration::from_secs(1);

/// A line on standard error: the same one over and over on a terminal, else one after the other.
#[derive(Debug)]
pub(crate) struct Progress {
    work: &'static str,
    is_terminal: bool,
    told: Option<(Instant, u64)>,
}

impl Progress {
    /// Nothing has been done yet.
    pub(crate) fn new(work: &'static str) -> Self {
        Self { work, is_terminal: stderr().is_terminal(), told: None }
    }

    /// How much has been done since `begin`, and when it will end, if that is known.
    pub(crate) fn tell(&mut self, begin: Instant, end: Option<Instant>, messages: u64, errors: u64) {
        let now = Instant::now();
        if now <= begin {
            return;
        }
        let (since, before) = self.told.replace((now, messages)).unwrap_or((begin, 0));
        let rate = messages.saturating_sub(before) as f64 / now.duration_since(since).as_secs_f64().max(1e-3);
        let of = end.map_or_else(String::new, |end| {
            format!(" of {:.0}", end.saturating_duration_since(begin).as_secs_f64())
        });
        let line = format!(
            "{}: {:.0}{of} s, {} messages, {}/s now, {errors} errors",
            self.work,
            now.duration_since(begin).as_secs_f64(),
            grouped(messages as f64),
            grouped(rate)
        );
        if self.is_terminal {
            self.write(&format!("\r{line}\x1b[K"))
        } else {
            self.write(&format!("{line}\n"))
        }
    }

    /// Leaves the line to others.
    pub(crate) fn end(&self) {
        if self.is_terminal && self.told.is_some() {
            self.write("\r\x1b[K");
        }
    }

    fn write(&self, text: &str) {
        // Nobody needs it.
        let _ = stderr().write_all(text.as_bytes());
    }
}
