//! Every refusal of the service, in AWS's words: one constructor per fault.
//!
//! The wording is AWS's own where a recording of it is known. The Query dialect words one fault differently:
//! [`in_query`].

use alloc::borrow::Cow;
use alloc::format;
use alloc::string::String;
use core::fmt::Display;

use kew_wire::fault::{Fault, FaultKind, common};
use kew_wire::sqs::faults as kind;

use super::limits;
use crate::identity::Caller;
use crate::policy::Decision;

/// The queue does not exist, or the caller may not know that it does.
pub fn queue_does_not_exist() -> Fault {
    Fault::new(&kind::QUEUE_DOES_NOT_EXIST, "The specified queue does not exist.")
}

/// What KMS refuses, as SQS says it (API SendMessage, ReceiveMessage: *Errors*).
pub fn of_kms(fault: Fault) -> Fault {
    let kind = match fault.kind.name {
        "AccessDeniedException" => &kind::KMS_ACCESS_DENIED,
        "DisabledException" => &kind::KMS_DISABLED,
        "InvalidKeyUsageException" => &kind::KMS_INVALID_KEY_USAGE,
        "KMSInvalidStateException" => &kind::KMS_INVALID_STATE,
        "NotFoundException" => &kind::KMS_NOT_FOUND,
        "ThrottlingException" | "LimitExceededException" => &kind::KMS_THROTTLED,
        _ => return Fault::new(&common::INTERNAL_FAILURE, fault.message),
    };
    Fault::new(kind, fault.message)
}

/// The KMS key that encrypted a message is not there any more: our words.
pub fn message_key_not_found() -> Fault {
    Fault::new(&kind::KMS_NOT_FOUND, "The key that encrypted this does not exist.")
}

/// The caller should come again, more slowly.
pub fn throttled() -> Fault {
    Fault::new(&common::THROTTLING, "Rate exceeded")
}

/// The fault as AWS words it in the Query dialect.
pub fn in_query(fault: Fault) -> Fault {
    if *fault.kind != kind::QUEUE_DOES_NOT_EXIST {
        return fault;
    }
    Fault::new(fault.kind, "The specified queue does not exist for this wsdl version.")
}

/// A queue URL that names no queue: neither `.../ACCOUNT/NAME` nor a bare name.
pub fn invalid_address(url: &str) -> Fault {
    Fault::new(&kind::INVALID_ADDRESS, format!("The address {url} is not valid for this endpoint."))
}

/// CreateQueue of an existing queue with another value of `attribute`.
pub fn queue_name_exists(attribute: &str) -> Fault {
    let message =
        format!("A queue already exists with the same name and a different value for attribute {attribute}");
    Fault::new(&kind::QUEUE_NAME_EXISTS, message)
}

/// CreateQueue within [`limits::RECREATE_WAIT`] of DeleteQueue.
pub fn queue_deleted_recently() -> Fault {
    Fault::new(
        &kind::QUEUE_DELETED_RECENTLY,
        "You must wait 60 seconds after deleting a queue before you can create another with the same name.",
    )
}

/// PurgeQueue within [`limits::PURGE_WAIT`] of the last one on the queue called `name`.
pub fn purge_in_progress(name: &str) -> Fault {
    let message = format!("Only one PurgeQueue operation on {name} is allowed every 60 seconds.");
    Fault::new(&kind::PURGE_QUEUE_IN_PROGRESS, message)
}

/// A short poll of a standard queue with [`limits::IN_FLIGHT`] messages in flight. The line break is AWS's.
pub fn over_limit_in_flight() -> Fault {
    Fault::new(
        &kind::OVER_LIMIT,
        "Too many messages have been received without being deleted.\nPlease delete your received messages or let them \
         timeout before receiving more.",
    )
}

/// More than a quota allows, in `message`'s words.
pub fn over_limit(message: String) -> Fault {
    Fault::new(&kind::OVER_LIMIT, message)
}

/// AddPermission with more than [`limits::STATEMENT_ACTIONS`] actions.
pub fn too_many_actions(count: usize) -> Fault {
    over_limit(format!("{count} Actions were found, maximum allowed is {}.", limits::STATEMENT_ACTIONS))
}

/// AddPermission on a policy that has [`limits::POLICY_STATEMENTS`] statements already.
pub fn too_many_statements(count: usize) -> Fault {
    over_limit(format!("{count} Statements were found, maximum allowed is {}.", limits::POLICY_STATEMENTS))
}

/// A Policy attribute with more than [`limits::POLICY_STATEMENTS`] statements.
pub fn policy_statements(count: usize) -> Fault {
    let max = limits::POLICY_STATEMENTS;
    over_limit(format!("{count} statements were found in the submitted policy, max allowed is {max}"))
}

/// A Policy attribute of which one statement has too many of `what`. AWS's words are known for actions; principals and conditions are
/// refused by the same pattern.
pub fn statement_too_long(what: &str, count: usize, max: usize) -> Fault {
    over_limit(format!(
        "{count} {what} were found in a statement from the submitted policy, max allowed is {max}"
    ))
}

/// A Policy attribute with more than [`limits::POLICY_BYTES`] bytes.
pub fn policy_too_long() -> Fault {
    over_limit("Submitted policy is over max allowed size.".into())
}

/// A parameter that must be there is not.
pub fn missing_parameter(name: impl Display) -> Fault {
    Fault::new(&common::MISSING_PARAMETER, format!("The request must contain the parameter {name}."))
}

/// A batch's entry without something that it must have; `place` is its path in the Query dialect. AWS models this kind
/// nowhere.
pub fn empty_value(place: impl Display) -> Fault {
    Fault::new(&EMPTY_VALUE, format!("No Value Found for {place}."))
}

const EMPTY_VALUE: FaultKind = FaultKind {
    name: "EmptyValue",
    namespace: "com.amazonaws.sqs",
    code: "EmptyValue",
    status: 400,
    sender: true,
};

/// The plain form of InvalidParameterValue: a sentence.
pub fn invalid_parameter(message: impl Into<Cow<'static, str>>) -> Fault {
    Fault::new(&common::INVALID_PARAMETER_VALUE, message)
}

/// The usual form of InvalidParameterValue: value, parameter and reason. `reason` ends as AWS's does, mostly with a dot.
pub fn invalid_parameter_value(value: impl Display, parameter: &str, reason: impl Display) -> Fault {
    invalid_parameter(format!("Value {value} for parameter {parameter} is invalid. Reason: {reason}"))
}

/// InvalidParameterValue of a parameter whose value AWS does not repeat.
pub fn invalid_parameter_reason(parameter: &str, reason: impl Display) -> Fault {
    invalid_parameter(format!("Value for parameter {parameter} is invalid. Reason: {reason}"))
}

/// An attribute that does not exist, cannot be set, or does not apply to the kind of queue.
pub fn unknown_attribute(name: &str) -> Fault {
    Fault::new(&kind::INVALID_ATTRIBUTE_NAME, format!("Unknown Attribute {name}."))
}

/// A FIFO throughput attribute on a standard queue.
pub fn fifo_only_attribute(name: &str) -> Fault {
    let message = format!("You can specify the {name} only when FifoQueue is set to true.");
    Fault::new(&kind::INVALID_ATTRIBUTE_NAME, message)
}

/// Both kinds of server-side encryption at once.
pub fn two_encryptions() -> Fault {
    Fault::new(
        &kind::INVALID_ATTRIBUTE_NAME,
        "You can use one type of server-side encryption (SSE) at one time. You can either enable KMS SSE or SQS SSE.",
    )
}

/// An attribute's value is not what the attribute takes.
pub fn invalid_attribute(name: &str) -> Fault {
    Fault::new(&kind::INVALID_ATTRIBUTE_VALUE, format!("Invalid value for the parameter {name}."))
}

/// As [`invalid_attribute`], with AWS's reason.
pub fn invalid_attribute_reason(name: &str, reason: &str) -> Fault {
    Fault::new(
        &kind::INVALID_ATTRIBUTE_VALUE,
        format!("Invalid value for the parameter {name}. Reason: {reason}"),
    )
}

/// SetQueueAttributes with FifoQueue=false on a FIFO queue.
pub fn queue_type_is_fixed() -> Fault {
    invalid_attribute_reason("FifoQueue", "Modifying queue type is not supported.")
}

/// FifoThroughputLimit=perMessageGroupId beside another DeduplicationScope than messageGroup.
pub fn throughput_needs_group_scope() -> Fault {
    Fault::new(
        &kind::INVALID_ATTRIBUTE_VALUE,
        "The perMessageGroupId value is allowed only when the value for DeduplicationScope is messageGroup",
    )
}

/// A RedrivePolicy that AWS refuses; `text` is the policy as the caller gave it.
pub fn redrive_policy(text: &str, reason: impl Display) -> Fault {
    invalid_parameter_value(text, "RedrivePolicy", reason)
}

/// The RedrivePolicy's target belongs to another account.
pub fn dead_letter_target_owner(text: &str) -> Fault {
    redrive_policy(text, "Dead-letter target owner should be same as the source.")
}

/// The RedrivePolicy's target does not exist (or is of another region).
pub fn dead_letter_target_missing(text: &str) -> Fault {
    redrive_policy(text, "Dead letter target does not exist.")
}

/// The RedrivePolicy's target is FIFO and the source is not, or the other way round.
pub fn dead_letter_target_type(text: &str) -> Fault {
    redrive_policy(text, "Dead-letter queue must be same type of queue as the source..")
}

/// The RedrivePolicy's target does not let this source use it.
pub fn dead_letter_target_forbids(text: &str) -> Fault {
    redrive_policy(text, "The dead-letter queue's redrive allow policy does not allow this source queue.")
}

/// The receipt handle was given out by another queue.
pub fn receipt_handle_of_other_queue(handle: &str) -> Fault {
    let message = format!("The receipt handle \"{handle}\" is not valid for this queue.");
    Fault::new(&kind::RECEIPT_HANDLE_IS_INVALID, message)
}

/// The receipt handle was never given out.
pub fn receipt_handle_invalid(handle: &str) -> Fault {
    let message = format!("The input receipt handle \"{handle}\" is not a valid receipt handle.");
    Fault::new(&kind::RECEIPT_HANDLE_IS_INVALID, message)
}

/// The handle of a FIFO queue's message whose visibility timeout has passed.
pub fn receipt_handle_expired(handle: &str) -> Fault {
    invalid_parameter_value(handle, "ReceiptHandle", "The receipt handle has expired.")
}

/// ChangeMessageVisibility of a message that was deleted, or is not there for another reason.
pub fn message_not_available(handle: &str) -> Fault {
    let reason = "Message does not exist or is not available for visibility timeout change.";
    invalid_parameter_value(handle, "ReceiptHandle", reason)
}

/// ChangeMessageVisibility of a message that is there but not in flight. AWS's fault has no message.
pub fn message_not_in_flight() -> Fault {
    Fault::new(&kind::MESSAGE_NOT_INFLIGHT, "")
}

/// ChangeMessageVisibility by `seconds` would keep the message in flight for more than 12 hours since its receive.
pub fn visibility_beyond_limit(seconds: u64) -> Fault {
    let max = limits::VISIBILITY_SECONDS_MAX;
    let reason = format!("Total VisibilityTimeout for the message is beyond the limit [{max} seconds].");
    invalid_parameter_value(seconds, "VisibilityTimeout", reason)
}

/// A message above its queue's MaximumMessageSize of `max` bytes, sent alone.
pub fn message_too_long(max: u32) -> Fault {
    invalid_parameter(format!(
        "One or more parameters are invalid. Reason: Message must be shorter than {max} bytes."
    ))
}

/// A batch's message above its queue's MaximumMessageSize of `max` bytes.
pub fn batch_message_too_long(max: u32) -> Fault {
    let message = format!(
        "One or more parameters cannot be validated. Reason: Message must be shorter than {max} bytes."
    );
    invalid_parameter(message)
}

/// A FIFO message without a deduplication id on a queue that does not derive it from the body.
pub fn deduplication_id_needed() -> Fault {
    invalid_parameter(
        "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly",
    )
}

/// A parameter that only the other kind of queue takes.
pub fn not_for_this_queue_type(value: impl Display, parameter: &str) -> Fault {
    let reason = "The request include parameter that is not valid for this queue type.";
    invalid_parameter_value(value, parameter, reason)
}

/// A body with a character that XML 1.0 does not have.
pub fn invalid_body(character: char) -> Fault {
    Fault::new(&kind::INVALID_MESSAGE_CONTENTS, invalid_character(character, "body"))
}

/// A value of the message attribute `name` with a character that XML 1.0 does not have.
pub fn invalid_attribute_text(character: char, name: &str) -> Fault {
    invalid_parameter(invalid_character(character, &format!("attribute '{name}' value")))
}

fn invalid_character(character: char, place: &str) -> String {
    let code = u32::from(character);
    format!(
        "Invalid binary character '#x{code:X}' was found in the message {place}, the set of allowed characters is #x9 | \
         #xA | #xD | [#x20-#xD7FF] | [#xE000-#xFFFD] | [#x10000-#x10FFFF]."
    )
}

/// A batch without entries; `entry` is the entry's name in the Query dialect.
pub fn empty_batch(entry: &str) -> Fault {
    Fault::new(&kind::EMPTY_BATCH_REQUEST, format!("There should be at least one {entry} in the request."))
}

/// A batch of `count` entries, which is more than [`limits::BATCH_ENTRIES`].
pub fn too_many_entries(count: usize) -> Fault {
    let max = limits::BATCH_ENTRIES;
    let message = format!("Maximum number of entries per request are {max}. You have sent {count}.");
    Fault::new(&kind::TOO_MANY_ENTRIES_IN_BATCH_REQUEST, message)
}

/// Two entries of a batch with the same id.
pub fn batch_ids_not_distinct(id: &str) -> Fault {
    Fault::new(&kind::BATCH_ENTRY_IDS_NOT_DISTINCT, format!("Id {id} repeated."))
}

/// An entry's id that is empty, too long, or has other characters.
pub fn invalid_batch_id() -> Fault {
    Fault::new(
        &kind::INVALID_BATCH_ENTRY_ID,
        "A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be at most 80 \
         letters long.",
    )
}

/// A batch of `size` bytes in all, which is more than [`limits::BATCH_SIZE_MAX`].
pub fn batch_too_long(size: usize) -> Fault {
    let max = limits::BATCH_SIZE_MAX;
    let message = format!("Batch requests cannot be longer than {max} bytes. You have sent {size} bytes.");
    Fault::new(&kind::BATCH_REQUEST_TOO_LONG, message)
}

/// An operation or parameter that the service models but does not support.
pub fn unsupported(message: &'static str) -> Fault {
    Fault::new(&kind::UNSUPPORTED_OPERATION, message)
}

/// AddPermission with a label that the policy has already.
pub fn label_exists(label: &str) -> Fault {
    invalid_parameter_value(label, "Label", "Already exists.")
}

/// RemovePermission with a label that the policy does not have.
pub fn label_not_found(label: &str) -> Fault {
    invalid_parameter_value(label, "Label", "can't find label.")
}

/// More tags than [`limits::TAGS`] on the queue called `name`.
pub fn too_many_tags(name: &str) -> Fault {
    invalid_parameter(format!("Too many tags added for queue {name}."))
}

/// UntagQueue of more keys than [`limits::TAGS`]. AWS documents no answer; this is worded like TagQueue's.
pub fn too_many_tag_keys(name: &str) -> Fault {
    invalid_parameter(format!("Too many tags removed from queue {name}."))
}

/// StartMessageMoveTask or ListMessageMoveTasks of a queue that does not exist; CancelMessageMoveTask likewise.
pub fn move_source_missing() -> Fault {
    resource_not_found("The resource that you specified for the SourceArn parameter doesn't exist.")
}

/// StartMessageMoveTask to a queue that does not exist.
pub fn move_destination_missing() -> Fault {
    resource_not_found("The resource that you specified for the DestinationArn parameter doesn't exist.")
}

/// StartMessageMoveTask from a queue that is no queue's dead-letter queue.
pub fn move_source_not_dead_letter() -> Fault {
    invalid_parameter("Source queue must be configured as a Dead Letter Queue.")
}

/// StartMessageMoveTask from a queue to itself.
pub fn move_to_itself() -> Fault {
    invalid_parameter("Source queue arn and destination queue arn cannot be the same.")
}

/// StartMessageMoveTask between a standard and a FIFO queue.
pub fn move_type_differs() -> Fault {
    invalid_parameter("The source queue and destination queue must be of the same queue type.")
}

/// StartMessageMoveTask while one runs for the same source.
pub fn move_already_running() -> Fault {
    invalid_parameter(
        "There is already a task running. Only one active task is allowed for a source queue arn at a given time.",
    )
}

/// More than [`limits::ACTIVE_MOVES`] move tasks of an account at once.
pub fn too_many_moves() -> Fault {
    let max = limits::ACTIVE_MOVES;
    over_limit(format!("The maximum number of active message move tasks per account is {max}."))
}

/// CancelMessageMoveTask with a handle that is none.
pub fn move_handle_invalid() -> Fault {
    invalid_parameter("Value for parameter TaskHandle is invalid.")
}

/// CancelMessageMoveTask of a task that does not exist, or does not run any more.
pub fn move_task_missing() -> Fault {
    resource_not_found("Task does not exist.")
}

/// The FailureReason of a move task whose destination vanished.
pub const MOVE_DESTINATION_VANISHED: &str = "AWS.SimpleQueueService.NonExistentQueue";
/// The FailureReason of a move task that met a message whose bytes are damaged (ours).
pub const MOVE_MESSAGE_UNREADABLE: &str = "CouldNotReadMessage";
/// The FailureReason of a move task that met a message without a source queue and was given no destination.
pub const MOVE_SOURCE_UNKNOWN: &str = "CouldNotDetermineMessageSource";

fn resource_not_found(message: &'static str) -> Fault {
    Fault::new(&kind::RESOURCE_NOT_FOUND_EXCEPTION, message)
}

/// The caller may not, and why. `action` is the operation's name; AWS shows it in lower case.
pub fn access_denied(caller: &Caller, action: &str, arn: &str, decision: &Decision<'_>) -> Fault {
    let action = format!("sqs:{}", action.to_ascii_lowercase());
    let because = decision.because(&action);
    let user = caller.arn();
    let message = format!("User: {user} is not authorized to perform: {action} on resource: {arn} {because}");
    Fault::new(&common::ACCESS_DENIED, message)
}
