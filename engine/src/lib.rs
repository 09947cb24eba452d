//! What queues mean.
//!
//! Everything here is pure: no clock, thread, file, socket or randomness. Time and a seed come in with each command;
//! facts (events), replies and the next deadline come out. The crate is `no_std`, so the compiler enforces it.
#![no_std]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod audit;
pub mod codec;
pub mod cold;
pub mod identity;
mod identity_hash;
pub mod policy;
pub mod seed;
pub mod services;
pub mod shard;
pub mod time;
pub mod transfer;
