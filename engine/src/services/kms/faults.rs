//! The refusals of this service. Codes are AWS's. The words are those that AWS's callers have reported, where any were found; those
//! marked "our words" are not.

use alloc::borrow::Cow;
use alloc::format;

use kew_wire::fault::{Fault, FaultKind};
use kew_wire::kms::faults as kinds;

/// ValidationException: what AWS's framework refuses before the service looks. Not modelled.
pub const VALIDATION: FaultKind = FaultKind {
    name: "ValidationException",
    namespace: "com.amazonaws.kms",
    code: "ValidationException",
    status: 400,
    sender: true,
};

/// AccessDeniedException: not modelled, and 400 in this service.
pub const ACCESS_DENIED: FaultKind = FaultKind {
    name: "AccessDeniedException",
    namespace: "com.amazonaws.kms",
    code: "AccessDeniedException",
    status: 400,
    sender: true,
};

/// NotAuthorizedException: for names that AWS keeps for itself. Not modelled.
pub const NOT_AUTHORIZED: FaultKind = FaultKind {
    name: "NotAuthorizedException",
    namespace: "com.amazonaws.kms",
    code: "NotAuthorizedException",
    status: 400,
    sender: true,
};

/// A parameter breaks its shape's constraint.
pub(super) fn constraint(value: &str, member: &str, constraint: &str) -> Fault {
    let message = format!(
        "1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint: {constraint}"
    );
    Fault::new(&VALIDATION, message)
}

/// A required parameter is not there.
pub(super) fn missing(member: &str) -> Fault {
    let message = format!(
        "1 validation error detected: Value null at '{member}' failed to satisfy constraint: Member must not be null"
    );
    Fault::new(&VALIDATION, message)
}

/// Anything else that a request must not say.
pub(super) fn validation(message: impl Into<Cow<'static, str>>) -> Fault {
    Fault::new(&VALIDATION, message)
}

pub(super) fn no_key(arn: &str) -> Fault {
    Fault::new(&kinds::NOT_FOUND_EXCEPTION, format!("Key '{arn}' does not exist"))
}

pub(super) fn no_alias(arn: &str) -> Fault {
    Fault::new(&kinds::NOT_FOUND_EXCEPTION, format!("Alias {arn} is not found."))
}

pub(super) fn invalid_key_id(given: &str) -> Fault {
    Fault::new(&kinds::NOT_FOUND_EXCEPTION, format!("Invalid keyId '{given}'"))
}

pub(super) fn invalid_arn(reason: &str) -> Fault {
    Fault::new(&kinds::NOT_FOUND_EXCEPTION, format!("Invalid arn {reason}"))
}

pub(super) fn disabled(arn: &str) -> Fault {
    Fault::new(&kinds::DISABLED_EXCEPTION, format!("{arn} is disabled."))
}

pub(super) fn pending_deletion(arn: &str) -> Fault {
    Fault::new(&kinds::KMS_INVALID_STATE_EXCEPTION, format!("{arn} is pending deletion."))
}

pub(super) fn not_pending_deletion(arn: &str) -> Fault {
    Fault::new(&kinds::KMS_INVALID_STATE_EXCEPTION, format!("{arn} is not pending deletion."))
}

/// AWS says no more, so that nobody learns why.
pub(super) fn invalid_ciphertext() -> Fault {
    Fault::new(&kinds::INVALID_CIPHERTEXT_EXCEPTION, "")
}

/// A limit is reached: our words.
pub(super) fn limit_exceeded(message: impl Into<Cow<'static, str>>) -> Fault {
    Fault::new(&kinds::LIMIT_EXCEEDED_EXCEPTION, message)
}

/// Kew does not do this: our words.
pub(super) fn unsupported(what: &str) -> Fault {
    Fault::new(&kinds::UNSUPPORTED_OPERATION_EXCEPTION, format!("{what} is not supported here."))
}

/// The caller may not do this to a key of its own account, or to none in particular, and why.
pub(super) fn denied_because(caller: &str, action: &str, resource: &str, because: &str) -> Fault {
    let message =
        format!("User: {caller} is not authorized to perform: {action} on resource: {resource} {because}");
    Fault::new(&ACCESS_DENIED, message)
}

/// The caller may not do this to another account's key, or to one that is AWS's to manage.
pub(super) fn denied(caller: &str, action: &str) -> Fault {
    let message = format!(
        "User: {caller} is not authorized to perform: {action} on this resource because the resource does not exist in this Region, no resource-based policies allow access, or a resource-based policy explicitly denies access"
    );
    Fault::new(&ACCESS_DENIED, message)
}

/// What a request does in vain.
pub(super) fn dry_run() -> Fault {
    Fault::new(
        &kinds::DRY_RUN_OPERATION_EXCEPTION,
        "The request would have succeeded, but the DryRun option is set.",
    )
}
