//! AWS Security Token Service: the requests, replies and faults of what is served of it.

mod codec;
pub mod faults;
#[allow(clippy::large_enum_variant, reason = "a request of this service is rare, and lives for one call")]
mod operations;
mod shapes;

pub use operations::{MODEL, Operation, Reply, Request};
pub use shapes::*;

use crate::service::Service;

/// The service, for [`decode`](crate::decode) and [`encode_reply`](crate::encode_reply).
#[derive(Debug, Clone, Copy)]
pub enum Sts {}

impl Service for Sts {
    super::generated!();
}
