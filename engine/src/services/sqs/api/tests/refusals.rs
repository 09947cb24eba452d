//! Invalid requests and AWS's words for them.

use alloc::vec;

use super::*;

/// One line per case.
fn lines<const N: usize>(requests: [Request; N]) -> String {
    requests.map(refusal).join("\n")
}

#[test]
fn a_queue_that_was_asked_in_advance_refuses_as_it_would_afterwards() {
    let refusal = crate::services::sqs::faults::queue_does_not_exist;
    let said = |query: bool, request: Request| {
        let call = Call { query, ..call() };
        assert_eq!(sends_to(&call, &request).map(|key| key.name), Some(text("q")));
        let (_, finish_it) = match prepare(&call, request.clone()) {
            Ok(prepared) => prepared,
            Err(fault) => {
                assert_eq!(refuse(&call, request, refusal()), fault, "its own fault comes first");
                return show(&fault);
            }
        };
        let fault = finish(finish_it, Err(refusal()), Vec::new()).unwrap_err();
        assert_eq!(refuse(&call, request, refusal()), fault);
        show(&fault)
    };
    let one = |body: &str| Request::SendMessage(send(body));
    let batch = |ids: &[&str], body: &str| {
        let entry = |id: &&str| SendMessageBatchRequestEntry {
            id: text(id),
            message_body: text(body),
            ..Default::default()
        };
        let entries = ids.iter().map(entry).collect();
        Request::SendMessageBatch(SendMessageBatchRequest { queue_url: text(QUEUE), entries })
    };
    let requests = || {
        [
            one("hello"),
            one(""),
            one("\0"),
            batch(&["a"], "hello"),
            batch(&["a"], "\0"),
            batch(&["a", "a"], "hello"),
        ]
    };
    insta::assert_snapshot!(requests().map(|request| said(false, request)).join("\n"), @r"
    400 QueueDoesNotExist: The specified queue does not exist.
    400 MissingRequiredParameterException: The request must contain the parameter MessageBody.
    400 InvalidMessageContents: Invalid binary character '#x0' was found in the message body, the set of allowed characters is #x9 | #xA | #xD | [#x20-#xD7FF] | [#xE000-#xFFFD] | [#x10000-#x10FFFF].
    400 QueueDoesNotExist: The specified queue does not exist.
    400 QueueDoesNotExist: The specified queue does not exist.
    400 BatchEntryIdsNotDistinct: Id a repeated.
    ");
    insta::assert_snapshot!(requests().map(|request| said(true, request)).join("\n"), @r"
    400 QueueDoesNotExist: The specified queue does not exist for this wsdl version.
    400 MissingRequiredParameterException: The request must contain the parameter MessageBody.
    400 InvalidMessageContents: Invalid binary character '#x0' was found in the message body, the set of allowed characters is #x9 | #xA | #xD | [#x20-#xD7FF] | [#xE000-#xFFFD] | [#x10000-#x10FFFF].
    400 QueueDoesNotExist: The specified queue does not exist for this wsdl version.
    400 QueueDoesNotExist: The specified queue does not exist for this wsdl version.
    400 BatchEntryIdsNotDistinct: Id a repeated.
    ");
    assert!(sends_to(&call(), &of_queue(QUEUE)).is_none());
}

fn of_queue(url: &str) -> Request {
    Request::GetQueueAttributes(GetQueueAttributesRequest { queue_url: text(url), ..Default::default() })
}

#[test]
fn names_that_no_queue_can_have_are_refused_before_anybody_is_asked() {
    let long = "a".repeat(81);
    let arn = |name: &str| text(&format!("arn:aws:sqs:us-east-1:000000000000:{name}"));
    let start = |source: &str, destination: Option<&str>| {
        Request::StartMessageMoveTask(StartMessageMoveTaskRequest {
            source_arn: arn(source),
            destination_arn: destination.map(arn),
            ..Default::default()
        })
    };
    let handle = |name: &str| {
        let task = r#"{"taskId":"1b671a64-40d5-491e-99b0-da01ff1f3341","sourceArn":""#;
        let task = base64_simd::STANDARD.encode_to_string(format!("{task}{}\"}}", arn(name)));
        Request::CancelMessageMoveTask(CancelMessageMoveTaskRequest { task_handle: text(&task) })
    };
    insta::assert_snapshot!(lines([
        of_queue(&long),
        of_queue("a.b"),
        of_queue(&format!("http://localhost:4566/000000000000/{long}")),
        of_queue(&long[1..]),
        Request::GetQueueUrl(GetQueueUrlRequest { queue_name: text(&long), ..Default::default() }),
        start(&long, None),
        start("dead", Some(&long)),
        start("dead", Some(&long[1..])),
        Request::ListMessageMoveTasks(ListMessageMoveTasksRequest { source_arn: arn(&long), ..Default::default() }),
        handle(&long),
        handle("dead"),
    ]), @r"
    400 QueueDoesNotExist: The specified queue does not exist.
    400 QueueDoesNotExist: The specified queue does not exist.
    400 QueueDoesNotExist: The specified queue does not exist.
    taken
    400 QueueDoesNotExist: The specified queue does not exist.
    404 ResourceNotFoundException: The resource that you specified for the SourceArn parameter doesn't exist.
    404 ResourceNotFoundException: The resource that you specified for the DestinationArn parameter doesn't exist.
    taken
    404 ResourceNotFoundException: The resource that you specified for the SourceArn parameter doesn't exist.
    400 InvalidParameterValueException: Value for parameter TaskHandle is invalid.
    taken
    ");
}

#[test]
fn addresses() {
    insta::assert_snapshot!(lines([of_queue(""), of_queue("http://localhost:4566/"), of_queue("a/b/c")]), @r"
    400 QueueDoesNotExist: The specified queue does not exist.
    404 InvalidAddress: The address http://localhost:4566/ is not valid for this endpoint.
    404 InvalidAddress: The address a/b/c is not valid for this endpoint.
    ");
    let query = Call { query: true, ..call() };
    let refused = show(&prepare(&query, of_queue("")).unwrap_err());
    assert_eq!(
        refused,
        "404 InvalidAddress: The address http://localhost:4566/ is not valid for this endpoint."
    );
    for url in [QUEUE, "q", "http://elsewhere/000000000000/q", "/queue/us-east-1/000000000000/q"] {
        let (command, _) = prepare(&call(), of_queue(url)).unwrap();
        let Action::Queue { key, .. } = command.action else { panic!("{command:?}") };
        assert_eq!(key.arn(), ARN, "{url}");
    }
}

fn create(name: &str, attributes: &[(&str, &str)]) -> Request {
    let attributes = attributes.iter().map(|(name, value)| (text(name), text(value))).collect();
    Request::CreateQueue(CreateQueueRequest { queue_name: text(name), attributes, tags: Vec::new() })
}

#[test]
fn create_queue() {
    let fifo = [("FifoQueue", "true")];
    insta::assert_snapshot!(lines([
        create("", &[]),
        create("a b", &[]),
        create("q.fifo", &[]),
        create(&"a".repeat(81), &[]),
        create("q", &fifo),
        create("a b.fifo", &fifo),
        create(".fifo", &fifo),
        create("q", &[("FifoQueue", "false")]),
        create("q.fifo", &[("FifoQueue", "false")]),
        create("q.fifo", &[("FifoQueue", "perhaps")]),
        create("q", &[("Foobar", "1")]),
        create("q", &[("VisibilityTimeout", "99999")]),
        create(&"a".repeat(80), &[]),
        create("q.fifo", &fifo),
        create("q.fifo", &[("FifoQueue", "True")]),
    ]), @r"
    400 InvalidParameterValueException: Queue name cannot be empty
    400 InvalidParameterValueException: Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length
    400 InvalidParameterValueException: Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length
    400 InvalidParameterValueException: Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length
    400 InvalidParameterValueException: The name of a FIFO queue can only include alphanumeric characters, hyphens, or underscores, must end with .fifo suffix and be 1 to 80 in length.
    400 InvalidParameterValueException: The name of a FIFO queue can only include alphanumeric characters, hyphens, or underscores, must end with .fifo suffix and be 1 to 80 in length.
    400 InvalidParameterValueException: The name of a FIFO queue can only include alphanumeric characters, hyphens, or underscores, must end with .fifo suffix and be 1 to 80 in length.
    400 InvalidAttributeName: Unknown Attribute FifoQueue.
    400 InvalidAttributeName: Unknown Attribute FifoQueue.
    400 InvalidAttributeValue: Invalid value for the parameter FifoQueue.
    400 InvalidAttributeName: Unknown Attribute Foobar.
    400 InvalidAttributeValue: Invalid value for the parameter VisibilityTimeout.
    taken
    taken
    taken
    ");
}

#[test]
fn dead_letter_queues_of_other_accounts() {
    let policy = r#"{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:111111111111:d","maxReceiveCount":1}"#;
    let set = Request::SetQueueAttributes(SetQueueAttributesRequest {
        queue_url: text(QUEUE),
        attributes: vec![(text("RedrivePolicy"), text(policy))],
    });
    let expected = format!(
        "400 InvalidParameterValueException: Value {policy} for parameter RedrivePolicy is invalid. Reason: Dead-letter \
         target owner should be same as the source."
    );
    assert_eq!(refusal(create("q", &[("RedrivePolicy", policy)])), expected);
    assert_eq!(refusal(set), expected);
}

fn tag(tags: &[(&str, &str)]) -> Request {
    let tags = tags.iter().map(|(key, value)| (text(key), text(value))).collect();
    Request::TagQueue(TagQueueRequest { queue_url: text(QUEUE), tags })
}

fn untag(keys: &[&str]) -> Request {
    let tag_keys = keys.iter().map(|key| text(key)).collect();
    Request::UntagQueue(UntagQueueRequest { queue_url: text(QUEUE), tag_keys })
}

#[test]
fn tags() {
    let many: Vec<String> = (0..51).map(|at| format!("k{at}")).collect();
    let keys: Vec<&str> = many.iter().map(String::as_str).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|key| (key.as_str(), "")).collect();
    insta::assert_snapshot!(lines([
        tag(&[]),
        tag(&[("", "v")]),
        tag(&[(&"k".repeat(129), "v")]),
        tag(&[("k", &"v".repeat(257))]),
        tag(&[("aws:k", "v")]),
        tag(&many),
        tag(&[("k", ""), (&"k".repeat(128), &"v".repeat(256))]),
        untag(&[]),
        untag(&["k", ""]),
        untag(&[&"é".repeat(129)]),
        untag(&["aws:k"]),
        untag(&keys),
        untag(&keys[1..]),
        untag(&[&"é".repeat(128)]),
    ]), @r"
    400 MissingRequiredParameterException: The request must contain the parameter Tags.
    400 InvalidParameterValueException: Tag keys must be between 1 and 128 characters in length.
    400 InvalidParameterValueException: Tag keys must be between 1 and 128 characters in length.
    400 InvalidParameterValueException: Tag values must be between 0 and 256 characters in length.
    400 InvalidParameterValueException: Tag keys can't start with the reserved prefix aws:.
    400 InvalidParameterValueException: Too many tags added for queue q.
    taken
    400 MissingRequiredParameterException: The request must contain the parameter TagKeys.
    400 InvalidParameterValueException: Tag keys must be between 1 and 128 characters in length.
    400 InvalidParameterValueException: Tag keys must be between 1 and 128 characters in length.
    400 InvalidParameterValueException: Tag keys can't start with the reserved prefix aws:.
    400 InvalidParameterValueException: Too many tags removed from queue q.
    taken
    taken
    ");
}

#[test]
fn queue_attributes() {
    let get = |names: &[&str]| {
        let attribute_names = texts(names);
        Request::GetQueueAttributes(GetQueueAttributesRequest { queue_url: text(QUEUE), attribute_names })
    };
    let set = |attributes: &[(&str, &str)]| {
        let attributes = attributes.iter().map(|(name, value)| (text(name), text(value))).collect();
        Request::SetQueueAttributes(SetQueueAttributesRequest { queue_url: text(QUEUE), attributes })
    };
    insta::assert_snapshot!(lines([
        get(&["Foobar"]),
        get(&["All", "Foobar"]),
        get(&["All", "FifoQueue"]),
        set(&[]),
        set(&[("QueueArn", "x")]),
        set(&[("DelaySeconds", "901")]),
    ]), @r"
    400 InvalidAttributeName: Unknown Attribute Foobar.
    400 InvalidAttributeName: Unknown Attribute Foobar.
    taken
    400 MissingRequiredParameterException: The request must contain the parameter Attribute.Name.
    400 InvalidAttributeName: Unknown Attribute QueueArn.
    400 InvalidAttributeValue: Invalid value for the parameter DelaySeconds.
    ");
}

#[test]
fn get_queue_url() {
    let get = |name: &str, owner: Option<&str>| {
        Request::GetQueueUrl(GetQueueUrlRequest {
            queue_name: text(name),
            queue_owner_aws_account_id: owner.map(text),
        })
    };
    insta::assert_snapshot!(lines([get("", None), get("q", Some("nobody")), get("q", Some("111111111111"))]), @r"
    400 InvalidParameterValueException: Value for parameter QueueName is invalid. Reason: Must specify a queue name.
    400 QueueDoesNotExist: The specified queue does not exist.
    taken
    ");
}

#[test]
fn pages() {
    let list = |max_results, token: Option<&str>| {
        Request::ListQueues(ListQueuesRequest {
            max_results,
            next_token: token.map(text),
            queue_name_prefix: None,
        })
    };
    insta::assert_snapshot!(lines([
        list(Some(-1), None),
        list(Some(1001), None),
        list(Some(0), None),
        list(Some(1000), None),
        list(Some(1), Some("nonsense")),
        list(Some(1), Some("bm9uc2Vuc2U")),
    ]), @r"
    400 InvalidParameterValueException: Value for parameter MaxResults is invalid. Reason: MaxResults must be an integer between 1 and 1000.
    400 InvalidParameterValueException: Value for parameter MaxResults is invalid. Reason: MaxResults must be an integer between 1 and 1000.
    taken
    taken
    400 InvalidParameterValueException: Invalid or expired next token.
    400 InvalidParameterValueException: Invalid or expired next token.
    ");
}

#[test]
fn send_message() {
    let long = "x".repeat(129);
    let group = |group: &str| SendMessageRequest { message_group_id: Some(text(group)), ..send_fifo("b") };
    let dedup =
        |dedup: &str| SendMessageRequest { message_deduplication_id: Some(text(dedup)), ..send_fifo("b") };
    let delay = |delay| SendMessageRequest { delay_seconds: Some(delay), ..send("b") };
    insta::assert_snapshot!(lines(
        [
            send(""),
            send("a\u{7}b"),
            send("\u{ffff}"),
            delay(-1),
            delay(901),
            delay(900),
            SendMessageRequest { delay_seconds: Some(2), ..send_fifo("b") },
            SendMessageRequest { delay_seconds: Some(0), ..send_fifo("b") },
            SendMessageRequest { message_group_id: None, ..send_fifo("b") },
            group(""),
            group("a b"),
            group(&long),
            group("é"),
            dedup(""),
            dedup("a b"),
            dedup(&long),
            SendMessageRequest { message_group_id: Some(text("a b")), ..send("b") },
            SendMessageRequest { message_group_id: Some(text("g")), ..send("b") },
            SendMessageRequest { message_deduplication_id: Some(text("d")), ..send("b") },
        ]
        .map(Request::SendMessage)
    ), @r"
    400 MissingRequiredParameterException: The request must contain the parameter MessageBody.
    400 InvalidMessageContents: Invalid binary character '#x7' was found in the message body, the set of allowed characters is #x9 | #xA | #xD | [#x20-#xD7FF] | [#xE000-#xFFFD] | [#x10000-#x10FFFF].
    400 InvalidMessageContents: Invalid binary character '#xFFFF' was found in the message body, the set of allowed characters is #x9 | #xA | #xD | [#x20-#xD7FF] | [#xE000-#xFFFD] | [#x10000-#x10FFFF].
    400 InvalidParameterValueException: Value -1 for parameter DelaySeconds is invalid. Reason: DelaySeconds must be >= 0 and <= 900.
    400 InvalidParameterValueException: Value 901 for parameter DelaySeconds is invalid. Reason: DelaySeconds must be >= 0 and <= 900.
    taken
    400 InvalidParameterValueException: Value 2 for parameter DelaySeconds is invalid. Reason: The request include parameter that is not valid for this queue type.
    taken
    400 MissingRequiredParameterException: The request must contain the parameter MessageGroupId.
    400 InvalidParameterValueException: Value  for parameter MessageGroupId is invalid. Reason: MessageGroupId can only include alphanumeric and punctuation characters. 1 to 128 in length.
    400 InvalidParameterValueException: Value a b for parameter MessageGroupId is invalid. Reason: MessageGroupId can only include alphanumeric and punctuation characters. 1 to 128 in length.
    400 InvalidParameterValueException: Value xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx for parameter MessageGroupId is invalid. Reason: MessageGroupId can only include alphanumeric and punctuation characters. 1 to 128 in length.
    400 InvalidParameterValueException: Value é for parameter MessageGroupId is invalid. Reason: MessageGroupId can only include alphanumeric and punctuation characters. 1 to 128 in length.
    400 InvalidParameterValueException: Value  for parameter MessageDeduplicationId is invalid. Reason: MessageDeduplicationId can only include alphanumeric and punctuation characters. 1 to 128 in length.
    400 InvalidParameterValueException: Value a b for parameter MessageDeduplicationId is invalid. Reason: MessageDeduplicationId can only include alphanumeric and punctuation characters. 1 to 128 in length.
    400 InvalidParameterValueException: Value xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx for parameter MessageDeduplicationId is invalid. Reason: MessageDeduplicationId can only include alphanumeric and punctuation characters. 1 to 128 in length.
    400 InvalidParameterValueException: Value a b for parameter MessageGroupId is invalid. Reason: MessageGroupId can only include alphanumeric and punctuation characters. 1 to 128 in length.
    taken
    400 InvalidParameterValueException: Value d for parameter MessageDeduplicationId is invalid. Reason: The request include parameter that is not valid for this queue type.
    ");
}

fn with_attribute(name: &str, attribute: MessageAttributeValue) -> Request {
    Request::SendMessage(SendMessageRequest {
        message_attributes: vec![(text(name), attribute)],
        ..send("b")
    })
}

#[test]
fn names_of_message_attributes() {
    let named = |name: &str| with_attribute(name, string("v"));
    insta::assert_snapshot!(lines([
        named(""),
        named(&"n".repeat(257)),
        named("AWS.x"),
        named("amazon.x"),
        named(".x"),
        named("x."),
        named("a..b"),
        named("a b"),
        named("a§"),
        named(&"n".repeat(256)),
        named("AWSx"),
        named("Größe_1-2.x"),
    ]), @r"
    400 InvalidParameterValueException: The request must contain non-empty message (user) attribute names.
    400 InvalidParameterValueException: Message (user) attribute name must be shorter than 256 bytes.
    400 InvalidParameterValueException: You can't use message attribute names beginning with 'AWS.' or 'Amazon.'. These strings are reserved for internal use.
    400 InvalidParameterValueException: You can't use message attribute names beginning with 'AWS.' or 'Amazon.'. These strings are reserved for internal use.
    400 InvalidParameterValueException: Invalid message attribute name starting with character '.' was found.
    400 InvalidParameterValueException: Invalid message attribute name ending with character '.' was found.
    400 InvalidParameterValueException: Message attribute name can not have successive '.' character.
    400 InvalidParameterValueException: Invalid non-alphanumeric character '#x20' was found in the message attribute name. Can only include alphanumeric characters, hyphens, underscores, or dots.
    400 InvalidParameterValueException: Invalid non-alphanumeric character '#xA7' was found in the message attribute name. Can only include alphanumeric characters, hyphens, underscores, or dots.
    taken
    taken
    taken
    ");
}

#[test]
fn values_of_message_attributes() {
    let bytes = |data_type: &str, value: &'static [u8]| MessageAttributeValue {
        binary_value: Some(Bytes::from_static(value)),
        data_type: text(data_type),
        ..Default::default()
    };
    let valued = |attribute| with_attribute("n", attribute);
    insta::assert_snapshot!(lines([
        valued(MessageAttributeValue::default()),
        valued(string("")),
        valued(typed("Number", "")),
        valued(bytes("Binary", b"")),
        valued(typed("Strange", "v")),
        valued(typed("Stringx", "v")),
        valued(typed(&format!("String.{}", "x".repeat(250)), "v")),
        valued(typed("Number", "twelve")),
        valued(typed("Number", "1e")),
        valued(string("\u{1}")),
        valued(bytes("String", b"v")),
        valued(typed("Binary", "v")),
        valued(MessageAttributeValue { binary_value: Some(Bytes::from_static(b"b")), ..string("v") }),
        valued(MessageAttributeValue { string_list_values: texts(&["v"]), ..string("v") }),
        valued(MessageAttributeValue { binary_list_values: vec![Bytes::new()], ..string("v") }),
        valued(typed("Number.int", "-12")),
        valued(typed("Number", "+1.5e-3")),
        valued(typed("Number", ".5")),
        valued(typed("String.uuid", "v")),
        valued(bytes("Binary.png", b"v")),
    ]), @r"
    400 InvalidParameterValueException: The message (user) attribute 'n' must contain a non-empty message attribute value.
    400 InvalidParameterValueException: Message (user) attribute 'n' must contain a non-empty value of type 'String'.
    400 InvalidParameterValueException: Message (user) attribute 'n' must contain a non-empty value of type 'Number'.
    400 InvalidParameterValueException: Message (user) attribute 'n' must contain a non-empty value of type 'Binary'.
    400 InvalidParameterValueException: The type of message (user) attribute 'n' is invalid. You must use only the following supported type prefixes: Binary, Number, String.
    400 InvalidParameterValueException: The type of message (user) attribute 'n' is invalid. You must use only the following supported type prefixes: Binary, Number, String.
    400 InvalidParameterValueException: Message (user) attribute type must be shorter than 256 bytes.
    400 InvalidParameterValueException: Can't cast the value of message (user) attribute 'n' to a number.
    400 InvalidParameterValueException: Can't cast the value of message (user) attribute 'n' to a number.
    400 InvalidParameterValueException: Invalid binary character '#x1' was found in the message attribute 'n' value, the set of allowed characters is #x9 | #xA | #xD | [#x20-#xD7FF] | [#xE000-#xFFFD] | [#x10000-#x10FFFF].
    400 InvalidParameterValueException: The message (user) attribute 'n' with type 'String' must use field 'String'.
    400 InvalidParameterValueException: The message (user) attribute 'n' with type 'Binary' must use field 'Binary'.
    400 InvalidParameterValueException: Message (user) attribute 'n' has multiple values.
    400 UnsupportedOperation: Message attribute list values in SendMessage operation are not supported.
    400 UnsupportedOperation: Message attribute list values in SendMessage operation are not supported.
    taken
    taken
    taken
    taken
    taken
    ");
    let many = |count| (0..count).map(|at| (Text::from(format!("n{at}")), string("v"))).collect();
    let twice = vec![(text("n"), string("v")), (text("n"), string("w"))];
    insta::assert_snapshot!(lines([
        Request::SendMessage(SendMessageRequest { message_attributes: many(11), ..send("b") }),
        Request::SendMessage(SendMessageRequest { message_attributes: many(10), ..send("b") }),
        Request::SendMessage(SendMessageRequest { message_attributes: twice, ..send("b") }),
    ]), @r"
    400 InvalidParameterValueException: Number of message attributes [11] exceeds the allowed maximum [10].
    taken
    400 InvalidParameterValueException: Message attribute name 'n' already exists.
    ");
}

#[test]
fn system_attributes() {
    let system = |name: &str, data_type: &str, value: &str| {
        let value = MessageSystemAttributeValue {
            string_value: Some(text(value)),
            data_type: text(data_type),
            ..Default::default()
        };
        Request::SendMessage(SendMessageRequest {
            message_system_attributes: vec![(text(name), value)],
            ..send("b")
        })
    };
    insta::assert_snapshot!(lines([
        system("Other", "String", "v"),
        system("AWSTraceHeader", "String", ""),
        system("AWSTraceHeader", "Number", "1"),
        system("AWSTraceHeader", "String", "\u{1}"),
        system("AWSTraceHeader", "String", "Root=1"),
    ]), @r"
    400 InvalidParameterValueException: Message system attribute name 'Other' is invalid.
    400 InvalidParameterValueException: Message (system) attribute 'AWSTraceHeader' must contain a non-empty value of type 'String'.
    400 InvalidParameterValueException: Message (system) attribute 'AWSTraceHeader' must contain a non-empty value of type 'String'.
    400 InvalidParameterValueException: Invalid binary character '#x1' was found in the message attribute 'AWSTraceHeader' value, the set of allowed characters is #x9 | #xA | #xD | [#x20-#xD7FF] | [#xE000-#xFFFD] | [#x10000-#x10FFFF].
    taken
    ");
}

fn entry(id: &str, body: &str) -> SendMessageBatchRequestEntry {
    SendMessageBatchRequestEntry { id: text(id), message_body: text(body), ..Default::default() }
}

fn batch(url: &str, entries: Vec<SendMessageBatchRequestEntry>) -> Request {
    Request::SendMessageBatch(SendMessageBatchRequest { queue_url: text(url), entries })
}

#[test]
fn whole_batches() {
    let many = |count| (0..count).map(|at| entry(&format!("i{at}"), "b")).collect::<Vec<_>>();
    let grouped = |entry| SendMessageBatchRequestEntry { message_group_id: Some(text("g")), ..entry };
    insta::assert_snapshot!(lines([
        batch(QUEUE, vec![]),
        batch(QUEUE, many(11)),
        batch(QUEUE, vec![entry("a", "b"), entry("a", "b")]),
        batch(QUEUE, vec![entry("", "b")]),
        batch(QUEUE, vec![entry("a b", "b")]),
        batch(QUEUE, vec![entry(&"a".repeat(81), "b")]),
        batch(QUEUE, vec![entry("a", &"b".repeat(524_288)), entry("b", &"b".repeat(524_289))]),
        batch(QUEUE, vec![entry("a", &"b".repeat(524_288)), entry("b", &"b".repeat(524_288))]),
        batch(FIFO, vec![entry("a", "b")]),
        batch(FIFO, vec![grouped(entry("a", "b")), entry("b", "b")]),
        batch(FIFO, vec![grouped(entry("a", ""))]),
        batch(
            FIFO,
            vec![SendMessageBatchRequestEntry { delay_seconds: Some(1), ..grouped(entry("a", "b")) }]
        ),
        batch(FIFO, vec![grouped(entry("a", "b"))]),
        batch(QUEUE, many(10)),
    ]), @r"
    400 EmptyBatchRequest: There should be at least one SendMessageBatchRequestEntry in the request.
    400 TooManyEntriesInBatchRequest: Maximum number of entries per request are 10. You have sent 11.
    400 BatchEntryIdsNotDistinct: Id a repeated.
    400 InvalidBatchEntryId: A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be at most 80 letters long.
    400 InvalidBatchEntryId: A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be at most 80 letters long.
    400 InvalidBatchEntryId: A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be at most 80 letters long.
    400 BatchRequestTooLong: Batch requests cannot be longer than 1048576 bytes. You have sent 1048577 bytes.
    taken
    400 InvalidParameterValueException: The request must contain the parameter MessageGroupId.
    400 InvalidParameterValueException: The request must contain the parameter MessageGroupId.
    400 MissingRequiredParameterException: The request must contain the parameter MessageBody.
    400 InvalidParameterValueException: Value 1 for parameter DelaySeconds is invalid. Reason: The request include parameter that is not valid for this queue type.
    taken
    taken
    ");
    insta::assert_snapshot!(lines([
        Request::DeleteMessageBatch(DeleteMessageBatchRequest { queue_url: text(QUEUE), entries: vec![] }),
        Request::ChangeMessageVisibilityBatch(ChangeMessageVisibilityBatchRequest {
            queue_url: text(QUEUE),
            entries: vec![],
        }),
        Request::DeleteMessageBatch(DeleteMessageBatchRequest {
            queue_url: text(QUEUE),
            entries: vec![DeleteMessageBatchRequestEntry { id: text("a b"), receipt_handle: text("h") }],
        }),
    ]), @r"
    400 EmptyBatchRequest: There should be at least one DeleteMessageBatchRequestEntry in the request.
    400 EmptyBatchRequest: There should be at least one ChangeMessageVisibilityBatchRequestEntry in the request.
    400 InvalidBatchEntryId: A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be at most 80 letters long.
    ");
}

#[test]
fn receive_message() {
    let receive = |change: &dyn Fn(&mut ReceiveMessageRequest)| {
        let mut request = ReceiveMessageRequest { queue_url: text(FIFO), ..Default::default() };
        change(&mut request);
        Request::ReceiveMessage(request)
    };
    insta::assert_snapshot!(lines([
        receive(&|r| r.max_number_of_messages = Some(0)),
        receive(&|r| r.max_number_of_messages = Some(11)),
        receive(&|r| r.wait_time_seconds = Some(-1)),
        receive(&|r| r.wait_time_seconds = Some(21)),
        receive(&|r| r.visibility_timeout = Some(-1)),
        receive(&|r| r.visibility_timeout = Some(43_201)),
        receive(&|r| r.receive_request_attempt_id = Some(text("a b"))),
        receive(&|r| r.attribute_names = texts(&["Foobar"])),
        receive(&|r| r.message_system_attribute_names = texts(&["Foobar"])),
        receive(&|r| {
            r.queue_url = text(QUEUE);
            r.receive_request_attempt_id = Some(text("a b"));
        }),
        receive(&|r| r.message_attribute_names = texts(&["AWS.", "..foo"])),
        receive(&|r| r.attribute_names = texts(&["All", "SequenceNumber", "Policy"])),
    ]), @r"
    400 InvalidParameterValueException: Value 0 for parameter MaxNumberOfMessages is invalid. Reason: Must be between 1 and 10, if provided.
    400 InvalidParameterValueException: Value 11 for parameter MaxNumberOfMessages is invalid. Reason: Must be between 1 and 10, if provided.
    400 InvalidParameterValueException: Value -1 for parameter WaitTimeSeconds is invalid. Reason: Must be >= 0 and <= 20, if provided.
    400 InvalidParameterValueException: Value 21 for parameter WaitTimeSeconds is invalid. Reason: Must be >= 0 and <= 20, if provided.
    400 InvalidParameterValueException: Value -1 for parameter VisibilityTimeout is invalid. Reason: Must be >= 0 and <= 43200, if provided.
    400 InvalidParameterValueException: Value 43201 for parameter VisibilityTimeout is invalid. Reason: Must be >= 0 and <= 43200, if provided.
    400 InvalidParameterValueException: Value a b for parameter ReceiveRequestAttemptId is invalid. Reason: ReceiveRequestAttemptId can only include alphanumeric and punctuation characters. 1 to 128 in length.
    400 InvalidAttributeName: Unknown Attribute Foobar.
    400 InvalidAttributeName: Unknown Attribute Foobar.
    taken
    taken
    taken
    ");
}

#[test]
fn handles_and_timeouts() {
    let delete = |handle: &str| {
        Request::DeleteMessage(DeleteMessageRequest { queue_url: text(QUEUE), receipt_handle: text(handle) })
    };
    let change = |handle: &str, visibility_timeout| {
        Request::ChangeMessageVisibility(ChangeMessageVisibilityRequest {
            queue_url: text(QUEUE),
            receipt_handle: text(handle),
            visibility_timeout,
        })
    };
    insta::assert_snapshot!(lines([
        delete(""),
        change("", 1),
        change("h", -1),
        change("h", 43_201),
        change("h", 43_200),
        delete("h"),
    ]), @r"
    400 MissingRequiredParameterException: The request must contain the parameter MessageHandle.
    400 MissingRequiredParameterException: The request must contain the parameter ReceiptHandle.
    400 InvalidParameterValueException: Value -1 for parameter VisibilityTimeout is invalid. Reason: Must be between 0 and 43200.
    400 InvalidParameterValueException: Value 43201 for parameter VisibilityTimeout is invalid. Reason: Must be between 0 and 43200.
    taken
    taken
    ");
}

#[test]
fn permissions() {
    let add = |label: &str, accounts: &[&str], actions: &[&str]| {
        Request::AddPermission(AddPermissionRequest {
            queue_url: text(QUEUE),
            label: text(label),
            aws_account_ids: texts(accounts),
            actions: texts(actions),
        })
    };
    let remove = |label: &str| {
        Request::RemovePermission(RemovePermissionRequest { queue_url: text(QUEUE), label: text(label) })
    };
    insta::assert_snapshot!(lines([
        add("l", &["111111111111"], &["Nonsense"]),
        add("l", &[], &["SendMessage"]),
        add("l", &["111111111111"], &["SendMessage"]),
        remove(""),
        remove("l"),
    ]), @r"
    400 InvalidParameterValueException: Value SQS:Nonsense for parameter ActionName is invalid. Reason: Please refer to the appropriate WSDL for a list of valid actions.
    400 MissingRequiredParameterException: The request must contain the parameter AWSAccountIds.
    taken
    400 MissingRequiredParameterException: The request must contain the parameter Label.
    taken
    ");
}

#[test]
fn move_tasks() {
    let start = |source: &str, destination: Option<&str>, rate| {
        Request::StartMessageMoveTask(StartMessageMoveTaskRequest {
            source_arn: text(source),
            destination_arn: destination.map(text),
            max_number_of_messages_per_second: rate,
        })
    };
    let other = "arn:aws:sqs:us-east-1:000000000000:other";
    let fifo = "arn:aws:sqs:us-east-1:000000000000:other.fifo";
    let list = |source: &str, max_results| {
        Request::ListMessageMoveTasks(ListMessageMoveTasksRequest { source_arn: text(source), max_results })
    };
    let cancel = |handle: &str| {
        Request::CancelMessageMoveTask(CancelMessageMoveTaskRequest { task_handle: text(handle) })
    };
    let handle = |json: &str| base64_simd::STANDARD.encode_to_string(json);
    insta::assert_snapshot!(lines([
        start("", None, None),
        start("dummy", None, None),
        start(ARN, Some(""), None),
        start(ARN, Some(ARN), None),
        start(ARN, Some(fifo), None),
        start(ARN, Some(other), Some(0)),
        start(ARN, Some(other), Some(501)),
        start(ARN, Some(other), Some(500)),
        list("", None),
        list(ARN, Some(0)),
        list(ARN, Some(11)),
        list(ARN, None),
        cancel(""),
        cancel("nonsense"),
        cancel(&handle("{}")),
        cancel(&handle(&format!("{{\"taskId\":\"x\",\"sourceArn\":\"{ARN}\"}}"))),
    ]), @r"
    400 InvalidParameterValueException: You must use this format to specify the SourceArn: arn:<partition>:<service>:<region>:<account-id>:<resource-id>
    400 InvalidParameterValueException: You must use this format to specify the SourceArn: arn:<partition>:<service>:<region>:<account-id>:<resource-id>
    400 InvalidParameterValueException: You must use this format to specify the DestinationArn: arn:<partition>:<service>:<region>:<account-id>:<resource-id>
    400 InvalidParameterValueException: Source queue arn and destination queue arn cannot be the same.
    400 InvalidParameterValueException: The source queue and destination queue must be of the same queue type.
    400 InvalidParameterValueException: Value for parameter MaxNumberOfMessagesPerSecond is invalid. Reason: You must enter a number that's between 1 and 500.
    400 InvalidParameterValueException: Value for parameter MaxNumberOfMessagesPerSecond is invalid. Reason: You must enter a number that's between 1 and 500.
    taken
    400 InvalidParameterValueException: You must use this format to specify the SourceArn: arn:<partition>:<service>:<region>:<account-id>:<resource-id>
    400 InvalidParameterValueException: Value for parameter MaxResults is invalid. Reason: You must enter a number that's between 1 and 10.
    400 InvalidParameterValueException: Value for parameter MaxResults is invalid. Reason: You must enter a number that's between 1 and 10.
    taken
    400 MissingRequiredParameterException: The request must contain the parameter TaskHandle.
    400 InvalidParameterValueException: Value for parameter TaskHandle is invalid.
    400 InvalidParameterValueException: Value for parameter TaskHandle is invalid.
    taken
    ");
}
