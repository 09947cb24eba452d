//! Signature Version 4: who calls, and whether it is true (AWS, *Signature Version 4 for API requests*).
//!
//! A request claims to be somebody's, in its `Authorization` header or in the query of a presigned URL:
//!
//! 1. [`Claim::read`] finds the claim, if there is one, and refuses one that is not well-formed.
//! 2. [`Claim::check`] holds its date against the clock, and its scope against the service that was called.
//! 3. The caller looks up the secret of [`Claim::access_key`].
//! 4. [`SigningKeys::verify`] computes the signature anew, from all that it covers, and compares.
//!
//! All refusals are AWS's, in the order in which AWS comes to them. Nothing here knows a clock or a store of credentials:
//! moments and secrets come in. What services of AWS's other than S3 do is done here: paths are normalised and encoded
//! twice, and the body is always covered, so `UNSIGNED-PAYLOAD` is worth nothing.

mod basic;
mod canonical;
mod claim;
mod date;
mod keys;
mod secret;
mod sign;

pub use basic::basic;
pub use canonical::{Headers, SignedRequest, canonical_path, canonical_query};
pub use claim::{Claim, Expected};
pub use date::format as timestamp;
pub use keys::{SigningKey, SigningKeys};
pub use secret::Secret;
pub use sign::sign;

/// The one algorithm of this version.
pub(crate) const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// What every scope ends with.
pub(crate) const TERMINATOR: &str = "aws4_request";
