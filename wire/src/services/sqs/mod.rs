//! Amazon SQS: its requests, replies and faults.

pub mod faults;
mod operations;
mod shapes;

pub use operations::{Operation, Reply, Request};
pub use shapes::*;
