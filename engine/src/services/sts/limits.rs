//! Every limit of the service (API reference of STS; IAM user guide, *IAM and AWS STS quotas*).

use core::ops::RangeInclusive;

/// Seconds of a role's session; the role may allow less (API AssumeRole).
pub const ROLE_SECONDS: RangeInclusive<i32> = 900..=43_200;
/// Seconds of a role's session if none are asked for.
pub const ROLE_SECONDS_DEFAULT: u32 = 3600;
/// The longest session that a session of a role can ask for: "role chaining".
pub const CHAINED_SECONDS: u32 = 3600;
/// Seconds of a user's session (API GetSessionToken).
pub const USER_SECONDS: RangeInclusive<i32> = 900..=129_600;
/// Seconds of a user's session if none are asked for.
pub const USER_SECONDS_DEFAULT: u32 = 43_200;
/// The longest session of an account's root; what asks for more gets this.
pub const ROOT_SECONDS: u32 = 3600;
/// Characters of a role's ARN.
pub const ARN_CHARS: RangeInclusive<usize> = 20..=2048;
/// Characters of a session's name, and of a source identity.
pub const SESSION_NAME_CHARS: RangeInclusive<usize> = 2..=64;
/// Characters of an external id.
pub const EXTERNAL_ID_CHARS: RangeInclusive<usize> = 2..=1224;
/// Characters of a session policy.
pub const POLICY_CHARS: RangeInclusive<usize> = 1..=2048;
/// Session policies that are named by ARN.
pub const POLICY_ARNS: usize = 10;
/// Tags of a session.
pub const TAGS: usize = 50;
/// Characters of a tag's key.
pub const TAG_KEY_CHARS: RangeInclusive<usize> = 1..=128;
/// Characters of a tag's value.
pub const TAG_VALUE_CHARS: RangeInclusive<usize> = 0..=256;
/// Bytes that the policies and tags of a session may take in its token, so that the token stays within AWS's 4,096 characters. AWS
/// packs in a way of its own and does not say how much it allows.
pub const PACKED_BYTES: usize = 2400;
/// Characters of a refused value that the refusal repeats.
pub const SHOWN_CHARS: usize = 2048;
