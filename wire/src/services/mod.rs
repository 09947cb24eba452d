//! The services whose requests and replies are typed here, one module each, generated from AWS's models.

pub mod sqs;
