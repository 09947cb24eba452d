//! What strangers send.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use kew_engine::services::sqs::Action;
use kew_engine::services::sqs::command::{QueueAction, Reply as SqsReply};
use kew_engine::shard::Command;
use kew_wire::services::sqs::{SendMessageRequest, faults};

use super::*;
use crate::http::callers::Callers;
use crate::http::front::Peer;
use crate::mailbox::{Mailbox, mailbox};
use crate::peers::{Seat, Shards};

/// A router to one shard, which is the test's to play.
fn router() -> (Router, Mailbox) {
    let (handle, mailbox) = mailbox();
    let shards = Shards::new(vec![Seat::Open(handle)], 7, HashMap::new());
    (Router::new(Arc::new(shards), 1, HashMap::new()), mailbox)
}

fn call() -> Call {
    let peer = Peer { ip: IpAddr::V4(Ipv4Addr::LOCALHOST), is_local: true, is_secure: false };
    let caller = Caller::identified(Callers::new(peer).anonymous(), Text::from_static("us-east-1"), None);
    Call { caller, endpoint: Text::from_static("http://h"), query: false, trace: None }
}

fn send(body: &'static str) -> Request {
    let queue_url = Text::from_static("http://h/000000000000/q");
    let message_body = Text::from_static(body);
    Request::SendMessage(SendMessageRequest { queue_url, message_body, ..Default::default() })
}

/// What becomes of a stranger's message if its queue says this, once it was asked whether he may send, and nothing more.
async fn outcome(body: &'static str, said: Result<SqsReply, Fault>) -> Checked {
    let (router, mut mailbox) = router();
    let (call, request) = (call(), send(body));
    let key = api::sends_to(&call, &request).expect("a queue");
    let play = async {
        let asked = mailbox.calls.recv().await.expect("a question");
        let Command::Sqs(sqs::Command { action: Action::Queue { name, action, .. }, .. }) = asked.command
        else {
            panic!("{:?}", asked.command)
        };
        assert!(matches!(action, QueueAction::Find), "{action:?}");
        assert_eq!(name, "SendMessage");
        let answer = Answer { reply: Reply::Sqs(said), payloads: Vec::new() };
        asked.answer.send(Ok(answer)).expect("somebody waits");
        mailbox
    };
    let (checked, mut mailbox) = tokio::join!(check_strange(&router, call, request, key), play);
    assert!(mailbox.calls.try_recv().is_err(), "nothing more is asked");
    checked
}

#[tokio::test]
async fn a_stranger_s_message_is_made_once_its_queue_lets_him_send() {
    let refused = || Fault::new(&common::ACCESS_DENIED, "no");
    assert_eq!(outcome("hello", Err(refused())).await.expect_err("refused"), refused());
    let (command, _) = outcome("hello", Ok(SqsReply::Done)).await.expect("let in");
    assert!(matches!(command.action, Action::Queue { action: QueueAction::Send { .. }, .. }));
}

#[tokio::test]
async fn what_is_wrong_with_a_stranger_s_message_is_told_first() {
    let refused = Fault::new(&common::ACCESS_DENIED, "no");
    let told = outcome("\0", Err(refused)).await.expect_err("refused");
    assert_eq!(told.kind, &faults::INVALID_MESSAGE_CONTENTS);
}

#[test]
fn a_signed_url_goes_to_the_service_that_it_was_signed_for_however_its_names_are_written() {
    let signature = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKID/20150830/us-east-1/sqs/aws4_request\
                     &X-Amz-Date=20150830T123600Z&X-Amz-SignedHeaders=host&X-Amz-Signature=0";
    for signature in [signature.to_owned(), signature.replace("X-Amz-", "X%2DAmz%2D")] {
        let url = format!("/?Action=GetCallerIdentity&Version=2011-06-15&{signature}");
        let request = http::Request::get(url).header("host", "h").body(()).expect("a request");
        let parts = request.into_parts().0;
        let headers = crate::http::head::Headers::from(&parts.headers);
        let head = Head { method: parts.method, uri: parts.uri, headers };
        // What verifies the signature, and what routes, must mean the same.
        let route = find(&request_head(&head), &head, b"").expect("a service");
        assert_eq!((called(&head), route.service.name), (Some("sqs"), "sqs"));
    }
}
