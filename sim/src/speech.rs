//! The world's words in the engine's.

use bytes::Bytes;
use kew_engine::identity::{Account, Caller};
use kew_engine::services::sqs::command::{Outgoing, Page, QueueAction, QueueKey, Receive};
use kew_engine::services::sqs::settings::Changes;
use kew_engine::services::sqs::{Action, Command};
use kew_engine::shard;
use kew_engine::time::Millis;
use kew_wire::Text;

use crate::operation::{self, FIFO, Name, Operation, STANDARD, Setting, payload};

const REGION: &str = "us-east-1";
const ARN: &str = "arn:aws:sqs:us-east-1:000000000000:";

/// The engine's key of a queue.
pub fn key(name: Name) -> QueueKey {
    QueueKey { account: Account::DEFAULT, region: Text::from_static(REGION), name: Text::from_static(name) }
}

/// The queue and count in a RedrivePolicy's text.
pub fn read_redrive(text: &str) -> Option<(Name, u32)> {
    let name = STANDARD.into_iter().chain(FIFO).find(|name| text.contains(&format!(":{name}\"")))?;
    let digits: String = text.rsplit(':').next()?.chars().filter(char::is_ascii_digit).collect();
    Some((name, digits.parse().ok()?))
}

/// The engine's command for an operation.
pub fn command(operation: &Operation) -> shard::Command {
    let Some(action) = action(operation) else { return shard::Command::Reset };
    let caller = Caller::open(Account::DEFAULT, Text::from_static(REGION));
    shard::Command::Sqs(Command { caller, action })
}

/// What is asked of the queue service; `None` if it is asked of the shard.
fn action(operation: &Operation) -> Option<Action> {
    let (queue, name, action) = match operation {
        Operation::Create { queue, settings } => {
            return Some(Action::Create {
                key: key(queue),
                changes: changes(queue, settings, true),
                tags: Vec::new(),
            });
        }
        Operation::List { prefix, max } => {
            let page = Page { after: None, max: *max };
            return Some(Action::List { prefix: Text::from_static(prefix), page });
        }
        Operation::CancelMove { handle } => return Some(Action::CancelMove { handle: handle.clone() }),
        Operation::Reset => return None,
        Operation::Remove { queue } => (queue, "DeleteQueue", QueueAction::Remove),
        Operation::Purge { queue } => (queue, "PurgeQueue", QueueAction::Purge),
        Operation::Change { queue, settings } => {
            (queue, "SetQueueAttributes", QueueAction::Change { changes: changes(queue, settings, false) })
        }
        Operation::View { queue } => (queue, "GetQueueAttributes", QueueAction::View),
        Operation::Tag { queue, key, value } => {
            let tags = vec![(Text::from_static(key), Text::from_static(value))];
            (queue, "TagQueue", QueueAction::Tag { tags })
        }
        Operation::Untag { queue, key } => {
            (queue, "UntagQueue", QueueAction::Untag { keys: vec![Text::from_static(key)] })
        }
        Operation::Tags { queue } => (queue, "ListQueueTags", QueueAction::Tags),
        Operation::Sources { queue } => {
            let page = Page { after: None, max: 1000 };
            (queue, "ListDeadLetterSourceQueues", QueueAction::Sources { page })
        }
        Operation::Send { queue, messages } => {
            let batch = messages.len() > 1;
            let messages = messages.iter().map(|message| outgoing(queue, message)).collect();
            (queue, "SendMessage", QueueAction::Send { messages, batch })
        }
        Operation::Receive { queue, max, visibility, wait, attempt } => {
            let receive = Receive {
                max: *max,
                visibility: visibility.map(Millis::seconds),
                wait: wait.map(Millis::seconds),
                attempt: attempt.clone(),
            };
            (queue, "ReceiveMessage", QueueAction::Receive(receive))
        }
        Operation::Delete { queue, handles } => {
            (queue, "DeleteMessage", QueueAction::Delete { handles: handles.clone() })
        }
        Operation::ChangeVisibility { queue, changes } => {
            let changes =
                changes.iter().map(|(handle, seconds)| (handle.clone(), Millis::seconds(*seconds))).collect();
            (queue, "ChangeMessageVisibility", QueueAction::ChangeVisibility { changes })
        }
        Operation::StartMove { queue, destination, per_second } => {
            let action =
                QueueAction::StartMove { destination: destination.map(key), per_second: *per_second };
            (queue, "StartMessageMoveTask", action)
        }
        Operation::ListMoves { queue } => (queue, "ListMessageMoveTasks", QueueAction::ListMoves { max: 10 }),
        Operation::Peek { queue } => (queue, "ReceiveMessage", QueueAction::Peek { max: usize::MAX }),
    };
    Some(Action::Queue { key: key(queue), name, action })
}

fn outgoing(queue: Name, message: &operation::Outgoing) -> Outgoing {
    let digest = message.content.filter(|_| operation::is_fifo(queue) && message.dedup.is_none());
    Outgoing {
        payload: Bytes::from(payload(message.body, message.size)),
        size: message.size,
        delay: message.delay,
        group: message.group.clone(),
        dedup: message.dedup.clone(),
        digest: digest.map(|content| [content; 32]),
    }
}

fn changes(queue: Name, settings: &[Setting], creating: bool) -> Changes {
    let flag = |value: &bool| if *value { "true" } else { "false" }.to_owned();
    let given: Vec<(Text, Text)> = settings
        .iter()
        .map(|setting| {
            let (name, value) = match setting {
                Setting::Delay(seconds) => ("DelaySeconds", seconds.to_string()),
                Setting::Visibility(seconds) => ("VisibilityTimeout", seconds.to_string()),
                Setting::Retention(seconds) => ("MessageRetentionPeriod", seconds.to_string()),
                Setting::Wait(seconds) => ("ReceiveMessageWaitTimeSeconds", seconds.to_string()),
                Setting::MaximumSize(bytes) => ("MaximumMessageSize", bytes.to_string()),
                Setting::Redrive(None) => ("RedrivePolicy", String::new()),
                Setting::Redrive(Some((target, most))) => (
                    "RedrivePolicy",
                    format!(r#"{{"deadLetterTargetArn":"{ARN}{target}","maxReceiveCount":{most}}}"#),
                ),
                Setting::ContentDedup(yes) => ("ContentBasedDeduplication", flag(yes)),
                Setting::GroupScope(true) => ("DeduplicationScope", "messageGroup".to_owned()),
                Setting::GroupScope(false) => ("DeduplicationScope", "queue".to_owned()),
            };
            (Text::from_static(name), Text::from(value))
        })
        .collect();
    Changes::parse(&given, queue, creating).expect("the world gives rightful attributes")
}
