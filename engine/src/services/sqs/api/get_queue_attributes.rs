//! GetQueueAttributes.

use alloc::format;
use alloc::vec::Vec;

use kew_wire::Text;
use kew_wire::fault::Fault;
use kew_wire::sqs::{GetQueueAttributesRequest, GetQueueAttributesResult, Reply};

use super::{Call, Render};
use crate::services::sqs::command::{Command, QueueAction, View};
use crate::services::sqs::faults;

/// Every attribute that AWS has for queues, set or not.
pub(super) const NAMES: [&str; 21] = [
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesDelayed",
    "ApproximateNumberOfMessagesNotVisible",
    "ContentBasedDeduplication",
    "CreatedTimestamp",
    "DeduplicationScope",
    "DelaySeconds",
    "FifoQueue",
    "FifoThroughputLimit",
    "KmsDataKeyReusePeriodSeconds",
    "KmsMasterKeyId",
    "LastModifiedTimestamp",
    "MaximumMessageSize",
    "MessageRetentionPeriod",
    "Policy",
    "QueueArn",
    "ReceiveMessageWaitTimeSeconds",
    "RedriveAllowPolicy",
    "RedrivePolicy",
    "SqsManagedSseEnabled",
    "VisibilityTimeout",
];

/// Which attributes the caller asked for.
#[derive(Debug)]
pub(super) enum Wanted {
    /// Those that are set.
    All,
    /// These.
    Named(Vec<Text>),
}

pub(super) fn prepare(call: &Call, request: GetQueueAttributesRequest) -> Result<(Command, Render), Fault> {
    let GetQueueAttributesRequest { queue_url, attribute_names: names } = request;
    let key = call.key(&queue_url)?;
    let unknown = |name: &&Text| *name != "All" && !NAMES.contains(&&***name);
    if let Some(name) = names.iter().find(unknown) {
        return Err(faults::unknown_attribute(name));
    }
    let all = names.iter().any(|name| name == "All");
    let wanted = if all { Wanted::All } else { Wanted::Named(names) };
    Ok((call.ask(key, "GetQueueAttributes", QueueAction::View), Render::GetQueueAttributes(wanted)))
}

pub(super) fn finish(wanted: &Wanted, view: &View) -> Reply {
    let is_wanted = |name: &str| match wanted {
        Wanted::All => true,
        Wanted::Named(names) => names.iter().any(|wanted| *wanted == name),
    };
    let number = |number: u64| Text::from(format!("{number}"));
    let mut attributes = view.settings.echo();
    attributes.extend([
        ("QueueArn", view.key.arn()),
        ("ApproximateNumberOfMessages", number(view.visible)),
        ("ApproximateNumberOfMessagesNotVisible", number(view.in_flight)),
        ("ApproximateNumberOfMessagesDelayed", number(view.delayed)),
        ("CreatedTimestamp", number(view.created.seconds())),
        ("LastModifiedTimestamp", number(view.modified.seconds())),
    ]);
    let attributes = attributes
        .into_iter()
        .filter(|(name, _)| is_wanted(name))
        .map(|(name, value)| (Text::from_static(name), value))
        .collect();
    Reply::GetQueueAttributes(GetQueueAttributesResult { attributes })
}
