//! ListDeadLetterSourceQueues.

use kew_wire::fault::Fault;
use kew_wire::sqs::{ListDeadLetterSourceQueuesRequest, ListDeadLetterSourceQueuesResult, Reply};

use super::page::{self, Paging};
use super::{Call, Render};
use crate::services::sqs::command::{Command, QueueAction, QueueKey};

pub(super) fn prepare(
    call: &Call,
    request: ListDeadLetterSourceQueuesRequest,
) -> Result<(Command, Render), Fault> {
    let ListDeadLetterSourceQueuesRequest { queue_url, next_token, max_results } = request;
    let key = call.key(&queue_url)?;
    let (page, paging) = page::parse(&call.endpoint, max_results, next_token.as_ref())?;
    let command = call.ask(key, "ListDeadLetterSourceQueues", QueueAction::Sources { page });
    Ok((command, Render::ListDeadLetterSourceQueues(paging)))
}

pub(super) fn finish(paging: &Paging, keys: &[QueueKey], more: bool) -> Reply {
    let (queue_urls, next_token) = page::urls(paging, keys, more);
    Reply::ListDeadLetterSourceQueues(ListDeadLetterSourceQueuesResult { queue_urls, next_token })
}
