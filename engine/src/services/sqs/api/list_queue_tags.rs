//! ListQueueTags.

use kew_wire::fault::Fault;
use kew_wire::sqs::{ListQueueTagsRequest, ListQueueTagsResult, Reply};

use super::{Call, Finish};
use crate::services::sqs::command::{Command, QueueAction, Tags};

pub(super) fn prepare(call: &Call, request: ListQueueTagsRequest) -> Result<(Command, Finish), Fault> {
    let key = call.key(&request.queue_url)?;
    Ok((call.ask(key, "ListQueueTags", QueueAction::Tags), Finish::ListQueueTags))
}

pub(super) fn finish(tags: Tags) -> Reply {
    Reply::ListQueueTags(ListQueueTagsResult { tags })
}
