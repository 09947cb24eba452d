//! One folder per AWS service.

pub mod kms;
pub mod sqs;
pub mod sts;
