//! CreateQueue.

use kew_wire::Text;
use kew_wire::fault::Fault;
use kew_wire::sqs::{CreateQueueRequest, CreateQueueResult, Reply};

use super::{Call, Render, tag_queue};
use crate::services::sqs::command::{Action, Command};
use crate::services::sqs::settings::Changes;
use crate::services::sqs::{address, faults};

pub(super) fn prepare(call: &Call, request: CreateQueueRequest) -> Result<(Command, Render), Fault> {
    let CreateQueueRequest { queue_name, attributes, tags } = request;
    check_name(&queue_name, &attributes)?;
    let changes = Changes::parse(&attributes, &queue_name, true)?;
    tag_queue::check(&queue_name, &tags)?;
    let key = call.own(queue_name);
    changes.check_for(&key)?;
    let result = CreateQueueResult { queue_url: Some(key.url(&call.endpoint)) };
    Ok((call.command(Action::Create { key, changes, tags }), Render::Done(Reply::CreateQueue(result))))
}

/// A name ends with `.fifo` if and only if FifoQueue is true.
fn check_name(name: &str, attributes: &[(Text, Text)]) -> Result<(), Fault> {
    if name.is_empty() {
        return Err(faults::invalid_parameter("Queue name cannot be empty"));
    }
    let given = attributes.iter().find(|(attribute, _)| attribute == "FifoQueue").map(|(_, value)| value);
    let wants_fifo = given.is_some_and(|value| value.eq_ignore_ascii_case("true"));
    let is_name = address::is_name(name);
    match (wants_fifo, address::is_fifo(name)) {
        (true, fifo) if !fifo || !is_name => Err(faults::invalid_parameter(
            "The name of a FIFO queue can only include alphanumeric characters, hyphens, or underscores, must end with \
             .fifo suffix and be 1 to 80 in length.",
        )),
        // With FifoQueue false or malformed, the attribute is what is wrong.
        (false, fifo) if !is_name || (fifo && given.is_none()) => Err(faults::invalid_parameter(
            "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length",
        )),
        _ => Ok(()),
    }
}
