//! A fault: what AWS's caller sees when an operation is refused.

use alloc::borrow::Cow;
use alloc::string::String;

use crate::limits::{FAULT_BYTES, FAULT_SIGNATURE_BYTES};

/// One kind of error of a service: its names in each dialect and its HTTP status.
///
/// The constants are generated from AWS's service models; those that AWS does not model stand in [`common`].
#[derive(Debug, PartialEq, Eq)]
pub struct FaultKind {
    /// The modelled name, shown by the JSON dialects in `__type` (`QueueDoesNotExist`).
    pub name: &'static str,
    /// The namespace in front of `#` in `__type` (`com.amazonaws.sqs`).
    pub namespace: &'static str,
    /// The code of the Query dialect (`AWS.SimpleQueueService.NonExistentQueue`), also sent in `x-amzn-query-error`.
    pub code: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// Whether the caller is to blame (`Sender`) or the service (`Receiver`).
    pub sender: bool,
}

/// A refusal of one request or of one entry of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Which error it is.
    pub kind: &'static FaultKind,
    /// AWS's wording, for people.
    pub message: Cow<'static, str>,
}

impl Fault {
    /// A fault of `kind` in AWS's words. Of what they repeat of a long request the middle is left out: nobody shall make an answer
    /// long by asking at length.
    pub fn new(kind: &'static FaultKind, message: impl Into<Cow<'static, str>>) -> Self {
        let mut message = message.into();
        if message.len() > FAULT_BYTES {
            let is_signature = *kind == common::SIGNATURE_DOES_NOT_MATCH;
            message = shortened(message, if is_signature { FAULT_SIGNATURE_BYTES } else { FAULT_BYTES });
        }
        Self { kind, message }
    }
}

/// `text`, or its beginning and its end where it has more than `most` bytes.
fn shortened(text: Cow<'static, str>, most: usize) -> Cow<'static, str> {
    const GAP: &str = "...";
    if text.len() <= most {
        return text;
    }
    // What is refused stands at the beginning, and why at the end.
    let end = text.ceil_char_boundary(text.len() - most / 4);
    let start = text.floor_char_boundary(most - most / 4 - GAP.len());
    let mut short = String::with_capacity(most);
    for part in [&text[..start], GAP, &text[end..]] {
        short.push_str(part);
    }
    Cow::Owned(short)
}

/// The faults that any service may answer and that AWS models nowhere.
///
/// Their names in the JSON dialects carry the namespace of AWS's service framework.
pub mod common {
    use super::FaultKind;

    const fn sender(name: &'static str, code: &'static str, status: u16) -> FaultKind {
        FaultKind { name, namespace: "com.amazon.coral.service", code, status, sender: true }
    }

    const fn receiver(name: &'static str, code: &'static str, status: u16) -> FaultKind {
        FaultKind { name, namespace: "com.amazon.coral.service", code, status, sender: false }
    }

    /// A required parameter is absent.
    pub const MISSING_PARAMETER: FaultKind =
        sender("MissingRequiredParameterException", "MissingParameter", 400);
    /// A parameter's value is refused.
    pub const INVALID_PARAMETER_VALUE: FaultKind =
        sender("InvalidParameterValueException", "InvalidParameterValue", 400);
    /// Parameters that may not go together.
    pub const INVALID_PARAMETER_COMBINATION: FaultKind =
        sender("InvalidParameterCombinationException", "InvalidParameterCombination", 400);
    /// The operation is not known here.
    pub const INVALID_ACTION: FaultKind = sender("UnknownOperationException", "InvalidAction", 400);
    /// A Query request names no operation at all; shown as a bare XML element.
    pub const UNKNOWN_OPERATION: FaultKind =
        sender("UnknownOperationException", "UnknownOperationException", 404);
    /// The body is not what the dialect and the operation's shape demand.
    pub const SERIALIZATION: FaultKind = sender("SerializationException", "MalformedInput", 400);
    /// The form or query string cannot be read.
    pub const MALFORMED_QUERY_STRING: FaultKind =
        sender("MalformedQueryStringException", "MalformedQueryString", 404);
    /// The body is longer than the service takes.
    pub const REQUEST_TOO_LARGE: FaultKind =
        sender("RequestEntityTooLargeException", "RequestEntityTooLarge", 413);
    /// The caller may not do this.
    pub const ACCESS_DENIED: FaultKind = sender("AccessDeniedException", "AccessDenied", 403);
    /// The request carries no credentials.
    pub const MISSING_AUTHENTICATION_TOKEN: FaultKind =
        sender("MissingAuthenticationTokenException", "MissingAuthenticationToken", 403);
    /// The access key is not known.
    pub const INVALID_CLIENT_TOKEN_ID: FaultKind =
        sender("UnrecognizedClientException", "InvalidClientTokenId", 403);
    /// The signature is wrong, or the caller's clock is.
    pub const SIGNATURE_DOES_NOT_MATCH: FaultKind =
        sender("InvalidSignatureException", "SignatureDoesNotMatch", 403);
    /// The Authorization header cannot be read.
    pub const INCOMPLETE_SIGNATURE: FaultKind =
        sender("IncompleteSignatureException", "IncompleteSignature", 400);
    /// The session that the security token belongs to is over.
    pub const EXPIRED_TOKEN: FaultKind = sender("ExpiredTokenException", "ExpiredToken", 403);
    /// A presigned URL is used after its time.
    pub const REQUEST_EXPIRED: FaultKind = sender("RequestExpired", "RequestExpired", 400);
    /// Too many requests; the caller should retry later.
    pub const THROTTLING: FaultKind = sender("ThrottlingException", "Throttling", 400);
    /// The service failed.
    pub const INTERNAL_FAILURE: FaultKind = receiver("InternalFailure", "InternalFailure", 500);
    /// The service cannot answer at the moment; the caller should retry.
    pub const SERVICE_UNAVAILABLE: FaultKind =
        receiver("ServiceUnavailableException", "ServiceUnavailable", 503);
}
