//! The adversary: a simulated machine on which the real engine and the real journal run, attacked from all sides.
//!
//! Time, disk and callers are simulated; everything follows from one seed, also the configuration. The disk loses what
//! was not synced, fails, fills up, and loses power at any operation. Every answer is judged by a small model at the
//! moment of its decision, and after every crash the state must be that of a batch's end that the crash may have left.
//! When the faults are over, everything that was accepted must still be delivered.
//!
//! The same seed gives the same run; a failing one is told with its seed and shrunk to few steps.

pub mod auditor;
pub mod bare;
pub mod crossing;
pub mod disk;
pub mod model;
pub mod operation;
pub mod plan;
pub mod random;
pub mod run;
pub mod shelf;
pub mod shrink;
pub mod speech;
pub mod trace;
pub mod workload;
pub mod world;
