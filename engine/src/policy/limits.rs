//! Every bound of policies, so that neither reading nor asking one takes long.

/// Bytes of a policy's document: as long as a KMS key policy, AWS's longest, may be.
pub const DOCUMENT_BYTES: usize = 32_768;
/// Bytes of a `User-Agent` that conditions see.
pub const USER_AGENT_BYTES: usize = 512;
