//! ReceiveMessage.

use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

use bytes::Bytes;
use kew_wire::Text;
use kew_wire::fault::Fault;
use kew_wire::sqs::{Message, ReceiveMessageRequest, ReceiveMessageResult, Reply};

use super::send_message::sequence_text;
use super::{Call, Render, check_id, get_queue_attributes, within};
use crate::identity::{Caller, uuid_text};
use crate::services::sqs::command::{Command, Delivery, QueueAction, Receive};
use crate::services::sqs::message::{self, Payload};
use crate::services::sqs::{faults, limits};
use crate::time::Millis;

/// Every system attribute that a receiver can ask for.
const NAMES: [&str; 9] = [
    "SenderId",
    "ApproximateFirstReceiveTimestamp",
    "ApproximateReceiveCount",
    "SentTimestamp",
    "SequenceNumber",
    "MessageDeduplicationId",
    "MessageGroupId",
    "AWSTraceHeader",
    "DeadLetterQueueSourceArn",
];

/// Which parts of a message the caller asked for beside its body.
#[derive(Debug)]
pub(super) struct Wanted {
    /// System attributes by name; `All` is all.
    system: Vec<Text>,
    /// Message attributes by filter.
    filters: Vec<Text>,
}

pub(super) fn prepare(call: &Call, request: ReceiveMessageRequest) -> Result<(Command, Render), Fault> {
    let key = call.key(&request.queue_url)?;
    let wanted = Wanted { system: system_names(&request)?, filters: request.message_attribute_names };
    let max = request.max_number_of_messages.unwrap_or(1);
    let max = within(max, 1, limits::RECEIVE_MESSAGES as u32).ok_or_else(|| {
        faults::invalid_parameter_value(max, "MaxNumberOfMessages", "Must be between 1 and 10, if provided.")
    })?;
    let visibility =
        seconds(request.visibility_timeout, limits::VISIBILITY_SECONDS_MAX, "VisibilityTimeout")?;
    let wait = seconds(request.wait_time_seconds, limits::WAIT_SECONDS_MAX, "WaitTimeSeconds")?;
    // Standard queues ignore the attempt's id.
    let attempt = request.receive_request_attempt_id.filter(|_| key.is_fifo());
    if let Some(attempt) = &attempt {
        check_id(attempt, "ReceiveRequestAttemptId")?;
    }
    let action = QueueAction::Receive(Receive { max: max as usize, visibility, wait, attempt });
    Ok((call.ask(key, "ReceiveMessage", action), Render::ReceiveMessage(wanted)))
}

/// See [`super::peek`].
pub(super) fn peek(call: &Call, queue_url: &Text, max: usize) -> Result<(Command, Render), Fault> {
    let key = call.key(queue_url)?;
    let all = || vec![Text::from_static("All")];
    let wanted = Wanted { system: all(), filters: all() };
    // A test looks at any account's queue, as its owner would.
    let owner = Caller::open(key.account, call.caller.region.clone());
    let call = Call { caller: owner, ..call.clone() };
    Ok((call.ask(key, "ReceiveMessage", QueueAction::Peek { max }), Render::ReceiveMessage(wanted)))
}

fn seconds(given: Option<i32>, max: u32, parameter: &str) -> Result<Option<Millis>, Fault> {
    let Some(given) = given else { return Ok(None) };
    let reason = || format!("Must be >= 0 and <= {max}, if provided.");
    within(given, 0, max)
        .map(|seconds| Some(Millis::seconds(seconds)))
        .ok_or_else(|| faults::invalid_parameter_value(given, parameter, reason()))
}

/// AttributeNames is the old name of MessageSystemAttributeNames; what both name counts together.
fn system_names(request: &ReceiveMessageRequest) -> Result<Vec<Text>, Fault> {
    let names = request.attribute_names.iter().chain(&request.message_system_attribute_names);
    // The old list's type is that of queue attributes, whose names AWS takes and ignores here.
    let known =
        |name: &str| name == "All" || NAMES.contains(&name) || get_queue_attributes::NAMES.contains(&name);
    if let Some(name) = names.clone().find(|name| !known(name)) {
        return Err(faults::unknown_attribute(name));
    }
    Ok(names.cloned().collect())
}

pub(super) fn finish(
    wanted: &Wanted,
    deliveries: Vec<Delivery>,
    payloads: Vec<Bytes>,
) -> Result<Reply, Fault> {
    let unreadable = || super::internal("A message's content cannot be read.");
    if deliveries.len() != payloads.len() {
        return Err(unreadable());
    }
    let pairs = deliveries.into_iter().zip(payloads);
    let messages = pairs.map(|(delivery, payload)| {
        let payload = message::decode(payload).map_err(|_| unreadable())?;
        Ok(wanted.show(delivery, payload))
    });
    let messages = messages.collect::<Result<_, Fault>>()?;
    Ok(Reply::ReceiveMessage(ReceiveMessageResult { messages }))
}

impl Wanted {
    fn show(&self, delivery: Delivery, payload: Payload) -> Message {
        let attributes = self.system_attributes(&delivery, &payload);
        let all = payload.attributes.len();
        let mut message_attributes = payload.attributes;
        message_attributes.retain(|(name, _)| self.filters.iter().any(|filter| passes(filter, name)));
        // The MD5 is that of what is returned, so that the receiver can verify it.
        let md5 = if message_attributes.len() == all {
            payload.attributes_md5
        } else {
            message::attributes_md5(&message_attributes)
        };
        Message {
            message_id: Some(uuid_text(&delivery.id)),
            receipt_handle: Some(delivery.handle),
            md5_of_body: Some(message::hex(&payload.body_md5)),
            body: Some(payload.body),
            attributes,
            md5_of_message_attributes: md5.map(|md5| message::hex(&md5)),
            message_attributes,
        }
    }

    /// The system attributes that are wanted and that the message has.
    fn system_attributes(&self, delivery: &Delivery, payload: &Payload) -> Vec<(Text, Text)> {
        if self.system.is_empty() {
            return Vec::new();
        }
        let all = self.system.iter().any(|name| name == "All");
        let is_wanted = |name: &&str| all || self.system.iter().any(|wanted| wanted == name);
        let number = |number: u64| Some(Text::from(format!("{number}")));
        let value = |name: &str| match name {
            "SenderId" => Some(payload.sender.clone()),
            "ApproximateFirstReceiveTimestamp" => delivery.first_received.and_then(|moment| number(moment.0)),
            "ApproximateReceiveCount" => number(delivery.receive_count.into()),
            "SentTimestamp" => number(delivery.sent.0),
            "SequenceNumber" => sequence_text(delivery.sequence),
            "MessageDeduplicationId" => payload.dedup.as_ref().map(message::Dedup::text),
            "MessageGroupId" => payload.group.clone(),
            "AWSTraceHeader" => payload.trace.clone(),
            "DeadLetterQueueSourceArn" => delivery.source.clone(),
            _ => None,
        };
        let pairs = NAMES.iter().copied().filter(is_wanted);
        pairs.filter_map(|name| Some((Text::from_static(name), value(name)?))).collect()
    }
}

/// Whether a filter asks for the message attribute `name`: by name, all of them, or by the prefix before `.*`.
fn passes(filter: &str, name: &str) -> bool {
    match filter {
        "All" | "*" | ".*" => true,
        _ => filter.strip_suffix(".*").map_or(filter == name, |prefix| name.starts_with(prefix)),
    }
}
