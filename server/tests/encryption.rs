//! What lies on disk of messages, and what becomes of them when keys change.

mod kew;

use std::collections::HashSet;
use std::fs;
use std::path::Path;

use kew::{Directory, Server, kew};
use serde_json::{Value, json};

/// A word that nothing but these tests' messages holds, and its halves for parts of a message.
const BODY: &str = "quicksilver-body";
const ATTRIBUTE: &str = "quicksilver-attribute";
const TRACE: &str = "quicksilver-trace";

/// A message with the words in all its parts.
fn message(number: usize) -> Value {
    json!({
        "Id": number.to_string(),
        "MessageBody": format!("{number} {BODY} {}", "x".repeat(2000)),
        "MessageAttributes": {"name": {"DataType": "String", "StringValue": ATTRIBUTE}},
        "MessageSystemAttributes": {"AWSTraceHeader": {"DataType": "String", "StringValue": TRACE}},
    })
}

fn send(server: &Server, queue: &str, batches: std::ops::Range<usize>) {
    for batch in batches {
        let entries: Vec<Value> = (0..10)
            .map(|index| {
                let mut entry = message(batch * 10 + index);
                entry["Id"] = index.to_string().into();
                if queue.ends_with(".fifo") {
                    entry["MessageGroupId"] = format!("group-{index}").into();
                    entry["MessageDeduplicationId"] = format!("id-{batch}-{index}").into();
                }
                entry
            })
            .collect();
        let reply = server.ask("SendMessageBatch", &json!({"QueueUrl": queue, "Entries": entries}));
        assert!(reply["Failed"].as_array().is_none_or(Vec::is_empty), "{reply}");
    }
}

/// Receives and deletes everything, and checks that it is what was sent.
fn drain(server: &Server, queue: &str) -> usize {
    let mut found = HashSet::new();
    let request = json!({
        "QueueUrl": queue, "MaxNumberOfMessages": 10, "VisibilityTimeout": 43200,
        "MessageAttributeNames": ["All"], "MessageSystemAttributeNames": ["All"],
    });
    loop {
        let reply = server.ask("ReceiveMessage", &request);
        let Some(messages) = reply["Messages"].as_array() else { return found.len() };
        for message in messages {
            assert!(message["Body"].as_str().expect("a body").contains(BODY), "{message}");
            assert_eq!(message["MessageAttributes"]["name"]["StringValue"], ATTRIBUTE);
            assert_eq!(message["Attributes"]["AWSTraceHeader"], TRACE);
            found.insert(message["MessageId"].to_string());
        }
        // A FIFO queue gives no more of a group before these are gone.
        let entries: Vec<Value> = (0..)
            .zip(messages)
            .map(|(id, message): (u32, _)| json!({"Id": id.to_string(), "ReceiptHandle": message["ReceiptHandle"]}))
            .collect();
        server.ask("DeleteMessageBatch", &json!({"QueueUrl": queue, "Entries": entries}));
    }
}

/// How many files below a directory hold one of the words, and which.
fn files_with_words(path: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(path).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(files_with_words(&path));
            continue;
        }
        // The server goes on meanwhile: a file may have been removed, or got its name, since it was listed.
        let bytes = match fs::read(&path) {
            Err(gone) if gone.kind() == std::io::ErrorKind::NotFound => continue,
            read => read.expect("a file"),
        };
        let holds = |word: &str| bytes.windows(word.len()).any(|window| window == word.as_bytes());
        if [BODY, ATTRIBUTE, TRACE].into_iter().any(holds) {
            found.push(path.display().to_string());
        }
    }
    found
}

/// Sends until the journal's oldest part was copied to cold files.
fn retire(server: &Server, queues: &[&str]) -> usize {
    let begin = std::time::Instant::now();
    let mut batches = 0;
    while server.metric("kew_journal_cold_bytes_total") == 0.0
        || server.metric("kew_journal_snapshots_total") < 2.0
    {
        assert!(begin.elapsed() < kew::PATIENCE, "the journal is not retired");
        queues.iter().for_each(|queue| send(server, queue, batches..batches + 10));
        batches += 10;
    }
    batches
}

fn kms(server: &Server, operation: &str, request: &Value) -> Value {
    let body = request.to_string();
    let answer = server.connect().send(
        format!(
            "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-amz-json-1.1\r\n\
             X-Amz-Target: TrentService.{operation}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .as_bytes(),
    );
    assert_eq!(answer.status, 200, "{operation}: {}", answer.body);
    answer.json()
}

const SMALL: [&str; 4] = ["--durability", "os", "--journal-bytes", "1048576"];

#[test]
fn nothing_of_a_message_can_be_read_anywhere_in_the_data_directory() {
    let directory = Directory::new();
    let data = directory.join("data");
    let server = Server::start(&data, &SMALL);
    let key = kms(&server, "CreateKey", &json!({}))["KeyMetadata"]["KeyId"].clone();
    server.ask("CreateQueue", &json!({"QueueName": "plain-settings"}));
    server.ask("CreateQueue", &json!({"QueueName": "kms", "Attributes": {"KmsMasterKeyId": key}}));
    let managed = json!({"QueueName": "alias.fifo", "Attributes": {"FifoQueue": "true", "KmsMasterKeyId": "alias/aws/sqs"}});
    server.ask("CreateQueue", &managed);
    let queues = ["plain-settings", "kms", "alias.fifo"];
    let batches = retire(&server, &queues);
    assert_eq!(files_with_words(Path::new(&data)), Vec::<String>::new());
    let backup = directory.join("backup");
    let output = kew(&["backup", "--data", &data, &backup]).output().expect("the binary");
    assert!(output.status.success(), "{output:?}");
    let told = String::from_utf8(output.stdout).expect("text");
    assert!(told.contains("root key"), "{told}");
    server.kill();
    assert_eq!(files_with_words(Path::new(&data)), Vec::<String>::new());

    let config = directory.file("kew.toml", &format!("data = {data:?}\n"));
    let rotated = kew(&["root-key", "rotate", "--config", &config]).output().expect("the binary");
    assert!(rotated.status.success(), "{rotated:?}");
    let output = kew(&["doctor", &data]).output().expect("the binary");
    assert!(output.status.success(), "{output:?}");
    let server = Server::start(&data, &SMALL);
    for queue in queues {
        assert_eq!(drain(&server, queue), batches * 10, "{queue}");
    }
    assert_eq!(files_with_words(Path::new(&data)), Vec::<String>::new());
    let refused = kew(&["root-key", "rotate", "--data", &data]).output().expect("the binary");
    let line = String::from_utf8(refused.stderr).expect("text");
    assert!(!refused.status.success() && line.contains("while no server runs"), "{line}");
    drop(server);

    let restored = directory.join("restored");
    let output = kew(&["restore", &backup, &restored]).output().expect("the binary");
    assert!(output.status.success(), "{output:?}");
    let server = Server::start(&restored, &SMALL);
    for queue in queues {
        assert_eq!(drain(&server, queue), batches * 10, "{queue}");
    }
}

#[test]
fn a_queue_that_wants_no_encryption_gets_none() {
    // So that the test above can fail.
    let directory = Directory::new();
    let data = directory.join("data");
    let server = Server::start(&data, &SMALL);
    let plain = json!({"QueueName": "plain", "Attributes": {"SqsManagedSseEnabled": "false"}});
    server.ask("CreateQueue", &plain);
    send(&server, "plain", 0..1);
    assert!(!files_with_words(Path::new(&data)).is_empty());
    // From now on; what lies there stays as it is, and is read.
    let attributes = json!({"QueueUrl": "plain", "Attributes": {"SqsManagedSseEnabled": "true"}});
    server.ask("SetQueueAttributes", &attributes);
    send(&server, "plain", 0..1);
    assert_eq!(drain(&server, "plain"), 20);
}

#[test]
fn dead_letters_of_another_shard_keep_their_encryption() {
    let directory = Directory::new();
    let data = directory.join("data");
    let more = ["--durability", "os", "--shards", "4", "--sqs-waits", "off"];
    let server = Server::start(&data, &more);
    for number in 0..6 {
        let key = kms(&server, "CreateKey", &json!({}))["KeyMetadata"]["KeyId"].clone();
        let (dead, source) = (format!("dead-{number}"), format!("source-{number}"));
        let made = json!({"QueueName": dead, "Attributes": {"SqsManagedSseEnabled": "false"}});
        server.ask("CreateQueue", &made);
        let redrive = json!({
            "deadLetterTargetArn": format!("arn:aws:sqs:us-east-1:000000000000:{dead}"), "maxReceiveCount": 1,
        });
        let attributes = json!({"KmsMasterKeyId": key, "RedrivePolicy": redrive.to_string()});
        server.ask("CreateQueue", &json!({"QueueName": source, "Attributes": attributes}));
        send(&server, &source, 0..1);
        let request = json!({"QueueUrl": source, "MaxNumberOfMessages": 10, "VisibilityTimeout": 0});
        let begin = std::time::Instant::now();
        while server.ask("ReceiveMessage", &request)["Messages"].is_array() {
            assert!(begin.elapsed() < kew::PATIENCE);
        }
        let wanted = json!({"QueueUrl": dead, "AttributeNames": ["ApproximateNumberOfMessages"]});
        while server.ask("GetQueueAttributes", &wanted)["Attributes"]["ApproximateNumberOfMessages"] != "10" {
            assert!(begin.elapsed() < kew::PATIENCE, "the dead letters do not arrive");
        }
        assert_eq!(files_with_words(Path::new(&data)), Vec::<String>::new());
        assert_eq!(drain(&server, &dead), 10);
    }
}

#[test]
fn a_message_that_cannot_be_read_holds_up_its_own_group_alone() {
    let directory = Directory::new();
    let server = Server::start(&directory.join("data"), &["--test-endpoints"]);
    let keys = [(); 2].map(|()| kms(&server, "CreateKey", &json!({}))["KeyMetadata"]["KeyId"].clone());
    let attributes =
        json!({"FifoQueue": "true", "ContentBasedDeduplication": "true", "KmsMasterKeyId": keys[0]});
    server.ask("CreateQueue", &json!({"QueueName": "q.fifo", "Attributes": attributes}));
    let send = |body: &str, group: &str| {
        server
            .ask("SendMessage", &json!({"QueueUrl": "q.fifo", "MessageBody": body, "MessageGroupId": group}));
    };
    let request = json!({
        "QueueUrl": "q.fifo", "MaxNumberOfMessages": 10, "MessageSystemAttributeNames": ["ApproximateReceiveCount"],
    });
    let receive = || -> Vec<(String, String)> {
        let reply = server.ask("ReceiveMessage", &request);
        let told = |message: &Value| {
            let count = &message["Attributes"]["ApproximateReceiveCount"];
            let text = |value: &Value| value.as_str().expect("text").to_owned();
            (text(&message["Body"]), text(count))
        };
        reply["Messages"].as_array().expect("messages").iter().map(told).collect()
    };
    send("old", "a");
    server
        .ask("SetQueueAttributes", &json!({"QueueUrl": "q.fifo", "Attributes": {"KmsMasterKeyId": keys[1]}}));
    for (body, group) in [("behind", "a"), ("one", "b"), ("two", "c")] {
        send(body, group);
    }
    kms(&server, "DisableKey", &json!({"KeyId": keys[0]}));
    let once = |body: &str| (body.to_owned(), "1".to_owned());
    assert_eq!(receive(), [once("one"), once("two")]);

    kms(&server, "EnableKey", &json!({"KeyId": keys[0]}));
    assert_eq!(server.post("/_kew/clock?advance_ms=31000").status, 200);
    let mut messages = receive();
    messages.sort();
    let twice = |body: &str| (body.to_owned(), "2".to_owned());
    // What never reached anybody was not received.
    assert_eq!(messages, [once("behind"), twice("old"), twice("one"), twice("two")]);
}
