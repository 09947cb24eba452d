//! SetQueueAttributes.

use kew_wire::fault::Fault;
use kew_wire::sqs::{Reply, SetQueueAttributesRequest};

use super::{Call, Render};
use crate::services::sqs::command::{Command, QueueAction};
use crate::services::sqs::faults;
use crate::services::sqs::settings::Changes;

pub(super) fn prepare(call: &Call, request: SetQueueAttributesRequest) -> Result<(Command, Render), Fault> {
    let SetQueueAttributesRequest { queue_url, attributes } = request;
    let key = call.key(&queue_url)?;
    if attributes.is_empty() {
        return Err(faults::missing_parameter("Attribute.Name"));
    }
    let changes = Changes::parse(&attributes, &key.name, false)?;
    changes.check_for(&key)?;
    let action = QueueAction::Change { changes };
    Ok((call.ask(key, "SetQueueAttributes", action), Render::Done(Reply::SetQueueAttributes)))
}
