//! StartMessageMoveTask.

use alloc::format;

use kew_wire::Text;
use kew_wire::fault::Fault;
use kew_wire::sqs::{Reply, StartMessageMoveTaskRequest, StartMessageMoveTaskResult};

use super::{Call, Render, within};
use crate::services::sqs::command::{Command, QueueAction, QueueKey};
use crate::services::sqs::{address, faults, limits};

pub(super) fn prepare(call: &Call, request: StartMessageMoveTaskRequest) -> Result<(Command, Render), Fault> {
    let StartMessageMoveTaskRequest { source_arn, destination_arn, max_number_of_messages_per_second: rate } =
        request;
    let source = source(&source_arn)?;
    let destination = destination_arn.map(|arn| queue(&arn, "DestinationArn")).transpose()?;
    if let Some(destination) = &destination {
        if !address::is_name(&destination.name) {
            return Err(faults::move_destination_missing());
        }
        if *destination == source {
            return Err(faults::move_to_itself());
        }
        if destination.is_fifo() != source.is_fifo() {
            return Err(faults::move_type_differs());
        }
    }
    let per_second = rate.map(|rate| {
        within(rate, 1, limits::MOVES_PER_SECOND_MAX).ok_or_else(|| {
            let reason = "You must enter a number that's between 1 and 500.";
            faults::invalid_parameter_reason("MaxNumberOfMessagesPerSecond", reason)
        })
    });
    let action = QueueAction::StartMove { destination, per_second: per_second.transpose()? };
    Ok((call.ask(source, "StartMessageMoveTask", action), Render::StartMessageMoveTask))
}

/// The queue of a SourceArn.
pub(super) fn source(arn: &Text) -> Result<QueueKey, Fault> {
    let key = queue(arn, "SourceArn")?;
    if address::is_name(&key.name) { Ok(key) } else { Err(faults::move_source_missing()) }
}

fn queue(arn: &Text, parameter: &str) -> Result<QueueKey, Fault> {
    address::from_arn(arn).map_err(|_| {
        faults::invalid_parameter(format!(
            "You must use this format to specify the {parameter}: \
             arn:<partition>:<service>:<region>:<account-id>:<resource-id>"
        ))
    })
}

pub(super) fn finish(handle: Text) -> Reply {
    Reply::StartMessageMoveTask(StartMessageMoveTaskResult { task_handle: Some(handle) })
}
