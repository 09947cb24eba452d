//! A fault: what AWS's caller sees when an operation is refused.

use alloc::borrow::Cow;

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
    /// A fault of `kind` in AWS's words.
    pub fn new(kind: &'static FaultKind, message: impl Into<Cow<'static, str>>) -> Self {
        Self { kind, message: message.into() }
    }
}
