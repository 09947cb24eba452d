//! Every bound of policies, so that neither reading nor asking one takes long.

/// Bytes of a policy's document: as long as a KMS key policy, AWS's longest, may be.
pub const DOCUMENT_BYTES: usize = 32_768;
/// Bytes of a `User-Agent` that conditions see.
pub const USER_AGENT_BYTES: usize = 512;
/// Steps of one decision, each about a byte looked at (ours): a few milliseconds at the worst. Real policies need thousands; fifty tags with
/// the longest keys, compared with fifty patterns, need 400,000. Where they do not suffice, an Allow does not hold and a Deny does.
pub const STEPS: usize = 1_000_000;
/// Steps of all decisions together of one request that asks the policies of many queues (ours): of thousands with policies as they are, of
/// few with the most costly ones. A queue for which none are left says no.
pub const STEPS_OF_MANY: usize = 4 * STEPS;
