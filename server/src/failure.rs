//! Why the process ends: one line for the operator, and an exit code.

use std::fmt;

/// The server cannot start, or cannot go on.
#[derive(Debug)]
pub(crate) struct Failure {
    line: String,
    code: u8,
}

impl Failure {
    /// The operator asked for something that cannot be: a bad flag, key or value. Exit code 2.
    pub(crate) fn usage(line: impl Into<String>) -> Self {
        Self { line: line.into(), code: 2 }
    }

    /// The world does not let us: a port is taken, a directory not writable, a file corrupt. Exit code 1.
    pub(crate) fn world(line: impl Into<String>) -> Self {
        Self { line: line.into(), code: 1 }
    }

    /// The exit code: never 0.
    pub(crate) fn code(&self) -> u8 {
        self.code
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Whatever a library's error says, the operator reads one line.
        let mut words = self.line.split(['\n', '\r']).map(str::trim).filter(|part| !part.is_empty());
        if let Some(first) = words.next() {
            f.write_str(first)?;
        }
        words.try_for_each(|part| write!(f, " {part}"))
    }
}
