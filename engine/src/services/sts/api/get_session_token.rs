//! GetSessionToken: a key that lasts asks for one that does not (API GetSessionToken). Needs no permission.

use kew_wire::fault::Fault;
use kew_wire::sts::GetSessionTokenRequest;

use super::super::constraints::Constraints;
use super::super::{faults, limits};
use crate::identity::{Caller, Kind};

/// For how many seconds the session is given.
///
/// # Errors
/// A duration out of bounds; a code of a device that nobody has; a caller who has a session already.
pub fn decide(request: &GetSessionTokenRequest, caller: &Caller) -> Result<u32, Fault> {
    let mut constraints = Constraints::default();
    if let Some(seconds) = request.duration_seconds {
        constraints.number("durationSeconds", seconds, limits::USER_SECONDS);
    }
    constraints.end()?;
    let is_root = match &caller.identity {
        None => true,
        Some(identity) if identity.principal.issued.is_some() => {
            return Err(faults::access_denied("Cannot call GetSessionToken with session credentials"));
        }
        Some(identity) => identity.principal.kind == Kind::Root,
    };
    if request.token_code.is_some() || request.serial_number.is_some() {
        return Err(faults::access_denied(
            "MultiFactorAuthentication failed with invalid MFA one time pass code. ",
        ));
    }
    let asked = request.duration_seconds.and_then(|seconds| u32::try_from(seconds).ok());
    let seconds = asked.unwrap_or(limits::USER_SECONDS_DEFAULT);
    Ok(if is_root { seconds.min(limits::ROOT_SECONDS) } else { seconds })
}
