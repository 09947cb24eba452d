//! What queues do, as tables: each line is a request, and behind `=>` what must come of it.
//!
//! The language is described in [`script`]. Every table is also replayed from its journal and restored from a snapshot; both
//! must give the very same state.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod access;
mod cold;
mod dead_letters;
mod durability;
mod fair;
mod fifo;
mod histories;
mod moves;
mod queues;
mod script;
mod standard;
mod transfers;
mod waiting;
