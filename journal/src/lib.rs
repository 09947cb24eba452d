//! Bytes that survive: one shard's sequence of batches, framed, checksummed, synced, recovered.
//!
//! The journal never knows what the bytes mean.

pub mod disk;
