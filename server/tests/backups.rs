//! Copies of a data directory, made while its server is under load, and what a doctor says of them.

mod kew;

use std::collections::HashSet;
use std::fs;
use std::path::Path;
use std::process::Output;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use kew::{Connection, Directory, Server, json_request, kew};
use serde_json::{Value, json};

fn run(arguments: &[&str]) -> Output {
    kew(arguments).output().expect("the binary")
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("text")
}

/// Runs to the end, which must be a failure with this code, told in one line.
fn refusal(arguments: &[&str], code: i32) -> String {
    let output = run(arguments);
    let errors = String::from_utf8(output.stderr).expect("text");
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {errors}");
    assert_eq!(errors.trim_end().lines().count(), 1, "{arguments:?} took more than one line:\n{errors}");
    errors
}

fn doctor(path: &str) -> Value {
    let output = run(&["doctor", path, "--json"]);
    serde_json::from_str(&out(&output)).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

/// What clients know of their messages, by body.
#[derive(Default, Clone)]
struct Ledger {
    sent: HashSet<String>,
    deleted: HashSet<String>,
    /// Asked to be deleted, answered or not.
    doomed: HashSet<String>,
}

/// Sends batches, and deletes some of what it receives, until told to stop.
fn work(server: &Server, name: usize, ledger: &Mutex<Ledger>, done: &AtomicBool) {
    let mut connection = Connection::open(server.address);
    let mut ask = |operation: &str, request: Value| {
        let answer = connection.send(&json_request(operation, &request.to_string()));
        assert_eq!(answer.status, 200, "{operation}: {}", answer.body);
        answer.json()
    };
    for number in 0.. {
        if done.load(Ordering::Relaxed) {
            return;
        }
        let bodies: Vec<String> =
            (0..10).map(|index| format!("{name}-{number}-{index} {}", "x".repeat(1000))).collect();
        let entries: Vec<Value> = bodies
            .iter()
            .enumerate()
            .map(|(index, body)| json!({"Id": index.to_string(), "MessageBody": body}))
            .collect();
        ask("SendMessageBatch", json!({"QueueUrl": "q", "Entries": entries}));
        ledger.lock().expect("whole").sent.extend(bodies);
        if number % 4 != 0 {
            continue;
        }
        let reply = ask("ReceiveMessage", json!({"QueueUrl": "q", "MaxNumberOfMessages": 10}));
        for message in reply["Messages"].as_array().into_iter().flatten().take(5) {
            let body = message["Body"].as_str().expect("a body").to_owned();
            ledger.lock().expect("whole").doomed.insert(body.clone());
            ask("DeleteMessage", json!({"QueueUrl": "q", "ReceiptHandle": message["ReceiptHandle"]}));
            ledger.lock().expect("whole").deleted.insert(body);
        }
    }
}

fn drain(server: &Server, queue: &str) -> HashSet<String> {
    let mut connection = server.connect();
    let mut found = HashSet::new();
    let request = json!({"QueueUrl": queue, "MaxNumberOfMessages": 10, "VisibilityTimeout": 43200});
    loop {
        let (status, reply) = connection.call("ReceiveMessage", &request);
        assert_eq!(status, 200, "{reply}");
        let Some(messages) = reply["Messages"].as_array() else { return found };
        found.extend(messages.iter().map(|message| message["Body"].as_str().expect("a body").to_owned()));
    }
}

#[test]
fn a_backup_under_load_holds_all_that_was_acknowledged_before_it_began() {
    let directory = Directory::new();
    let data = directory.join("data");
    // Short, so that it is retired again and again meanwhile.
    let server = Server::start(&data, &["--durability", "os", "--journal-bytes", "1048576"]);
    server.ask("CreateQueue", &json!({"QueueName": "q"}));
    let (ledger, done) = (Mutex::new(Ledger::default()), AtomicBool::new(false));
    let wait_for_retirements = |more: f64| {
        let wanted = server.metric("kew_journal_snapshots_total") + more;
        let begin = std::time::Instant::now();
        while server.metric("kew_journal_snapshots_total") < wanted {
            assert!(begin.elapsed() < kew::PATIENCE, "the journal is not retired");
        }
    };
    let mut before = Vec::new();
    std::thread::scope(|scope| {
        for name in 0..3 {
            let (server, ledger, done) = (&server, &ledger, &done);
            scope.spawn(move || work(server, name, ledger, done));
        }
        wait_for_retirements(3.0);
        for number in 0..3 {
            before.push(ledger.lock().expect("whole").clone());
            let output = run(&["backup", "--data", &data, &directory.join(&format!("backup-{number}"))]);
            assert!(output.status.success(), "{output:?}");
            assert!(out(&output).contains("shared with the data directory"), "{}", out(&output));
            wait_for_retirements(1.0);
        }
        done.store(true, Ordering::Relaxed);
    });
    server.kill();

    let all = ledger.into_inner().expect("whole");
    for (number, before) in before.iter().enumerate() {
        let (backup, restored) =
            (directory.join(&format!("backup-{number}")), directory.join(&format!("restored-{number}")));
        assert_eq!(doctor(&backup)["sound"], true, "{}", doctor(&backup));
        let output = run(&["restore", &backup, &restored]);
        assert!(output.status.success(), "{output:?}");
        let server = Server::start(&restored, &["--test-endpoints"]);
        server.post("/_kew/clock?advance_ms=60000");
        let found = drain(&server, "q");
        let lost: Vec<_> =
            before.sent.iter().filter(|body| !found.contains(*body) && !all.doomed.contains(*body)).collect();
        assert!(lost.is_empty(), "{} of {} lost", lost.len(), before.sent.len());
        let undone: Vec<_> = before.deleted.intersection(&found).collect();
        assert!(undone.is_empty(), "deletes undone: {}", undone.len());
        let invented = found.iter().filter(|body| !all.sent.contains(*body)).count();
        assert_eq!(invented, 0);
        assert!(!before.deleted.is_empty() && before.sent.len() > 1000);
        // Serving from what was restored changes nothing in the backup.
        server.kill();
        assert_eq!(doctor(&backup)["sound"], true, "{}", doctor(&backup));
    }
}

#[test]
fn what_was_restored_is_served_again_and_again() {
    let directory = Directory::new();
    let (data, backup, restored) =
        (directory.join("data"), directory.join("backup"), directory.join("restored"));
    let server = Server::start(&data, &["--shards", "1"]);
    server.ask("CreateQueue", &json!({"QueueName": "q"}));
    let send = |server: &Server, body: &str| {
        server.ask("SendMessage", &json!({"QueueUrl": "q", "MessageBody": body}));
    };
    ["a", "b", "c"].iter().for_each(|body| send(&server, body));
    assert!(run(&["backup", "--data", &data, &backup]).status.success());
    server.kill();
    assert!(run(&["restore", &backup, &restored]).status.success());
    let mut expected = HashSet::from(["a", "b", "c"].map(String::from));
    for round in ["", "d", "", "", "e"] {
        let server = Server::start(&restored, &[]);
        if !round.is_empty() {
            send(&server, round);
            expected.insert(round.to_owned());
        }
        server.kill();
        assert_eq!(doctor(&restored)["sound"], true, "{}", doctor(&restored));
    }
    let server = Server::start(&restored, &[]);
    assert_eq!(drain(&server, "q"), expected);
}

#[test]
fn handles_from_after_the_backup_mean_nothing_once_it_is_restored() {
    let directory = Directory::new();
    let (data, backup, restored) =
        (directory.join("data"), directory.join("backup"), directory.join("restored"));
    let server = Server::start(&data, &["--shards", "1"]);
    server.ask("CreateQueue", &json!({"QueueName": "q"}));
    assert!(run(&["backup", "--data", &data, &backup]).status.success());
    let send_and_receive = |server: &Server, body: &str| {
        server.ask("SendMessage", &json!({"QueueUrl": "q", "MessageBody": body}));
        let received = server.ask("ReceiveMessage", &json!({"QueueUrl": "q", "VisibilityTimeout": 60}));
        assert_eq!(received["Messages"][0]["Body"], body);
        received["Messages"][0]["ReceiptHandle"].clone()
    };
    let old = send_and_receive(&server, "old");
    server.kill();
    assert!(run(&["restore", &backup, &restored]).status.success());
    let server = Server::start(&restored, &["--test-endpoints"]);
    let new = send_and_receive(&server, "new");
    assert_ne!(old, new);
    server.ask("DeleteMessage", &json!({"QueueUrl": "q", "ReceiptHandle": old}));
    server.post("/_kew/clock?advance_ms=60000");
    assert_eq!(drain(&server, "q"), HashSet::from(["new".to_owned()]));
}

/// How many pairs of a queue and its dead-letter queue: enough that some lie in two shards.
const PAIRS: usize = 6;

/// Sends, and receives without keeping anything, so that at the next look every message is a dead letter.
fn bury(server: &Server, pair: usize, sent: &Mutex<HashSet<String>>, done: &AtomicBool) {
    let mut connection = Connection::open(server.address);
    let mut ask = |operation: &str, request: Value| {
        let answer = connection.send(&json_request(operation, &request.to_string()));
        assert_eq!(answer.status, 200, "{operation}: {}", answer.body);
    };
    for number in 0.. {
        if done.load(Ordering::Relaxed) {
            return;
        }
        let bodies: Vec<String> = (0..10).map(|index| format!("{pair}-{number}-{index}")).collect();
        let entries: Vec<Value> =
            bodies.iter().map(|body| json!({"Id": body, "MessageBody": body})).collect();
        let queue = format!("source{pair}");
        ask("SendMessageBatch", json!({"QueueUrl": queue, "Entries": entries}));
        sent.lock().expect("whole").extend(bodies);
        for _ in 0..2 {
            let all = json!({"QueueUrl": queue, "MaxNumberOfMessages": 10, "VisibilityTimeout": 0});
            ask("ReceiveMessage", all);
        }
    }
}

#[test]
fn a_backup_holds_a_message_that_is_between_two_shards_once() {
    let directory = Directory::new();
    let data = directory.join("data");
    let server = Server::start(&data, &["--durability", "os", "--shards", "3"]);
    for pair in 0..PAIRS {
        server.ask("CreateQueue", &json!({"QueueName": format!("dead{pair}")}));
        let arn = format!("arn:aws:sqs:us-east-1:000000000000:dead{pair}");
        let redrive = json!({"deadLetterTargetArn": arn, "maxReceiveCount": 1}).to_string();
        let attributes = json!({"RedrivePolicy": redrive});
        server.ask("CreateQueue", &json!({"QueueName": format!("source{pair}"), "Attributes": attributes}));
    }
    let (sent, done) = (Mutex::new(HashSet::new()), AtomicBool::new(false));
    let mut before = Vec::new();
    std::thread::scope(|scope| {
        for pair in 0..PAIRS {
            let (server, sent, done) = (&server, &sent, &done);
            scope.spawn(move || bury(server, pair, sent, done));
        }
        for number in 0..3 {
            let wanted = 500 * (number + 1);
            let begin = std::time::Instant::now();
            while sent.lock().expect("whole").len() < wanted {
                assert!(begin.elapsed() < kew::PATIENCE, "nothing is sent");
                std::thread::yield_now();
            }
            before.push(sent.lock().expect("whole").clone());
            let output = run(&["backup", "--data", &data, &directory.join(&format!("backup-{number}"))]);
            assert!(output.status.success(), "{output:?}");
        }
        done.store(true, Ordering::Relaxed);
    });
    server.kill();

    let mut moved = 0;
    for (number, before) in before.iter().enumerate() {
        let (backup, restored) =
            (directory.join(&format!("backup-{number}")), directory.join(&format!("restored-{number}")));
        assert_eq!(doctor(&backup)["sound"], true, "{}", doctor(&backup));
        assert!(run(&["restore", &backup, &restored]).status.success());
        let server = Server::start(&restored, &[]);
        let mut found = HashSet::new();
        // The look at a queue moves what was received before.
        for kind in ["source", "dead"] {
            for pair in 0..PAIRS {
                for body in drain(&server, &format!("{kind}{pair}")) {
                    assert!(found.insert(body.clone()), "{body} is there twice");
                    moved += usize::from(kind == "dead");
                }
            }
            server.wait_for_metric("kew_messages_between_shards", 0.0);
        }
        let lost: Vec<_> = before.difference(&found).collect();
        assert!(lost.is_empty(), "{} of {} lost", lost.len(), before.len());
    }
    assert!(moved > 0, "no dead letters");
}

#[test]
fn what_cannot_be_backed_up_or_restored_is_told_in_one_line() {
    let directory = Directory::new();
    let data = directory.join("data");
    let server = Server::start(&data, &[]);
    let endpoint = format!("http://{}", server.address);
    let taken = directory.file("taken", "");
    assert!(refusal(&["backup", "--data", &data, &taken], 1).contains("exists already"));
    assert!(refusal(&["backup", "--endpoint", &endpoint, &taken], 1).contains("exists already"));
    let inside = format!("{data}/copy");
    assert!(refusal(&["backup", "--data", &data, &inside], 1).contains("lies in the data directory"));
    let secure = format!("https://{}", server.address);
    let told = refusal(&["backup", "--endpoint", &secure, &directory.join("copy")], 1);
    assert!(told.contains("speaks no TLS: give it as http://"), "{told}");
    let nowhere = directory.join("no/where");
    assert!(refusal(&["backup", "--data", &data, &nowhere], 1).contains("no/where"));
    assert!(!Path::new(&directory.join("no")).exists());
    assert!(refusal(&["backup", &nowhere], 2).contains("--data"));
    let dead = refusal(&["backup", "--endpoint", "http://127.0.0.1:1", &nowhere], 1);
    assert!(dead.contains("http://127.0.0.1:1"), "{dead}");
    // What is left of an attempt that was interrupted is not taken for a backup.
    fs::create_dir(directory.join("half.new")).expect("a directory");
    assert!(refusal(&["backup", "--data", &data, &directory.join("half")], 1).contains("half.new"));

    let backup = directory.join("backup");
    assert!(run(&["backup", "--endpoint", &endpoint, &backup]).status.success());
    assert!(refusal(&["restore", &backup, &data], 1).contains("is not empty"));
    let within = format!("{backup}/some/where");
    assert!(refusal(&["restore", &backup, &within], 1).contains("lies within the backup"));
    assert!(!Path::new(&format!("{backup}/some")).exists());
    // What an interrupted attempt left, and the root of a file system of its own.
    let (half, volume) = (directory.join("unfinished"), directory.join("volume"));
    fs::create_dir(&half).expect("a directory");
    fs::write(format!("{half}/unfinished"), "").expect("the mark");
    assert!(refusal(&["restore", &backup, &half], 1).contains("remove it"));
    fs::create_dir_all(format!("{volume}/lost+found")).expect("a directory");
    assert!(run(&["restore", &backup, &volume]).status.success());
    assert!(refusal(&["restore", &directory.join("nothing"), &nowhere], 1).contains("nothing"));
    fs::remove_file(Path::new(&backup).join("shard-0000/epoch")).expect("to remove");
    let line = refusal(&["restore", &backup, &directory.join("restored")], 1);
    assert!(line.contains("epoch") && line.contains("kew doctor"), "{line}");
    assert!(!Path::new(&directory.join("restored")).exists());
}

#[test]
fn what_an_interrupted_backup_leaves_is_refused_by_every_command_in_one_line() {
    let directory = Directory::new();
    let (data, left) = (directory.join("data"), directory.join("backup.new"));
    let server = Server::start(&data, &[]);
    assert!(run(&["backup", "--data", &data, &directory.join("backup")]).status.success());
    server.kill();
    fs::rename(directory.join("backup"), &left).expect("its other name");
    fs::write(Path::new(&left).join("unfinished"), "").expect("the mark");
    // Nobody can know any more what else is missing, and it is not called damage.
    fs::remove_file(Path::new(&left).join("sealed/queue-keys")).expect("to remove");
    let (restored, again) = (directory.join("restored"), directory.join("again"));
    for (arguments, code) in [
        (&["doctor", &left][..], 2),
        (&["doctor", &left, "--repair", "--yes"], 2),
        (&["restore", &left, &restored], 1),
        (&["serve", "--data", &left, "--listen", "127.0.0.1:0"], 1),
        (&["backup", "--data", &left, &again], 1),
        (&["access-key", "list", "--data", &left], 1),
        (&["root-key", "rotate", "--data", &left], 1),
    ] {
        let line = refusal(arguments, code);
        assert!(line.contains("backup.new is unfinished") && line.contains("remove it"), "{line}");
    }
    assert!(!Path::new(&restored).exists() && !Path::new(&again).exists());
    // Where the kill came before all else was in it, too.
    fs::remove_file(Path::new(&left).join("format")).expect("to remove");
    for arguments in [
        &["access-key", "list", "--data", &left][..],
        &["root-key", "rotate", "--data", &left],
        &["serve", "--data", &left, "--listen", "127.0.0.1:0"],
    ] {
        let line = refusal(arguments, 1);
        assert!(line.contains("backup.new is unfinished"), "{line}");
    }
}

#[test]
fn only_a_caller_of_this_machine_may_ask_for_a_backup() {
    let directory = Directory::new();
    let server = Server::start(&directory.join("data"), &[]);
    let target = directory.join("backup");
    let ask = |header: &str, target: &str| {
        let body = json!({"target": target}).to_string();
        let request = format!(
            "POST /_kew/backup HTTP/1.1\r\nHost: localhost\r\n{header}Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        server.connect().send(request.as_bytes()).status
    };
    assert_eq!(ask("X-Forwarded-For: 192.0.2.1\r\n", &target), 403);
    assert_eq!(ask("Origin: https://example.com\r\n", &target), 403);
    assert_eq!(ask("", "relative/path"), 400);
    assert!(!Path::new(&target).exists());
    assert_eq!(ask("", &target), 200);
    assert_eq!(doctor(&target)["sound"], true);
}

#[test]
fn a_doctor_keeps_off_a_directory_in_use_and_says_what_he_found_by_exit_code() {
    let directory = Directory::new();
    let data = directory.join("data");
    let server = Server::start(&data, &[]);
    server.ask("CreateQueue", &json!({"QueueName": "q", "Attributes": {"SqsManagedSseEnabled": "false"}}));
    for number in 0..5 {
        server.ask("SendMessage", &json!({"QueueUrl": "q", "MessageBody": format!("body {number}")}));
    }
    server.ask("ReceiveMessage", &json!({"QueueUrl": "q"}));
    let line = refusal(&["doctor", &data], 2);
    assert!(line.contains("in use") && line.contains(&server.pid().to_string()), "{line}");
    server.kill();

    let sound = run(&["doctor", &data]);
    assert_eq!(sound.status.code(), Some(0));
    assert!(out(&sound).contains("is sound"), "{}", out(&sound));
    let found = doctor(&data);
    assert_eq!(found["shards"][0]["queues"][0]["name"], "q");
    assert_eq!(found["shards"][0]["queues"][0]["visible"], 4);
    assert_eq!(found["shards"][0]["queues"][0]["in_flight"], 1);

    let shard = Path::new(&data).join("shard-0000");
    let segment = fs::read_dir(&shard)
        .expect("a shard")
        .map(|entry| entry.expect("an entry").path())
        .find(|path| path.display().to_string().contains("segment-"))
        .expect("a segment");
    let mut bytes = fs::read(&segment).expect("to read");
    let at = bytes.windows(6).position(|window| window == b"body 2").expect("the body");
    bytes[at] ^= 1;
    fs::write(&segment, bytes).expect("to write");
    let damaged = run(&["doctor", &data]);
    assert_eq!(damaged.status.code(), Some(1));
    for part in ["DAMAGED", "at offset", "2 messages sent to the queue q", "kew restore"] {
        assert!(out(&damaged).contains(part), "{part:?} is not in\n{}", out(&damaged));
    }
    assert_eq!(doctor(&data)["shards"][0]["repair"]["possible"], true);

    assert!(refusal(&["doctor", &data, "--repair"], 1).contains("--yes"));
    assert!(!shard.with_file_name("damaged-1").exists());
    let repaired = run(&["doctor", &data, "--repair", "--yes"]);
    assert_eq!(repaired.status.code(), Some(0), "{repaired:?}");
    assert!(out(&repaired).contains("damaged-1"), "{}", out(&repaired));
    assert_eq!(run(&["doctor", &data]).status.code(), Some(0));
    let server = Server::start(&data, &[]);
    assert_eq!(drain(&server, "q"), HashSet::from(["body 0".to_owned(), "body 1".to_owned()]));

    assert!(refusal(&["doctor", &directory.join("nothing")], 2).contains("nothing"));
    assert!(refusal(&["doctor", "--fix", &data], 2).contains("--fix"));
}
