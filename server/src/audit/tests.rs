use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use kew_engine::services::kms::faults::VALIDATION;
use kew_engine::services::sqs::faults;
use kew_wire::fault::{Fault, common};
use kew_wire::services::sqs::Sqs;
use kew_wire::{RequestHead, Service};

use super::parameters::{Parameters, Trust};
use super::record::time;
use super::{Ledger, PRIVATE, Told};
use crate::clock::Clock;
use crate::random::Random;

fn json(body: &str) -> String {
    Parameters::of(true, None, &Bytes::copy_from_slice(body.as_bytes()), Trust::Known).shown().to_string()
}

fn form(body: &str) -> String {
    Parameters::of(
        false,
        Some("X-Amz-Signature=5ec3e7&Version=1"),
        &Bytes::copy_from_slice(body.as_bytes()),
        Trust::Known,
    )
    .shown()
    .to_string()
}

#[test]
fn what_was_entrusted_to_us_is_hidden_and_what_was_asked_is_shown() {
    let shown = json(
        r#"{"QueueUrl":"q","MessageBody":"s3cret","DelaySeconds":1,"MessageAttributes":{"QueueUrl":{"StringValue":"s3cret"}},
            "ReceiptHandle":"s3cret","Entries":[{"Id":"a","MessageBody":"s3cret"}],"Plaintext":"s3cret","NeverHeardOf":"s3cret",
            "Attributes":{"Policy":"{}","KmsMasterKeyId":"k"},"tags":{"team":"shop"}}"#,
    );
    assert!(!shown.contains("s3cret"), "{shown}");
    for part in [
        r#""queueUrl":"q""#,
        r#""messageBody":"HIDDEN_DUE_TO_SECURITY_REASONS""#,
        r#""delaySeconds":1"#,
        r#""entries":[{"id":"a","messageBody":"HIDDEN_DUE_TO_SECURITY_REASONS"}]"#,
        r#""KmsMasterKeyId":"k""#,
        r#""tags":{"team":"shop"}"#,
    ] {
        assert!(shown.contains(part), "{part} is not in {shown}");
    }
}

#[test]
fn what_stands_where_it_does_not_belong_is_hidden() {
    for body in [
        r#"["s3cret"]"#,
        r#""s3cret""#,
        r#"{"Entries":"s3cret"}"#,
        r#"{"Entries":["s3cret",["s3cret"]]}"#,
        r#"{"Entries":{"Id":["s3cret"],"MessageBody":"s3cret"}}"#,
        r#"{"QueueUrl":["s3cret"]}"#,
        r#"{"QueueUrl":{"Id":"s3cret"}}"#,
        r#"{"AttributeNames":"s3cret"}"#,
        r#"{"AttributeNames":[["s3cret"],{"Name":"s3cret"}]}"#,
        r#"{"Attributes":"s3cret"}"#,
        r#"{"tags":["s3cret"]}"#,
        r#"{"DelaySeconds":"s3cret"}"#,
        r#"{"EnableKeyRotation":"s3cret"}"#,
    ] {
        let shown = json(body);
        assert!(!shown.contains("s3cret"), "{body}: {shown}");
        assert!(shown.contains("HIDDEN_DUE_TO_SECURITY_REASONS"), "{body}: {shown}");
    }
    for body in ["Entries=s3cret", "Entries.1=s3cret", "DelaySeconds=s3cret", "Tags.member.1=s3cret"] {
        assert!(!form(body).contains("s3cret"), "{body}: {}", form(body));
    }
    let body = r#"{"AttributeNames":["All"],"DelaySeconds":"5","Entries":[{"Id":"a","DelaySeconds":1}],"Label":null}"#;
    let fine = r#"{"attributeNames":["All"],"delaySeconds":"5","entries":[{"delaySeconds":1,"id":"a"}],"label":null}"#;
    assert_eq!(json(body), fine);
    let tags = r#"{"Tags":[{"TagKey":"a","TagValue":"b"}]}"#;
    assert_eq!(json(tags), r#"{"tags":[{"TagKey":"a","TagValue":"b"}]}"#);
}

#[test]
fn forms_are_shown_by_the_same_rule() {
    let shown = form(
        "Action=SendMessage&QueueUrl=http%3A%2F%2Fh%2Fq&MessageBody=s3cret&Attribute.1.Name=Policy&Attribute.1.Value=%7B%7D&\
         MessageAttribute.1.Name=s3cret&MessageAttribute.1.Value.StringValue=s3cret&SendMessageBatchRequestEntry.1.Id=a&\
         SendMessageBatchRequestEntry.1.MessageBody=s3cret&Token=s3cret&WaitTimeSeconds=1",
    );
    assert!(!shown.contains("s3cret") && !shown.contains("5ec3e7"), "{shown}");
    for part in [
        r#""queueUrl":"http://h/q""#,
        r#""attribute.1.Value":"{}""#,
        r#""sendMessageBatchRequestEntry.1.Id":"a""#,
        r#""waitTimeSeconds":"1""#,
    ] {
        assert!(shown.contains(part), "{part} is not in {shown}");
    }
}

#[test]
fn nothing_hides_what_was_asked() {
    // A name that nobody knows, a known one that is not this operation's, the same one twice.
    let told = json(r#"{"QueueUrl":"victim","queueUrl":"x","tags":{"a":"b"},"Tags":{"c":"d"}}"#);
    assert_eq!(told, r#"{"Tags":{"c":"d"},"queueUrl":"victim","tags":{"a":"b"}}"#);
    let told = json(r#"{"queueUrl":"x","QueueUrl":"one","QueueUrl":"two"}"#);
    assert_eq!(told, r#"{"queueUrl":["one","two"]}"#);
    let told = json(&format!("{{{}\"QueueUrl\":\"last\"}}", "\"QueueUrl\":\"x\",".repeat(100)));
    assert_eq!(told, r#"{"...":null,"queueUrl":["x","x","x","last"]}"#);
    let told = form("QueueUrl=one&QueueUrl=two&queueUrl=x");
    assert_eq!(told, r#"{"queueUrl":["one","two"]}"#);
}

#[test]
fn nothing_is_too_much_for_what_stands_for_itself() {
    let junk: String = (0..5000).map(|at| format!("junk{at}=x&")).collect();
    let many: String = (0..5000).map(|at| format!("Attribute.{at}.Name={}&", "n".repeat(100))).collect();
    for padding in [junk, many, format!("MessageBody={}&", "x".repeat(1 << 20))] {
        let told = form(&format!("{padding}QueueUrl=victim"));
        assert!(told.contains(r#""queueUrl":"victim""#), "{}", &told[..told.len().min(300)]);
        assert!(told.len() < 256 * 1024, "{}", told.len());
    }
    let texts = format!("[{}\"x\"]", format!("\"{}\",", "t".repeat(4096)).repeat(200));
    let lists = format!("{}1{}", "[[],1,".repeat(100), "]".repeat(100));
    let map: String = (0..50_000).map(|at| format!("\"k{at}\":1,")).collect();
    for (name, value) in [
        ("MessageBody", format!("\"{}\"", "x".repeat(1 << 20))),
        ("Entries", texts.clone()),
        ("Entries", format!("[{lists}]", lists = vec![lists; 2000].join(","))),
        ("Entries", format!("[{}[]]", format!("[{}1],", "1,".repeat(255)).repeat(2000))),
        ("Entries", format!("[{}[]]", format!("[{}\"\"],", "null,\"\",".repeat(127)).repeat(2000))),
        ("Attributes", format!("{{{map}\"a\":{texts}}}")),
        ("junk", "1".to_owned()),
    ] {
        let told = json(&format!("{{\"{name}\":{value},\"QueueUrl\":\"victim\"}}"));
        assert!(told.contains(r#""queueUrl":"victim""#), "{name}: {}", &told[..told.len().min(300)]);
        assert!(told.len() < 512 * 1024, "{name}: {}", told.len());
    }
    let junk: String = (0..5000).map(|at| format!("\"junk{at}\":1,")).collect();
    let told = json(&format!("{{{junk}\"QueueUrl\":\"victim\"}}"));
    assert!(told.contains(r#""queueUrl":"victim""#) && told.len() < 8192, "{}", told.len());
}

#[test]
fn strangers_do_not_write_much() {
    let body = Bytes::from(format!(r#"{{"QueueName":"{}"}}"#, "q".repeat(5000)));
    let shown = |trust| Parameters::of(true, None, &body, trust).shown().to_string();
    assert_eq!(shown(Trust::Unknown), r#""TOO_LONG""#);
    assert!(shown(Trust::Known).contains("qqq"));
    let query = "q".repeat(5000);
    let form = Parameters::of(false, Some(&query), &Bytes::new(), Trust::Unknown);
    assert_eq!(form.shown().to_string(), r#""TOO_LONG""#);
}

#[test]
fn an_action_is_a_name_or_it_is_none() {
    let action = |body: &str| {
        Parameters::of(false, None, &Bytes::copy_from_slice(body.as_bytes()), Trust::Known).action(None)
    };
    assert_eq!(action("Action=ListQueues").as_deref(), Some("ListQueues"));
    assert_eq!(action("Action=%0aListQueues"), None);
    assert_eq!(action("Action="), None);
    assert_eq!(action(""), None);
}

#[test]
fn moments_are_written_as_cloudtrail_writes_them() {
    assert_eq!(time(0), "1970-01-01T00:00:00Z");
    assert_eq!(time(1_795_268_220_999), "2026-11-21T13:37:00Z");
    assert_eq!(time(951_782_400_000), "2000-02-29T00:00:00Z");
    assert_eq!(time(4_107_542_399_000), "2100-02-28T23:59:59Z");
    assert_eq!(time(1_735_689_599_000), "2024-12-31T23:59:59Z");
}

#[test]
fn long_records_that_wait_take_no_more_room_than_many_short_ones() {
    // Whatever is written there finds no room.
    let (clock, random) = (Arc::new(Clock::new()), Arc::new(Random::new()));
    let (ledger, scribe) = Ledger::open(Path::new("/dev/full"), clock, random).expect("there on every Linux");
    let line = "x".repeat(1 << 20);
    for _ in 0..70 {
        ledger.write(line.clone());
    }
    // One is being written.
    let lost = ledger.counts.lost.get();
    assert!((5..=6).contains(&lost), "{lost}");
    ledger.end();
    scribe.end();
}

#[test]
fn a_refusal_is_told_without_the_request_that_it_repeats() {
    let message = "It does not match.\n\nThe Canonical String should have been\n'x-amz-security-token:t0ken'";
    let told = Told::new(Sqs::MODEL, None, Some(&Fault::new(&common::SIGNATURE_DOES_NOT_MATCH, message)));
    assert_eq!(told.fault, Some(("SignatureDoesNotMatch", "It does not match.".to_owned())));
    let long = Fault::new(&common::INVALID_PARAMETER_VALUE, "x".repeat(5000));
    let told = Told::new(Sqs::MODEL, None, Some(&long)).fault.expect("a fault").1;
    assert_eq!(told.len(), 1024, "as much as CloudTrail shows");
}

#[test]
fn a_refusal_is_told_without_what_was_entrusted_to_us() {
    let told = |fault: &Fault| {
        let (code, message) = Told::new(Sqs::MODEL, None, Some(fault)).fault.expect("a fault");
        assert!(!message.contains("s3cret") && !message.contains("AQEB"), "{code}: {message}");
        (code, message)
    };
    let json = RequestHead { target: Some("AmazonSQS.SendMessage"), ..RequestHead::default() };
    let attributes = r#"{"k":{"DataType":"Binary","BinaryValue":"s3cret!"}}"#;
    for (head, body) in [
        (json, format!(r#"{{"QueueUrl":"q","MessageBody":"b","MessageAttributes":{attributes}}}"#)),
        (RequestHead::default(), "Action=SendMessage&MessageBody=b&DelaySeconds=s3cret".to_owned()),
    ] {
        let route = kew_wire::recognise(&head, None).expect("an operation");
        let refused = kew_wire::decode::<Sqs>(&route, &head, body.into()).expect_err("a wrong type");
        assert!(refused.message.contains("s3cret"), "{}", refused.message);
        assert_eq!(told(&refused), ("MalformedInput", PRIVATE.to_owned()));
    }
    let invalid = |message: &'static str| Fault::new(&common::INVALID_PARAMETER_VALUE, message);
    let validation = |rest| Fault::new(&VALIDATION, format!("2 validation errors detected: Value '{rest}"));
    for fault in [
        faults::receipt_handle_of_other_queue("AQEB"),
        faults::receipt_handle_invalid("AQEB"),
        faults::receipt_handle_expired("AQEB"),
        faults::receipt_handle_expired(&"AQEB".repeat(10_000)),
        faults::message_not_available("AQEB for parameter QueueUrl is invalid. Reason: AQEB"),
        faults::invalid_attribute_text('\0', "s3cret"),
        invalid("Can't cast the value of message (user) attribute 's3cret' to a number."),
        validation(
            "a b' at 'roleSessionName' failed to satisfy x; Value 's3cret' at 'externalId' failed to y",
        ),
        invalid("Message system attribute name 's3cret' is invalid."),
        invalid("Message attribute name 's3cret' already exists."),
        validation("s3cret"),
    ] {
        assert_eq!(told(&fault).1, PRIVATE, "{}", fault.message);
    }
    for fault in [
        faults::queue_does_not_exist(),
        faults::invalid_parameter_value(1000, "DelaySeconds", "DelaySeconds must be >= 0 and <= 900."),
        faults::redrive_policy("{}", "No."),
        faults::message_not_in_flight(),
        Fault::new(&common::SERIALIZATION, ""),
        validation("k' at 'keyId' failed to satisfy x"),
        validation("k' at 'tags.1.member.key' failed to satisfy x"),
        invalid("Queue name cannot be empty"),
    ] {
        assert_eq!(told(&fault).1, fault.message);
    }
}
