//! The walk of an AWS request: recognised and decoded by `wire`, checked by the service's `api`, decided by its shard,
//! encoded in the caller's dialect.

mod services;
#[cfg(test)]
mod tests;

use std::pin::Pin;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode};
use kew_engine::identity::{Caller, Kind};
use kew_engine::services::sqs::api::{self, Call, Finish};
use kew_engine::services::sqs::{self, QueueKey};
use kew_engine::shard::Reply;
use kew_wire::fault::{Fault, common};
use kew_wire::request_id::RequestId;
use kew_wire::service::Model;
use kew_wire::services::sqs::{Operation, Request, Sqs};
use kew_wire::{Dialect, ReplyHead, RequestHead, Route, Service, Text, Unrecognised};

use super::front::Front;
use super::head::Head;
use super::respond::{Response, respond};
use crate::audit::Told;
use crate::identity;
use crate::mailbox::{Answer, Refusal};
use crate::meters::Counted;
use crate::router::Router;

const TARGET: &str = "x-amz-target";
const TRACE: &str = "x-amzn-trace-id";
const QUERY_ERROR: HeaderName = HeaderName::from_static("x-amzn-query-error");

/// Room for the replies that are sent most.
const REPLY_BYTES: usize = 512;

/// A receive in the Query dialect is recognised only once it is read; it is never longer than this.
const WAITING_BYTES: usize = 4096;

/// What to ask of a shard and how to finish its answer, or why not.
type Checked = Result<(sqs::Command, Finish), Fault>;

/// A request ready to be asked.
struct Prepared {
    shown: Shown,
    command: sqs::Command,
    finish: Finish,
}

/// What becomes of a request that is not.
enum Otherwise<'a> {
    Refused(Box<Response>),
    /// Its queue is asked something else first. Boxed, for it is rare, and a long poll keeps room for whatever could have been.
    Asking(Pin<Box<dyn Future<Output = Response> + Send + 'a>>),
}

/// Answers a request of an AWS service.
pub(super) async fn answer(
    front: &Front,
    known: Result<(Caller, Text), Fault>,
    head: Box<Head>,
    body: Bytes,
    id: RequestId,
) -> Response {
    let spoken = request_head(&head);
    let route = match find(&spoken, &head, &body) {
        Ok(route) => route,
        Err(Unrecognised { dialect, fault }) => {
            return Shown { dialect, model: Sqs::MODEL, counted: None, id }.fault(front, &fault);
        }
    };
    if route.service != Sqs::MODEL {
        return Box::pin(services::answer(front, known, &route, &spoken, body, id)).await;
    }
    let prepared = prepare(front, known, &route, &spoken, &head, body, id);
    // Both keep the connection's read buffer, and a long poll waits long.
    drop(head);
    let Prepared { shown, command, finish } = match prepared {
        Ok(prepared) => prepared,
        Err(Otherwise::Refused(response)) => return *response,
        Err(Otherwise::Asking(answer)) => return answer.await,
    };
    let answer = front.sse.ask(&front.router, command).await;
    shown.finished(front, finish, answer)
}

/// Where a request goes: by its head; what is not signed, by the version that it names.
fn find<'a>(head: &RequestHead<'a>, parts: &Head, body: &[u8]) -> Result<Route<'a>, Unrecognised> {
    if head.target.is_some() {
        return kew_wire::recognise(head, None);
    }
    let signed_for = identity::signed_for(parts);
    let mut route = kew_wire::recognise(head, signed_for.as_deref())?;
    if signed_for.is_none()
        && let Some(service) = kew_wire::versioned(head.query, body)
    {
        route.service = service;
    }
    Ok(route)
}

/// The service that a request goes to, by its signing name; `None` if it goes nowhere.
pub(super) fn called(parts: &Head) -> Option<&'static str> {
    let head = request_head(parts);
    let signed_for = if head.target.is_some() { None } else { identity::signed_for(parts) };
    kew_wire::recognise(&head, signed_for.as_deref()).ok().map(|route| route.service.name)
}

/// Whether somebody without credentials may ask for this at all: what concerns a queue, whose policy decides.
fn is_for_all(operation: Operation) -> bool {
    !matches!(
        operation,
        Operation::CreateQueue
            | Operation::ListQueues
            | Operation::StartMessageMoveTask
            | Operation::CancelMessageMoveTask
            | Operation::ListMessageMoveTasks
    )
}

/// Whether the caller should have signed, and did not.
fn is_stranger(caller: &Caller) -> bool {
    caller.identity.as_ref().is_some_and(|identity| identity.principal.kind == Kind::Anonymous)
}

/// Answers a request to send of somebody without credentials.
async fn answer_stranger(
    front: &Front,
    shown: Shown,
    call: Call,
    request: Request,
    key: QueueKey,
) -> Response {
    match check_strange(&front.router, call, request, key).await {
        Ok((command, finish)) => {
            let answer = front.sse.ask(&front.router, command).await;
            shown.finished(front, finish, answer)
        }
        Err(fault) => shown.fault(front, &fault),
    }
}

/// Checks what somebody without credentials wants to send. The queue is asked first whether it lets him: hashing and encrypting costs far
/// more than that, and hardly any queue does.
async fn check_strange(router: &Router, call: Call, request: Request, key: QueueKey) -> Checked {
    match router.admit(&call.caller, &key, "SendMessage").await {
        Err(refusal) => Err(api::refuse(&call, request, refusal)),
        Ok(()) => api::prepare(&call, request),
    }
}

/// The refusal of those who should have signed.
fn unsigned(caller: &Caller) -> Result<(), Fault> {
    if is_stranger(caller) {
        let message = "Request is missing Authentication Token";
        return Err(Fault::new(&common::MISSING_AUTHENTICATION_TOKEN, message));
    }
    Ok(())
}

/// Decodes and checks.
fn prepare<'a>(
    front: &'a Front,
    known: Result<(Caller, Text), Fault>,
    route: &Route<'_>,
    head: &RequestHead<'_>,
    parts: &Head,
    body: Bytes,
    id: RequestId,
) -> Result<Prepared, Otherwise<'a>> {
    let operation = route.operation.and_then(Sqs::operation);
    let mut shown =
        Shown { dialect: route.dialect, model: route.service, counted: operation.map(Counted::from), id };
    let may_wait = match operation {
        Some(operation) => operation == Operation::ReceiveMessage,
        None => body.len() <= WAITING_BYTES,
    };
    // Before the body is read: who may not ask at all makes no other work.
    let refused = |shown: Shown, fault| Otherwise::Refused(Box::new(shown.fault(front, &fault)));
    let (caller, endpoint) = match known {
        Ok(known) => known,
        Err(fault) => return Err(refused(shown, fault)),
    };
    let body = if may_wait { Bytes::copy_from_slice(&body) } else { body };
    let request = kew_wire::decode::<Sqs>(route, head, body);
    if let Ok(request) = &request {
        shown.counted = Some(request.operation().into());
    }
    let request = request.and_then(|request| match is_for_all(request.operation()) {
        true => Ok(request),
        false => unsigned(&caller).map(|()| request),
    });
    let request = match request {
        Ok(request) => request,
        Err(fault) => return Err(refused(shown, fault)),
    };
    let trace = parts.headers.text(TRACE).map(Text::from);
    let call = Call { caller, endpoint, query: route.dialect != Dialect::Json, trace };
    if is_stranger(&call.caller)
        && let Some(key) = api::sends_to(&call, &request)
    {
        return Err(Otherwise::Asking(Box::pin(answer_stranger(front, shown, call, request, key))));
    }
    match api::prepare(&call, request) {
        Ok((command, finish)) => Ok(Prepared { shown, command, finish }),
        Err(fault) => Err(refused(shown, fault)),
    }
}

/// The refusal of a request whose body was not even read.
pub(super) fn throttled(front: &Front, head: &Head, id: RequestId) -> Response {
    let (dialect, model) = match kew_wire::recognise(&request_head(head), None) {
        Ok(route) => (route.dialect, route.service),
        Err(unrecognised) => (unrecognised.dialect, Sqs::MODEL),
    };
    Shown { dialect, model, counted: None, id }.fault(front, &Refusal::Busy.into())
}

/// What `wire` wants to know of a request's head.
pub(crate) fn request_head(head: &Head) -> RequestHead<'_> {
    RequestHead {
        method: head.method.as_str(),
        path: head.uri.path(),
        query: head.uri.query(),
        host: head.uri.authority().map(|authority| authority.as_str()).or_else(|| head.headers.text("host")),
        content_type: head.headers.text("content-type"),
        target: head.headers.text(TARGET),
        accept: head.headers.text("accept"),
    }
}

/// How an outcome is shown.
struct Shown {
    dialect: Dialect,
    model: &'static Model,
    counted: Option<Counted>,
    id: RequestId,
}

impl Shown {
    /// Shows what became of a request to the queue service.
    fn finished(&self, front: &Front, finish: Finish, answer: Result<Answer, Fault>) -> Response {
        let outcome = match answer {
            Ok(Answer { reply: Reply::Sqs(reply), payloads }) => api::finish(finish, reply, payloads),
            Ok(_) => Err(Fault::new(&common::INTERNAL_FAILURE, "The answer does not fit the request.")),
            Err(fault) => Err(fault),
        };
        match outcome {
            Ok(reply) => self.reply::<Sqs>(front, &reply),
            Err(fault) => self.fault(front, &fault),
        }
    }

    fn reply<S: Service>(&self, front: &Front, reply: &S::Reply) -> Response {
        let mut body = Vec::with_capacity(REPLY_BYTES);
        let head = kew_wire::encode_reply::<S>(self.dialect, reply, self.id.as_str(), &mut body);
        self.show(front, head, body, None)
    }

    fn fault(&self, front: &Front, fault: &Fault) -> Response {
        let mut body = Vec::with_capacity(REPLY_BYTES);
        let head = kew_wire::encode_fault(self.dialect, self.model, fault, self.id.as_str(), &mut body);
        self.show(front, head, body, Some(fault))
    }

    fn show(&self, front: &Front, head: ReplyHead, body: Vec<u8>, fault: Option<&Fault>) -> Response {
        front.meters.see_request(self.counted, head.status);
        let status = StatusCode::from_u16(head.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut answer = respond(status, head.content_type, body);
        if let Some(value) = head.query_error.and_then(|text| HeaderValue::try_from(text).ok()) {
            answer.headers.insert(QUERY_ERROR, value);
        }
        if front.audit.is_some() {
            answer.told = Some(Told::new(self.model, self.counted.map(Counted::name), fault));
        }
        answer
    }
}
