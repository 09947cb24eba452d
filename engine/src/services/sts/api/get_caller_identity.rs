//! GetCallerIdentity: who signs. Needs no permission, and none can be refused (API GetCallerIdentity).

use alloc::string::ToString;

use kew_wire::sts::GetCallerIdentityResponse;

use crate::identity::Caller;

/// The caller's own words back to it.
pub fn get_caller_identity(caller: &Caller) -> GetCallerIdentityResponse {
    GetCallerIdentityResponse {
        user_id: Some(caller.sender.clone()),
        account: Some(caller.account.to_string().into()),
        arn: Some(caller.arn()),
    }
}
