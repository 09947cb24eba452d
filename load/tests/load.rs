//! Every kind of work against a small queue in this process: what is counted is what happened there.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::rc::Rc;

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use kew_load::Failure;
use kew_load::options::Options;
use kew_load::report::Report;
use kew_load::session::Session;
use kew_load::work::{Crew, drain, end_to_end, long_poll, receive_delete, send, send_batch};
use serde_json::{Value, json};
use tokio::sync::Notify;

/// A queue that keeps nothing but what these tests ask about.
#[derive(Default)]
struct Queue {
    connections: RefCell<usize>,
    waiting: RefCell<VecDeque<String>>,
    /// Messages that somebody else received; they come back when the queue is asked for its figures the second time.
    elsewhere: RefCell<usize>,
    asked: RefCell<usize>,
    arrived: Notify,
    sent: RefCell<Vec<Value>>,
    deleted: RefCell<usize>,
    refuse: Option<&'static str>,
}

impl Queue {
    async fn answer(&self, operation: &str, request: Value) -> Result<Value, &'static str> {
        match operation {
            "CreateQueue" => Ok(
                json!({"QueueUrl": format!("http://here/1/{}", request["QueueName"].as_str().expect("a name"))}),
            ),
            _ if self.refuse == Some(operation) => Err("com.amazonaws.sqs#OverLimit"),
            "SendMessage" => {
                self.send(request);
                Ok(json!({"MessageId": "1"}))
            }
            "SendMessageBatch" => {
                let entries = request["Entries"].as_array().expect("entries").clone();
                entries.into_iter().for_each(|entry| self.send(entry));
                Ok(json!({"Successful": [], "Failed": []}))
            }
            "ReceiveMessage" => {
                while self.waiting.borrow().is_empty() && request["WaitTimeSeconds"] != 0 {
                    self.arrived.notified().await;
                }
                let mut waiting = self.waiting.borrow_mut();
                let count =
                    waiting.len().min(request["MaxNumberOfMessages"].as_u64().expect("a count") as usize);
                let messages =
                    waiting.drain(..count).map(|body| json!({"Body": body, "ReceiptHandle": "a+b/=="}));
                Ok(json!({"Messages": messages.collect::<Vec<_>>()}))
            }
            "DeleteMessageBatch" => {
                let entries = request["Entries"].as_array().expect("entries");
                assert!(entries.iter().all(|entry| entry["ReceiptHandle"] == "a+b/=="));
                *self.deleted.borrow_mut() += entries.len();
                Ok(json!({"Successful": entries}))
            }
            "GetQueueAttributes" => {
                *self.asked.borrow_mut() += 1;
                if *self.asked.borrow() > 2 {
                    let back = self.elsewhere.take();
                    (0..back).for_each(|_| self.waiting.borrow_mut().push_back("back".to_owned()));
                }
                let (waiting, elsewhere) = (self.waiting.borrow().len(), *self.elsewhere.borrow());
                Ok(json!({"Attributes": {
                    "ApproximateNumberOfMessages": waiting.to_string(),
                    "ApproximateNumberOfMessagesNotVisible": elsewhere.to_string(),
                    "ApproximateNumberOfMessagesDelayed": "0",
                }}))
            }
            other => panic!("nobody asks for {other}"),
        }
    }

    fn send(&self, message: Value) {
        self.waiting.borrow_mut().push_back(message["MessageBody"].as_str().expect("a body").to_owned());
        self.sent.borrow_mut().push(message);
        self.arrived.notify_one();
    }

    async fn serve(self: Rc<Self>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
        let headers = request.headers();
        assert!(headers["authorization"].as_bytes().starts_with(b"AWS4-HMAC-SHA256 Credential=test/"));
        let operation =
            headers["x-amz-target"].to_str().expect("text").trim_start_matches("AmazonSQS.").to_owned();
        let body = request.into_body().collect().await.expect("a body").to_bytes();
        let answer = self.answer(&operation, serde_json::from_slice(&body).expect("JSON")).await;
        let (status, value) = match answer {
            Ok(value) => (StatusCode::OK, value),
            Err(name) => (StatusCode::FORBIDDEN, json!({"__type": name})),
        };
        let mut response = Response::new(Full::new(Bytes::from(value.to_string())));
        *response.status_mut() = status;
        Ok(response)
    }
}

/// Does some work on a session of `queue`.
fn load(
    queue: &Rc<Queue>,
    groups: Option<u32>,
    work: impl AsyncFnOnce(Rc<Session>) -> Result<Report, Failure>,
) -> Report {
    at(queue, async |options| {
        let session = Session::open(&options, groups).await.expect("a queue");
        work(session).await.expect("a report")
    })
}

/// Gives `work` options that lead to `queue`.
fn at<T>(queue: &Rc<Queue>, work: impl AsyncFnOnce(Options) -> T) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    tokio::task::LocalSet::new().block_on(&runtime, async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
        let queue = Rc::clone(queue);
        tokio::task::spawn_local(async move {
            loop {
                let (stream, _) = listener.accept().await.expect("a connection");
                *queue.connections.borrow_mut() += 1;
                let queue = Rc::clone(&queue);
                let service = service_fn(move |request| Rc::clone(&queue).serve(request));
                let connection = hyper::server::conn::http1::Builder::new();
                tokio::task::spawn_local(connection.serve_connection(TokioIo::new(stream), service));
            }
        });
        work(Options { endpoint, connections: 4, count: Some(105), ..Options::default() }).await
    })
}

fn messages(report: &Report) -> Vec<(&'static str, u64)> {
    report.rows.iter().map(|row| (row.name, row.messages)).collect()
}

#[test]
fn as_many_messages_are_sent_as_were_asked_for() {
    let queue = Rc::default();
    let report = load(&queue, None, async |session| send(&session).await);
    assert_eq!(messages(&report), [("send", 105)]);
    assert_eq!(report.rows[0].latency.count(), 105);
    assert_eq!(queue.sent.borrow().len(), 105);
    assert!(
        queue
            .sent
            .borrow()
            .iter()
            .all(|message| message["MessageBody"].as_str().expect("a body").len() == 100)
    );
}

#[test]
fn batches_hold_ten_messages_and_the_last_one_the_rest() {
    let queue = Rc::default();
    let report = load(&queue, None, async |session| send_batch(&session).await);
    assert_eq!(messages(&report), [("send x 10", 105)]);
    assert_eq!(report.rows[0].latency.count(), 11);
    assert_eq!(queue.sent.borrow().len(), 105);
}

#[test]
fn whatever_was_filled_in_is_received_and_deleted() {
    let queue = Rc::default();
    let report = load(&queue, None, async |session| {
        send_batch(&session).await?;
        receive_delete(&session).await
    });
    assert_eq!(messages(&report), [("receive", 105), ("delete", 105)]);
    assert_eq!(*queue.deleted.borrow(), 105);
}

#[test]
fn pieces_of_work_leave_the_backlog_as_it_was_and_share_their_connections() {
    let queue = Rc::default();
    at(&queue, async |options| {
        let session = Session::open(&options, None).await.expect("a queue");
        send_batch(&session).await.expect("a report");
        let crew = Crew::open(&session).await.expect("connections");
        let before = *queue.connections.borrow();
        for _ in 0..3 {
            let report = crew.receive_delete(42).await.expect("a report");
            assert_eq!(messages(&report), [("receive", 42), ("delete", 42)]);
            assert_eq!(queue.waiting.borrow().len(), 105 - 42);
            let report = crew.send(42).await.expect("a report");
            assert_eq!(messages(&report), [("send", 42)]);
            assert_eq!(queue.waiting.borrow().len(), 105);
        }
        assert_eq!(*queue.connections.borrow(), before);
    });
}

#[test]
fn draining_waits_for_what_others_hold() {
    let queue = Rc::new(Queue { elsewhere: RefCell::new(7), ..Queue::default() });
    let report = at(&queue, async |options| {
        let session = Session::open(&options, None).await.expect("a queue");
        send_batch(&session).await.expect("a report");
        drain(&session).await.expect("a report")
    });
    assert_eq!(messages(&report), [("receive", 112), ("delete", 112)]);
    assert_eq!(queue.waiting.borrow().len(), 0);
}

#[test]
fn fifo_messages_take_their_groups_in_turn_and_are_no_duplicates() {
    let queue = Rc::default();
    load(&queue, Some(5), async |session| send(&session).await);
    let sent = queue.sent.borrow();
    let in_group = |name: &str| sent.iter().filter(|message| message["MessageGroupId"] == name).count();
    assert_eq!([in_group("group-0"), in_group("group-4"), in_group("group-5")], [21, 21, 0]);
    let ids: std::collections::HashSet<_> =
        sent.iter().map(|message| &message["MessageDeduplicationId"]).collect();
    assert_eq!(ids.len(), 105);
}

#[test]
fn messages_are_timed_from_end_to_end() {
    let queue = Rc::default();
    let report = load(&queue, None, async |session| end_to_end(&session, 3, 2).await);
    let last = report.main().expect("a row");
    assert_eq!((last.name, last.messages), ("end to end", 105));
    assert!(last.latency.max() <= report.time, "{report}");
}

#[test]
fn a_sent_message_wakes_one_of_those_who_wait() {
    let queue = Rc::default();
    let report = load(&queue, None, async |session| {
        long_poll(&session.with(&Options { count: Some(5), ..session.options.clone() })).await
    });
    assert_eq!(report.main().map(|row| (row.name, row.messages)), Some(("wake-up", 5)));
}

#[test]
fn refusals_are_counted_by_what_they_say() {
    let queue = Rc::new(Queue { refuse: Some("SendMessage"), ..Queue::default() });
    let report = load(&queue, None, async |session| {
        send(&session.with(&Options { count: Some(7), ..session.options.clone() })).await
    });
    assert_eq!(
        report.first_error.as_deref(),
        Some(r#"SendMessage 403 OverLimit: {"__type":"com.amazonaws.sqs#OverLimit"}"#)
    );
    assert_eq!(report.errors.into_iter().collect::<Vec<_>>(), [("SendMessage 403 OverLimit".to_owned(), 7)]);
    assert_eq!(report.rows[0].messages, 0);
}

#[test]
fn nobody_to_talk_to_is_a_failure_and_not_a_result() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    // Port 1 of the loopback is nobody's.
    let options = Options { endpoint: "http://127.0.0.1:1".to_owned(), ..Options::default() };
    let opened = tokio::task::LocalSet::new().block_on(&runtime, Session::open(&options, None));
    assert!(matches!(opened, Err(Failure::Unreachable(..))));
}
