use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use kew_wire::Service;
use kew_wire::fault::{Fault, common};
use kew_wire::services::sqs::Sqs;

use super::parameters::{Parameters, Trust};
use super::record::time;
use super::{Ledger, Told};
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
