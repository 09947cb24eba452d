//! UntagQueue.

use kew_wire::fault::Fault;
use kew_wire::sqs::{Reply, UntagQueueRequest};

use super::{Call, Render, tag_queue};
use crate::services::sqs::command::{Command, QueueAction};
use crate::services::sqs::{faults, limits};

pub(super) fn prepare(call: &Call, request: UntagQueueRequest) -> Result<(Command, Render), Fault> {
    let UntagQueueRequest { queue_url, tag_keys: keys } = request;
    let key = call.key(&queue_url)?;
    if keys.is_empty() {
        return Err(faults::missing_parameter("TagKeys"));
    }
    // No queue has more, and policies are asked about each.
    if keys.len() > limits::TAGS {
        return Err(faults::too_many_tag_keys(&key.name));
    }
    keys.iter().try_for_each(|key| tag_queue::check_key(key))?;
    Ok((call.ask(key, "UntagQueue", QueueAction::Untag { keys }), Render::Done(Reply::UntagQueue)))
}
