//! AWS's limits for keys (API reference; developer guide, *Quotas*).

/// Bytes that Encrypt takes.
pub const PLAINTEXT_BYTES: usize = 4096;

/// Bytes of a ciphertext that Decrypt and ReEncrypt take.
pub const CIPHERTEXT_BYTES: usize = 6144;

/// Bytes of a data key.
pub const DATA_KEY_BYTES: i32 = 1024;

/// Bytes of all keys and values of an encryption context, and also its pairs. The API reference names no figure; but policies look at each
/// pair for each of their conditions.
pub const ENCRYPTION_CONTEXT_BYTES: usize = 8192;

/// Characters of a key's description.
pub const DESCRIPTION_CHARS: usize = 8192;

/// Bytes of a key policy.
pub const POLICY_BYTES: usize = 32 * 1024;

/// Tags of a key.
pub const TAGS: usize = 50;

/// Characters of a tag's key.
pub const TAG_KEY_CHARS: usize = 128;

/// Characters of a tag's value.
pub const TAG_VALUE_CHARS: usize = 256;

/// Characters of an alias, its prefix included.
pub const ALIAS_CHARS: usize = 256;

/// Aliases of one key.
pub const ALIASES: usize = 50;

/// Characters of anything that names a key.
pub const KEY_ID_CHARS: usize = 2048;

/// Keys of an account, in all its regions: they are whatever a caller calls so. AWS allows 100,000 in each; every change writes all keys
/// down, so there are fewer here.
pub const KEYS: usize = 1000;

/// Regions in which keys are kept for an account's services. AWS has fewer than 40.
pub const REGIONS: usize = 100;

/// Days until a key that is scheduled for deletion is gone: at least, at most, and unless told otherwise.
pub const DELETION_DAYS: (i32, i32, i32) = (7, 30, 30);

/// Days between two automatic rotations: at least, at most, and unless told otherwise.
pub const ROTATION_DAYS: (i32, i32, i32) = (90, 2560, 365);

/// Rotations on demand in a key's life.
pub const ROTATIONS_ON_DEMAND: u32 = 25;

/// Items of one page, at most and unless told otherwise: keys, policies.
pub const PAGE: (i32, i32) = (1000, 100);

/// Aliases of one page, at most and unless told otherwise.
pub const ALIAS_PAGE: (i32, i32) = (100, 50);

/// Tags of one page, at most and unless told otherwise.
pub const TAG_PAGE: (i32, i32) = (50, 50);
