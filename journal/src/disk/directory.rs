//! The data directory as a whole: whose it is, of which format, and which journals lie in it.

/// A data directory, locked for this process.
#[derive(Debug)]
pub struct Directory {}
