//! Whatever a caller sends, the answer is a fault in AWS's words or a request, and never a panic.

mod support;

use kew_wire::dialects::json::JsonWriter;
use kew_wire::fault::Fault;
use kew_wire::sqs::{Operation, Request, Sqs};
use kew_wire::{RequestHead, decode, recognise};
use proptest::prelude::*;
use support::form::form;
use support::invent::Inventor;

fn json(operation: &str, body: impl Into<Vec<u8>>) -> Result<Request, Fault> {
    let target = format!("AmazonSQS.{operation}");
    let head = RequestHead { method: "POST", path: "/", target: Some(&target), ..RequestHead::default() };
    let route = recognise(&head, None).expect("a known target");
    decode::<Sqs>(&route, &head, body.into().into())
}

fn query(body: impl Into<Vec<u8>>) -> Result<Request, Fault> {
    let form = Some("application/x-www-form-urlencoded; charset=utf-8");
    let head = RequestHead { method: "POST", path: "/", content_type: form, ..RequestHead::default() };
    let route = recognise(&head, None).expect("a query");
    decode::<Sqs>(&route, &head, body.into().into())
}

fn refusal(answer: Result<Request, Fault>) -> (&'static str, u16, String) {
    let fault = answer.expect_err("refused");
    (fault.kind.name, fault.kind.status, fault.message.into_owned())
}

#[test]
fn what_is_not_json_is_a_serialization_fault_without_words() {
    for body in [
        "{",
        "}",
        "{]",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{,}",
        "{\"a\":1 \"b\":2}",
        "{a:1}",
        "{'a':1}",
        "{\"a\":01}",
        "{\"a\":-}",
        "{\"a\":1.}",
        "{\"a\":.5}",
        "{\"a\":1e}",
        "{\"a\":+1}",
        "{\"a\":tru}",
        "{\"a\":nul}",
        "{\"a\":\"\n\"}",
        "{\"a\":\"\\x\"}",
        "{\"a\":\"\\u12\"}",
        "{\"a\":\"\\u12g4\"}",
        "{\"a\":\"\\ud800\"}",
        "{\"a\":\"\\udc00\"}",
        "{\"a\":\"\\ud800\\u0041\"}",
        "{\"a\":\"open",
        "{\"a\":\"open\\",
        "{}{}",
        "{} x",
        "\u{FEFF}{}",
        "{\"MessageBody\":\"\\ud800\"}",
        "{\"MessageBody\":\"a\tb\"}",
        "{\"MessageBody\":\"x\\",
        "{\"a\":[1,2}",
        "{\"a\":{]}",
        "{\"a\":[1,]}",
        "{\"a\":[}",
    ] {
        assert_eq!(
            refusal(json("SendMessage", body)),
            ("SerializationException", 400, String::new()),
            "{body}"
        );
    }
    assert_eq!(refusal(json("SendMessage", b"{\"MessageBody\":\"\xff\"}")).0, "SerializationException");
}

#[test]
fn values_of_the_wrong_type_are_refused_in_awss_words() {
    const STRUCTURE: &str = "Start of structure or map found where not expected.";
    const LIST: &str = "Start of list found where not expected";
    for (operation, body, message) in [
        ("SendMessage", "[]", LIST),
        ("SendMessage", "\"text\"", "Expected null"),
        ("SendMessage", r#"{"MessageBody":1}"#, "NUMBER_VALUE can not be converted to a String"),
        ("SendMessage", r#"{"MessageBody":true}"#, "TRUE_VALUE can not be converted to a String"),
        ("SendMessage", r#"{"MessageBody":false}"#, "FALSE_VALUE can not be converted to a String"),
        ("SendMessage", r#"{"MessageBody":{}}"#, STRUCTURE),
        ("SendMessage", r#"{"MessageBody":[]}"#, LIST),
        ("SendMessage", r#"{"DelaySeconds":"5"}"#, "STRING_VALUE can not be converted to an Integer"),
        ("SendMessage", r#"{"DelaySeconds":true}"#, "TRUE_VALUE can not be converted to an Integer"),
        ("SendMessage", r#"{"DelaySeconds":[5]}"#, LIST),
        ("SendMessage", r#"{"DelaySeconds":99999999999}"#, "NUMBER_VALUE can not be converted to an Integer"),
        ("SendMessage", r#"{"MessageAttributes":[]}"#, LIST),
        ("SendMessage", r#"{"MessageAttributes":"x"}"#, "Expected map or null"),
        ("SendMessage", r#"{"MessageAttributes":{"a":"b"}}"#, "Expected null"),
        (
            "SendMessage",
            r#"{"MessageAttributes":{"a":{"BinaryValue":"%"}}}"#,
            "'%' can not be converted to a Blob",
        ),
        ("ReceiveMessage", r#"{"AttributeNames":"All"}"#, "Expected list or null"),
        ("ReceiveMessage", r#"{"AttributeNames":{}}"#, STRUCTURE),
        ("ReceiveMessage", r#"{"AttributeNames":[1]}"#, "NUMBER_VALUE can not be converted to a String"),
        (
            "CreateQueue",
            r#"{"Attributes":{"DelaySeconds":[]}}"#,
            "Unrecognized collection type class java.lang.String",
        ),
        ("CreateQueue", r#"{"Attributes":{"DelaySeconds":{}}}"#, STRUCTURE),
    ] {
        let expected = ("SerializationException", 400, message.to_owned());
        assert_eq!(refusal(json(operation, body)), expected, "{body}");
    }
}

#[test]
fn a_required_member_that_is_absent_or_null_is_named() {
    for (operation, body, message) in [
        ("SendMessage", "{}", "The request must contain the parameter MessageBody."),
        ("SendMessage", r#"{"MessageBody":null}"#, "The request must contain the parameter MessageBody."),
        ("SendMessageBatch", "{}", "The request must contain the parameter Entries."),
        (
            "SendMessageBatch",
            r#"{"Entries":[{"Id":"a","MessageBody":"b"},{"MessageBody":"b"}]}"#,
            "The request must contain the parameter SendMessageBatchRequestEntry.2.Id.",
        ),
        (
            "ChangeMessageVisibility",
            r#"{"ReceiptHandle":"h"}"#,
            "The request must contain the parameter VisibilityTimeout.",
        ),
        ("SetQueueAttributes", "{}", "The request must contain the parameter Attribute.Name."),
    ] {
        let expected = ("MissingRequiredParameterException", 400, message.to_owned());
        assert_eq!(refusal(json(operation, body)), expected, "{body}");
    }
    let unnamed = "Value for parameter QueueName is invalid. Reason: Must specify a queue name.";
    assert_eq!(refusal(json("GetQueueUrl", "")), ("InvalidParameterValueException", 400, unnamed.to_owned()));
    let missing = "The request must contain the parameter MessageBody.".to_owned();
    assert_eq!(
        refusal(query("Action=SendMessage&QueueUrl=u")),
        ("MissingRequiredParameterException", 400, missing)
    );
}

#[test]
fn a_form_tells_an_empty_batch_from_nothing_no_better_than_its_caller() {
    let Request::SendMessageBatch(batch) = query("Action=SendMessageBatch&QueueUrl=u").expect("read") else {
        panic!("another operation");
    };
    assert!(batch.entries.is_empty());
}

#[test]
fn forms_that_cannot_be_decoded_are_refused() {
    for body in [
        &b"Action=%"[..],
        b"Action=%4",
        b"Action=%zz",
        b"Action=%ff",
        b"Action=\xff",
        b"%GG=1&Action=ListQueues",
    ] {
        assert_eq!(refusal(query(body)).0, "MalformedQueryStringException", "{body:?}");
    }
    assert_eq!(
        refusal(query("Action=ReceiveMessage&MaxNumberOfMessages=many")).2,
        "'many' can not be converted to an Integer"
    );
}

#[test]
fn operations_that_nobody_knows_are_named_in_a_form_and_not_in_json() {
    assert_eq!(refusal(json("Bogus", "{}")), ("UnknownOperationException", 400, String::new()));
    let message = "The action Bogus is not valid for this endpoint.".to_owned();
    assert_eq!(refusal(query("Action=Bogus")), ("UnknownOperationException", 400, message));
    assert_eq!(refusal(query("")), ("UnknownOperationException", 404, String::new()));
}

#[test]
fn nesting_is_bounded_and_costs_no_stack() {
    for open in ["[", "{\"a\":", "{\"MessageAttributes\":"] {
        let body = format!("{{\"x\":{}", open.repeat(1_000_000));
        assert_eq!(refusal(json("SendMessage", body)).0, "SerializationException", "{open}");
    }
    let deep = format!("{{\"MessageBody\":\"b\",\"x\":{}{}}}", "[".repeat(127), "]".repeat(127));
    assert!(json("SendMessage", deep).is_ok());
    let deeper = format!("{{\"MessageBody\":\"b\",\"x\":{}{}}}", "[".repeat(128), "]".repeat(128));
    assert!(json("SendMessage", deeper).is_err());
    assert!(query(format!("Action=ListQueues&{}=1", "a.".repeat(1_000_000))).is_ok());
}

#[test]
fn a_map_with_very_many_equal_keys_is_read_in_reasonable_time() {
    let body = format!("{{\"QueueUrl\":\"u\",\"Tags\":{{{}\"k\":\"last\"}}}}", "\"k\":\"v\",".repeat(15_000));
    let Request::TagQueue(tag) = json("TagQueue", body).expect("read") else { panic!("another operation") };
    assert_eq!(tag.tags, [("k".into(), "last".into())]);
}

#[test]
fn a_request_cannot_grow_without_bound_in_memory() {
    let names = |count: usize| {
        format!("{{\"QueueUrl\":\"u\",\"AttributeNames\":[{}\"a\"]}}", "\"a\",".repeat(count - 1))
    };
    assert!(json("ReceiveMessage", names(20_000)).is_ok());
    assert_eq!(refusal(json("ReceiveMessage", names(20_001))).0, "SerializationException");
    let entries = format!("{{\"Tags\":{{{}\"a\":\"b\"}}}}", "\"a\":\"b\",".repeat(20_000));
    assert_eq!(refusal(json("TagQueue", entries)).0, "SerializationException");
    assert_eq!(refusal(query("a=1&".repeat(20_001))).0, "MalformedQueryStringException");
}

#[test]
fn unknown_members_are_skipped_whatever_they_hold() {
    let body =
        r#"{"x":[{"y":[1,-2.5e+3,true,false,null,"a\"b",{}, []]},{}],"MessageBody":"b","z":{"q":{"r":[]}}}"#;
    let Request::SendMessage(send) = json("SendMessage", body).expect("read") else {
        panic!("another operation")
    };
    assert_eq!(&*send.message_body, "b");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn no_bytes_at_all_make_a_reader_panic(
        body in prop::collection::vec(any::<u8>(), 0..300),
        operation in prop::sample::select(Operation::ALL),
    ) {
        json(operation.name(), body.clone()).ok();
        query([format!("Action={}&", operation.name()).as_bytes(), &body].concat()).ok();
        query(body).ok();
    }

    #[test]
    fn damage_to_a_good_request_makes_no_reader_panic(
        operation in prop::sample::select(Operation::ALL),
        choices in prop::collection::vec(any::<u8>(), 0..200),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..4_u8), 1..6),
    ) {
        let request = Request::read(operation, &mut Inventor::new(&choices, true)).expect("invented");
        let mut body = Vec::new();
        request.write(&mut JsonWriter::new(&mut body));
        let written = form(operation.name(), |writer| request.write(writer)).into_bytes();
        for (index, byte, how) in damage {
            for body in [&mut body, &mut written.clone()] {
                if !body.is_empty() {
                    let at = index.index(body.len());
                    match how {
                        0 => body[at] = byte,
                        1 => body.insert(at, b"{}[]\",:\\%+&=."[usize::from(byte) % 13]),
                        2 => body.truncate(at),
                        _ => drop(body.remove(at)),
                    }
                    json(operation.name(), body.clone()).ok();
                    query(body.clone()).ok();
                }
            }
        }
    }

    #[test]
    fn the_reader_of_json_takes_exactly_what_the_standard_takes(text in json_like()) {
        // Wrapped, so that the top is the object which every request is.
        let body = format!("{{\"MessageBody\":\"b\",\"QueueUrl\":\"u\",\"x\":{text}}}");
        let standard = serde_json::from_str::<serde_json::Value>(&body).is_ok();
        prop_assert_eq!(json("SendMessage", body.clone()).is_ok(), standard, "{}", body);
    }
}

/// Texts that are JSON or nearly so.
fn json_like() -> impl Strategy<Value = String> {
    const PIECES: &[&str] = &[
        "{",
        "}",
        "[",
        "]",
        ":",
        ",",
        "\"a\"",
        "\"\\u00e9\"",
        "\"\\ud83e\\udd80\"",
        "\"\\n\"",
        "\"\\q\"",
        "0",
        "-1",
        "1.5",
        "2E-1",
        "01",
        "-",
        "true",
        "false",
        "null",
        "nul",
        " ",
        "\n",
        "\"a\":1",
        "[1,2]",
        "{\"k\":[]}",
    ];
    prop::collection::vec(prop::sample::select(PIECES), 1..7).prop_map(|pieces| pieces.concat())
}
