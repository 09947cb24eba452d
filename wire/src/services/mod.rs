//! The services whose requests and replies are typed here, one module each, generated from AWS's models.

pub mod sqs;

use crate::service::Model;

/// Every service. A Query request that does not say whom it means is the first one's.
pub const SERVICES: &[&Model] = &[&sqs::MODEL];
