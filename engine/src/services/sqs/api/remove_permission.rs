//! RemovePermission.

use kew_wire::fault::Fault;
use kew_wire::sqs::{RemovePermissionRequest, Reply};

use super::{Call, Render};
use crate::services::sqs::command::{Command, QueueAction};
use crate::services::sqs::policy;

pub(super) fn prepare(call: &Call, request: RemovePermissionRequest) -> Result<(Command, Render), Fault> {
    let RemovePermissionRequest { queue_url, label } = request;
    let key = call.key(&queue_url)?;
    policy::check_label(&label)?;
    let action = QueueAction::Forbid { label };
    Ok((call.ask(key, "RemovePermission", action), Render::Done(Reply::RemovePermission)))
}
