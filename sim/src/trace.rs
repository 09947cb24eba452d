//! What happened, line by line: the last lines for people, a hash over all of them to compare two runs.

use std::collections::VecDeque;
use std::fmt;

/// How many lines are kept for a report.
const KEPT: usize = 50;

/// The record of a run.
#[derive(Debug, Clone)]
pub struct Trace {
    last: VecDeque<String>,
    hash: u64,
    lines: u64,
    /// Prints each line as it comes.
    pub echo: bool,
}

impl Trace {
    /// An empty record.
    pub fn new(echo: bool) -> Self {
        Self { last: VecDeque::with_capacity(KEPT), hash: 0xcbf2_9ce4_8422_2325, lines: 0, echo }
    }

    /// Adds a line.
    pub fn line(&mut self, line: fmt::Arguments<'_>) {
        let line = line.to_string();
        if self.echo {
            println!("{line}");
        }
        for byte in line.bytes().chain([b'\n']) {
            self.hash = (self.hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        self.lines += 1;
        if self.last.len() == KEPT {
            self.last.pop_front();
        }
        self.last.push_back(line);
    }

    /// A hash over every line so far.
    pub fn hash(&self) -> u64 {
        self.hash
    }

    /// How many lines there were.
    pub fn lines(&self) -> u64 {
        self.lines
    }

    /// The last lines, oldest first.
    pub fn last(&self) -> impl Iterator<Item = &str> {
        self.last.iter().map(String::as_str)
    }
}
