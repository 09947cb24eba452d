//! DeleteMessageBatch.

use alloc::format;
use alloc::vec::Vec;

use kew_wire::fault::Fault;
use kew_wire::sqs::{
    DeleteMessageBatchRequest, DeleteMessageBatchResult, DeleteMessageBatchResultEntry, Reply,
};

use super::batch::{self, Entries};
use super::{Call, Render};
use crate::services::sqs::command::{Command, QueueAction};
use crate::services::sqs::faults;

/// The entry's name in the Query dialect.
const ENTRY: &str = "DeleteMessageBatchRequestEntry";

pub(super) fn prepare(call: &Call, request: DeleteMessageBatchRequest) -> Result<(Command, Render), Fault> {
    let DeleteMessageBatchRequest { queue_url, entries } = request;
    let key = call.key(&queue_url)?;
    batch::check(ENTRY, entries.iter().map(|entry| &entry.id))?;
    let mut handles = Vec::with_capacity(entries.len());
    let mut known = Vec::with_capacity(entries.len());
    for (at, entry) in entries.into_iter().enumerate() {
        let checked = if entry.receipt_handle.is_empty() {
            Err(faults::empty_value(format!("{ENTRY}.{}.ReceiptHandle", at + 1)))
        } else {
            handles.push(entry.receipt_handle);
            Ok(())
        };
        known.push((entry.id, checked));
    }
    let action = QueueAction::Delete { handles };
    Ok((call.ask(key, "DeleteMessage", action), Render::DeleteMessageBatch(known)))
}

pub(super) fn finish(entries: Entries<()>, outcomes: Vec<Result<(), Fault>>) -> Reply {
    let success = |id, (), ()| DeleteMessageBatchResultEntry { id };
    let (successful, failed) = batch::merge(entries, outcomes, success);
    Reply::DeleteMessageBatch(DeleteMessageBatchResult { successful, failed })
}
