//! PurgeQueue.

use kew_wire::fault::Fault;
use kew_wire::sqs::{PurgeQueueRequest, Reply};

use super::{Call, Finish};
use crate::services::sqs::command::{Command, QueueAction};

pub(super) fn prepare(call: &Call, request: PurgeQueueRequest) -> Result<(Command, Finish), Fault> {
    let key = call.key(&request.queue_url)?;
    Ok((call.ask(key, "PurgeQueue", QueueAction::Purge), Finish::Done(Reply::PurgeQueue)))
}
