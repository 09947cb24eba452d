//! A shard on its journal: where what queues mean meets the bytes that survive.
//!
//! [`Home`] opens a journal and rebuilds the shard from it; [`Retirement`] keeps the journal short beside the traffic. Both are
//! what the server runs and what the simulator runs. [`doctor`] looks at a shard that nobody uses and makes a damaged one anew;
//! [`backup`] copies one, and [`restore`] makes a data directory of copies. Nothing here has a thread, a socket or a clock; calls
//! block on the disk.

pub mod backup;
pub mod doctor;
mod home;
pub mod restore;
mod retirement;
pub mod sealed;
mod source;

pub use home::{Home, Opened, RebuildError};
pub use retirement::{Lost, Outcome, Retirement, Step};
pub use source::Source;
