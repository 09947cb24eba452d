//! How much a request may ask of its reader, whatever its bytes say. AWS's own limits are far below.

/// How deep JSON may nest. Readers keep a bit for each level in a `u128`.
pub const DEPTH: u32 = 128;

/// How many items and entries a request's lists and maps may hold in all. A few bytes on the wire can become an item
/// of hundreds of bytes in memory; this bounds what a body can grow to.
pub const ELEMENTS: u32 = 20_000;

/// How many pairs a form may hold.
pub const PAIRS: usize = 20_000;

/// How many segments the name of a form's pair may have; longer names name nothing.
pub const SEGMENTS: usize = 64;

/// The longest message of a fault, in bytes. AWS's own, with a receipt handle or an ARN in them, are shorter.
pub const FAULT_BYTES: usize = 2048;

/// The same of a signature that does not match, which repeats the canonical request for its sender to compare.
pub const FAULT_SIGNATURE_BYTES: usize = 8 * 1024;

/// By how many milliseconds a signature's date may lie before or after the server's clock: AWS's 15 minutes.
pub const SKEW_MS: u64 = 15 * 60 * 1000;

/// For how many seconds a presigned URL may hold: AWS's seven days.
pub const PRESIGNED_SECONDS: u64 = 7 * 24 * 60 * 60;

/// How many signing keys are remembered, each of a few hundred bytes.
pub const SIGNING_KEYS: usize = 1024;

const _: () = assert!(DEPTH <= u128::BITS);
