//! What AWS adds for queues to the logic of policies.

use super::policy::OWNER_ONLY;
use crate::identity::{Kind, Principal};
use crate::policy::{self, Decision, Request, Steps};

/// What an account's root may do to its queue whatever the queue's policy says, so that a policy which denies everyone can be repaired
/// (user guide, *Perform a privileged task*: AWS's policy SQSUnlockQueuePolicy).
const UNLOCK: [&str; 3] = ["GetQueueAttributes", "GetQueueUrl", "SetQueueAttributes"];

/// Decides a request about a queue: as [`policy::decide`] does, but that nothing grants others what only the owner may, and that nothing
/// keeps an account's root from its queue's policy.
pub fn decide<'a>(request: &Request<'a>) -> Decision<'a> {
    decide_within(request, &Steps::new(policy::limits::STEPS))
}

/// The same within what is left of these steps.
pub(super) fn decide_within<'a>(request: &Request<'a>, steps: &Steps) -> Decision<'a> {
    let name = request.action.split_once(':').map_or(request.action, |(_, name)| name);
    let is = |known: &&str| known.eq_ignore_ascii_case(name);
    let principal = request.caller.identity.as_ref().map(|identity| &identity.principal);
    let has_account =
        |it: &Principal| !matches!(it.kind, Kind::Service | Kind::Anonymous) && it.account == request.owner;
    // Who has no account is a stranger everywhere.
    let is_own = principal.map_or(request.caller.account == request.owner, has_account);
    let is_root = principal.is_some_and(|it| it.kind == Kind::Root);
    if is_own && is_root && UNLOCK.iter().any(is) {
        return Decision::Allowed(None);
    }
    if !is_own && OWNER_ONLY.iter().any(is) {
        return policy::decide_within(&Request { policy: None, ..request.clone() }, steps);
    }
    policy::decide_within(request, steps)
}
