//! The service's refusals, in the words that AWS's callers have reported. For tags that conflict with a calling session's those were not
//! found: they are ours.

use alloc::format;
use alloc::string::String;

use kew_wire::fault::{Fault, FaultKind, common};
use kew_wire::sts::faults::{MALFORMED_POLICY_DOCUMENT_EXCEPTION, PACKED_POLICY_TOO_LARGE_EXCEPTION};

use crate::identity::Caller;

const VALIDATION_ERROR: FaultKind = FaultKind {
    name: "ValidationError",
    namespace: "com.amazonaws.sts",
    code: "ValidationError",
    status: 400,
    sender: true,
};

/// A parameter that does not keep to its shape, or to what the role allows.
pub fn validation(message: impl Into<String>) -> Fault {
    Fault::new(&VALIDATION_ERROR, message.into())
}

/// Tags that do not go together.
pub fn invalid_parameter(message: &'static str) -> Fault {
    Fault::new(&common::INVALID_PARAMETER_VALUE, message)
}

/// The caller may not do this; AWS says no more, also of a role that does not exist.
pub fn not_authorized(caller: &Caller, action: &str, role: &str, because: &str) -> Fault {
    let arn = caller.arn();
    let message = format!("User: {arn} is not authorized to perform: {action} on resource: {role}{because}");
    Fault::new(&common::ACCESS_DENIED, message)
}

/// The caller may not do this, for a reason that has no policy.
pub fn access_denied(message: &'static str) -> Fault {
    Fault::new(&common::ACCESS_DENIED, message)
}

/// A session policy that cannot be read.
pub fn malformed_policy(message: impl Into<String>) -> Fault {
    Fault::new(&MALFORMED_POLICY_DOCUMENT_EXCEPTION, message.into())
}

/// Session policies and tags that do not fit into a token.
pub fn packed_policy_too_large(percent: usize) -> Fault {
    let message = format!("Packed policy consumes {percent}% of allotted space, please use smaller policy.");
    Fault::new(&PACKED_POLICY_TOO_LARGE_EXCEPTION, message)
}
