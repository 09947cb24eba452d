//! AddPermission.

use kew_wire::fault::Fault;
use kew_wire::sqs::{AddPermissionRequest, Reply};

use super::{Call, Render};
use crate::services::sqs::command::{Command, QueueAction};
use crate::services::sqs::policy;

pub(super) fn prepare(call: &Call, request: AddPermissionRequest) -> Result<(Command, Render), Fault> {
    let AddPermissionRequest { queue_url, label, aws_account_ids: accounts, actions } = request;
    let key = call.key(&queue_url)?;
    policy::check_permission(&label, &accounts, &actions)?;
    let action = QueueAction::Permit { label, accounts, actions };
    Ok((call.ask(key, "AddPermission", action), Render::Done(Reply::AddPermission)))
}
