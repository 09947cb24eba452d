//! One folder per AWS service.

pub mod sqs;
pub mod sts;
