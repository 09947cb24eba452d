//! What must outlast a crash and a caller who goes away.

mod kew;

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};

use kew::{Connection, Directory, Server, json_request};
use serde_json::{Value, json};

/// Receives until nothing is left: bodies with their receive counts.
fn drain(server: &Server, queue: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    loop {
        let reply = server.ask(
            "ReceiveMessage",
            &json!({"QueueUrl": queue, "MaxNumberOfMessages": 10, "AttributeNames": ["All"], "VisibilityTimeout": 600}),
        );
        let Some(messages) = reply["Messages"].as_array() else { return found };
        for message in messages {
            let text = |value: &Value| value.as_str().expect("text").to_owned();
            found.push((text(&message["Body"]), text(&message["Attributes"]["ApproximateReceiveCount"])));
        }
    }
}

#[test]
fn a_caller_who_hung_up_swallows_no_message() {
    let directory = Directory::new();
    let server = Server::start(&directory.join("data"), &["--durability", "os"]);
    server.ask("CreateQueue", &json!({"QueueName": "q"}));
    for round in 0..20 {
        let mut waiting = server.connect();
        waiting.write(&json_request("ReceiveMessage", r#"{"QueueUrl":"q","WaitTimeSeconds":20}"#));
        server.wait_for_metric("kew_receives_waiting", 1.0);
        drop(waiting);
        // In every other round the message comes while the server learns that the caller has gone.
        if round % 2 == 0 {
            server.wait_for_metric("kew_receives_waiting", 0.0);
        }
        server.ask("SendMessage", &json!({"QueueUrl": "q", "MessageBody": format!("round {round}")}));
        let reply = server.ask("ReceiveMessage", &json!({"QueueUrl": "q", "WaitTimeSeconds": 20}));
        let message = &reply["Messages"][0];
        assert_eq!(message["Body"], format!("round {round}"), "{reply}");
        server.ask("DeleteMessage", &json!({"QueueUrl": "q", "ReceiptHandle": message["ReceiptHandle"]}));
    }
}

#[test]
fn what_was_answered_outlasts_a_kill_in_the_middle_of_a_load() {
    const SENDERS: usize = 4;
    let directory = Directory::new();
    let data = directory.join("data");
    let server = Server::start(&data, &[]);
    server.ask("CreateQueue", &json!({"QueueName": "q"}));
    let acknowledged = AtomicUsize::new(0);
    let address = server.address;
    let done = std::thread::scope(|scope| {
        let senders: Vec<_> = (0..SENDERS)
            .map(|sender| {
                let acknowledged = &acknowledged;
                scope.spawn(move || load(address, sender, acknowledged))
            })
            .collect();
        while acknowledged.load(Ordering::Relaxed) < 400 {
            std::hint::spin_loop();
        }
        server.kill();
        senders.into_iter().map(|sender| sender.join().expect("no panic")).collect::<Vec<_>>()
    });
    let all = |of: fn(&Done) -> &HashSet<String>| -> HashSet<String> {
        done.iter().flat_map(|done| of(done).iter().cloned()).collect()
    };
    let (sent, deleted, unsure) =
        (all(|done| &done.sent), all(|done| &done.deleted), all(|done| &done.unsure));

    let server = Server::start(&data, &["--test-endpoints"]);
    // Whatever was in flight becomes visible.
    assert_eq!(server.post("/_kew/clock?advance_ms=60000").status, 200);
    let found: HashSet<String> = drain(&server, "q").into_iter().map(|(body, _)| body).collect();
    let lost: Vec<_> = sent
        .iter()
        .filter(|body| !found.contains(*body) && !deleted.contains(*body) && !unsure.contains(*body))
        .collect();
    assert!(lost.is_empty(), "lost {lost:?}");
    let undone: Vec<_> = deleted.intersection(&found).collect();
    assert!(undone.is_empty(), "deletes undone: {undone:?}");
    assert!(!deleted.is_empty() && sent.len() > 100, "{} sent, {} deleted", sent.len(), deleted.len());
}

/// What one sender knows of its messages, by their bodies.
#[derive(Default)]
struct Done {
    /// The send was answered.
    sent: HashSet<String>,
    /// The delete was answered.
    deleted: HashSet<String>,
    /// The delete was asked for, and the connection broke.
    unsure: HashSet<String>,
}

/// Sends, and after every third message receives and deletes one, until the connection breaks.
fn load(address: std::net::SocketAddr, sender: usize, acknowledged: &AtomicUsize) -> Done {
    let mut connection = Connection::open(address);
    let mut ask = |operation: &str, request: Value| -> Option<Value> {
        connection.write(&json_request(operation, &request.to_string()));
        let answer = connection.read()?;
        assert_eq!(answer.status, 200, "{operation}: {}", answer.body);
        acknowledged.fetch_add(1, Ordering::Relaxed);
        Some(answer.json())
    };
    let mut done = Done::default();
    for number in 0.. {
        let body = format!("{sender}-{number}");
        if ask("SendMessage", json!({"QueueUrl": "q", "MessageBody": body})).is_none() {
            break;
        }
        done.sent.insert(body);
        if number % 3 != 0 {
            continue;
        }
        let Some(reply) = ask("ReceiveMessage", json!({"QueueUrl": "q"})) else { break };
        let message = &reply["Messages"][0];
        let Some(body) = message["Body"].as_str().map(str::to_owned) else { continue };
        let request = json!({"QueueUrl": "q", "ReceiptHandle": message["ReceiptHandle"]});
        if ask("DeleteMessage", request).is_none() {
            done.unsure.insert(body);
            break;
        }
        done.deleted.insert(body);
    }
    done
}

#[test]
fn receive_counts_and_fifo_order_outlast_a_kill() {
    let directory = Directory::new();
    let data = directory.join("data");
    let server = Server::start(&data, &["--test-endpoints"]);
    server.ask("CreateQueue", &json!({"QueueName": "q.fifo", "Attributes": {"FifoQueue": "true", "ContentBasedDeduplication": "true"}}));
    for number in 0..5 {
        server.ask(
            "SendMessage",
            &json!({"QueueUrl": "q.fifo", "MessageGroupId": "g", "MessageBody": number.to_string()}),
        );
    }
    server.ask("ReceiveMessage", &json!({"QueueUrl": "q.fifo", "MaxNumberOfMessages": 2}));
    server.kill();

    let server = Server::start(&data, &["--test-endpoints"]);
    let reply = server.ask("ReceiveMessage", &json!({"QueueUrl": "q.fifo"}));
    assert_eq!(reply, json!({}), "the group is still locked");
    server.post("/_kew/clock?advance_ms=31000");
    let counts: Vec<(String, String)> = drain(&server, "q.fifo");
    let expected = [("0", "2"), ("1", "2"), ("2", "1"), ("3", "1"), ("4", "1")];
    let expected: Vec<(String, String)> = expected.iter().map(|(b, c)| ((*b).into(), (*c).into())).collect();
    assert_eq!(counts, expected);
    // The deduplication of what was sent before the crash holds too.
    server.ask("SendMessage", &json!({"QueueUrl": "q.fifo", "MessageGroupId": "h", "MessageBody": "4"}));
    assert_eq!(drain(&server, "q.fifo"), []);
}

#[test]
fn a_journal_that_cannot_be_shortened_grows_and_is_shortened_once_it_can_be() {
    let directory = Directory::new();
    let flags = ["--durability", "os", "--shards", "1", "--journal-bytes", "1048576"];
    let mut server = Server::start(&directory.join("data"), &flags);
    let mut log = server.follow();
    server.ask("CreateQueue", &json!({"QueueName": "q"}));
    // Where files are to be made for what waits long.
    let in_the_way: Vec<String> =
        (0..100).map(|number| directory.join(&format!("data/shard-0000/cold-{number:016x}"))).collect();
    in_the_way.iter().for_each(|path| std::fs::create_dir(path).expect("a directory"));
    let (mut connection, mut sent) = (server.connect(), 0);
    let mut send = |count: usize| {
        for _ in 0..count {
            let entries: Vec<Value> = (sent..sent + 10)
                .map(|n| json!({"Id": n.to_string(), "MessageBody": format!("{n:05} {}", "x".repeat(1000))}))
                .collect();
            let (status, reply) =
                connection.call("SendMessageBatch", &json!({"QueueUrl": "q", "Entries": entries}));
            assert_eq!(status, 200, "{reply}");
            sent += 10;
        }
        sent
    };
    send(300);
    assert!(log.any(|line| line.contains("the journal was not shortened; it grows until the next try")));
    assert_eq!(server.metric("kew_journal_snapshots_total"), 0.0);
    assert!(server.metric("kew_journal_bytes") > 3e6);

    in_the_way.iter().for_each(|path| std::fs::remove_dir(path).expect("it was ours"));
    let begin = std::time::Instant::now();
    while server.metric("kew_journal_snapshots_total") == 0.0 {
        assert!(begin.elapsed() < kew::PATIENCE, "the journal is not shortened any more");
        send(10);
    }
    let sent = send(1);
    server.kill();
    let server = Server::start(&directory.join("data"), &flags);
    let bodies: HashSet<String> = drain(&server, "q").into_iter().map(|(body, _)| body).collect();
    assert_eq!(bodies.len(), sent);
}

#[test]
fn time_goes_on_from_the_last_moment_that_the_data_knows() {
    let directory = Directory::new();
    let data = directory.join("data");
    let server = Server::start(&data, &["--test-endpoints"]);
    server.ask("CreateQueue", &json!({"QueueName": "q"}));
    server.post("/_kew/clock?advance_ms=3600000");
    server.ask("SendMessage", &json!({"QueueUrl": "q", "MessageBody": "from the future"}));
    server.ask("ReceiveMessage", &json!({"QueueUrl": "q", "VisibilityTimeout": 1}));
    server.kill();

    // The wall's clock is an hour behind the data now. What it tells must not matter: the lease ends, and the poll is answered.
    let server = Server::start(&data, &["--test-endpoints"]);
    let reply = server.ask("ReceiveMessage", &json!({"QueueUrl": "q", "WaitTimeSeconds": 5}));
    assert_eq!(reply["Messages"][0]["Body"], "from the future", "{reply}");
}
