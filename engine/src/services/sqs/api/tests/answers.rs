//! What is asked of the state machine for valid requests, and how its answers become AWS's replies.

use alloc::boxed::Box;
use alloc::vec;

use super::*;
use crate::services::sqs::command::{
    Delivery, Locator, MoveStatus, MoveTask, Outgoing, Receipt, Reply as Answer, View,
};
use crate::services::sqs::settings::Settings;
use crate::services::sqs::{faults, message};
use crate::time::{Millis, Moment};

const ID: [u8; 16] = [0x11; 16];

fn ask(request: Request) -> (QueueAction, Finish) {
    match prepare(&call(), request).unwrap() {
        (Command { action: Action::Queue { action, .. }, .. }, finish) => (action, finish),
        (command, _) => panic!("{command:?}"),
    }
}

fn sent(request: Request) -> (Vec<Outgoing>, Finish) {
    match ask(request) {
        (QueueAction::Send { messages, .. }, finish) => (messages, finish),
        (action, _) => panic!("{action:?}"),
    }
}

fn receipt(sequence: Option<u64>) -> Result<Receipt, Fault> {
    Ok(Receipt { id: ID, sequence })
}

#[test]
fn a_missing_queue_is_worded_as_the_dialect_does() {
    let words = |query| {
        let request = Request::PurgeQueue(PurgeQueueRequest { queue_url: text(QUEUE) });
        let (_, finish) = prepare(&Call { query, ..call() }, request).unwrap();
        super::super::finish(finish, Err(faults::queue_does_not_exist()), vec![]).unwrap_err().message
    };
    assert_eq!(words(false), "The specified queue does not exist.");
    assert_eq!(words(true), "The specified queue does not exist for this wsdl version.");
}

#[test]
fn a_sent_message_carries_what_its_receiver_will_see() {
    let request = SendMessageRequest {
        message_attributes: vec![(text("color"), string("blue"))],
        delay_seconds: Some(5),
        message_group_id: Some(text("tenant")),
        ..send("hello world")
    };
    let call = Call { trace: Some(text("Root=1")), ..call() };
    let (command, finish) = prepare(&call, Request::SendMessage(request)).unwrap();
    let Action::Queue {
        name: "SendMessage", action: QueueAction::Send { mut messages, batch: false }, ..
    } = command.action
    else {
        panic!("{command:?}")
    };
    let outgoing = messages.remove(0);
    assert_eq!(outgoing.size, 11 + 5 + 6 + 4);
    assert_eq!(outgoing.delay, Some(Millis(5000)));
    assert_eq!((outgoing.group.as_deref(), outgoing.dedup, outgoing.digest), (Some("tenant"), None, None));
    let payload = message::decode(outgoing.payload).unwrap();
    assert_eq!((&*payload.body, &*payload.sender), ("hello world", "AIDAEXAMPLE"));
    assert_eq!(payload.trace.as_deref(), Some("Root=1"));

    let reply = super::super::finish(finish, Ok(Answer::Sent(vec![receipt(None)])), vec![]);
    let expected = SendMessageResult {
        md5_of_message_body: Some(text("5eb63bbbe01eeed093cb22bb8f5acdc3")),
        md5_of_message_attributes: Some(text("da1b33cc3cbfe8b1630921e78e6b9880")),
        md5_of_message_system_attributes: None,
        message_id: Some(text("11111111-1111-1111-1111-111111111111")),
        sequence_number: None,
    };
    assert_eq!(reply, Ok(Reply::SendMessage(expected)));
}

#[test]
fn a_fifo_message_has_a_digest_unless_it_brought_an_id() {
    let (messages, finish) = sent(Request::SendMessage(send_fifo("same")));
    assert_eq!(messages[0].digest, Some(message::sha256(b"same")));
    let payload = message::decode(messages[0].payload.clone()).unwrap();
    assert!(payload.dedup.unwrap().text().starts_with("0967115f"));
    let reply = super::super::finish(finish, Ok(Answer::Sent(vec![receipt(Some(1))])), vec![]);
    let Ok(Reply::SendMessage(result)) = reply else { panic!("{reply:?}") };
    assert_eq!(result.sequence_number.map(|number| number.len()), Some(20));

    let request = SendMessageRequest { message_deduplication_id: Some(text("d")), ..send_fifo("same") };
    let (messages, _) = sent(Request::SendMessage(request));
    assert_eq!((messages[0].digest, messages[0].dedup.as_deref()), (None, Some("d")));
}

#[test]
fn the_state_machine_s_refusal_of_a_single_message_is_the_request_s() {
    let (_, finish) = sent(Request::SendMessage(send_fifo("b")));
    let fault = faults::deduplication_id_needed();
    assert_eq!(super::super::finish(finish, Ok(Answer::Sent(vec![Err(fault.clone())])), vec![]), Err(fault));
}

fn entry(id: &str, body: &str) -> SendMessageBatchRequestEntry {
    SendMessageBatchRequestEntry { id: text(id), message_body: text(body), ..Default::default() }
}

#[test]
fn entries_that_fail_stay_behind_and_outcomes_keep_their_entries() {
    let entries = vec![
        entry("empty", ""),
        entry("one", "1"),
        entry("bad", "\u{0}"),
        SendMessageBatchRequestEntry { delay_seconds: Some(1800), ..entry("late", "x") },
        entry("long", "2"),
        SendMessageBatchRequestEntry { message_deduplication_id: Some(text("d")), ..entry("dedup", "x") },
        entry("three", "3"),
    ];
    let request = SendMessageBatchRequest { queue_url: text(QUEUE), entries };
    let (messages, finish) = sent(Request::SendMessageBatch(request));
    let bodies: Vec<_> =
        messages.into_iter().map(|outgoing| message::decode(outgoing.payload).unwrap().body).collect();
    assert_eq!(bodies, ["1", "2", "3"]);
    let outcomes = vec![receipt(None), Err(faults::batch_message_too_long(1024)), receipt(None)];
    let reply = super::super::finish(finish, Ok(Answer::Sent(outcomes)), vec![]);
    let Ok(Reply::SendMessageBatch(result)) = reply else { panic!("{reply:?}") };
    let successful: Vec<_> =
        result.successful.iter().map(|entry| (&*entry.id, &*entry.md5_of_message_body)).collect();
    assert_eq!(
        successful,
        [("one", "c4ca4238a0b923820dcc509a6f75849b"), ("three", "eccbc87e4b5ce2fe28308fd9f2a7baf3")]
    );
    let failed = result.failed.iter().map(|entry| {
        let message = entry.message.as_deref().unwrap_or_default();
        format!("{} {} {}: {message}", entry.id, entry.sender_fault, entry.code)
    });
    insta::assert_snapshot!(failed.collect::<Vec<_>>().join("\n"), @r"
    empty true EmptyValue: No Value Found for SendMessageBatchRequestEntry.1.MessageBody.
    bad true InvalidMessageContents: Invalid binary character '#x0' was found in the message body, the set of allowed characters is #x9 | #xA | #xD | [#x20-#xD7FF] | [#xE000-#xFFFD] | [#x10000-#x10FFFF].
    late true InvalidParameterValue: Value 1800 for parameter DelaySeconds is invalid. Reason: DelaySeconds must be >= 0 and <= 900.
    long true InvalidParameterValue: One or more parameters cannot be validated. Reason: Message must be shorter than 1024 bytes.
    dedup true InvalidParameterValue: The request include parameter that is not valid for this queue type
    ");
}

#[test]
fn batches_of_handles_merge_outcomes_in_entry_order() {
    let delete = |id: &str, handle: &str| DeleteMessageBatchRequestEntry {
        id: text(id),
        receipt_handle: text(handle),
    };
    let entries = vec![delete("a", "h1"), delete("b", ""), delete("c", "h2")];
    let request = DeleteMessageBatchRequest { queue_url: text(QUEUE), entries };
    let (action, finish) = ask(Request::DeleteMessageBatch(request));
    assert!(matches!(action, QueueAction::Delete { handles } if handles == ["h1", "h2"]));
    let outcomes = vec![Err(faults::receipt_handle_invalid("h1")), Ok(())];
    let reply = super::super::finish(finish, Ok(Answer::Entries(outcomes)), vec![]);
    let Ok(Reply::DeleteMessageBatch(result)) = reply else { panic!("{reply:?}") };
    assert_eq!(result.successful, [DeleteMessageBatchResultEntry { id: text("c") }]);
    let failed: Vec<_> = result.failed.iter().map(|entry| (&*entry.id, &*entry.code)).collect();
    assert_eq!(failed, [("a", "ReceiptHandleIsInvalid"), ("b", "EmptyValue")]);

    let change = |id: &str, handle: &str, visibility_timeout| ChangeMessageVisibilityBatchRequestEntry {
        id: text(id),
        receipt_handle: text(handle),
        visibility_timeout,
    };
    let entries = vec![change("a", "h", None), change("b", "h", Some(43_201)), change("c", "h", Some(0))];
    let request = ChangeMessageVisibilityBatchRequest { queue_url: text(QUEUE), entries };
    let (action, finish) = ask(Request::ChangeMessageVisibilityBatch(request));
    assert!(
        matches!(action, QueueAction::ChangeVisibility { changes } if changes == [(text("h"), Millis(0))])
    );
    let reply = super::super::finish(finish, Ok(Answer::Entries(vec![Ok(())])), vec![]);
    let Ok(Reply::ChangeMessageVisibilityBatch(result)) = reply else { panic!("{reply:?}") };
    assert_eq!(result.successful, [ChangeMessageVisibilityBatchResultEntry { id: text("c") }]);
    let failed: Vec<_> = result.failed.iter().filter_map(|entry| entry.message.as_deref()).collect();
    insta::assert_snapshot!(failed.join("\n"), @r"
    No Value Found for ChangeMessageVisibilityBatchRequestEntry.1.VisibilityTimeout.
    Value 43201 for parameter VisibilityTimeout is invalid. Reason: VisibilityTimeout must be an integer between 0 and 43200.
    ");
}

#[test]
fn a_single_delete_or_change_answers_its_only_outcome() {
    let request = DeleteMessageRequest { queue_url: text(QUEUE), receipt_handle: text("h") };
    let (_, finish) = ask(Request::DeleteMessage(request));
    let fault = faults::receipt_handle_invalid("h");
    assert_eq!(
        super::super::finish(finish, Ok(Answer::Entries(vec![Err(fault.clone())])), vec![]),
        Err(fault)
    );
}

fn delivery() -> Delivery {
    Delivery {
        payload: Locator { position: 0, length: 0 },
        id: ID,
        group: 0,
        handle: text("handle"),
        sent: Moment(1_700_000_000_123),
        first_received: Some(Moment(1_700_000_001_456)),
        receive_count: 2,
        sequence: Some(7),
        source: Some(text(ARN)),
    }
}

/// The message that a receive with these wishes shows, of a FIFO message with three attributes.
fn received(change: impl Fn(&mut ReceiveMessageRequest)) -> Message {
    let attributes = ["Hello", "General", "Help.Me"].into_iter().zip(["There", "Kenobi", "Me"]);
    let request = SendMessageRequest {
        message_attributes: attributes.map(|(name, value)| (text(name), string(value))).collect(),
        ..send_fifo("body")
    };
    let (messages, _) = sent(Request::SendMessage(request));
    let mut request = ReceiveMessageRequest { queue_url: text(FIFO), ..Default::default() };
    change(&mut request);
    let (_, finish) = ask(Request::ReceiveMessage(request));
    let payloads = vec![messages[0].payload.clone()];
    let reply = super::super::finish(finish, Ok(Answer::Received(vec![delivery()])), payloads);
    let Ok(Reply::ReceiveMessage(mut result)) = reply else { panic!("{reply:?}") };
    result.messages.remove(0)
}

#[test]
fn a_plain_receive_shows_body_and_handle_alone() {
    let message = received(|_| ());
    let expected = Message {
        message_id: Some(text("11111111-1111-1111-1111-111111111111")),
        receipt_handle: Some(text("handle")),
        md5_of_body: Some(text("841a2d689ad86bd1611447453c22c6fc")),
        body: Some(text("body")),
        ..Default::default()
    };
    assert_eq!(message, expected);
}

#[test]
fn all_system_attributes_of_a_fifo_message_can_be_seen() {
    let message = received(|request| request.message_system_attribute_names = texts(&["All"]));
    let lines: Vec<_> = message.attributes.iter().map(|(name, value)| format!("{name}={value}")).collect();
    insta::assert_snapshot!(lines.join("\n"), @r"
    SenderId=AIDAEXAMPLE
    ApproximateFirstReceiveTimestamp=1700000001456
    ApproximateReceiveCount=2
    SentTimestamp=1700000000123
    SequenceNumber=18800000000000000007
    MessageDeduplicationId=230d8358dc8e8890b4c58deeb62912ee2f20357ae92a5cc861b98e68fe31acb5
    MessageGroupId=g
    DeadLetterQueueSourceArn=arn:aws:sqs:us-east-1:000000000000:q
    ");
}

#[test]
fn both_lists_of_system_attributes_count() {
    let both = |request: &mut ReceiveMessageRequest| {
        request.attribute_names = texts(&["SenderId", "Policy"]);
        request.message_system_attribute_names = texts(&["SentTimestamp"]);
    };
    let names: Vec<_> = received(both).attributes.into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["SenderId", "SentTimestamp"]);
}

#[test]
fn message_attributes_are_filtered_and_summed_as_shown() {
    let all = Some("4c360f3fdafd970e05fae2f149d997f5");
    let cases: [(&[&str], &[&str], bool); 10] = [
        (&["All"], &["Hello", "General", "Help.Me"], true),
        (&["*"], &["Hello", "General", "Help.Me"], true),
        (&[".*"], &["Hello", "General", "Help.Me"], true),
        (&["Hel.*"], &["Hello", "Help.Me"], false),
        (&["Help.*"], &["Help.Me"], false),
        (&["Help"], &[], false),
        (&["Help.Me", "Hello"], &["Hello", "Help.Me"], false),
        (&["hello"], &[], false),
        (&["Hello*"], &[], false),
        (&[], &[], false),
    ];
    for (filters, expected, whole) in cases {
        let message = received(|request| request.message_attribute_names = texts(filters));
        let names: Vec<_> = message.message_attributes.iter().map(|(name, _)| &**name).collect();
        assert_eq!(names, expected, "{filters:?}");
        let md5 = message.md5_of_message_attributes.as_deref();
        assert_eq!(md5 == all, whole, "{filters:?}");
        let own = message::attributes_md5(&message.message_attributes).map(|md5| message::hex(&md5));
        assert_eq!(md5, own.as_deref(), "{filters:?}");
    }
}

#[test]
fn an_unreadable_payload_or_a_strange_answer_is_the_service_s_own_fault() {
    let receive =
        || Request::ReceiveMessage(ReceiveMessageRequest { queue_url: text(QUEUE), ..Default::default() });
    let (_, finish) = ask(receive());
    let fault =
        super::super::finish(finish, Ok(Answer::Received(vec![delivery()])), vec![Bytes::new()]).unwrap_err();
    assert_eq!(fault.kind, &common::INTERNAL_FAILURE);
    let (_, finish) = ask(receive());
    assert_eq!(
        super::super::finish(finish, Ok(Answer::Done), vec![]).unwrap_err().kind,
        &common::INTERNAL_FAILURE
    );
}

fn view() -> View {
    View {
        key: QueueKey { account: Account::DEFAULT, region: text("us-east-1"), name: text("q") },
        settings: Settings::new(false),
        created: Moment(1_700_000_000_999),
        modified: Moment(1_700_000_001_000),
        visible: 1,
        in_flight: 2,
        delayed: 3,
    }
}

#[test]
fn queue_attributes_are_shown_as_asked() {
    let shown = |names: &[&str]| {
        let request = GetQueueAttributesRequest { queue_url: text(QUEUE), attribute_names: texts(names) };
        let (_, finish) = ask(Request::GetQueueAttributes(request));
        let reply = super::super::finish(finish, Ok(Answer::View(Box::new(view()))), vec![]);
        let Ok(Reply::GetQueueAttributes(result)) = reply else { panic!("{reply:?}") };
        let lines: Vec<_> = result.attributes.iter().map(|(name, value)| format!("{name}={value}")).collect();
        lines.join("\n")
    };
    insta::assert_snapshot!(shown(&["All"]), @r"
    VisibilityTimeout=30
    DelaySeconds=0
    MaximumMessageSize=1048576
    MessageRetentionPeriod=345600
    ReceiveMessageWaitTimeSeconds=0
    SqsManagedSseEnabled=true
    QueueArn=arn:aws:sqs:us-east-1:000000000000:q
    ApproximateNumberOfMessages=1
    ApproximateNumberOfMessagesNotVisible=2
    ApproximateNumberOfMessagesDelayed=3
    CreatedTimestamp=1700000000
    LastModifiedTimestamp=1700000001
    ");
    assert_eq!(shown(&["QueueArn", "Policy", "FifoQueue"]), format!("QueueArn={ARN}"));
    assert_eq!(shown(&[]), "");
}

#[test]
fn a_token_comes_with_max_results_alone_and_continues_after_its_page() {
    let list = |max_results, next_token| {
        let request = ListQueuesRequest { max_results, next_token, queue_name_prefix: Some(text("q")) };
        prepare(&call(), Request::ListQueues(request)).unwrap()
    };
    let names = || Answer::Names { keys: vec![view().key], more: true };
    let (_, finish) = list(None, None);
    let all = ListQueuesResult { queue_urls: texts(&[QUEUE]), next_token: None };
    assert_eq!(super::super::finish(finish, Ok(names()), vec![]), Ok(Reply::ListQueues(all)));
    let (_, finish) = list(Some(1), None);
    let reply = super::super::finish(finish, Ok(names()), vec![]);
    let Ok(Reply::ListQueues(ListQueuesResult { next_token: Some(token), .. })) = reply else {
        panic!("{reply:?}")
    };
    let (command, _) = list(Some(1), Some(token));
    let Action::List { prefix, page } = command.action else { panic!("{command:?}") };
    assert_eq!((&*prefix, page.after.as_deref(), page.max), ("q", Some("q"), 1));
}

#[test]
fn a_created_queue_s_url_is_that_of_the_caller_s_endpoint() {
    let request = CreateQueueRequest { queue_name: text("q"), ..Default::default() };
    let (_, finish) = prepare(&call(), Request::CreateQueue(request)).unwrap();
    let expected = Reply::CreateQueue(CreateQueueResult { queue_url: Some(text(QUEUE)) });
    assert_eq!(super::super::finish(finish, Ok(Answer::Done), vec![]), Ok(expected));
    let request =
        GetQueueUrlRequest { queue_name: text("q"), queue_owner_aws_account_id: Some(text("111111111111")) };
    let (_, finish) = prepare(&call(), Request::GetQueueUrl(request)).unwrap();
    let url = text("http://localhost:4566/111111111111/q");
    let expected = Reply::GetQueueUrl(GetQueueUrlResult { queue_url: Some(url) });
    assert_eq!(super::super::finish(finish, Ok(Answer::Done), vec![]), Ok(expected));
}

#[test]
fn only_a_running_move_task_shows_its_handle() {
    let task = |status, failure: Option<&str>| MoveTask {
        handle: text("handle"),
        status,
        source: view().key,
        destination: None,
        per_second: Some(500),
        moved: 3,
        to_move: 4,
        failure: failure.map(text),
        started: Moment(1_700_000_000_999),
    };
    let request = ListMessageMoveTasksRequest { source_arn: text(ARN), max_results: Some(10) };
    let (_, finish) = ask(Request::ListMessageMoveTasks(request));
    let moves = vec![task(MoveStatus::Running, None), task(MoveStatus::Failed, Some("why"))];
    let reply = super::super::finish(finish, Ok(Answer::Moves(moves)), vec![]);
    let entry = |handle: Option<&str>, status: &str, failure: Option<&str>| ListMessageMoveTasksResultEntry {
        task_handle: handle.map(text),
        status: Some(text(status)),
        source_arn: Some(text(ARN)),
        destination_arn: None,
        max_number_of_messages_per_second: Some(500),
        approximate_number_of_messages_moved: Some(3),
        approximate_number_of_messages_to_move: Some(4),
        failure_reason: failure.map(text),
        started_timestamp: Some(1_700_000_000_999),
    };
    let results = vec![entry(Some("handle"), "RUNNING", None), entry(None, "FAILED", Some("why"))];
    assert_eq!(reply, Ok(Reply::ListMessageMoveTasks(ListMessageMoveTasksResult { results })));
}

#[test]
fn batches_are_allowed_or_denied_under_the_name_of_the_single_operation() {
    let request = DeleteMessageBatchRequest {
        queue_url: text(QUEUE),
        entries: vec![DeleteMessageBatchRequestEntry { id: text("a"), receipt_handle: text("h") }],
    };
    let (command, _) = prepare(&call(), Request::DeleteMessageBatch(request)).unwrap();
    assert!(matches!(command.action, Action::Queue { name: "DeleteMessage", .. }));
}
