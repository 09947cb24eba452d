//! The audit log: who asked for what, from where, and what came of it; and what a log that cannot be written does.

mod kew;

use std::fs;
use std::io::{BufRead, BufReader};
use std::time::Instant;

use kew::{Directory, PATIENCE, Server, json_request};
use serde_json::{Value, json};

fn server(directory: &Directory, more: &[&str]) -> Server {
    let log = directory.join("audit.log");
    let mut flags = vec!["--durability", "os", "--audit-log", &log];
    flags.extend(more);
    Server::start(&directory.join("data"), &flags)
}

/// The records once there are so many.
fn records(path: &str, count: usize) -> Vec<Value> {
    let begin = Instant::now();
    loop {
        let text = fs::read_to_string(path).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        if lines.len() >= count && text.ends_with('\n') {
            return lines
                .into_iter()
                .map(|line| serde_json::from_str(line).expect("a line of JSON"))
                .collect();
        }
        assert!(begin.elapsed() < PATIENCE, "{} of {count} records in {path}", lines.len());
    }
}

#[test]
fn a_management_call_leaves_a_record_and_a_data_call_none() {
    let directory = Directory::new();
    let server = server(&directory, &[]);
    server.ask("CreateQueue", &json!({"QueueName": "q", "tags": {"team": "shop"}}));
    server.ask("SendMessage", &json!({"QueueUrl": "q", "MessageBody": "s3cret"}));
    server.ask("ReceiveMessage", &json!({"QueueUrl": "q"}));
    assert_eq!(server.call("GetQueueUrl", &json!({"QueueName": "none"})).0, 400);
    let form = "Action=ListQueues&Version=2012-11-05&QueueNamePrefix=a%20b";
    let request = format!(
        "POST / HTTP/1.1\r\nHost: h\r\nUser-Agent: tester/1\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{form}",
        form.len()
    );
    let answer = server.connect().send(request.as_bytes());
    assert_eq!(answer.status, 200);
    server.terminate();
    assert_eq!(server.wait().0.code(), Some(0));

    let records = records(&directory.join("audit.log"), 3);
    let names: Vec<_> = records.iter().map(|record| record["eventName"].as_str().expect("a name")).collect();
    assert_eq!(names, ["CreateQueue", "GetQueueUrl", "ListQueues"]);
    let made = &records[0];
    assert_eq!(made["eventSource"], "sqs.amazonaws.com");
    assert_eq!(made["sourceIPAddress"], "127.0.0.1");
    assert_eq!(made["requestParameters"], json!({"queueName": "q", "tags": {"team": "shop"}}));
    assert_eq!((&made["readOnly"], &made["managementEvent"]), (&json!(false), &json!(true)));
    assert_eq!(made["recipientAccountId"], "000000000000");
    assert_eq!(made.get("errorCode"), None);
    assert_eq!(records[1]["errorCode"], "QueueDoesNotExist");
    assert_eq!(records[2]["requestParameters"], json!({"queueNamePrefix": "a b"}));
    assert_eq!(records[2]["userAgent"], "tester/1");
    assert_eq!(records[2]["requestID"].as_str(), answer.header("x-amzn-requestid"));
    assert!(records.iter().all(|record| !record.to_string().contains("s3cret")));
}

#[test]
fn refusals_repeat_nothing_that_was_entrusted_to_us() {
    let directory = Directory::new();
    let server = server(&directory, &["--audit-data-calls"]);
    for name in ["one", "two"] {
        server.ask("CreateQueue", &json!({"QueueName": name}));
    }
    server.ask("SendMessage", &json!({"QueueUrl": "one", "MessageBody": "x"}));
    let received = server.ask("ReceiveMessage", &json!({"QueueUrl": "one"}));
    let handle = received["Messages"][0]["ReceiptHandle"].as_str().expect("a handle");
    let attribute = json!({"k": {"DataType": "Binary", "BinaryValue": "s3cret!"}});
    for (operation, request) in [
        ("DeleteMessage", json!({"QueueUrl": "two", "ReceiptHandle": handle})),
        ("SendMessage", json!({"QueueUrl": "one", "MessageBody": "x", "MessageAttributes": attribute})),
        ("SendMessageBatch", json!({"QueueUrl": "one", "Entries": "s3cret"})),
        ("SendMessage", json!(["s3cret"])),
    ] {
        assert!(matches!(server.call(operation, &request).0, 400 | 404), "{operation}");
    }
    let encrypt = String::from_utf8(json_request("Encrypt", r#"{"KeyId":"k","Plaintext":"s3cret!"}"#));
    let encrypt = encrypt.expect("text").replace("AmazonSQS.", "TrentService.");
    assert_eq!(server.connect().send(encrypt.as_bytes()).status, 400);
    server.terminate();
    assert_eq!(server.wait().0.code(), Some(0));
    let records = records(&directory.join("audit.log"), 9);
    let refused: Vec<_> = records.iter().filter_map(|record| record["errorCode"].as_str()).collect();
    assert_eq!(refused.len(), 5, "{refused:?}");
    for record in &records {
        let record = record.to_string();
        assert!(!record.contains("s3cret") && !record.contains(handle), "{record}");
    }
}

#[test]
fn a_header_that_means_nothing_hides_nothing() {
    let directory = Directory::new();
    let server = server(&directory, &[]);
    let form = "Action=CreateQueue&Version=2012-11-05&QueueName=q";
    let head = "Host: h\r\nContent-Type: application/x-www-form-urlencoded";
    let mut request = b"POST / HTTP/1.1\r\nX-Amz-Target: \xff.SendMessage\r\n".to_vec();
    request.extend(format!("{head}\r\nContent-Length: {}\r\n\r\n{form}", form.len()).into_bytes());
    assert_eq!(server.connect().send(&request).status, 200);
    server.terminate();
    assert_eq!(server.wait().0.code(), Some(0));
    assert_eq!(records(&directory.join("audit.log"), 1)[0]["eventName"], "CreateQueue");
}

#[test]
fn what_is_asked_of_kew_itself_leaves_a_record_and_looking_at_figures_none() {
    let directory = Directory::new();
    let server = server(&directory, &["--test-endpoints"]);
    let post = |path: &str, body: &str| {
        let length = body.len();
        let request = format!("POST {path} HTTP/1.1\r\nHost: h\r\nContent-Length: {length}\r\n\r\n{body}");
        server.connect().send(request.as_bytes()).status
    };
    assert_eq!(server.metric("kew_audit_records_lost_total"), 0.0);
    assert_eq!(post("/_kew/reset", ""), 200);
    assert_eq!(post("/_kew/clock", "advance_ms=nonsense"), 400);
    let target = directory.join("copy");
    assert_eq!(post("/_kew/backup", &json!({ "target": target }).to_string()), 200);
    let records = records(&directory.join("audit.log"), 3);
    let names: Vec<_> = records.iter().map(|record| record["eventName"].as_str().expect("a name")).collect();
    assert_eq!(names, ["UseTestEndpoints", "UseTestEndpoints", "CreateBackup"]);
    assert_eq!(records[0]["requestParameters"]["path"], "/_kew/reset");
    assert_eq!((&records[0]["eventSource"], &records[0]["readOnly"]), (&json!("kew"), &json!(false)));
    assert_eq!(records[1]["errorCode"], "Bad Request");
    assert!(records[1]["errorMessage"].as_str().is_some_and(|message| message.contains("advance_ms")));
    assert_eq!(
        (&records[2]["requestParameters"]["target"], records[2].get("errorCode")),
        (&json!(target), None)
    );
}

#[test]
fn who_is_not_let_in_to_kew_s_own_pages_leaves_a_record() {
    let directory = Directory::new();
    let (log, data) = (directory.join("audit.log"), directory.join("data"));
    let mut command = kew::kew(&["serve", "--listen", "127.0.0.1:0", "--data", &data, "--audit-log", &log]);
    command.env("KEW_ROOT_ACCESS_KEY_ID", "administrator");
    command.env("KEW_ROOT_SECRET_ACCESS_KEY", "a-secret-of-the-root");
    command.env("READER", "a-secret-of-the-reader");
    let user = "[[user]]\nname = \"reader\"\n[[user.access_key]]\nid = \"AKIAREADER\"\nsecret_variable = \"READER\"\n";
    command.args(["--config", &directory.file("kew.toml", user)]);
    let server = Server::spawn(command);
    let get = |authorization: &str| {
        let request = format!("GET /metrics HTTP/1.1\r\nHost: h\r\n{authorization}\r\n");
        server.connect().send(request.as_bytes()).status
    };
    assert_eq!(get(""), 401);
    // administrator:wrong
    assert_eq!(get("Authorization: Basic YWRtaW5pc3RyYXRvcjp3cm9uZw==\r\n"), 403);
    // administrator:a-secret-of-the-root
    assert_eq!(get("Authorization: Basic YWRtaW5pc3RyYXRvcjphLXNlY3JldC1vZi10aGUtcm9vdA==\r\n"), 200);
    // AKIAREADER:a-secret-of-the-reader, whom no policy allows it.
    assert_eq!(get("Authorization: Basic QUtJQVJFQURFUjphLXNlY3JldC1vZi10aGUtcmVhZGVy\r\n"), 403);
    let records = records(&log, 3);
    let told =
        |at: usize| (&records[at]["eventName"], &records[at]["errorCode"], &records[at]["userIdentity"]);
    assert_eq!(told(0), (&json!("GetMetrics"), &json!("Unauthorized"), &json!({"type": "Unknown"})));
    let claimed = json!({"type": "Unknown", "accessKeyId": "administrator"});
    assert_eq!(told(1), (&json!("GetMetrics"), &json!("Forbidden"), &claimed));
    assert_eq!(told(2).2["arn"], "arn:aws:iam::000000000000:user/reader");
    assert!(!records.iter().any(|record| record.to_string().contains("wrong")));
}

#[test]
fn who_asks_too_often_leaves_a_record_without_what_was_asked() {
    let directory = Directory::new();
    let server = server(&directory, &["--requests-per-second-per-key", "1"]);
    let ask = || server.call("ListQueues", &json!({"QueueNamePrefix": "prefix"})).0;
    let mut asked = 1;
    while ask() == 200 {
        asked += 1;
    }
    let records = records(&directory.join("audit.log"), asked);
    assert_eq!(records[0]["requestParameters"], json!({"queueNamePrefix": "prefix"}));
    let last = records.last().expect("a record");
    assert_eq!((&last["eventName"], &last["errorCode"]), (&json!("ListQueues"), &json!("Throttling")));
    assert_eq!(last["requestParameters"], json!(null));
}

#[test]
fn data_calls_are_recorded_where_wanted_without_their_messages() {
    let directory = Directory::new();
    let server = server(&directory, &["--audit-data-calls"]);
    server.ask("CreateQueue", &json!({"QueueName": "q"}));
    server.ask(
        "SendMessage",
        &json!({"QueueUrl": "q", "MessageBody": "s3cret", "MessageAttributes":
        {"a": {"DataType": "String", "StringValue": "s3cret"}}}),
    );
    let reply = server.ask("ReceiveMessage", &json!({"QueueUrl": "q"}));
    let handle = reply["Messages"][0]["ReceiptHandle"].as_str().expect("a handle").to_owned();
    server.ask("DeleteMessage", &json!({"QueueUrl": "q", "ReceiptHandle": handle}));
    // Whoever hangs up before the answer is told of all the same.
    let mut connection = server.connect();
    connection.write(&json_request("ReceiveMessage", r#"{"QueueUrl":"q","WaitTimeSeconds":20}"#));
    server.wait_for_metric("kew_receives_waiting", 1.0);
    drop(connection);

    let records = records(&directory.join("audit.log"), 5);
    let last = &records[4];
    assert_eq!(last["eventName"], "ReceiveMessage");
    assert!(last["additionalEventData"]["answer"].is_string(), "{last}");
    for record in &records[1..] {
        assert_eq!((&record["managementEvent"], &record["eventCategory"]), (&json!(false), &json!("Data")));
        let text = record.to_string();
        assert!(!text.contains("s3cret") && !text.contains(&handle), "{text}");
    }
}

#[test]
fn a_moved_file_is_left_behind() {
    let directory = Directory::new();
    let server = server(&directory, &[]);
    let (log, old) = (directory.join("audit.log"), directory.join("audit.log.1"));
    server.ask("CreateQueue", &json!({"QueueName": "before"}));
    records(&log, 1);
    fs::rename(&log, &old).expect("to move it");
    server.signal(rustix::process::Signal::HUP);
    server.ask("CreateQueue", &json!({"QueueName": "after"}));
    let begin = Instant::now();
    while !fs::exists(&log).expect("to look") {
        assert!(begin.elapsed() < PATIENCE, "no new file");
    }
    server.ask("CreateQueue", &json!({"QueueName": "later"}));
    server.terminate();
    assert_eq!(server.wait().0.code(), Some(0));
    let both = records(&old, 1).len() + records(&log, 1).len();
    assert_eq!(both, 3, "no record was lost on the way");
}

#[test]
fn a_log_that_cannot_be_written_keeps_nobody_waiting_and_says_so() {
    // Whatever is written there finds no room.
    let directory = Directory::new();
    let mut server =
        Server::start(&directory.join("data"), &["--durability", "os", "--audit-log", "/dev/full"]);
    let mut log = server.follow();
    server.ask("CreateQueue", &json!({"QueueName": "q"}));
    let line = log.find(|line| line.contains("audit log /dev/full cannot be written")).expect("a line");
    assert!(line.contains("lost and counted"), "{line}");
    let mut connection = server.connect();
    let begin = Instant::now();
    let mut row = Vec::new();
    for _ in 0..500 {
        row.extend(json_request("ListQueues", "{}"));
    }
    // Until no more find room.
    while server.metric("kew_audit_records_lost_total") == 0.0 {
        connection.write(&row);
        for _ in 0..500 {
            assert_eq!(connection.read().expect("an answer").status, 200);
        }
        assert!(begin.elapsed() < PATIENCE, "nothing is lost");
    }
    assert!(server.metric("kew_audit_failures_total") > 0.0);
    server.terminate();
    assert!(log.any(|line| line.contains("were not written to the audit log")));
    assert_eq!(server.wait_quietly().code(), Some(0));
}

#[test]
fn a_file_that_cannot_be_opened_is_told_in_one_line() {
    let directory = Directory::new();
    let (data, log) = (directory.join("data"), directory.join("nowhere/audit.log"));
    let arguments = ["serve", "--listen", "127.0.0.1:0", "--data", &data, "--audit-log", &log];
    let output = kew::kew(&arguments).output().expect("the binary");
    let errors = BufReader::new(&*output.stderr).lines().map_while(Result::ok).collect::<Vec<_>>();
    assert_eq!((output.status.code(), errors.len()), (Some(2), 1), "{errors:?}");
    assert!(errors[0].contains("cannot open the audit log"), "{errors:?}");
}
