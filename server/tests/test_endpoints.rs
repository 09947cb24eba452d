//! The endpoints for users' own tests.

mod kew;

use kew::{Directory, Server};
use serde_json::json;

fn server() -> (Directory, Server) {
    let directory = Directory::new();
    let server = Server::start(&directory.join("data"), &["--durability", "os", "--test-endpoints"]);
    server.ask("CreateQueue", &json!({"QueueName": "q"}));
    (directory, server)
}

#[test]
fn peeking_changes_nothing() {
    let (_directory, server) = server();
    server.ask("SendMessage", &json!({"QueueUrl": "q", "MessageBody": "here"}));
    for path in ["/_kew/peek?QueueUrl=q", "/_kew/peek?QueueUrl=http%3A%2F%2Flocalhost%2F000000000000%2Fq"] {
        assert_eq!(server.get(path).json()["Messages"][0]["Body"], "here", "{path}");
    }
    let reply = server.ask("ReceiveMessage", &json!({"QueueUrl": "q", "AttributeNames": ["All"]}));
    assert_eq!(reply["Messages"][0]["Attributes"]["ApproximateReceiveCount"], "1");
}

#[test]
fn a_test_looks_at_any_accounts_queue() {
    let (_directory, server) = server();
    let body = r#"{"QueueName":"theirs"}"#;
    let created = server.connect().send(
        format!(
            "POST / HTTP/1.1\r\nHost: h\r\nX-Amz-Target: AmazonSQS.CreateQueue\r\nContent-Type: application/x-amz-json-1.0\r\n\
             Authorization: AWS4-HMAC-SHA256 Credential=111111111111/20261121/us-east-1/sqs/aws4_request, SignedHeaders=host, \
             Signature=00\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .as_bytes(),
    );
    assert_eq!(created.json()["QueueUrl"], "http://h/111111111111/theirs");
    assert_eq!(server.get("/_kew/peek?QueueUrl=http://h/111111111111/theirs").status, 200);
}

#[test]
fn localstacks_form_of_peeking_works() {
    let (_directory, server) = server();
    server.ask("SendMessage", &json!({"QueueUrl": "q", "MessageBody": "here"}));
    for path in ["/_aws/sqs/messages?QueueUrl=q", "/_aws/sqs/messages/us-east-1/000000000000/q"] {
        let answer = server.get(path);
        assert_eq!((answer.status, answer.header("content-type")), (200, Some("text/xml")), "{path}");
        assert!(answer.body.contains("<Body>here</Body>"), "{path}: {}", answer.body);
    }
    let answer = server.get("/_aws/sqs/messages?QueueUrl=nowhere");
    assert_eq!(answer.status, 400);
    assert!(answer.body.contains("AWS.SimpleQueueService.NonExistentQueue"), "{}", answer.body);
    let answer = server.get("/_aws/sqs/messages?Action=SendMessage&QueueUrl=q");
    assert!(answer.body.contains("This endpoint only accepts ReceiveMessage calls"), "{}", answer.body);
}

#[test]
fn the_clock_moves_visibility_and_long_polls_forward() {
    let (_directory, server) = server();
    server.ask("SendMessage", &json!({"QueueUrl": "q", "MessageBody": "again"}));
    server.ask("ReceiveMessage", &json!({"QueueUrl": "q", "VisibilityTimeout": 600}));
    assert_eq!(server.ask("ReceiveMessage", &json!({"QueueUrl": "q"})), json!({}));
    let mut waiting = server.connect();
    waiting.write(&kew::json_request("ReceiveMessage", r#"{"QueueUrl":"q","WaitTimeSeconds":20}"#));
    server.wait_for_metric("kew_receives_waiting", 1.0);
    let before = server.get("/_kew/clock").json();
    let after = server.post("/_kew/clock?advance_ms=601000").json();
    assert!(
        after["now_ms"].as_u64() >= before["now_ms"].as_u64().map(|now| now + 601_000),
        "{before} {after}"
    );
    // Whichever the clock reaches first, the poll's end or the message, the message is not lost.
    let polled = waiting.read().expect("an answer").json();
    let found = if polled["Messages"].is_array() {
        polled
    } else {
        server.ask("ReceiveMessage", &json!({"QueueUrl": "q"}))
    };
    assert_eq!(found["Messages"][0]["Body"], "again");
    assert_eq!(server.post("/_kew/clock?advance_ms=soon").status, 400);
}

#[test]
fn reset_forgets_everything_at_once() {
    let (_directory, server) = server();
    server.ask("SendMessage", &json!({"QueueUrl": "q", "MessageBody": "gone"}));
    server.ask("DeleteQueue", &json!({"QueueUrl": "q"}));
    assert_eq!(server.post("/_kew/reset").status, 200);
    assert_eq!(server.ask("ListQueues", &json!({})), json!({}));
    // The wait after a deletion is forgotten too.
    server.ask("CreateQueue", &json!({"QueueName": "q"}));
}

#[test]
fn a_deadline_after_a_move_of_the_clock_is_kept() {
    let (_directory, server) = server();
    server.ask("SendMessage", &json!({"QueueUrl": "q", "MessageBody": "late", "DelaySeconds": 60}));
    let mut waiting = server.connect();
    waiting.write(&kew::json_request("ReceiveMessage", r#"{"QueueUrl":"q","WaitTimeSeconds":20}"#));
    server.wait_for_metric("kew_receives_waiting", 1.0);
    // Its end was twenty seconds away and now is one.
    let begin = std::time::Instant::now();
    server.post("/_kew/clock?advance_ms=19000");
    assert_eq!(waiting.read().expect("an answer").json(), json!({}), "the poll is over");
    // The message was forty seconds away and now is half a second.
    server.post("/_kew/clock?advance_ms=39500");
    let reply = server.ask("ReceiveMessage", &json!({"QueueUrl": "q", "WaitTimeSeconds": 20}));
    assert_eq!(reply["Messages"][0]["Body"], "late");
    assert!(begin.elapsed() < std::time::Duration::from_secs(10), "it took {:?}", begin.elapsed());
}
