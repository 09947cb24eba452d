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
