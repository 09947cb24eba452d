//! DeleteMessage.

use alloc::vec;

use kew_wire::fault::Fault;
use kew_wire::sqs::{DeleteMessageRequest, Reply};

use super::{Call, Render};
use crate::services::sqs::command::{Command, QueueAction};
use crate::services::sqs::faults;

pub(super) fn prepare(call: &Call, request: DeleteMessageRequest) -> Result<(Command, Render), Fault> {
    let DeleteMessageRequest { queue_url, receipt_handle } = request;
    let key = call.key(&queue_url)?;
    if receipt_handle.is_empty() {
        // AWS calls it by a name here that it has nowhere else.
        return Err(faults::missing_parameter("MessageHandle"));
    }
    let action = QueueAction::Delete { handles: vec![receipt_handle] };
    Ok((call.ask(key, "DeleteMessage", action), Render::Done(Reply::DeleteMessage)))
}
