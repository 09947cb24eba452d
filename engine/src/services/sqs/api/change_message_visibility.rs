//! ChangeMessageVisibility.

use alloc::vec;

use kew_wire::fault::Fault;
use kew_wire::sqs::{ChangeMessageVisibilityRequest, Reply};

use super::{Call, Render, within};
use crate::services::sqs::command::{Command, QueueAction};
use crate::services::sqs::{faults, limits};
use crate::time::Millis;

pub(super) fn prepare(
    call: &Call,
    request: ChangeMessageVisibilityRequest,
) -> Result<(Command, Render), Fault> {
    let ChangeMessageVisibilityRequest { queue_url, receipt_handle, visibility_timeout } = request;
    let key = call.key(&queue_url)?;
    if receipt_handle.is_empty() {
        return Err(faults::missing_parameter("ReceiptHandle"));
    }
    let timeout = timeout(visibility_timeout, "Must be between 0 and 43200.")?;
    let action = QueueAction::ChangeVisibility { changes: vec![(receipt_handle, timeout)] };
    Ok((call.ask(key, "ChangeMessageVisibility", action), Render::Done(Reply::ChangeMessageVisibility)))
}

/// Checks a timeout; alone and in a batch AWS gives other reasons.
pub(super) fn timeout(seconds: i32, reason: &str) -> Result<Millis, Fault> {
    within(seconds, 0, limits::VISIBILITY_SECONDS_MAX)
        .map(Millis::seconds)
        .ok_or_else(|| faults::invalid_parameter_value(seconds, "VisibilityTimeout", reason))
}
