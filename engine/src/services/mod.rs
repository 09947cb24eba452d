//! One folder per AWS service.

pub mod sqs;
