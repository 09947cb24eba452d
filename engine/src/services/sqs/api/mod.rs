//! The operations under AWS's names: each checks its request and says what to ask of the state machine ([`prepare`]),
//! and turns the state machine's answer into AWS's reply ([`finish`]).
//!
//! Nothing here knows a queue's state; what depends on it is refused by the state machine, in words from
//! [`super::faults`].

mod add_permission;
mod batch;
mod cancel_message_move_task;
mod change_message_visibility;
mod change_message_visibility_batch;
mod create_queue;
mod delete_message;
mod delete_message_batch;
mod delete_queue;
mod get_queue_attributes;
mod get_queue_url;
mod list_dead_letter_source_queues;
mod list_message_move_tasks;
mod list_queue_tags;
mod list_queues;
mod page;
mod purge_queue;
mod receive_message;
mod remove_permission;
mod send_message;
mod send_message_batch;
mod set_queue_attributes;
mod start_message_move_task;
mod tag_queue;
#[cfg(test)]
mod tests;
mod untag_queue;

use alloc::format;
use alloc::vec::Vec;

use bytes::Bytes;
use kew_wire::Text;
use kew_wire::fault::{Fault, common};
use kew_wire::sqs::{Reply, Request};

use super::command::{self, Action, Command, QueueAction, QueueKey};
use super::{address, faults};
use crate::identity::Caller;

/// A request's surroundings.
#[derive(Debug, Clone)]
pub struct Call {
    /// Who calls.
    pub caller: Caller,
    /// How this server is reached, for queue URLs (`http://localhost:4566`, without a slash at the end).
    pub endpoint: Text,
    /// Whether the request came in the Query dialect, in which AWS does a few things differently.
    pub query: bool,
    /// The header `X-Amzn-Trace-Id`, which a message carries on as its AWSTraceHeader.
    pub trace: Option<Text>,
}

impl Call {
    /// The queue that a QueueUrl names: a URL, or a bare name of the caller's account and region. A name that no queue can have is refused
    /// here, so that it costs nobody anything: everyone hears the same.
    fn key(&self, url: &Text) -> Result<QueueKey, Fault> {
        if url.is_empty() {
            return Err(match self.query {
                // A Query request is addressed by its URL, which then was the endpoint's own.
                true => faults::invalid_address(&format!("{}/", self.endpoint)),
                false => faults::queue_does_not_exist(),
            });
        }
        let key = match url.contains('/') {
            false => self.own(url.clone()),
            true => {
                address::from_url(url, &self.caller.region).ok_or_else(|| faults::invalid_address(url))?
            }
        };
        if address::is_name(&key.name) { Ok(key) } else { Err(faults::queue_does_not_exist()) }
    }

    /// The caller's own queue of this name.
    fn own(&self, name: Text) -> QueueKey {
        QueueKey { account: self.caller.account, region: self.caller.region.clone(), name }
    }

    fn command(&self, action: Action) -> Command {
        Command { caller: self.caller.clone(), action }
    }

    /// Something asked of the queue `key`; `name` is the operation as policies spell it.
    fn ask(&self, key: QueueKey, name: &'static str, action: QueueAction) -> Command {
        self.command(Action::Queue { key, name, action })
    }
}

/// What a reply needs beside the state machine's answer; made by [`prepare`] for [`finish`].
#[derive(Debug)]
pub struct Finish {
    query: bool,
    render: Render,
}

/// How each operation's answer is turned into its reply.
#[derive(Debug)]
enum Render {
    /// There is nothing to say but that it is done.
    Done(Reply),
    /// CancelMessageMoveTask.
    CancelMessageMoveTask,
    /// ChangeMessageVisibilityBatch: an outcome so far for every entry.
    ChangeMessageVisibilityBatch(batch::Entries<()>),
    /// DeleteMessageBatch: an outcome so far for every entry.
    DeleteMessageBatch(batch::Entries<()>),
    /// GetQueueAttributes.
    GetQueueAttributes(get_queue_attributes::Wanted),
    /// ListDeadLetterSourceQueues.
    ListDeadLetterSourceQueues(page::Paging),
    /// ListMessageMoveTasks.
    ListMessageMoveTasks,
    /// ListQueueTags.
    ListQueueTags,
    /// ListQueues.
    ListQueues(page::Paging),
    /// ReceiveMessage.
    ReceiveMessage(receive_message::Wanted),
    /// SendMessage.
    SendMessage(send_message::Sums),
    /// SendMessageBatch: an outcome so far for every entry.
    SendMessageBatch(batch::Entries<send_message::Sums>),
    /// StartMessageMoveTask.
    StartMessageMoveTask,
}

/// Checks a request: what to ask of the state machine, and what [`finish`] will need.
pub fn prepare(call: &Call, request: Request) -> Result<(Command, Finish), Fault> {
    let checked = match request {
        Request::AddPermission(request) => add_permission::prepare(call, request),
        Request::CancelMessageMoveTask(request) => cancel_message_move_task::prepare(call, request),
        Request::ChangeMessageVisibility(request) => change_message_visibility::prepare(call, request),
        Request::ChangeMessageVisibilityBatch(request) => {
            change_message_visibility_batch::prepare(call, request)
        }
        Request::CreateQueue(request) => create_queue::prepare(call, request),
        Request::DeleteMessage(request) => delete_message::prepare(call, request),
        Request::DeleteMessageBatch(request) => delete_message_batch::prepare(call, request),
        Request::DeleteQueue(request) => delete_queue::prepare(call, request),
        Request::GetQueueAttributes(request) => get_queue_attributes::prepare(call, request),
        Request::GetQueueUrl(request) => get_queue_url::prepare(call, request),
        Request::ListDeadLetterSourceQueues(request) => {
            list_dead_letter_source_queues::prepare(call, request)
        }
        Request::ListMessageMoveTasks(request) => list_message_move_tasks::prepare(call, request),
        Request::ListQueueTags(request) => list_queue_tags::prepare(call, request),
        Request::ListQueues(request) => list_queues::prepare(call, request),
        Request::PurgeQueue(request) => purge_queue::prepare(call, request),
        Request::ReceiveMessage(request) => receive_message::prepare(call, request),
        Request::RemovePermission(request) => remove_permission::prepare(call, request),
        Request::SendMessage(request) => send_message::prepare(call, request),
        Request::SendMessageBatch(request) => send_message_batch::prepare(call, request),
        Request::SetQueueAttributes(request) => set_queue_attributes::prepare(call, request),
        Request::StartMessageMoveTask(request) => start_message_move_task::prepare(call, request),
        Request::TagQueue(request) => tag_queue::prepare(call, request),
        Request::UntagQueue(request) => untag_queue::prepare(call, request),
    };
    match checked {
        Ok((command, render)) => Ok((command, Finish { query: call.query, render })),
        Err(fault) => Err(in_dialect(call.query, fault)),
    }
}

/// The queue that a request sends messages to; `None` if it does something else, or names no queue.
pub fn sends_to(call: &Call, request: &Request) -> Option<QueueKey> {
    match request {
        Request::SendMessage(request) => call.key(&request.queue_url).ok(),
        Request::SendMessageBatch(request) => call.key(&request.queue_url).ok(),
        _ => None,
    }
}

/// What a caller is told whose messages the queue refuses, asked in advance: the same as if they had been prepared and sent, so what
/// is wrong with the request itself comes first.
pub fn refuse(call: &Call, request: Request, refusal: Fault) -> Fault {
    let checked = match request {
        Request::SendMessage(request) => send_message::check(call, request).map(drop),
        Request::SendMessageBatch(request) => send_message_batch::check(call, request).map(drop),
        _ => Ok(()),
    };
    in_dialect(call.query, checked.err().unwrap_or(refusal))
}

/// AWS's reply. `payloads` are those of [`command::Reply::Received`]'s deliveries, in order.
///
/// # Errors
///
/// The state machine's fault in the words of the caller's dialect, and InternalFailure if the answer does not fit the
/// request or a payload cannot be read, which the caller sees as AWS's own trouble.
pub fn finish(
    finish: Finish,
    reply: Result<command::Reply, Fault>,
    payloads: Vec<Bytes>,
) -> Result<Reply, Fault> {
    let Finish { query, render } = finish;
    let answered = reply.and_then(|reply| render_reply(render, reply, payloads));
    answered.map_err(|fault| in_dialect(query, fault))
}

fn in_dialect(query: bool, fault: Fault) -> Fault {
    if query { faults::in_query(fault) } else { fault }
}

fn render_reply(render: Render, reply: command::Reply, payloads: Vec<Bytes>) -> Result<Reply, Fault> {
    use command::Reply as Answer;
    match (render, reply) {
        (Render::Done(reply), Answer::Done) => Ok(reply),
        // DeleteMessage and ChangeMessageVisibility are batches of one.
        (Render::Done(reply), Answer::Entries(outcomes)) => {
            outcomes.into_iter().next().unwrap_or(Ok(())).map(|()| reply)
        }
        (Render::CancelMessageMoveTask, Answer::Cancelled { moved }) => {
            Ok(cancel_message_move_task::finish(moved))
        }
        (Render::ChangeMessageVisibilityBatch(entries), Answer::Entries(outcomes)) => {
            Ok(change_message_visibility_batch::finish(entries, outcomes))
        }
        (Render::DeleteMessageBatch(entries), Answer::Entries(outcomes)) => {
            Ok(delete_message_batch::finish(entries, outcomes))
        }
        (Render::GetQueueAttributes(wanted), Answer::View(view)) => {
            Ok(get_queue_attributes::finish(&wanted, &view))
        }
        (Render::ListDeadLetterSourceQueues(paging), Answer::Names { keys, more }) => {
            Ok(list_dead_letter_source_queues::finish(&paging, &keys, more))
        }
        (Render::ListMessageMoveTasks, Answer::Moves(moves)) => Ok(list_message_move_tasks::finish(moves)),
        (Render::ListQueueTags, Answer::Tags(tags)) => Ok(list_queue_tags::finish(tags)),
        (Render::ListQueues(paging), Answer::Names { keys, more }) => {
            Ok(list_queues::finish(&paging, &keys, more))
        }
        (Render::ReceiveMessage(wanted), Answer::Received(deliveries)) => {
            receive_message::finish(&wanted, deliveries, payloads)
        }
        (Render::SendMessage(sums), Answer::Sent(receipts)) => send_message::finish(&sums, receipts),
        (Render::SendMessageBatch(entries), Answer::Sent(receipts)) => {
            Ok(send_message_batch::finish(entries, receipts))
        }
        (Render::StartMessageMoveTask, Answer::Started { handle }) => {
            Ok(start_message_move_task::finish(handle))
        }
        _ => Err(internal("The answer does not fit the request.")),
    }
}

/// Looks at up to `max` messages of a queue with all their attributes, without receiving them: a test helper, no
/// operation of AWS's. [`finish`] answers as ReceiveMessage does.
pub fn peek(call: &Call, queue_url: &Text, max: usize) -> Result<(Command, Finish), Fault> {
    let (command, render) = receive_message::peek(call, queue_url, max)?;
    Ok((command, Finish { query: call.query, render }))
}

/// Something that cannot be the caller's doing.
fn internal(message: &'static str) -> Fault {
    Fault::new(&common::INTERNAL_FAILURE, message)
}

/// A number of a request that AWS counts from zero upwards, if it lies in `min..=max`.
fn within(value: i32, min: u32, max: u32) -> Option<u32> {
    u32::try_from(value).ok().filter(|value| (min..=max).contains(value))
}

/// Whether a text could be a MessageGroupId, MessageDeduplicationId or ReceiveRequestAttemptId (API SendMessage).
fn is_id(text: &str) -> bool {
    let graphic = |b: u8| b.is_ascii_graphic();
    !text.is_empty() && text.len() <= super::limits::ID_CHARS && text.bytes().all(graphic)
}

/// Checks one of the ids of [`is_id`].
fn check_id(text: &str, parameter: &str) -> Result<(), Fault> {
    if is_id(text) {
        return Ok(());
    }
    let reason =
        format!("{parameter} can only include alphanumeric and punctuation characters. 1 to 128 in length.");
    Err(faults::invalid_parameter_value(text, parameter, reason))
}
