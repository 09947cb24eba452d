//! Several shards in one server: nobody outside can tell, but by what a damaged one does to the others.

mod kew;

use std::io::{BufRead, BufReader};
use std::path::Path;

use kew::{Directory, Server};
use serde_json::{Value, json};

const QUEUES: usize = 12;

fn arn(queue: &str) -> String {
    format!("arn:aws:sqs:us-east-1:000000000000:{queue}")
}

fn create(server: &Server, queue: &str, attributes: Value) {
    let request = json!({"QueueName": queue, "Attributes": attributes});
    server.ask("CreateQueue", &request);
}

fn send(server: &Server, queue: &str, body: &str) {
    server.ask("SendMessage", &json!({"QueueUrl": queue, "MessageBody": body}));
}

/// A message, received until there is one.
fn receive(server: &Server, queue: &str, visibility: u32) -> Value {
    let request = json!({
        "QueueUrl": queue, "WaitTimeSeconds": 20, "VisibilityTimeout": visibility, "AttributeNames": ["All"]
    });
    let reply = server.ask("ReceiveMessage", &request);
    reply["Messages"][0].clone()
}

fn is_empty(server: &Server, queue: &str) -> bool {
    server.ask("ReceiveMessage", &json!({"QueueUrl": queue}))["Messages"].is_null()
}

fn names(reply: &Value, list: &str) -> Vec<String> {
    let urls = reply[list].as_array().map_or(&[][..], |urls| urls);
    urls.iter().filter_map(|url| url.as_str()?.rsplit('/').next().map(str::to_owned)).collect()
}

/// Names that spread: `a0`, `a1` ...
fn several(prefix: &str) -> Vec<String> {
    (0..QUEUES).map(|number| format!("{prefix}{number:02}")).collect()
}

/// How many folders of shards there are.
fn shards(data: &str) -> usize {
    let entries = std::fs::read_dir(data).expect("the data").flatten();
    entries.filter(|entry| entry.file_name().to_string_lossy().starts_with("shard-")).count()
}

#[test]
fn lists_come_sorted_and_page_by_page_from_all_shards() {
    let directory = Directory::new();
    let data = directory.join("data");
    let server = Server::start(&data, &["--shards", "3"]);
    assert_eq!(shards(&data), 3);
    let queues = several("a");
    create(&server, "dead", json!({}));
    for queue in queues.iter().rev() {
        let policy = format!(r#"{{"deadLetterTargetArn":"{}","maxReceiveCount":"3"}}"#, arn("dead"));
        create(&server, queue, json!({"RedrivePolicy": policy}));
    }
    for (operation, list, request) in [
        ("ListQueues", "QueueUrls", json!({"QueueNamePrefix": "a", "MaxResults": 5})),
        ("ListDeadLetterSourceQueues", "queueUrls", json!({"QueueUrl": "dead", "MaxResults": 5})),
    ] {
        let (mut found, mut request) = (Vec::new(), request);
        loop {
            let reply = server.ask(operation, &request);
            found.extend(names(&reply, list));
            let Some(token) = reply["NextToken"].as_str() else { break };
            request["NextToken"] = token.into();
        }
        assert_eq!(found, queues, "{operation}");
    }
    assert_eq!(server.metric("kew_shards"), 3.0);
    let metrics = server.get("/metrics").body;
    for queue in &queues {
        assert!(metrics.contains(&format!("queue=\"{queue}\"")), "{queue} is not in the metrics");
    }
}

#[test]
fn dead_letters_and_move_tasks_cross_shards_and_a_kill_loses_none() {
    let directory = Directory::new();
    let data = directory.join("data");
    let server = Server::start(&data, &["--shards", "3"]);
    create(&server, "dead", json!({}));
    let queues = several("q");
    for queue in &queues {
        let policy = format!(r#"{{"deadLetterTargetArn":"{}","maxReceiveCount":"1"}}"#, arn("dead"));
        create(&server, queue, json!({"RedrivePolicy": policy}));
        send(&server, queue, &format!("from {queue}"));
        assert_eq!(receive(&server, queue, 0)["Attributes"]["ApproximateReceiveCount"], "1");
        assert!(is_empty(&server, queue));
    }
    // Some are on their way.
    server.kill();
    let server = Server::start(&data, &["--shards", "3"]);
    let mut found: Vec<String> = (0..QUEUES)
        .map(|_| {
            let message = receive(&server, "dead", 600);
            let text = |name: &str| message["Attributes"][name].as_str().expect("text").to_owned();
            assert_eq!(text("ApproximateReceiveCount"), "2");
            let body = message["Body"].as_str().expect("a body").to_owned();
            assert_eq!(text("DeadLetterQueueSourceArn"), arn(body.trim_start_matches("from ")));
            body
        })
        .collect();
    found.sort();
    assert_eq!(found, queues.iter().map(|queue| format!("from {queue}")).collect::<Vec<_>>());
    assert!(is_empty(&server, "dead"));
    server.kill();

    // Back to where they came from, with another count of shards.
    let server = Server::start(&data, &["--shards", "2", "--test-endpoints"]);
    assert_eq!(server.post("/_kew/clock?advance_ms=600000").status, 200);
    server.ask("StartMessageMoveTask", &json!({"SourceArn": arn("dead")}));
    for queue in &queues {
        let message = receive(&server, queue, 600);
        assert_eq!(message["Body"], format!("from {queue}"));
        assert_eq!(message["Attributes"]["ApproximateReceiveCount"], "1");
    }
    let tasks = server.ask("ListMessageMoveTasks", &json!({"SourceArn": arn("dead")}));
    assert_eq!(tasks["Results"][0]["Status"], "COMPLETED", "{tasks}");
    assert_eq!(tasks["Results"][0]["ApproximateNumberOfMessagesMoved"], QUEUES, "{tasks}");
    assert_eq!(server.metric("kew_messages_between_shards"), 0.0);
}

#[test]
fn the_count_of_shards_may_change_and_nothing_is_lost() {
    let directory = Directory::new();
    let data = directory.join("data");
    let mut known: Vec<String> = Vec::new();
    for (round, count) in ["1", "4", "2"].into_iter().enumerate() {
        let server = Server::start(&data, &["--shards", count, "--sqs-waits", "off"]);
        for queue in several(&format!("r{round}-")) {
            create(&server, &queue, json!({}));
            send(&server, &queue, &queue);
            known.push(queue);
        }
        known.sort();
        assert_eq!(names(&server.ask("ListQueues", &json!({})), "QueueUrls"), known);
        // Also deleted and made again, a queue is there once.
        server.ask("DeleteQueue", &json!({"QueueUrl": known[0]}));
        create(&server, &known[0], json!({}));
        send(&server, &known[0], &known[0]);
        assert_eq!(names(&server.ask("ListQueues", &json!({})), "QueueUrls"), known);
        for queue in &known {
            assert_eq!(receive(&server, queue, 0)["Body"], **queue);
        }
        if round == 1 {
            server.kill();
        } else {
            server.terminate();
            assert!(server.wait().0.success());
        }
    }
    assert_eq!(shards(&data), 4);
}

/// Flips a bit in the file that holds `needle`.
fn damage(directory: &Path, needle: &[u8]) -> bool {
    std::fs::read_dir(directory).expect("a folder").flatten().any(|entry| {
        let path = entry.path();
        if path.is_dir() {
            return damage(&path, needle);
        }
        let mut bytes = std::fs::read(&path).expect("a file");
        let Some(at) = bytes.windows(needle.len()).position(|window| window == needle) else { return false };
        bytes[at] ^= 1;
        std::fs::write(&path, bytes).expect("to write");
        true
    })
}

#[test]
fn a_damaged_shard_is_told_of_and_the_others_serve() {
    let directory = Directory::new();
    let data = directory.join("data");
    let server = Server::start(&data, &["--shards", "3"]);
    let queues = several("d");
    for queue in &queues {
        create(&server, queue, json!({"SqsManagedSseEnabled": "false"}));
        send(&server, queue, &format!("needle of {queue}"));
        send(&server, queue, "another behind it");
    }
    server.kill();
    assert!(damage(Path::new(&data), format!("needle of {}", queues[0]).as_bytes()));

    let server = Server::start(&data, &["--shards", "3"]);
    let (mut served, mut refused) = (0, 0);
    for queue in &queues {
        let (status, reply) = server.call("ReceiveMessage", &json!({"QueueUrl": queue}));
        match status {
            200 => served += 1,
            _ => {
                assert_eq!(status, 503, "{reply}");
                let (status, _) = server.call("CreateQueue", &json!({"QueueName": queue}));
                assert_eq!(status, 503);
                refused += 1;
            }
        }
    }
    assert!(served > 0 && refused > 0, "{served} served, {refused} refused");
    assert_eq!(server.call("ReceiveMessage", &json!({"QueueUrl": queues[0]})).0, 503);
    // Half a list would be a wrong one.
    assert_eq!(server.call("ListQueues", &json!({})).0, 503);
    let health = server.get("/health");
    assert_eq!((health.status, &health.json()["status"]), (200, &json!("degraded")));
    assert_eq!(health.json()["damaged_shards"].as_array().map(Vec::len), Some(1), "{}", health.body);
    assert_eq!(server.metric("kew_shards_damaged"), 1.0);
    server.terminate();
    let (_, said) = server.wait();
    let lines: Vec<&str> = said.lines().filter(|line| line.contains("does not start")).collect();
    assert_eq!(lines.len(), 1, "{said}");
    assert!(lines[0].contains("offset") && lines[0].contains("the others serve"), "{said}");
}

#[test]
fn an_empty_shard_beside_a_damaged_one_begins_nothing_anew() {
    let directory = Directory::new();
    let data = directory.join("data");
    let server = Server::start(&data, &["--shards", "1"]);
    create(&server, "q", json!({"SqsManagedSseEnabled": "false"}));
    send(&server, "q", "needle");
    send(&server, "q", "another behind it");
    server.kill();
    assert!(damage(Path::new(&data), b"needle"));
    // As a server leaves it that was killed while it made a second one.
    std::fs::create_dir(Path::new(&data).join("shard-0001")).expect("a folder");

    let serve = ["serve", "--listen", "127.0.0.1:0", "--data", &data, "--shards", "2"];
    let mut child = kew::kew(&serve).spawn().expect("the binary");
    let mut banner = String::new();
    BufReader::new(child.stdout.take().expect("its output"))
        .read_line(&mut banner)
        .expect("a line, or its end");
    child.kill().expect("to kill");
    let said = child.wait_with_output().expect("its end").stderr;
    assert_eq!(banner, "", "it starts, with another secret than the damaged shard's");
    assert!(String::from_utf8_lossy(&said).contains("offset"));
}

#[test]
fn a_queue_that_is_made_in_one_shard_is_known_in_the_others_at_once() {
    let directory = Directory::new();
    let server = Server::start(&directory.join("data"), &["--shards", "4", "--sqs-waits", "off"]);
    for round in 0..QUEUES {
        let (queue, dead) = (format!("q{round}"), format!("dead{round}"));
        create(&server, &dead, json!({}));
        let policy = format!(r#"{{"deadLetterTargetArn":"{}","maxReceiveCount":"1"}}"#, arn(&dead));
        create(&server, &queue, json!({"RedrivePolicy": policy}));
        send(&server, &queue, "x");
        receive(&server, &queue, 0);
        // Without its dead-letter queue a message goes on being received; with it, it leaves.
        server.ask("DeleteQueue", &json!({"QueueUrl": dead}));
        assert_eq!(receive(&server, &queue, 0)["Attributes"]["ApproximateReceiveCount"], "2");
        create(&server, &dead, json!({}));
        assert!(is_empty(&server, &queue));
        assert_eq!(receive(&server, &dead, 0)["Attributes"]["ApproximateReceiveCount"], "3");
        // A dead-letter queue that is not there cannot be named.
        let missing = format!(r#"{{"deadLetterTargetArn":"{}","maxReceiveCount":"1"}}"#, arn("nowhere"));
        let request = json!({"QueueUrl": queue, "Attributes": {"RedrivePolicy": missing}});
        assert_eq!(server.call("SetQueueAttributes", &request).0, 400);
    }
}
