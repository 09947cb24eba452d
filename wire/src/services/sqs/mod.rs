//! Amazon SQS: its requests, replies and faults, and what is peculiar in how it is addressed.

mod codec;
pub mod faults;
mod operations;
mod shapes;

use alloc::format;

pub use operations::{MODEL, Operation, Reply, Request};
pub use shapes::*;

use crate::Text;
use crate::fault::Fault;
use crate::service::{RequestHead, Service, invalid_action};

/// The service, for [`decode`](crate::decode) and [`encode_reply`](crate::encode_reply).
#[derive(Debug, Clone, Copy)]
pub enum Sqs {}

impl Service for Sqs {
    super::generated!();

    /// A Query request may be sent to a queue's own URL, which then stands for its QueueUrl.
    fn settle(request: &mut Request, head: &RequestHead<'_>) -> Result<(), Fault> {
        if let Request::ReceiveMessage(receive) = request
            && !receive.attribute_names.is_empty()
        {
            // In JSON the two lists count together; here the older one wins.
            receive.message_system_attribute_names.clear();
        }
        if head.path.split('/').filter(|segment| !segment.is_empty()).count() < 2 {
            return Ok(());
        }
        match request {
            Request::CreateQueue(_) | Request::ListQueues(_) => {
                Err(invalid_action(request.operation().name()))
            }
            _ => {
                if let Some(url) = request.queue_url_mut().filter(|url| url.is_empty()) {
                    let host = head.host.unwrap_or("localhost");
                    *url = Text::from(format!("http://{host}{}", head.path));
                }
                Ok(())
            }
        }
    }
}

impl Request {
    /// The queue that the request names by its URL, as the caller wrote it.
    pub fn queue_url(&self) -> Option<&Text> {
        Some(match self {
            Self::AddPermission(it) => &it.queue_url,
            Self::ChangeMessageVisibility(it) => &it.queue_url,
            Self::ChangeMessageVisibilityBatch(it) => &it.queue_url,
            Self::DeleteMessage(it) => &it.queue_url,
            Self::DeleteMessageBatch(it) => &it.queue_url,
            Self::DeleteQueue(it) => &it.queue_url,
            Self::GetQueueAttributes(it) => &it.queue_url,
            Self::ListDeadLetterSourceQueues(it) => &it.queue_url,
            Self::ListQueueTags(it) => &it.queue_url,
            Self::PurgeQueue(it) => &it.queue_url,
            Self::ReceiveMessage(it) => &it.queue_url,
            Self::RemovePermission(it) => &it.queue_url,
            Self::SendMessage(it) => &it.queue_url,
            Self::SendMessageBatch(it) => &it.queue_url,
            Self::SetQueueAttributes(it) => &it.queue_url,
            Self::TagQueue(it) => &it.queue_url,
            Self::UntagQueue(it) => &it.queue_url,
            Self::CancelMessageMoveTask(_)
            | Self::CreateQueue(_)
            | Self::GetQueueUrl(_)
            | Self::ListMessageMoveTasks(_)
            | Self::ListQueues(_)
            | Self::StartMessageMoveTask(_) => return None,
        })
    }

    /// The same, to be filled in.
    fn queue_url_mut(&mut self) -> Option<&mut Text> {
        Some(match self {
            Self::AddPermission(it) => &mut it.queue_url,
            Self::ChangeMessageVisibility(it) => &mut it.queue_url,
            Self::ChangeMessageVisibilityBatch(it) => &mut it.queue_url,
            Self::DeleteMessage(it) => &mut it.queue_url,
            Self::DeleteMessageBatch(it) => &mut it.queue_url,
            Self::DeleteQueue(it) => &mut it.queue_url,
            Self::GetQueueAttributes(it) => &mut it.queue_url,
            Self::ListDeadLetterSourceQueues(it) => &mut it.queue_url,
            Self::ListQueueTags(it) => &mut it.queue_url,
            Self::PurgeQueue(it) => &mut it.queue_url,
            Self::ReceiveMessage(it) => &mut it.queue_url,
            Self::RemovePermission(it) => &mut it.queue_url,
            Self::SendMessage(it) => &mut it.queue_url,
            Self::SendMessageBatch(it) => &mut it.queue_url,
            Self::SetQueueAttributes(it) => &mut it.queue_url,
            Self::TagQueue(it) => &mut it.queue_url,
            Self::UntagQueue(it) => &mut it.queue_url,
            Self::CancelMessageMoveTask(_)
            | Self::CreateQueue(_)
            | Self::GetQueueUrl(_)
            | Self::ListMessageMoveTasks(_)
            | Self::ListQueues(_)
            | Self::StartMessageMoveTask(_) => return None,
        })
    }
}
