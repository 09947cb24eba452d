//! CancelMessageMoveTask.

use base64_simd::STANDARD;
use kew_wire::Text;
use kew_wire::fault::Fault;
use kew_wire::sqs::{CancelMessageMoveTaskRequest, CancelMessageMoveTaskResult, Reply};
use serde_json::Value;

use super::{Call, Render};
use crate::services::sqs::command::{Action, Command};
use crate::services::sqs::{address, faults};

pub(super) fn prepare(
    call: &Call,
    request: CancelMessageMoveTaskRequest,
) -> Result<(Command, Render), Fault> {
    let handle = request.task_handle;
    if handle.is_empty() {
        return Err(faults::missing_parameter("TaskHandle"));
    }
    if !is_handle(&handle) {
        return Err(faults::move_handle_invalid());
    }
    Ok((call.command(Action::CancelMove { handle }), Render::CancelMessageMoveTask))
}

pub(super) fn finish(moved: u64) -> Reply {
    let moved = i64::try_from(moved).unwrap_or(i64::MAX);
    let result = CancelMessageMoveTaskResult { approximate_number_of_messages_moved: Some(moved) };
    Reply::CancelMessageMoveTask(result)
}

/// Whether this is the base64 of `{"taskId":"...","sourceArn":"arn:..."}`, as every handle is, with the ARN of what can be a queue.
fn is_handle(handle: &str) -> bool {
    let Ok(bytes) = STANDARD.decode_to_vec(handle) else { return false };
    let Ok(task) = serde_json::from_slice::<Value>(&bytes) else { return false };
    let text = |key: &str| task.get(key).and_then(Value::as_str);
    let source = text("sourceArn").map(Text::from);
    text("taskId").is_some()
        && source
            .is_some_and(|source| address::from_arn(&source).is_ok_and(|key| address::is_name(&key.name)))
}
