//! GetQueueUrl.

use kew_wire::fault::Fault;
use kew_wire::sqs::{GetQueueUrlRequest, GetQueueUrlResult, Reply};

use super::{Call, Render};
use crate::services::sqs::command::{Command, QueueAction};
use crate::services::sqs::{address, faults};

pub(super) fn prepare(call: &Call, request: GetQueueUrlRequest) -> Result<(Command, Render), Fault> {
    let GetQueueUrlRequest { queue_name, queue_owner_aws_account_id: owner } = request;
    if queue_name.is_empty() {
        return Err(faults::invalid_parameter_reason("QueueName", "Must specify a queue name."));
    }
    if !address::is_name(&queue_name) {
        return Err(faults::queue_does_not_exist());
    }
    let mut key = call.own(queue_name);
    if let Some(owner) = owner.filter(|owner| !owner.is_empty()) {
        // An account that cannot be has no queues.
        key.account = owner.parse().map_err(|_| faults::queue_does_not_exist())?;
    }
    let result = GetQueueUrlResult { queue_url: Some(key.url(&call.endpoint)) };
    Ok((call.ask(key, "GetQueueUrl", QueueAction::Find), Render::Done(Reply::GetQueueUrl(result))))
}
