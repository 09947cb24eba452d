//! SendMessage, and the checks that it shares with the entries of SendMessageBatch.

mod attributes;

use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

use kew_wire::Text;
use kew_wire::fault::Fault;
use kew_wire::sqs::{
    MessageSystemAttributeValue, Reply, SendMessageBatchRequestEntry, SendMessageRequest, SendMessageResult,
};

use super::{Call, Render, check_id, within};
use crate::identity::uuid_text;
use crate::services::sqs::command::{Command, Outgoing, QueueAction, QueueKey, Receipt, sequence_number};
use crate::services::sqs::message::{self, Attributes, Dedup, Md5, Payload};
use crate::services::sqs::{faults, limits};
use crate::time::Millis;

pub(super) fn prepare(call: &Call, request: SendMessageRequest) -> Result<(Command, Render), Fault> {
    let (key, checked) = check(call, request)?;
    let (outgoing, sums) = checked.into_outgoing(call, key.is_fifo());
    let action = QueueAction::Send { messages: vec![outgoing], batch: false };
    Ok((call.ask(key, "SendMessage", action), Render::SendMessage(sums)))
}

/// What can be refused without looking at the queue, before the message is hashed.
pub(super) fn check(call: &Call, request: SendMessageRequest) -> Result<(QueueKey, Checked), Fault> {
    let key = call.key(&request.queue_url)?;
    let draft = Draft::from(request);
    let fifo = key.is_fifo();
    if draft.body.is_empty() {
        return Err(faults::missing_parameter("MessageBody"));
    }
    if fifo && draft.group.is_none() {
        return Err(faults::missing_parameter("MessageGroupId"));
    }
    Ok((key, draft.check(fifo)?))
}

pub(super) fn finish(sums: &Sums, receipts: Vec<Result<Receipt, Fault>>) -> Result<Reply, Fault> {
    let missing = || Err(super::internal("The answer does not fit the request."));
    let receipt = receipts.into_iter().next().unwrap_or_else(missing)?;
    Ok(Reply::SendMessage(SendMessageResult {
        md5_of_message_body: Some(message::hex(&sums.body)),
        md5_of_message_attributes: sums.attributes_text(),
        md5_of_message_system_attributes: sums.system_attributes_text(),
        message_id: Some(uuid_text(&receipt.id)),
        sequence_number: sequence_text(receipt.sequence),
    }))
}

/// The MD5s of a message, for its sender to verify.
#[derive(Debug)]
pub(super) struct Sums {
    pub(super) body: Md5,
    attributes: Option<Md5>,
    system_attributes: Option<Md5>,
}

impl Sums {
    pub(super) fn attributes_text(&self) -> Option<Text> {
        self.attributes.map(|md5| message::hex(&md5))
    }

    pub(super) fn system_attributes_text(&self) -> Option<Text> {
        self.system_attributes.map(|md5| message::hex(&md5))
    }
}

/// A message as its sender gave it, alone or in a batch.
pub(super) struct Draft {
    pub(super) body: Text,
    pub(super) delay_seconds: Option<i32>,
    pub(super) attributes: Attributes,
    pub(super) system_attributes: Vec<(Text, MessageSystemAttributeValue)>,
    pub(super) dedup: Option<Text>,
    pub(super) group: Option<Text>,
}

impl From<SendMessageRequest> for Draft {
    fn from(request: SendMessageRequest) -> Self {
        Self {
            body: request.message_body,
            delay_seconds: request.delay_seconds,
            attributes: request.message_attributes,
            system_attributes: request.message_system_attributes,
            dedup: request.message_deduplication_id,
            group: request.message_group_id,
        }
    }
}

impl From<SendMessageBatchRequestEntry> for Draft {
    fn from(entry: SendMessageBatchRequestEntry) -> Self {
        Self {
            body: entry.message_body,
            delay_seconds: entry.delay_seconds,
            attributes: entry.message_attributes,
            system_attributes: entry.message_system_attributes,
            dedup: entry.message_deduplication_id,
            group: entry.message_group_id,
        }
    }
}

impl Draft {
    /// What MaximumMessageSize and the limit of a batch count.
    pub(super) fn size(&self) -> usize {
        message::size(&self.body, &self.attributes)
    }

    /// Checks all that the queue's name lets decide, but for what is there at all: body and group, whose absence AWS
    /// words differently alone and in a batch.
    pub(super) fn check(self, fifo: bool) -> Result<Checked, Fault> {
        if let Some(character) = message::first_invalid(&self.body) {
            return Err(faults::invalid_body(character));
        }
        attributes::check(&self.attributes)?;
        attributes::check_system(&self.system_attributes)?;
        let delay = self.delay(fifo)?;
        if let Some(group) = &self.group {
            check_id(group, "MessageGroupId")?;
        }
        match &self.dedup {
            Some(dedup) if fifo => check_id(dedup, "MessageDeduplicationId")?,
            Some(dedup) => return Err(faults::not_for_this_queue_type(dedup, "MessageDeduplicationId")),
            None => {}
        }
        Ok(Checked { draft: self, delay })
    }

    fn delay(&self, fifo: bool) -> Result<Option<Millis>, Fault> {
        let Some(given) = self.delay_seconds else { return Ok(None) };
        let Some(seconds) = within(given, 0, limits::DELAY_SECONDS_MAX) else {
            let reason = format!("DelaySeconds must be >= 0 and <= {}.", limits::DELAY_SECONDS_MAX);
            return Err(faults::invalid_parameter_value(given, "DelaySeconds", reason));
        };
        match (fifo, seconds) {
            // A FIFO queue's delay is the queue's; zero is as good as silence.
            (true, 0) => Ok(None),
            (true, _) => Err(faults::not_for_this_queue_type(given, "DelaySeconds")),
            (false, _) => Ok(Some(Millis::seconds(seconds))),
        }
    }
}

/// A draft that has passed its checks.
pub(super) struct Checked {
    draft: Draft,
    delay: Option<Millis>,
}

impl Checked {
    /// What goes to the state machine, and what the sender is told.
    pub(super) fn into_outgoing(self, call: &Call, fifo: bool) -> (Outgoing, Sums) {
        let Self { draft, delay } = self;
        let size = draft.size();
        let sums = Sums {
            body: message::md5(draft.body.as_bytes()),
            attributes: message::attributes_md5(&draft.attributes),
            system_attributes: message::system_attributes_md5(&draft.system_attributes),
        };
        let digest = (fifo && draft.dedup.is_none()).then(|| message::sha256(draft.body.as_bytes()));
        let trace = message::trace(&draft.system_attributes).or_else(|| call.trace.clone());
        let payload = Payload {
            body: draft.body,
            body_md5: sums.body,
            attributes: draft.attributes,
            attributes_md5: sums.attributes,
            trace,
            sender: call.caller.sender.clone(),
            group: draft.group.clone(),
            dedup: draft.dedup.clone().map(Dedup::Given).or(digest.map(Dedup::Content)),
        };
        let payload = message::encode(&payload);
        (Outgoing { payload, size, delay, group: draft.group, dedup: draft.dedup, digest }, sums)
    }
}

/// A sequence number as AWS spells it.
pub(super) fn sequence_text(sequence: Option<u64>) -> Option<Text> {
    sequence.map(|sequence| Text::from(format!("{}", sequence_number(sequence))))
}
