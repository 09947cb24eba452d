//! HTTP as it should not be, and as it may be: nothing makes the server fall, and every answer is AWS's own.

mod kew;

use kew::{Directory, Server, json_request};
use serde_json::json;

fn server() -> (Directory, Server) {
    let directory = Directory::new();
    let server = Server::start(&directory.join("data"), &["--durability", "os"]);
    server.ask("CreateQueue", &json!({"QueueName": "q"}));
    (directory, server)
}

/// What a table expects: a status and whether the connection goes on, or no answer at all.
enum Expected {
    Kept(u16),
    Closed(u16),
    Silence,
}

#[test]
fn malformed_http_is_refused_and_the_server_lives_on() {
    use Expected::{Closed, Kept, Silence};
    let (_directory, server) = server();
    let target =
        "Host: h\r\nX-Amz-Target: AmazonSQS.ListQueues\r\nContent-Type: application/x-amz-json-1.0\r\n";
    let many: String = (0..200).map(|n| format!("X-{n}: y\r\n")).collect();
    let long = "x".repeat(200_000);
    let nested = "[".repeat(1000);
    let cases: Vec<(&str, String, Expected)> = vec![
        ("garbage", "\x16\x03\x01 nonsense\r\n\r\n".into(), Closed(400)),
        ("no version", "GET /\r\n\r\n".into(), Closed(400)),
        ("a version of the future", "GET / HTTP/9.9\r\n\r\n".into(), Closed(400)),
        ("a header without a colon", "GET / HTTP/1.1\r\nnonsense\r\n\r\n".into(), Closed(400)),
        ("too many headers", format!("GET / HTTP/1.1\r\n{many}\r\n"), Closed(431)),
        ("a header that is too long", format!("GET / HTTP/1.1\r\nX: {long}\r\n\r\n"), Closed(431)),
        ("a length that is no number", "POST / HTTP/1.1\r\nContent-Length: ten\r\n\r\n".into(), Closed(400)),
        (
            "two lengths",
            "POST / HTTP/1.1\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}".into(),
            Closed(400),
        ),
        ("a negative length", "POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n".into(), Closed(400)),
        (
            "a chunk of no size",
            format!("POST / HTTP/1.1\r\n{target}Transfer-Encoding: chunked\r\n\r\nzz\r\n{{}}"),
            Closed(400),
        ),
        (
            "a body that ends early",
            format!("POST / HTTP/1.1\r\n{target}Content-Length: 100\r\n\r\n{{}}"),
            Closed(400),
        ),
        ("a head that ends early", "POST / HT".into(), Silence),
        ("no byte at all", String::new(), Silence),
        ("no host", "GET /health HTTP/1.1\r\n\r\n".into(), Kept(200)),
        (
            "chunks",
            format!("POST / HTTP/1.1\r\n{target}Transfer-Encoding: chunked\r\n\r\n2\r\n{{}}\r\n0\r\n\r\n"),
            Kept(200),
        ),
        ("an unknown method", "BREW / HTTP/1.1\r\nHost: h\r\n\r\n".into(), Kept(405)),
        ("PUT", "PUT /000000000000/q HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n".into(), Kept(405)),
        (
            "HEAD with an action",
            "HEAD /000000000000/q?Action=PurgeQueue HTTP/1.1\r\nHost: h\r\n\r\n".into(),
            Kept(405),
        ),
        ("an unknown path", "GET /nowhere HTTP/1.1\r\nHost: h\r\n\r\n".into(), Kept(404)),
        (
            "a closed test endpoint",
            "POST /_kew/reset HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n".into(),
            Kept(404),
        ),
        ("an absolute URL", "GET http://h/health HTTP/1.1\r\nHost: h\r\n\r\n".into(), Kept(200)),
        (
            "a URL of another host",
            "GET http://elsewhere:1/health HTTP/1.1\r\nHost: h\r\n\r\n".into(),
            Closed(400),
        ),
        ("JSON that is none", format!("POST / HTTP/1.1\r\n{target}Content-Length: 1\r\n\r\n{{"), Kept(400)),
        (
            "a thousand brackets",
            format!("POST / HTTP/1.1\r\n{target}Content-Length: 1000\r\n\r\n{nested}"),
            Kept(400),
        ),
        (
            "an unknown operation",
            "POST / HTTP/1.1\r\nHost: h\r\nX-Amz-Target: AmazonSQS.Bake\r\nContent-Length: 2\r\n\r\n{}"
                .into(),
            Kept(400),
        ),
        (
            "an expectation",
            format!("POST / HTTP/1.1\r\n{target}Expect: 100-continue\r\nContent-Length: 2\r\n\r\n{{}}"),
            Kept(200),
        ),
    ];
    for (name, request, expected) in cases {
        let mut connection = server.connect();
        connection.write(request.as_bytes());
        // A truncated request is one only once nothing more can come.
        if name.contains("early") || request.is_empty() {
            connection.finish();
        }
        let answer = connection.read();
        match expected {
            Silence => assert!(answer.is_none(), "{name}: {answer:?}"),
            Kept(status) | Closed(status) => {
                let answer = answer.unwrap_or_else(|| panic!("{name}: no answer"));
                assert_eq!(answer.status, status, "{name}: {answer:?}");
                if matches!(expected, Kept(_)) {
                    assert!(answer.header("x-amzn-requestid").is_some(), "{name}: {answer:?}");
                    let health = connection.send(b"GET /health HTTP/1.1\r\nHost: h\r\n\r\n");
                    assert_eq!(health.status, 200, "{name}: the connection goes on");
                }
            }
        }
        assert_eq!(server.get("/health").status, 200, "{name}: the server lives on");
    }
}

#[test]
fn every_answer_names_its_request_and_its_date() {
    let (_directory, server) = server();
    for answer in
        [server.get("/health"), server.get("/"), server.connect().send(&json_request("ListQueues", "{}"))]
    {
        assert!(answer.header("x-amzn-requestid").is_some_and(|id| id.len() == 36), "{answer:?}");
        assert!(answer.header("date").is_some_and(|date| date.ends_with("GMT")), "{answer:?}");
    }
    let (first, second) = (server.get("/health"), server.get("/health"));
    assert_ne!(first.header("x-amzn-requestid"), second.header("x-amzn-requestid"));
}

#[test]
fn requests_in_a_row_are_answered_in_order() {
    let (_directory, server) = server();
    let mut connection = server.connect();
    let mut row = Vec::new();
    for number in 0..50 {
        row.extend(json_request("SendMessage", &format!(r#"{{"QueueUrl":"q","MessageBody":"{number}"}}"#)));
        row.extend(json_request("GetQueueAttributes", r#"{"QueueUrl":"q","AttributeNames":["All"]}"#));
    }
    connection.write(&row);
    for number in 1..=50 {
        assert!(connection.read().expect("an answer").json()["MessageId"].is_string());
        let reply = connection.read().expect("an answer").json();
        assert_eq!(reply["Attributes"]["ApproximateNumberOfMessages"], number.to_string());
    }
}

#[test]
fn a_body_that_is_too_long_is_refused_as_aws_does_and_the_connection_goes_on() {
    let (_directory, server) = server();
    let mut connection = server.connect();
    let body = "x".repeat(8 * 1024 * 1024);
    let answer = connection.send(&json_request("SendMessage", &body));
    assert_eq!(answer.status, 413);
    assert!(answer.body.starts_with("HTTP content length exceeded"), "{}", answer.body);
    let answer = connection.send(&json_request("ListQueues", "{}"));
    assert_eq!(answer.status, 200);

    // One that lies about being endless is not read at all.
    let mut connection = server.connect();
    let answer = connection.send(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000000000\r\n\r\n");
    assert_eq!((answer.status, answer.header("connection")), (413, Some("close")));
    assert!(connection.read().is_none());
}

#[test]
fn the_longest_message_spelled_at_its_longest_is_taken() {
    let (_directory, server) = server();
    let body = "\\u0041".repeat(1024 * 1024);
    let (status, reply) = {
        let answer = server
            .connect()
            .send(&json_request("SendMessage", &format!(r#"{{"QueueUrl":"q","MessageBody":"{body}"}}"#)));
        (answer.status, answer.json())
    };
    assert_eq!(status, 200, "{reply}");
    let reply = server.ask("ReceiveMessage", &json!({"QueueUrl": "q"}));
    assert_eq!(reply["Messages"][0]["Body"].as_str().map(str::len), Some(1024 * 1024));
}

#[test]
fn head_has_no_body_and_options_needs_no_service() {
    let (_directory, server) = server();
    let mut connection = server.connect();
    connection.write(b"HEAD /health HTTP/1.1\r\nHost: h\r\n\r\n");
    let answer = connection.read_after("HEAD").expect("an answer");
    assert_eq!(answer.status, 200);
    assert_eq!(connection.send(b"GET /health HTTP/1.1\r\nHost: h\r\n\r\n").status, 200);
    let answer = connection.send(b"OPTIONS / HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_eq!(answer.status, 204);
}

#[test]
fn pages_of_this_machine_may_call_and_others_may_not() {
    let (_directory, server) = server();
    let preflight = |origin: &str| {
        let request = format!(
            "OPTIONS / HTTP/1.1\r\nHost: h\r\nOrigin: {origin}\r\nAccess-Control-Request-Method: POST\r\n\
             Access-Control-Request-Headers: x-amz-target\r\n\r\n"
        );
        server.connect().send(request.as_bytes())
    };
    let allowed = preflight("http://localhost:3000");
    assert_eq!(allowed.status, 204);
    assert_eq!(allowed.header("access-control-allow-origin"), Some("http://localhost:3000"));
    assert!(
        allowed.header("access-control-allow-headers").is_some_and(|names| names.contains("x-amz-target"))
    );
    let refused = preflight("https://evil.example");
    assert_eq!((refused.status, refused.header("access-control-allow-origin")), (403, None));
}

#[test]
fn queue_urls_begin_with_the_address_that_the_caller_used() {
    let (_directory, server) = server();
    let url = |host: &str| {
        let request = format!(
            "POST / HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/x-amz-json-1.0\r\n\
             X-Amz-Target: AmazonSQS.GetQueueUrl\r\nContent-Length: 17\r\n\r\n{{\"QueueName\":\"q\"}}"
        );
        server.connect().send(request.as_bytes()).json()["QueueUrl"].clone()
    };
    assert_eq!(url("localhost:4566"), "http://localhost:4566/000000000000/q");
    assert_eq!(url("queues.example"), "http://queues.example/000000000000/q");

    let directory = Directory::new();
    let pinned = Server::start(&directory.join("data"), &["--public-url", "https://queues.example/"]);
    let reply = pinned.ask("CreateQueue", &json!({"QueueName": "q"}));
    assert_eq!(reply["QueueUrl"], "https://queues.example/000000000000/q");
}

#[test]
fn both_health_checks_answer() {
    let (_directory, server) = server();
    assert_eq!(server.get("/health").json()["status"], "ok");
    let health = server.get("/_localstack/health").json();
    assert_eq!(health["services"]["sqs"], "running");
    assert!(health["version"].is_string() && health["edition"].is_string());
}

#[test]
fn metrics_count_what_happened() {
    let (_directory, server) = server();
    for _ in 0..3 {
        server.ask("SendMessage", &json!({"QueueUrl": "q", "MessageBody": "12345"}));
    }
    server.ask("ReceiveMessage", &json!({"QueueUrl": "q"}));
    server.call("SendMessage", &json!({"QueueUrl": "nowhere", "MessageBody": "x"}));
    let text = server.get("/metrics").body;
    let queue = r#"{queue="q",account="000000000000",region="us-east-1"}"#;
    for line in [
        format!("kew_sqs_approximate_number_of_messages_visible{queue} 2"),
        format!("kew_sqs_approximate_number_of_messages_not_visible{queue} 1"),
        format!("kew_sqs_number_of_messages_sent_total{queue} 3"),
        format!("kew_sqs_sent_message_size_bytes_total{queue} 15"),
        r#"kew_requests_total{operation="SendMessage",status="200",worker="0"} 3"#.to_owned(),
        r#"kew_requests_total{operation="SendMessage",status="400",worker="0"} 1"#.to_owned(),
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }
    assert!(server.metric("kew_journal_sync_seconds_count") >= 4.0);
}

#[test]
fn several_workers_serve_the_same_queues() {
    let directory = Directory::new();
    let server = Server::start(&directory.join("data"), &["--durability", "os", "--workers", "3"]);
    server.ask("CreateQueue", &json!({"QueueName": "q"}));
    let mut connections: Vec<_> = (0..6).map(|_| server.connect()).collect();
    for round in 0..10 {
        for (number, connection) in connections.iter_mut().enumerate() {
            let body = format!("{round}-{number}");
            assert_eq!(connection.call("SendMessage", &json!({"QueueUrl": "q", "MessageBody": body})).0, 200);
        }
    }
    let reply =
        connections[5].call("GetQueueAttributes", &json!({"QueueUrl": "q", "AttributeNames": ["All"]})).1;
    assert_eq!(reply["Attributes"]["ApproximateNumberOfMessages"], "60");
    let text = server.get("/metrics").body;
    for worker in 0..3 {
        let series =
            format!("kew_requests_total{{operation=\"SendMessage\",status=\"200\",worker=\"{worker}\"}}");
        assert!(text.contains(&series), "{series} is not in\n{text}");
    }
    server.terminate();
    drop(connections);
    assert_eq!(server.wait().0.code(), Some(0));
}

#[test]
fn no_refusal_of_a_long_request_is_long() {
    let directory = Directory::new();
    let log = directory.join("audit.log");
    let flags = ["--durability", "os", "--audit-log", &log, "--audit-data-calls"];
    let open = Server::start(&directory.join("open"), &flags);
    let mut command = kew::kew(&["serve", "--listen", "127.0.0.1:0", "--data", &directory.join("closed")]);
    command.args(flags).env("KEW_ROOT_ACCESS_KEY_ID", "AKIAROOT");
    command.env("KEW_ROOT_SECRET_ACCESS_KEY", "0123456789abcdef");
    let closed = Server::spawn(command);
    let long = "\"".repeat(1 << 20);
    let forms = [
        format!("Action=ReceiveMessage&QueueUrl={long}"),
        format!("Action=ReceiveMessage&QueueUrl=http://a/b{long}"),
        format!("Action={long}"),
        format!("Action=ReceiveMessage&QueueUrl=q&MaxNumberOfMessages={long}"),
        format!("Action=DeleteMessage&QueueUrl=q&ReceiptHandle={long}"),
    ];
    for server in [&open, &closed] {
        for (form, accept) in forms.iter().flat_map(|form| [(form, "text/xml"), (form, "application/json")]) {
            let request = format!(
                "POST / HTTP/1.1\r\nHost: h\r\nAccept: {accept}\r\n\
                 Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{form}",
                form.len()
            );
            let answer = server.connect().send(request.as_bytes());
            let shown = &answer.body[..answer.body.len().min(300)];
            assert!(matches!(answer.status, 400..=404), "{} {shown}", answer.status);
            assert!(answer.body.len() < 16 * 1024, "{} {shown}", answer.body.len());
        }
        let json = format!("{{\"QueueUrl\":{:?}}}", format!("http://a/b{long}"));
        let answer = server.connect().send(&json_request("ReceiveMessage", &json));
        assert!(answer.status != 200 && answer.body.len() < 16 * 1024, "{}", answer.body.len());
    }
    for server in [open, closed] {
        server.terminate();
        assert_eq!(server.wait().0.code(), Some(0));
    }
    let log = std::fs::read_to_string(log).expect("a log");
    assert!(log.lines().count() > 10 && log.lines().all(|line| line.len() < 16 * 1024));
}

#[test]
fn a_host_longer_than_any_name_is_not_repeated() {
    let (_directory, server) = server();
    let body = r#"{"QueueName":"q"}"#;
    let request = String::from_utf8(json_request("GetQueueUrl", body)).expect("text");
    let host = request.lines().find(|line| line.starts_with("Host: ")).expect("a host");
    let request = request.replace(host, &format!("Host: {}", "h".repeat(60_000)));
    let answer = server.connect().send(request.as_bytes());
    assert_eq!(answer.json()["QueueUrl"], "http://localhost:4566/000000000000/q");
}
