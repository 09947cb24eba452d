//! How far something long has come, for whoever sits at a terminal.

use std::cell::Cell;
use std::io::{IsTerminal, Write, stderr};

/// Less than this is read before anybody wonders.
const LARGE: u64 = 256 << 20;
const WIDTH: usize = 30;

/// A bar on standard error, if that is a terminal.
#[derive(Debug)]
pub(crate) struct Progress {
    what: &'static str,
    is_shown: bool,
    percent: Cell<Option<u64>>,
}

impl Progress {
    /// A bar that says what goes on.
    pub(crate) fn new(what: &'static str) -> Self {
        Self { what, is_shown: stderr().is_terminal(), percent: Cell::new(None) }
    }

    /// Bytes done, of all.
    pub(crate) fn show(&self, done: u64, total: u64) {
        let percent = (done.min(total) * 100).checked_div(total).unwrap_or(100);
        if !self.is_shown || total < LARGE || self.percent.get() == Some(percent) {
            return;
        }
        self.percent.set(Some(percent));
        let full = percent as usize * WIDTH / 100;
        let (full, empty) = ("#".repeat(full), ".".repeat(WIDTH - full));
        self.write(&format!("\r{} [{full}{empty}] {percent:3}% of {}", self.what, bytes(total)));
    }

    /// How far it has come, where nobody knows how far it goes.
    pub(crate) fn tell(&self, done: &str) {
        if self.is_shown {
            self.percent.set(Some(0));
            self.write(&format!("\r{} {done}\x1b[K", self.what));
        }
    }

    /// Removes the bar.
    pub(crate) fn end(&self) {
        if self.percent.take().is_some() {
            self.write("\r\x1b[K");
        }
    }

    fn write(&self, text: &str) {
        // Nobody needs it.
        let _ = stderr().write_all(text.as_bytes());
    }
}

/// A number of bytes, for people.
pub(crate) fn bytes(count: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut value = count as f64;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    if unit == 0 { format!("{count} B") } else { format!("{value:.1} {}", UNITS[unit]) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_told_in_the_unit_that_reads_best() {
        for (count, text) in [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (5 << 30, "5.0 GiB")] {
            assert_eq!(bytes(count), text);
        }
    }
}
