//! Requests: recognised, decoded, checked, refused, and the refusal written in each dialect.

use bytes::Bytes;
use kew_engine::identity::{Account, Caller};
use kew_engine::services::sqs::api::{self, Call};
use kew_wire::fault::Fault;
use kew_wire::service::Model;
use kew_wire::{Dialect, RequestHead, Service, Text, kms, sqs, sts};

/// What requests are made of.
pub const WORDS: &[&str] = &[
    "\"QueueUrl\":",
    "\"QueueName\":",
    "\"MessageBody\":",
    "\"Entries\":",
    "\"Id\":",
    "\"Attributes\":",
    "\"AttributeNames\":",
    "\"MessageAttributes\":",
    "\"StringValue\":",
    "\"BinaryValue\":",
    "\"DataType\":",
    "\"ReceiptHandle\":",
    "\"Tags\":",
    "\"All\"",
    "\"FifoQueue\"",
    "\"RedrivePolicy\"",
    "\"Policy\"",
    "\"VisibilityTimeout\":",
    "\"MaxNumberOfMessages\":",
    "{",
    "}",
    "[",
    "]",
    ":",
    ",",
    "\"",
    "\\u0000",
    "\\ud800",
    "\\ud83d\\ude00",
    "\\\"",
    "true",
    "null",
    "1e308",
    "\u{feff}",
    "Action=",
    "Version=2012-11-05",
    "QueueUrl=",
    "Attribute.1.Name=",
    "Attribute.1.Value=",
    "Attribute.",
    ".member.1",
    "SendMessageBatchRequestEntry.1.Id=",
    "MessageAttribute.1.Value.StringValue=",
    "AttributeName.99999999999=",
    "&",
    "=",
    "%",
    "%00",
    "%ff",
    "%f0%9f%98%80",
    "+",
    "\n",
    "\0",
    "&#x0;",
    "]]>",
    "<",
    "application/x-amz-json-1.0",
    "application/json",
    "AmazonSQS.",
    "TrentService.",
    "SendMessage",
    "ReceiveMessage",
    "CreateQueue",
    "SetQueueAttributes",
    "GET",
    "POST",
];

/// A whole request: lines of method, path, query, host, content type, target and accept, an empty one for each that is not there;
/// and behind them the body.
pub fn run(input: &[u8]) {
    let mut rest = input;
    let mut lines = [""; 7];
    for line in &mut lines {
        let Some(end) = rest.iter().position(|byte| *byte == b'\n') else { return };
        let Ok(text) = std::str::from_utf8(&rest[..end]) else { return };
        // What HTTP itself lets through.
        if text.bytes().any(|byte| byte < b' ' || byte == 0x7f) {
            return;
        }
        (*line, rest) = (text, &rest[end + 1..]);
    }
    let given = |at: usize| Some(lines[at]).filter(|line: &&str| !line.is_empty());
    let head = RequestHead {
        method: lines[0],
        path: lines[1],
        query: given(2),
        host: given(3),
        content_type: given(4),
        target: given(5),
        accept: given(6),
    };
    let body = Bytes::copy_from_slice(rest);
    walk(&head, body);
}

/// A body in AWS JSON, for the operation that its first byte chooses.
pub fn json(input: &[u8]) {
    let Some((&chosen, body)) = input.split_first() else { return };
    let operation = sqs::Operation::ALL[usize::from(chosen) % sqs::Operation::ALL.len()];
    let target = format!("AmazonSQS.{}", operation.name());
    let head = RequestHead {
        method: "POST",
        path: "/",
        content_type: Some("application/x-amz-json-1.0"),
        target: Some(&target),
        ..Default::default()
    };
    let is_taken = walk(&head, Bytes::copy_from_slice(body));
    // What is no JSON at all is taken by nobody. (An empty body counts as an empty object.)
    if is_taken && !body.is_empty() {
        let parsed = serde_json::from_slice::<serde_json::Value>(body);
        // serde_json refuses numbers beyond a double's range and deep nesting, which are well-formed.
        if let Err(error) = parsed {
            let told = error.to_string();
            assert!(
                told.starts_with("number out of range") || told.starts_with("recursion limit"),
                "{told}: {target}"
            );
        }
    }
}

/// A body in the Query dialect.
pub fn form(input: &[u8]) {
    for accept in [None, Some("application/json")] {
        let head = RequestHead {
            method: "POST",
            path: "/",
            content_type: Some("application/x-www-form-urlencoded"),
            accept,
            ..Default::default()
        };
        walk(&head, Bytes::copy_from_slice(input));
    }
}

/// Whether the request was decoded.
fn walk(head: &RequestHead<'_>, body: Bytes) -> bool {
    let route = match kew_wire::recognise(head, None) {
        Ok(route) => route,
        Err(unrecognised) => {
            show(sqs::Sqs::MODEL, &unrecognised.fault);
            return false;
        }
    };
    if route.service == kms::Kms::MODEL {
        return kew_wire::decode::<kms::Kms>(&route, head, body)
            .map_err(|fault| show(route.service, &fault))
            .is_ok();
    }
    if route.service == sts::Sts::MODEL {
        return kew_wire::decode::<sts::Sts>(&route, head, body)
            .map_err(|fault| show(route.service, &fault))
            .is_ok();
    }
    let request = match kew_wire::decode::<sqs::Sqs>(&route, head, body) {
        Ok(request) => request,
        Err(fault) => {
            show(route.service, &fault);
            return false;
        }
    };
    let call = Call {
        caller: Caller::open(Account::DEFAULT, Text::from_static("us-east-1")),
        endpoint: Text::from_static("http://localhost:4566"),
        query: route.dialect != Dialect::Json,
        trace: None,
    };
    if let Err(fault) = api::prepare(&call, request) {
        show(route.service, &fault);
    }
    true
}

/// Whatever stands in a refusal, its readers can read it.
fn show(model: &'static Model, fault: &Fault) {
    for dialect in [Dialect::Json, Dialect::Query, Dialect::QueryJson] {
        let mut out = Vec::new();
        let head =
            kew_wire::encode_fault(dialect, model, fault, "00000000-0000-0000-0000-000000000000", &mut out);
        assert!((400..600).contains(&head.status), "{fault:?}");
        let text = std::str::from_utf8(&out).expect("an answer is text");
        if head.content_type == "text/xml" {
            well_formed(text);
        } else {
            serde_json::from_str::<serde_json::Value>(text).unwrap_or_else(|error| panic!("{error}: {text}"));
        }
        // It becomes a header.
        let error = head.query_error.unwrap_or_default();
        assert!(error.bytes().all(|byte| (b' '..0x7f).contains(&byte)), "{error:?}");
    }
}

/// As much of XML as we write: elements that end in order, text whose `<` and `&` are escaped, and no character that XML forbids.
fn well_formed(xml: &str) {
    assert!(
        xml.chars().all(
            |c| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
        ),
        "a character that XML forbids: {xml:?}"
    );
    let mut open = Vec::new();
    let mut rest = xml;
    while let Some(at) = rest.find(['<', '&']) {
        if rest[at..].starts_with('&') {
            let end = rest[at..].find(';').expect("a reference ends");
            let name = &rest[at + 1..at + end];
            let known = matches!(name, "amp" | "lt" | "gt" | "quot" | "apos") || name.starts_with('#');
            assert!(known, "&{name}; in {xml}");
            rest = &rest[at + end..];
            continue;
        }
        let end = at + rest[at..].find('>').expect("a tag ends");
        let tag = &rest[at + 1..end];
        let name = tag.split(' ').next().unwrap_or_default();
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name), "{xml}");
        } else if !tag.starts_with('?') && !tag.ends_with('/') {
            open.push(name);
        }
        rest = &rest[end + 1..];
    }
    assert!(open.is_empty(), "{open:?} is open in {xml}");
}

/// A request of every operation.
pub const JSON: &[(&str, &str)] = &[
    (
        "AddPermission",
        r#"{"QueueUrl":"http://localhost:4566/000000000000/q","Label":"l","AWSAccountIds":["123456789012"],"Actions":["SendMessage"]}"#,
    ),
    (
        "CancelMessageMoveTask",
        r#"{"TaskHandle":"eyJ0YXNrSWQiOiJ4Iiwic291cmNlQXJuIjoiYXJuOmF3czpzcXM6dXMtZWFzdC0xOjAwMDAwMDAwMDAwMDpkIn0="}"#,
    ),
    ("ChangeMessageVisibility", r#"{"QueueUrl":"q","ReceiptHandle":"AQEB","VisibilityTimeout":30}"#),
    (
        "ChangeMessageVisibilityBatch",
        r#"{"QueueUrl":"q","Entries":[{"Id":"a","ReceiptHandle":"AQEB","VisibilityTimeout":0}]}"#,
    ),
    (
        "CreateQueue",
        r#"{"QueueName":"orders.fifo","Attributes":{"FifoQueue":"true","VisibilityTimeout":"60","RedrivePolicy":"{\"deadLetterTargetArn\":\"arn:aws:sqs:us-east-1:000000000000:d.fifo\",\"maxReceiveCount\":5}"},"tags":{"team":"shop"}}"#,
    ),
    ("DeleteMessage", r#"{"QueueUrl":"q","ReceiptHandle":"AQEB"}"#),
    (
        "DeleteMessageBatch",
        r#"{"QueueUrl":"q","Entries":[{"Id":"a","ReceiptHandle":"AQEB"},{"Id":"b","ReceiptHandle":""}]}"#,
    ),
    ("DeleteQueue", r#"{"QueueUrl":"q"}"#),
    ("GetQueueAttributes", r#"{"QueueUrl":"q","AttributeNames":["All","QueueArn"]}"#),
    ("GetQueueUrl", r#"{"QueueName":"q","QueueOwnerAWSAccountId":"000000000000"}"#),
    ("ListDeadLetterSourceQueues", r#"{"QueueUrl":"q","MaxResults":10}"#),
    ("ListMessageMoveTasks", r#"{"SourceArn":"arn:aws:sqs:us-east-1:000000000000:d","MaxResults":10}"#),
    ("ListQueueTags", r#"{"QueueUrl":"q"}"#),
    ("ListQueues", r#"{"QueueNamePrefix":"q","MaxResults":1000,"NextToken":"cQ=="}"#),
    ("PurgeQueue", r#"{"QueueUrl":"q"}"#),
    (
        "ReceiveMessage",
        r#"{"QueueUrl":"q","AttributeNames":["All"],"MessageAttributeNames":["a.*"],"MaxNumberOfMessages":10,"VisibilityTimeout":1,"WaitTimeSeconds":0,"ReceiveRequestAttemptId":"r"}"#,
    ),
    ("RemovePermission", r#"{"QueueUrl":"q","Label":"l"}"#),
    (
        "SendMessage",
        r#"{"QueueUrl":"q","MessageBody":"h\u00e9llo \ud83d\ude00","DelaySeconds":1,"MessageAttributes":{"n":{"DataType":"Number.int","StringValue":"12"},"b":{"DataType":"Binary","BinaryValue":"AAEC"}},"MessageSystemAttributes":{"AWSTraceHeader":{"DataType":"String","StringValue":"Root=1"}},"MessageGroupId":"g","MessageDeduplicationId":"d"}"#,
    ),
    (
        "SendMessageBatch",
        r#"{"QueueUrl":"q","Entries":[{"Id":"a","MessageBody":"1"},{"Id":"b","MessageBody":"2","DelaySeconds":0,"MessageAttributes":{"x":{"DataType":"String","StringValue":"y"}}}]}"#,
    ),
    (
        "SetQueueAttributes",
        r#"{"QueueUrl":"q","Attributes":{"Policy":"{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Principal\":\"*\",\"Action\":\"sqs:*\",\"Resource\":\"*\"}]}","RedriveAllowPolicy":"{\"redrivePermission\":\"byQueue\",\"sourceQueueArns\":[\"arn:aws:sqs:us-east-1:000000000000:q\"]}","DelaySeconds":"0"}}"#,
    ),
    (
        "StartMessageMoveTask",
        r#"{"SourceArn":"arn:aws:sqs:us-east-1:000000000000:d","DestinationArn":"arn:aws:sqs:us-east-1:000000000000:q","MaxNumberOfMessagesPerSecond":10}"#,
    ),
    ("TagQueue", r#"{"QueueUrl":"q","Tags":{"team":"shop"}}"#),
    ("UntagQueue", r#"{"QueueUrl":"q","TagKeys":["team"]}"#),
];

const FORMS: &[&str] = &[
    "Action=CreateQueue&Version=2012-11-05&QueueName=q&Attribute.1.Name=VisibilityTimeout&Attribute.1.Value=60&Tag.1.Key=a&Tag.1.Value=b",
    "Action=SendMessage&QueueUrl=http%3A%2F%2Flocalhost%2F000000000000%2Fq&MessageBody=h%C3%A9llo+w&MessageAttribute.1.Name=n&\
     MessageAttribute.1.Value.DataType=String&MessageAttribute.1.Value.StringValue=v&DelaySeconds=1",
    "Action=SendMessageBatch&QueueUrl=q&SendMessageBatchRequestEntry.1.Id=a&SendMessageBatchRequestEntry.1.MessageBody=1&\
     SendMessageBatchRequestEntry.2.Id=b&SendMessageBatchRequestEntry.2.MessageBody=2",
    "Action=ReceiveMessage&QueueUrl=q&AttributeName.1=All&MessageAttributeName.1=a.*&MaxNumberOfMessages=10&WaitTimeSeconds=0",
    "Action=DeleteMessageBatch&QueueUrl=q&DeleteMessageBatchRequestEntry.1.Id=a&DeleteMessageBatchRequestEntry.1.ReceiptHandle=AQEB",
    "Action=ChangeMessageVisibilityBatch&QueueUrl=q&ChangeMessageVisibilityBatchRequestEntry.1.Id=a&\
     ChangeMessageVisibilityBatchRequestEntry.1.ReceiptHandle=AQEB&ChangeMessageVisibilityBatchRequestEntry.1.VisibilityTimeout=5",
    "Action=GetQueueAttributes&QueueUrl=q&AttributeName.1=QueueArn&AttributeName.2=Policy",
    "Action=SetQueueAttributes&QueueUrl=q&Attribute.Name=DelaySeconds&Attribute.Value=5",
    "Action=AddPermission&QueueUrl=q&Label=l&AWSAccountId.1=123456789012&ActionName.1=SendMessage",
    "Action=UntagQueue&QueueUrl=q&TagKey.1=a",
    "Action=AssumeRole&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A000000000000%3Arole%2Fr&RoleSessionName=s&Policy=%7B%7D",
];

/// Both dialects, every operation.
pub fn seeds() -> Vec<Vec<u8>> {
    let json = JSON.iter().map(|(operation, body)| {
        format!("POST\n/\n\nlocalhost:4566\napplication/x-amz-json-1.0\nAmazonSQS.{operation}\n\n{body}")
            .into_bytes()
    });
    let form = FORMS.iter().map(|body| {
        format!("POST\n/000000000000/q\n\nlocalhost:4566\napplication/x-www-form-urlencoded\n\n\n{body}")
            .into_bytes()
    });
    let url = FORMS.iter().map(|query| {
        format!("GET\n/queue/us-east-1/000000000000/q\n{query}\nh\n\n\napplication/json\n").into_bytes()
    });
    let others = [
        "POST\n/\n\nh\napplication/x-amz-json-1.1\nTrentService.Encrypt\n\n{\"KeyId\":\"alias/k\",\"Plaintext\":\"AAEC\",\"EncryptionContext\":{\"a\":\"b\"}}",
        "POST\n/\n\nh\napplication/x-amz-json-1.1\nTrentService.CreateKey\n\n{\"Policy\":\"{}\",\"Tags\":[{\"TagKey\":\"a\",\"TagValue\":\"b\"}]}",
    ];
    json.chain(form).chain(url).chain(others.iter().map(|other| other.as_bytes().to_vec())).collect()
}

/// A body of every operation, behind the byte that chooses it.
pub fn json_seeds() -> Vec<Vec<u8>> {
    let places = JSON.iter().filter_map(|(name, body)| {
        let place = sqs::Operation::ALL.iter().position(|operation| operation.name() == *name)?;
        Some([&[place as u8], body.as_bytes()].concat())
    });
    places.collect()
}

/// Forms of most operations.
pub fn form_seeds() -> Vec<Vec<u8>> {
    FORMS.iter().map(|form| form.as_bytes().to_vec()).collect()
}
