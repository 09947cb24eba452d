//! DeleteQueue.

use kew_wire::fault::Fault;
use kew_wire::sqs::{DeleteQueueRequest, Reply};

use super::{Call, Render};
use crate::services::sqs::command::{Command, QueueAction};

pub(super) fn prepare(call: &Call, request: DeleteQueueRequest) -> Result<(Command, Render), Fault> {
    let key = call.key(&request.queue_url)?;
    Ok((call.ask(key, "DeleteQueue", QueueAction::Remove), Render::Done(Reply::DeleteQueue)))
}
