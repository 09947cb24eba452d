//! ListQueueTags.

use kew_wire::fault::Fault;
use kew_wire::sqs::{ListQueueTagsRequest, ListQueueTagsResult, Reply};

use super::{Call, Render};
use crate::services::sqs::command::{Command, QueueAction, Tags};

pub(super) fn prepare(call: &Call, request: ListQueueTagsRequest) -> Result<(Command, Render), Fault> {
    let key = call.key(&request.queue_url)?;
    Ok((call.ask(key, "ListQueueTags", QueueAction::Tags), Render::ListQueueTags))
}

pub(super) fn finish(tags: Tags) -> Reply {
    Reply::ListQueueTags(ListQueueTagsResult { tags })
}
