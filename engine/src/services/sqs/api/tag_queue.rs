//! TagQueue.

use kew_wire::Text;
use kew_wire::fault::Fault;
use kew_wire::sqs::{Reply, TagQueueRequest};

use super::{Call, Render};
use crate::services::sqs::command::{Command, QueueAction};
use crate::services::sqs::{faults, limits};

pub(super) fn prepare(call: &Call, request: TagQueueRequest) -> Result<(Command, Render), Fault> {
    let TagQueueRequest { queue_url, tags } = request;
    let key = call.key(&queue_url)?;
    if tags.is_empty() {
        return Err(faults::missing_parameter("Tags"));
    }
    check(&key.name, &tags)?;
    Ok((call.ask(key, "TagQueue", QueueAction::Tag { tags }), Render::Done(Reply::TagQueue)))
}

/// Checks the tags that a caller gives the queue called `name`.
pub(super) fn check(name: &str, tags: &[(Text, Text)]) -> Result<(), Fault> {
    if tags.len() > limits::TAGS {
        return Err(faults::too_many_tags(name));
    }
    tags.iter().try_for_each(|(key, value)| {
        check_key(key)?;
        if value.chars().count() > limits::TAG_VALUE_CHARS {
            return Err(faults::invalid_parameter(
                "Tag values must be between 0 and 256 characters in length.",
            ));
        }
        Ok(())
    })
}

/// Checks one tag's key, given or taken away.
pub(super) fn check_key(key: &str) -> Result<(), Fault> {
    if key.is_empty() || key.chars().count() > limits::TAG_KEY_CHARS {
        return Err(faults::invalid_parameter("Tag keys must be between 1 and 128 characters in length."));
    }
    if key.get(..4).is_some_and(|prefix| prefix.eq_ignore_ascii_case("aws:")) {
        return Err(faults::invalid_parameter("Tag keys can't start with the reserved prefix aws:."));
    }
    Ok(())
}
