//! ChangeMessageVisibilityBatch.

use alloc::format;
use alloc::vec::Vec;

use kew_wire::Text;
use kew_wire::fault::Fault;
use kew_wire::sqs::{
    ChangeMessageVisibilityBatchRequest, ChangeMessageVisibilityBatchRequestEntry,
    ChangeMessageVisibilityBatchResult, ChangeMessageVisibilityBatchResultEntry, Reply,
};

use super::batch::{self, Entries};
use super::{Call, Render, change_message_visibility};
use crate::services::sqs::command::{Command, QueueAction};
use crate::services::sqs::faults;
use crate::time::Millis;

/// The entry's name in the Query dialect.
const ENTRY: &str = "ChangeMessageVisibilityBatchRequestEntry";

pub(super) fn prepare(
    call: &Call,
    request: ChangeMessageVisibilityBatchRequest,
) -> Result<(Command, Render), Fault> {
    let ChangeMessageVisibilityBatchRequest { queue_url, entries } = request;
    let key = call.key(&queue_url)?;
    batch::check(ENTRY, entries.iter().map(|entry| &entry.id))?;
    let mut changes = Vec::with_capacity(entries.len());
    let mut known = Vec::with_capacity(entries.len());
    for (at, entry) in entries.into_iter().enumerate() {
        let id = entry.id.clone();
        let checked = check(at + 1, entry).map(|change| changes.push(change));
        known.push((id, checked));
    }
    let action = QueueAction::ChangeVisibility { changes };
    Ok((call.ask(key, "ChangeMessageVisibility", action), Render::ChangeMessageVisibilityBatch(known)))
}

/// Checks the entry that is the `number`th, from one.
fn check(number: usize, entry: ChangeMessageVisibilityBatchRequestEntry) -> Result<(Text, Millis), Fault> {
    if entry.receipt_handle.is_empty() {
        return Err(faults::empty_value(format!("{ENTRY}.{number}.ReceiptHandle")));
    }
    let Some(seconds) = entry.visibility_timeout else {
        return Err(faults::empty_value(format!("{ENTRY}.{number}.VisibilityTimeout")));
    };
    let reason = "VisibilityTimeout must be an integer between 0 and 43200.";
    Ok((entry.receipt_handle, change_message_visibility::timeout(seconds, reason)?))
}

pub(super) fn finish(entries: Entries<()>, outcomes: Vec<Result<(), Fault>>) -> Reply {
    let success = |id, (), ()| ChangeMessageVisibilityBatchResultEntry { id };
    let (successful, failed) = batch::merge(entries, outcomes, success);
    Reply::ChangeMessageVisibilityBatch(ChangeMessageVisibilityBatchResult { successful, failed })
}
