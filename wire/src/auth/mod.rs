//! Signature Version 4: who calls, and whether it is true.
//!
//! Nothing here knows a clock or a store of credentials: moments and secrets come in.

mod claim;
mod secret;

pub use claim::{Claim, Unclaimed, claim};
pub use secret::Secret;
