//! PurgeQueue.

use kew_wire::fault::Fault;
use kew_wire::sqs::{PurgeQueueRequest, Reply};

use super::{Call, Render};
use crate::services::sqs::command::{Command, QueueAction};

pub(super) fn prepare(call: &Call, request: PurgeQueueRequest) -> Result<(Command, Render), Fault> {
    let key = call.key(&request.queue_url)?;
    Ok((call.ask(key, "PurgeQueue", QueueAction::Purge), Render::Done(Reply::PurgeQueue)))
}
