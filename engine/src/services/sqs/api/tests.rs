//! Every operation: what is refused and how, what is asked of the state machine, what is answered.

mod answers;
mod arbitrary;
mod refusals;

use alloc::string::String;
use alloc::vec::Vec;

use kew_wire::sqs::*;

use super::*;
use crate::identity::Account;

const QUEUE: &str = "http://localhost:4566/000000000000/q";
const FIFO: &str = "http://localhost:4566/000000000000/q.fifo";
const ARN: &str = "arn:aws:sqs:us-east-1:000000000000:q";

fn text(text: &str) -> Text {
    Text::from(text)
}

fn texts(texts: &[&str]) -> Vec<Text> {
    texts.iter().copied().map(Text::from).collect()
}

fn call() -> Call {
    Call {
        caller: Caller {
            sender: Text::from_static("AIDAEXAMPLE"),
            ..Caller::open(Account::DEFAULT, Text::from_static("us-east-1"))
        },
        endpoint: Text::from_static("http://localhost:4566"),
        query: false,
        trace: None,
    }
}

/// The refusal of a request as `status Name: message`, or `taken`.
fn refusal(request: Request) -> String {
    match prepare(&call(), request) {
        Ok(_) => "taken".into(),
        Err(fault) => show(&fault),
    }
}

fn show(fault: &Fault) -> String {
    format!("{} {}: {}", fault.kind.status, fault.kind.name, fault.message)
}

fn send(body: &str) -> SendMessageRequest {
    SendMessageRequest { queue_url: text(QUEUE), message_body: text(body), ..Default::default() }
}

fn send_fifo(body: &str) -> SendMessageRequest {
    let queue_url = text(FIFO);
    SendMessageRequest {
        queue_url,
        message_body: text(body),
        message_group_id: Some(text("g")),
        ..Default::default()
    }
}

fn string(value: &str) -> MessageAttributeValue {
    typed("String", value)
}

fn typed(data_type: &str, value: &str) -> MessageAttributeValue {
    MessageAttributeValue {
        string_value: Some(text(value)),
        data_type: text(data_type),
        ..Default::default()
    }
}
