//! For users' own tests, and only where the operator opened them (`--test-endpoints`): erase everything, look at messages
//! without receiving them, move the clock.

use std::sync::Arc;

use bytes::Bytes;
use http::{Method, StatusCode};
use kew_engine::identity::Caller;
use kew_engine::services::sqs::api::{self, Call};
use kew_engine::shard::{Command, Reply};
use kew_engine::time::Millis;
use kew_wire::dialects::query::Form;
use kew_wire::fault::{Fault, FaultKind, common};
use kew_wire::services::sqs::{self, MODEL, Message, Request, Sqs, faults};
use kew_wire::{Dialect, Text};

use crate::clock::Clock;
use crate::http::{Asked, Front, Head, Response, request_head, respond};

/// How many messages one look shows, unless it asks for fewer.
const PEEK_MESSAGES: usize = 10_000;

/// What LocalStack shows in place of a receipt handle.
const NO_HANDLE: Text = Text::from_static("SQS/BACKDOOR/ACCESS");

/// LocalStack's refusal of any other operation here.
const INVALID_REQUEST: FaultKind = FaultKind {
    name: "InvalidRequest",
    namespace: "com.amazonaws.sqs",
    code: "InvalidRequest",
    status: 400,
    sender: true,
};

/// The endpoints.
#[derive(Debug, Clone)]
pub(crate) struct TestEndpoints {
    clock: Arc<Clock>,
}

/// What the caller wants to look at.
struct Look {
    queue_url: Text,
    max: usize,
}

impl TestEndpoints {
    /// Endpoints that move this clock.
    pub(crate) fn new(clock: Arc<Clock>) -> Self {
        Self { clock }
    }

    /// Answers a request to one of them; `None` if it goes to none.
    pub(crate) async fn answer(
        &self,
        front: &Front,
        known: &Result<(Caller, Text), Fault>,
        asked: &Asked<'_>,
    ) -> Option<Response> {
        let path = asked.head.uri.path();
        let is_post = asked.head.method == Method::POST;
        if !is_post && !matches!(asked.head.method, Method::GET | Method::HEAD) {
            return None;
        }
        match path {
            "/_kew/reset" if is_post => Some(reset(front).await),
            "/_kew/clock" if is_post => Some(self.advance(front, asked).await),
            "/_kew/clock" => Some(self.show_clock()),
            "/_kew/peek" => {
                let messages = peek(front, known, look(asked, "")).await;
                let response = show(messages, Dialect::Json, asked);
                Some(response)
            }
            _ => {
                let place = path.strip_prefix("/_aws/sqs/messages")?;
                let mut messages = peek(front, known, look(asked, place)).await;
                for message in messages.iter_mut().flatten() {
                    message.receipt_handle = Some(NO_HANDLE);
                }
                Some(show(messages, dialect(asked.head), asked))
            }
        }
    }

    fn show_clock(&self) -> Response {
        let (now, advanced) = (self.clock.now().0, self.clock.advanced().0);
        json(StatusCode::OK, format!("{{\"now_ms\":{now},\"advanced_ms\":{advanced}}}"))
    }

    async fn advance(&self, front: &Front, asked: &Asked<'_>) -> Response {
        let by = parameter(asked, "advance_ms").ok().flatten().and_then(|text| text.parse().ok());
        let Some(by) = by else {
            let help = "give advance_ms, the milliseconds to move forward: POST /_kew/clock?advance_ms=60000";
            return json(StatusCode::BAD_REQUEST, format!("{{\"message\":\"{help}\"}}"));
        };
        self.clock.advance(Millis(by));
        // Waking the shard lets everything that has become due happen before we answer.
        match front.router.ask(Command::Stats).await {
            Ok(_) => self.show_clock(),
            Err(refusal) => refused(&refusal.into()),
        }
    }
}

/// Everything goes: queues, messages, memories of deleted queues.
async fn reset(front: &Front) -> Response {
    match front.router.ask(Command::Reset).await {
        Ok(_) => json(StatusCode::OK, "{}".to_owned()),
        Err(refusal) => refused(&refusal.into()),
    }
}

/// The messages of a queue, as a receive would show them.
async fn peek(
    front: &Front,
    known: &Result<(Caller, Text), Fault>,
    look: Result<Look, Fault>,
) -> Result<Vec<Message>, Fault> {
    let (Look { queue_url, max }, (caller, endpoint)) = (look?, known.clone()?);
    let call = Call { caller, endpoint, query: false, trace: None };
    let (command, finish) = api::peek(&call, &queue_url, max)?;
    let answer = front.sse.ask(&front.router, command).await?;
    let reply = match answer.reply {
        Reply::Sqs(reply) => api::finish(finish, reply, answer.payloads)?,
        _ => return Err(Fault::new(&common::INTERNAL_FAILURE, "no such answer")),
    };
    match reply {
        sqs::Reply::ReceiveMessage(result) => Ok(result.messages),
        _ => Err(Fault::new(&common::INTERNAL_FAILURE, "no such answer")),
    }
}

/// What a request asks to see: by the QueueUrl of a form, of a query string or of a ReceiveMessage in any dialect, or by
/// the path `/REGION/ACCOUNT/NAME` below the endpoint.
fn look(asked: &Asked<'_>, place: &str) -> Result<Look, Fault> {
    let head = request_head(asked.head);
    let only_receives = || Fault::new(&INVALID_REQUEST, "This endpoint only accepts ReceiveMessage calls");
    if head.target.is_some() {
        let route = kew_wire::recognise(&head, None).map_err(|unrecognised| unrecognised.fault)?;
        let request = kew_wire::decode::<Sqs>(&route, &head, asked.body.clone())?;
        let Request::ReceiveMessage(receive) = request else { return Err(only_receives()) };
        return Ok(Look { queue_url: receive.queue_url, max: PEEK_MESSAGES });
    }
    if parameter(asked, "Action")?.is_some_and(|action| action != "ReceiveMessage") {
        return Err(only_receives());
    }
    let max =
        parameter(asked, "MaxNumberOfMessages")?.and_then(|text| text.parse().ok()).unwrap_or(PEEK_MESSAGES);
    let by_path = || (place.split('/').count() == 4).then(|| format!("http://localhost/queue{place}").into());
    let queue_url = parameter(asked, "QueueUrl")?.or_else(by_path);
    let queue_url = queue_url.ok_or_else(|| {
        Fault::new(&faults::QUEUE_DOES_NOT_EXIST, "The specified queue does not exist; name it by QueueUrl.")
    })?;
    Ok(Look { queue_url, max })
}

/// A parameter of the query string or of a form in the body.
fn parameter(asked: &Asked<'_>, name: &str) -> Result<Option<Text>, Fault> {
    let query = Text::from(asked.head.uri.query().unwrap_or_default());
    let body = Text::try_from(asked.body.clone()).unwrap_or_default();
    Form::parse(&[&query, &body])?.get(name)
}

/// The dialect that the caller of LocalStack's endpoint expects.
fn dialect(head: &Head) -> Dialect {
    match kew_wire::recognise(&request_head(head), None) {
        Ok(route) => route.dialect,
        Err(unrecognised) => unrecognised.dialect,
    }
}

fn show(messages: Result<Vec<Message>, Fault>, dialect: Dialect, asked: &Asked<'_>) -> Response {
    let mut body = Vec::new();
    let id = asked.id.as_str();
    let head = match messages {
        Ok(messages) => {
            let reply = sqs::Reply::ReceiveMessage(sqs::ReceiveMessageResult { messages });
            kew_wire::encode_reply::<Sqs>(dialect, &reply, id, &mut body)
        }
        Err(fault) => kew_wire::encode_fault(dialect, &MODEL, &fault, id, &mut body),
    };
    let status = StatusCode::from_u16(head.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    respond(status, head.content_type, body)
}

fn refused(fault: &Fault) -> Response {
    json(StatusCode::SERVICE_UNAVAILABLE, format!("{{\"message\":{:?}}}", fault.message))
}

fn json(status: StatusCode, text: impl Into<Bytes>) -> Response {
    respond(status, "application/json", text)
}
