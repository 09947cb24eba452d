//! ListQueues.

use kew_wire::fault::Fault;
use kew_wire::sqs::{ListQueuesRequest, ListQueuesResult, Reply};

use super::page::{self, Paging};
use super::{Call, Render};
use crate::services::sqs::command::{Action, Command, QueueKey};

pub(super) fn prepare(call: &Call, request: ListQueuesRequest) -> Result<(Command, Render), Fault> {
    let ListQueuesRequest { queue_name_prefix, next_token, max_results } = request;
    let (page, paging) = page::parse(&call.endpoint, max_results, next_token.as_ref())?;
    let prefix = queue_name_prefix.unwrap_or_default();
    Ok((call.command(Action::List { prefix, page }), Render::ListQueues(paging)))
}

pub(super) fn finish(paging: &Paging, keys: &[QueueKey], more: bool) -> Reply {
    let (queue_urls, next_token) = page::urls(paging, keys, more);
    Reply::ListQueues(ListQueuesResult { queue_urls, next_token })
}
