//! ListMessageMoveTasks.

use alloc::vec::Vec;

use kew_wire::Text;
use kew_wire::fault::Fault;
use kew_wire::sqs::{
    ListMessageMoveTasksRequest, ListMessageMoveTasksResult, ListMessageMoveTasksResultEntry, Reply,
};

use super::{Call, Render, start_message_move_task, within};
use crate::services::sqs::command::{Command, MoveStatus, MoveTask, QueueAction};
use crate::services::sqs::{faults, limits};

pub(super) fn prepare(call: &Call, request: ListMessageMoveTasksRequest) -> Result<(Command, Render), Fault> {
    let ListMessageMoveTasksRequest { source_arn, max_results } = request;
    let source = start_message_move_task::source(&source_arn)?;
    let max = within(max_results.unwrap_or(1), 1, limits::MOVE_TASKS as u32).ok_or_else(|| {
        faults::invalid_parameter_reason("MaxResults", "You must enter a number that's between 1 and 10.")
    })?;
    let action = QueueAction::ListMoves { max: max as usize };
    Ok((call.ask(source, "ListMessageMoveTasks", action), Render::ListMessageMoveTasks))
}

pub(super) fn finish(moves: Vec<MoveTask>) -> Reply {
    Reply::ListMessageMoveTasks(ListMessageMoveTasksResult { results: moves.into_iter().map(show).collect() })
}

fn show(task: MoveTask) -> ListMessageMoveTasksResultEntry {
    let number = |number: u64| Some(i64::try_from(number).unwrap_or(i64::MAX));
    ListMessageMoveTasksResultEntry {
        // Only a task that runs can be cancelled, so only it shows its handle.
        task_handle: (task.status == MoveStatus::Running).then_some(task.handle),
        status: Some(Text::from_static(status(task.status))),
        source_arn: Some(task.source.arn()),
        destination_arn: task.destination.map(|destination| destination.arn()),
        max_number_of_messages_per_second: task.per_second.and_then(|rate| i32::try_from(rate).ok()),
        approximate_number_of_messages_moved: number(task.moved),
        approximate_number_of_messages_to_move: number(task.to_move),
        failure_reason: task.failure,
        started_timestamp: number(task.started.0),
    }
}

fn status(status: MoveStatus) -> &'static str {
    match status {
        MoveStatus::Running => "RUNNING",
        MoveStatus::Completed => "COMPLETED",
        MoveStatus::Cancelling => "CANCELLING",
        MoveStatus::Cancelled => "CANCELLED",
        MoveStatus::Failed => "FAILED",
    }
}
