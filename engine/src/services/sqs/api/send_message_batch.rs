//! SendMessageBatch.

use alloc::format;
use alloc::vec::Vec;

use kew_wire::Text;
use kew_wire::fault::Fault;
use kew_wire::sqs::{Reply, SendMessageBatchRequest, SendMessageBatchResult, SendMessageBatchResultEntry};

use super::batch::{self, Entries};
use super::send_message::{Checked, Draft, Sums, sequence_text};
use super::{Call, Render};
use crate::identity::uuid_text;
use crate::services::sqs::command::{Command, QueueAction, QueueKey, Receipt};
use crate::services::sqs::{faults, limits, message};

/// The entry's name in the Query dialect.
const ENTRY: &str = "SendMessageBatchRequestEntry";

pub(super) fn prepare(call: &Call, request: SendMessageBatchRequest) -> Result<(Command, Render), Fault> {
    let (key, entries) = check(call, request)?;
    let mut messages = Vec::with_capacity(entries.len());
    let mut known = Vec::with_capacity(entries.len());
    for (id, checked) in entries {
        let checked = checked.map(|checked| {
            let (outgoing, sums) = checked.into_outgoing(call, key.is_fifo());
            messages.push(outgoing);
            sums
        });
        known.push((id, checked));
    }
    let action = QueueAction::Send { messages, batch: true };
    Ok((call.ask(key, "SendMessage", action), Render::SendMessageBatch(known)))
}

/// What can be refused without looking at the queue, the whole or an entry, before any message is hashed.
pub(super) fn check(
    call: &Call,
    request: SendMessageBatchRequest,
) -> Result<(QueueKey, Entries<Checked>), Fault> {
    let SendMessageBatchRequest { queue_url, entries } = request;
    let key = call.key(&queue_url)?;
    batch::check(ENTRY, entries.iter().map(|entry| &entry.id))?;
    let fifo = key.is_fifo();
    let drafts: Vec<(Text, Draft)> =
        entries.into_iter().map(|entry| (entry.id.clone(), Draft::from(entry))).collect();
    if fifo && drafts.iter().any(|(_, draft)| draft.group.is_none()) {
        // Alone it is a MissingParameter; recorded from AWS.
        return Err(faults::invalid_parameter("The request must contain the parameter MessageGroupId."));
    }
    let size = drafts.iter().map(|(_, draft)| draft.size()).sum();
    if size > limits::BATCH_SIZE_MAX {
        return Err(faults::batch_too_long(size));
    }
    let mut checked = Vec::with_capacity(drafts.len());
    for (at, (id, draft)) in drafts.into_iter().enumerate() {
        checked.push((id, if fifo { Ok(check_fifo(draft)?) } else { check_standard(at + 1, draft) }));
    }
    Ok((key, checked))
}

/// On a FIFO queue one bad entry refuses the whole batch, in the words of SendMessage: its order would be lost.
fn check_fifo(draft: Draft) -> Result<Checked, Fault> {
    if draft.body.is_empty() {
        return Err(faults::missing_parameter("MessageBody"));
    }
    draft.check(true)
}

/// Checks the entry that is the `number`th, from one, of a batch to a standard queue.
fn check_standard(number: usize, draft: Draft) -> Result<Checked, Fault> {
    if draft.body.is_empty() {
        return Err(faults::empty_value(format!("{ENTRY}.{number}.MessageBody")));
    }
    if draft.dedup.is_some() {
        return Err(faults::invalid_parameter(
            "The request include parameter that is not valid for this queue type",
        ));
    }
    draft.check(false)
}

pub(super) fn finish(entries: Entries<Sums>, receipts: Vec<Result<Receipt, Fault>>) -> Reply {
    let (successful, failed) =
        batch::merge(entries, receipts, |id, sums, receipt| SendMessageBatchResultEntry {
            id,
            message_id: uuid_text(&receipt.id),
            md5_of_message_body: message::hex(&sums.body),
            md5_of_message_attributes: sums.attributes_text(),
            md5_of_message_system_attributes: sums.system_attributes_text(),
            sequence_number: sequence_text(receipt.sequence),
        });
    Reply::SendMessageBatch(SendMessageBatchResult { successful, failed })
}
