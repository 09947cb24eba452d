//! Amazon SQS (API version 2012-11-05).
//!
//! Words, AWS's at the edge and ours inside: a *lease* is a visibility timeout that runs; a *handle* is a receipt
//! handle; a *group* is a message group, or a tenant of a fair queue; a *receipt* is what a sender gets back.

pub mod access;
pub mod address;
pub mod api;
pub mod command;
pub mod event;
pub mod faults;
mod handle;
pub mod limits;
pub mod message;
pub mod policy;
pub(crate) mod queue;
pub mod settings;
pub(crate) mod state;
pub mod stats;

pub use command::{Action, Command, QueueKey, Reply};
pub use state::move_source;
