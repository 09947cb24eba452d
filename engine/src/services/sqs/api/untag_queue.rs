//! UntagQueue.

use kew_wire::fault::Fault;
use kew_wire::sqs::{Reply, UntagQueueRequest};

use super::{Call, Render};
use crate::services::sqs::command::{Command, QueueAction};
use crate::services::sqs::faults;

pub(super) fn prepare(call: &Call, request: UntagQueueRequest) -> Result<(Command, Render), Fault> {
    let UntagQueueRequest { queue_url, tag_keys: keys } = request;
    let key = call.key(&queue_url)?;
    if keys.is_empty() {
        return Err(faults::missing_parameter("TagKeys"));
    }
    Ok((call.ask(key, "UntagQueue", QueueAction::Untag { keys }), Render::Done(Reply::UntagQueue)))
}
