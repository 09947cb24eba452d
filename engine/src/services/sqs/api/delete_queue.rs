//! DeleteQueue.

use kew_wire::fault::Fault;
use kew_wire::sqs::{DeleteQueueRequest, Reply};

use super::{Call, Finish};
use crate::services::sqs::command::{Command, QueueAction};

pub(super) fn prepare(call: &Call, request: DeleteQueueRequest) -> Result<(Command, Finish), Fault> {
    let key = call.key(&request.queue_url)?;
    Ok((call.ask(key, "DeleteQueue", QueueAction::Remove), Finish::Done(Reply::DeleteQueue)))
}
