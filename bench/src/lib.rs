//! Kew's own measurements: series of work that are strung together against servers that are started for them, beside the
//! reference servers of `kew-ladder`.
//!
//! The load comes from `kew-load`, as it does for `kew bench`. The [`suite`] is about speed, [`depth`] about deep backlogs; both ask
//! what that costs: a [`process`], its [`figures`], its [`disk`]. Nothing here ends a process that it did not start.

pub mod depth;
pub mod disk;
pub mod figures;
pub mod options;
pub mod process;
pub mod server;
pub mod suite;
mod table;
