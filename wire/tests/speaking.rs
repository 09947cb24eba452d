//! What stands on the wire, byte for byte, and how a request is recognised.

use kew_wire::fault::{Fault, common};
use kew_wire::request_id::RequestId;
use kew_wire::sqs::{
    CreateQueueRequest, GetQueueAttributesResult, ListQueuesResult, MODEL, Message, MessageAttributeValue,
    ReceiveMessageRequest, ReceiveMessageResult, Reply, Request, SendMessageRequest, SendMessageResult, Sqs,
    faults,
};
use kew_wire::{
    Dialect, ReplyHead, RequestHead, Route, Text, decode, encode_fault, encode_reply, recognise, versioned,
};

fn shown(dialect: Dialect, reply: &Reply) -> String {
    let mut body = Vec::new();
    encode_reply::<Sqs>(dialect, reply, "id", &mut body);
    String::from_utf8(body).expect("UTF-8")
}

fn refused(dialect: Dialect, fault: &Fault) -> (ReplyHead, String) {
    let mut body = Vec::new();
    let head = encode_fault(dialect, &MODEL, fault, "id", &mut body);
    (head, String::from_utf8(body).expect("UTF-8"))
}

fn asked(head: &RequestHead<'_>, body: &str) -> Result<Request, Fault> {
    decode::<Sqs>(&recognise(head, None).expect("recognised"), head, body.to_owned().into())
}

const FORM: RequestHead<'_> = RequestHead {
    method: "POST",
    path: "/",
    query: None,
    host: Some("localhost:4566"),
    content_type: Some("application/x-www-form-urlencoded; charset=utf-8"),
    target: None,
    accept: None,
};

fn received() -> Reply {
    let blue = MessageAttributeValue {
        data_type: "String".into(),
        string_value: Some("<blue>".into()),
        ..MessageAttributeValue::default()
    };
    let message = Message {
        message_id: Some("m".into()),
        body: Some("a \"b\"\r\n<c> & é".into()),
        attributes: vec![("SenderId".into(), "A".into())],
        message_attributes: vec![("color".into(), blue)],
        ..Message::default()
    };
    Reply::ReceiveMessage(ReceiveMessageResult { messages: vec![message] })
}

#[test]
fn replies_in_json_are_bare_objects() {
    assert_eq!(
        shown(Dialect::Json, &received()),
        r#"{"Messages":[{"MessageId":"m","Body":"a \"b\"\r\n<c> & é","Attributes":{"SenderId":"A"},"MessageAttributes":{"color":{"StringValue":"<blue>","DataType":"String"}}}]}"#
    );
    assert_eq!(shown(Dialect::Json, &Reply::ReceiveMessage(ReceiveMessageResult::default())), "{}");
    assert_eq!(shown(Dialect::Json, &Reply::DeleteMessage), "");
}

#[test]
fn replies_in_xml_are_wrapped_and_flat() {
    assert_eq!(
        shown(Dialect::Query, &received()),
        "<?xml version=\"1.0\"?><ReceiveMessageResponse xmlns=\"http://queue.amazonaws.com/doc/2012-11-05/\">\
         <ReceiveMessageResult><Message><MessageId>m</MessageId><Body>a &quot;b&quot;&#xD;\n&lt;c&gt; &amp; é</Body>\
         <Attribute><Name>SenderId</Name><Value>A</Value></Attribute>\
         <MessageAttribute><Name>color</Name><Value><StringValue>&lt;blue&gt;</StringValue><DataType>String</DataType></Value></MessageAttribute>\
         </Message></ReceiveMessageResult><ResponseMetadata><RequestId>id</RequestId></ResponseMetadata></ReceiveMessageResponse>"
    );
    let none = shown(Dialect::Query, &Reply::ReceiveMessage(ReceiveMessageResult::default()));
    assert!(none.contains("\"><ReceiveMessageResult/><ResponseMetadata>"), "{none}");
    let done = shown(Dialect::Query, &Reply::DeleteMessage);
    assert!(done.contains("2012-11-05/\"><ResponseMetadata>"), "{done}");
}

#[test]
fn characters_that_xml_cannot_carry_are_replaced() {
    let urls = vec!["a\0\u{1}\u{FFFE}\u{FFFF}\u{FFFD}\u{7FFE}\t\n".into()];
    let shown =
        shown(Dialect::Query, &Reply::ListQueues(ListQueuesResult { queue_urls: urls, next_token: None }));
    assert!(
        shown.contains("<QueueUrl>a\u{FFFD}\u{FFFD}\u{FFFD}\u{FFFD}\u{FFFD}\u{7FFE}\t\n</QueueUrl>"),
        "{shown}"
    );
}

#[test]
fn what_must_be_escaped_is_found_wherever_it_stands_in_a_long_text() {
    // Texts are copied in runs; nothing may depend on where a run ends.
    for before in 0..140 {
        let text = format!("{}\u{FFFF}<\"\\\n{}", "x".repeat(before), "y".repeat(150));
        let reply =
            Reply::ListQueues(ListQueuesResult { queue_urls: vec![text.clone().into()], next_token: None });
        let xml = shown(Dialect::Query, &reply);
        let expected = format!("{}\u{FFFD}&lt;&quot;\\\n{}<", "x".repeat(before), "y".repeat(150));
        assert!(xml.contains(&expected), "{xml}");
        let json: serde_json::Value = serde_json::from_str(&shown(Dialect::Json, &reply)).expect("JSON");
        assert_eq!(json["QueueUrls"][0], text);
    }
}

#[test]
fn a_query_for_json_is_answered_with_nulls_and_lists_of_entries() {
    let sent = SendMessageResult { message_id: Some("m".into()), ..SendMessageResult::default() };
    assert_eq!(
        shown(Dialect::QueryJson, &Reply::SendMessage(sent)),
        r#"{"SendMessageResponse":{"SendMessageResult":{"MD5OfMessageBody":null,"MD5OfMessageAttributes":null,"MD5OfMessageSystemAttributes":null,"MessageId":"m","SequenceNumber":null},"ResponseMetadata":{"RequestId":"id"}}}"#
    );
    let attributes = vec![("DelaySeconds".into(), "0".into())];
    assert_eq!(
        shown(Dialect::QueryJson, &Reply::GetQueueAttributes(GetQueueAttributesResult { attributes })),
        r#"{"GetQueueAttributesResponse":{"GetQueueAttributesResult":{"Attributes":[{"Name":"DelaySeconds","Value":"0"}]},"ResponseMetadata":{"RequestId":"id"}}}"#
    );
    let none = shown(Dialect::QueryJson, &Reply::ReceiveMessage(ReceiveMessageResult::default()));
    assert!(none.contains(r#""ReceiveMessageResult":{"messages":null}"#), "{none}");
    let done = shown(Dialect::QueryJson, &Reply::DeleteMessage);
    assert_eq!(done, r#"{"DeleteMessageResponse":{"ResponseMetadata":{"RequestId":"id"}}}"#);
}

#[test]
fn faults_are_shown_in_the_callers_dialect() {
    let fault = Fault::new(&faults::QUEUE_DOES_NOT_EXIST, "There is no \"queue\".");
    let (head, body) = refused(Dialect::Json, &fault);
    assert_eq!(
        body,
        r#"{"__type":"com.amazonaws.sqs#QueueDoesNotExist","message":"There is no \"queue\"."}"#
    );
    assert_eq!((head.status, head.content_type), (400, "application/x-amz-json-1.0"));
    assert_eq!(head.query_error.as_deref(), Some("AWS.SimpleQueueService.NonExistentQueue;Sender"));

    let (head, body) = refused(Dialect::Query, &fault);
    assert_eq!(
        body,
        "<?xml version=\"1.0\"?><ErrorResponse xmlns=\"http://queue.amazonaws.com/doc/2012-11-05/\"><Error><Type>Sender</Type>\
         <Code>AWS.SimpleQueueService.NonExistentQueue</Code><Message>There is no &quot;queue&quot;.</Message><Detail/></Error>\
         <RequestId>id</RequestId></ErrorResponse>"
    );
    assert_eq!((head.status, head.content_type, head.query_error), (400, "text/xml", None));

    let (head, body) = refused(Dialect::QueryJson, &fault);
    assert_eq!(
        body,
        r#"{"Error":{"Code":"AWS.SimpleQueueService.NonExistentQueue","Message":"There is no \"queue\".","Type":"Sender"},"RequestId":"id"}"#
    );
    assert_eq!((head.status, head.content_type), (400, "application/json"));
}

#[test]
fn faults_from_before_the_service_have_their_own_manners() {
    let (head, body) = refused(Dialect::Json, &Fault::new(&common::ACCESS_DENIED, "No."));
    assert_eq!(body, r#"{"__type":"com.amazon.coral.service#AccessDeniedException","Message":"No."}"#);
    assert_eq!((head.status, head.query_error.as_deref()), (403, Some("AccessDenied;Sender")));
    let (head, body) = refused(Dialect::Json, &Fault::new(&common::INVALID_ACTION, ""));
    assert_eq!(body, r#"{"__type":"com.amazon.coral.service#UnknownOperationException"}"#);
    assert_eq!((head.status, head.query_error.as_deref()), (400, Some("InvalidAction;Sender")));
    let (head, _) = refused(Dialect::Json, &Fault::new(&common::INTERNAL_FAILURE, ""));
    assert_eq!((head.status, head.query_error.as_deref()), (500, Some("InternalFailure;Receiver")));
    for dialect in [Dialect::Query, Dialect::QueryJson] {
        let (head, body) = refused(dialect, &Fault::new(&common::UNKNOWN_OPERATION, ""));
        assert_eq!((head.status, body.trim_end()), (404, "<UnknownOperationException/>"));
    }
}

#[test]
fn a_target_or_a_json_content_type_means_json_and_all_else_is_a_query() {
    let json = RequestHead { target: Some("AmazonSQS.SendMessage"), ..RequestHead::default() };
    let route = Route { service: &MODEL, dialect: Dialect::Json, operation: Some("SendMessage") };
    assert_eq!(recognise(&json, None), Ok(route));
    for head in [
        RequestHead { content_type: Some("application/x-amz-json-1.0"), ..RequestHead::default() },
        RequestHead { target: Some("DynamoDB_20120810.ListTables"), ..RequestHead::default() },
        RequestHead { target: Some("SendMessage"), ..RequestHead::default() },
    ] {
        let unrecognised = recognise(&head, None).expect_err("no such target");
        assert_eq!((unrecognised.dialect, unrecognised.fault.kind), (Dialect::Json, &common::INVALID_ACTION));
    }
    assert_eq!(recognise(&FORM, Some("sqs")).map(|route| route.dialect), Ok(Dialect::Query));
    assert_eq!(recognise(&RequestHead::default(), None).map(|route| route.dialect), Ok(Dialect::Query));
    let accepting = RequestHead { accept: Some("Application/JSON, */*"), ..FORM };
    assert_eq!(recognise(&accepting, None).map(|route| route.dialect), Ok(Dialect::QueryJson));
}

#[test]
fn target_signature_or_version_name_the_service() {
    let target = RequestHead { target: Some("TrentService.CreateKey"), ..RequestHead::default() };
    let route = recognise(&target, None).expect("recognised");
    assert_eq!((route.service.name, route.dialect), ("kms", Dialect::Json));
    assert_eq!(recognise(&FORM, Some("sts")).map(|route| route.service.name), Ok("sts"));
    assert_eq!(recognise(&FORM, None).map(|route| route.service.name), Ok("sqs"));

    let named = |query, body: &str| versioned(query, body.as_bytes()).map(|service| service.name);
    assert_eq!(named(None, "Action=GetCallerIdentity&Version=2011-06-15"), Some("sts"));
    assert_eq!(named(Some("Version=2011-06-15&Action=GetCallerIdentity"), ""), Some("sts"));
    assert_eq!(named(None, "Action=ListQueues&Version=2012-11-05"), Some("sqs"));
    assert_eq!(named(None, "Action=ListQueues&QueueNamePrefix=Version%3D2011-06-15"), None);
}

#[test]
fn faults_of_json_1_1_have_neither_namespace_nor_query_code() {
    let fault = Fault::new(&kew_wire::kms::faults::NOT_FOUND_EXCEPTION, "gone");
    let mut body = Vec::new();
    let head = encode_fault(Dialect::Json, &kew_wire::kms::MODEL, &fault, "id", &mut body);
    assert_eq!(body, br#"{"__type":"NotFoundException","message":"gone"}"#);
    assert_eq!((head.status, head.content_type, head.query_error), (400, "application/x-amz-json-1.1", None));
}

#[test]
fn texts_without_escapes_share_the_body() {
    let body =
        bytes::Bytes::from_static(br#"{"QueueUrl":"u","MessageBody":"plain text","MessageGroupId":"a\tb"}"#);
    let head = RequestHead { target: Some("AmazonSQS.SendMessage"), ..RequestHead::default() };
    let route = recognise(&head, None).expect("recognised");
    let Ok(Request::SendMessage(send)) = decode::<Sqs>(&route, &head, body.clone()) else {
        panic!("refused")
    };
    let within = |text: &Text| body.as_ptr_range().contains(&text.as_bytes().as_ptr());
    assert!(within(&send.message_body) && within(&send.queue_url));
    assert_eq!(send.message_group_id.as_deref(), Some("a\tb"));

    let form = bytes::Bytes::from_static(b"Action=SendMessage&MessageBody=plain&QueueUrl=http%3A%2F%2Fh");
    let Ok(Request::SendMessage(sent)) =
        decode::<Sqs>(&recognise(&FORM, None).expect("a query"), &FORM, form.clone())
    else {
        panic!("refused")
    };
    assert!(form.as_ptr_range().contains(&sent.message_body.as_bytes().as_ptr()));
    assert_eq!(&*sent.queue_url, "http://h");
}

#[test]
fn numbers_stand_for_texts_in_maps_and_nulls_for_nothing() {
    let head = RequestHead { target: Some("AmazonSQS.CreateQueue"), ..RequestHead::default() };
    let body =
        r#"{"QueueName":"q","Attributes":{"DelaySeconds":400,"Policy":null,"FifoQueue":true},"tags":null}"#;
    let attributes = vec![("DelaySeconds".into(), "400".into()), ("FifoQueue".into(), "true".into())];
    let expected = CreateQueueRequest { queue_name: "q".into(), attributes, tags: vec![] };
    assert_eq!(asked(&head, body), Ok(Request::CreateQueue(expected)));
}

#[test]
fn whole_numbers_may_be_written_with_fraction_or_exponent() {
    let head = RequestHead { target: Some("AmazonSQS.ReceiveMessage"), ..RequestHead::default() };
    for (written, meant) in [("1.0", 1), ("1e1", 10), ("-0", 0), ("2.9", 2)] {
        let body = format!("{{\"MaxNumberOfMessages\":{written}}}");
        let expected =
            ReceiveMessageRequest { max_number_of_messages: Some(meant), ..ReceiveMessageRequest::default() };
        assert_eq!(asked(&head, &body), Ok(Request::ReceiveMessage(expected)), "{written}");
    }
}

#[test]
fn an_action_may_stand_in_the_url_or_in_the_body() {
    let url = RequestHead {
        method: "GET",
        query: Some("Action=SendMessage&MessageBody=a+b%21&QueueUrl=u"),
        ..FORM
    };
    let expected = SendMessageRequest {
        queue_url: "u".into(),
        message_body: "a b!".into(),
        ..SendMessageRequest::default()
    };
    assert_eq!(asked(&url, ""), Ok(Request::SendMessage(expected.clone())));
    let body = RequestHead { query: Some("QueueUrl=u"), ..FORM };
    assert_eq!(asked(&body, "Action=SendMessage&MessageBody=a%20b!"), Ok(Request::SendMessage(expected)));
    let other = RequestHead { content_type: Some("text/plain"), ..FORM };
    assert_eq!(
        asked(&other, "Action=ListQueues").map_err(|fault| fault.kind),
        Err(&common::UNKNOWN_OPERATION)
    );
}

#[test]
fn lists_are_read_in_the_order_of_their_numbers_however_they_are_written() {
    let request = |names: &[&str]| {
        let names = names.iter().map(|name| Text::from(*name)).collect();
        Request::ReceiveMessage(ReceiveMessageRequest {
            queue_url: "u".into(),
            message_attribute_names: names,
            ..ReceiveMessageRequest::default()
        })
    };
    let start = "Action=ReceiveMessage&QueueUrl=u";
    for (form, names) in [
        ("MessageAttributeName.10=c&MessageAttributeName.2=b&MessageAttributeName.1=a", &["a", "b", "c"][..]),
        ("MessageAttributeName.7=a&MessageAttributeName.40=b", &["a", "b"]),
        ("MessageAttributeName.member.2=b&MessageAttributeName.member.1=a", &["a", "b"]),
        ("MessageAttributeName=All", &["All"]),
        ("MessageAttributeName=", &[]),
        ("MessageAttributeName.x=a", &[]),
    ] {
        assert_eq!(asked(&FORM, &format!("{start}&{form}")), Ok(request(names)), "{form}");
    }
}

#[test]
fn a_map_comes_as_numbered_names_and_values() {
    let form = "Action=CreateQueue&QueueName=q&Attribute.2.Value=1&Attribute.2.Name=B&Attribute.1.Name=A\
        &Attribute.1.Value=0&Tag.1.Key=k&Tag.1.Value=&Version=2012-11-05";
    let expected = CreateQueueRequest {
        queue_name: "q".into(),
        attributes: vec![("A".into(), "0".into()), ("B".into(), "1".into())],
        tags: vec![("k".into(), "".into())],
    };
    assert_eq!(asked(&FORM, form), Ok(Request::CreateQueue(expected)));
}

#[test]
fn a_map_of_one_needs_no_number() {
    let form = "Action=SetQueueAttributes&QueueUrl=q&Attribute.Name=VisibilityTimeout&Attribute.Value=35";
    let Ok(Request::SetQueueAttributes(request)) = asked(&FORM, form) else { panic!("not decoded") };
    assert_eq!(request.attributes, [("VisibilityTimeout".into(), "35".into())]);
}

#[test]
fn a_queues_own_url_stands_for_its_parameter() {
    let queue = RequestHead { path: "/000000000000/orders", ..FORM };
    let url = |request: Result<Request, Fault>| request.expect("read").queue_url().map(|url| url.to_string());
    let own = Some("http://localhost:4566/000000000000/orders".to_owned());
    assert_eq!(url(asked(&queue, "Action=DeleteQueue")), own);
    assert_eq!(url(asked(&queue, "Action=DeleteQueue&QueueUrl=other")), Some("other".to_owned()));
    assert_eq!(url(asked(&FORM, "Action=DeleteQueue")), Some(String::new()));
    assert!(asked(&queue, "Action=GetQueueUrl&QueueName=another").is_ok());
    for action in ["CreateQueue&QueueName=q", "ListQueues"] {
        let fault = asked(&queue, &format!("Action={action}")).expect_err("not of a queue");
        let name = action.split('&').next().expect("a name");
        assert_eq!(fault.message, format!("The action {name} is not valid for this endpoint."));
    }
}

#[test]
fn of_two_lists_of_system_attributes_the_older_wins_in_a_form_only() {
    let form = "Action=ReceiveMessage&QueueUrl=u&AttributeName.1=SenderId&MessageSystemAttributeName.1=All";
    let Ok(Request::ReceiveMessage(receive)) = asked(&FORM, form) else { panic!("refused") };
    assert_eq!((receive.attribute_names.len(), receive.message_system_attribute_names.len()), (1, 0));
    let head = RequestHead { target: Some("AmazonSQS.ReceiveMessage"), ..RequestHead::default() };
    let body = r#"{"QueueUrl":"u","AttributeNames":["SenderId"],"MessageSystemAttributeNames":["All"]}"#;
    let Ok(Request::ReceiveMessage(receive)) = asked(&head, body) else { panic!("refused") };
    assert_eq!((receive.attribute_names.len(), receive.message_system_attribute_names.len()), (1, 1));
}

#[test]
fn request_ids_differ_where_their_random_bits_do() {
    assert_ne!(RequestId::new(1), RequestId::new(2));
}

#[test]
fn no_refusal_of_a_long_request_is_long() {
    let long = "\"".repeat(1 << 20);
    let encoded = "%22".repeat(1 << 20);
    let forms = [
        format!("Action={encoded}"),
        format!("Action=ReceiveMessage&QueueUrl=q&MaxNumberOfMessages={encoded}"),
        format!("Action=SendMessage&QueueUrl=q&MessageBody=b&DelaySeconds={encoded}"),
        format!(
            "Action=SendMessage&QueueUrl=q&MessageBody=b&MessageAttribute.1.Name=n&MessageAttribute.1.Value.DataType=Binary\
             &MessageAttribute.1.Value.BinaryValue={encoded}"
        ),
    ];
    let mut faults: Vec<Fault> =
        forms.iter().map(|form| asked(&FORM, form).expect_err("nothing that is known")).collect();
    let head = RequestHead {
        content_type: Some("application/x-amz-json-1.0"),
        target: Some("AmazonSQS.SendMessage"),
        ..FORM
    };
    let value = serde_json::json!({ "BinaryValue": long });
    let body =
        serde_json::json!({ "QueueUrl": "q", "MessageBody": "b", "MessageAttributes": { "n": value } });
    faults.push(asked(&head, &body.to_string()).expect_err("no Base64"));
    faults.push(Fault::new(&faults::INVALID_ADDRESS, format!("The address {long} is not valid.")));
    faults.push(Fault::new(&common::ACCESS_DENIED, "\u{1}".repeat(1 << 20)));
    for fault in &faults {
        for dialect in [Dialect::Json, Dialect::Query, Dialect::QueryJson] {
            let (head, body) = refused(dialect, fault);
            let all = body.len() + head.query_error.map_or(0, |header| header.len());
            assert!(all <= 16 * 1024, "{dialect:?} {}: {all}", fault.kind.name);
        }
    }
    let shown = &*faults[0].message;
    assert!(shown.starts_with("The action \"\"\"") && shown.contains("\"...\""), "{shown}");
    assert!(shown.ends_with("\"\" is not valid for this endpoint."), "{shown}");
}

#[test]
fn what_a_refusal_repeats_is_cut_between_characters_and_only_where_it_is_long() {
    let fault = |message: String| Fault::new(&common::INVALID_PARAMETER_VALUE, message).message;
    for before in 0..4 {
        let message = fault(format!("{}{}", "a".repeat(before), "\u{1F600}".repeat(10_000)));
        assert!((2000..=2048).contains(&message.len()), "{}", message.len());
    }
    let whole = "é".repeat(1024);
    assert_eq!(fault(whole.clone()), whole);
    // Whoever signs wrongly compares the whole canonical request with his own.
    let canonical = "x".repeat(8 * 1024);
    assert_eq!(Fault::new(&common::SIGNATURE_DOES_NOT_MATCH, canonical.clone()).message, canonical);
    let message = Fault::new(&common::SIGNATURE_DOES_NOT_MATCH, canonical + "x").message;
    assert_eq!(message.len(), 8 * 1024);
}
