//! The walk of an AWS request: recognised and decoded by `wire`, checked by the service's `api`, decided by its shard,
//! encoded in the caller's dialect.

use http::request::Parts;
use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use kew_engine::identity::Caller;
use kew_engine::services::sqs::api::{self, Call};
use kew_engine::shard::{Command, Reply};
use kew_wire::fault::{Fault, common};
use kew_wire::service::Model;
use kew_wire::services::sqs::{Operation, Sqs};
use kew_wire::{Dialect, ReplyHead, RequestHead, Service, Text, sqs};

use super::front::{Asked, Front};
use super::respond::{Body, respond};
use crate::identity;
use crate::mailbox::Refusal;

const TARGET: HeaderName = HeaderName::from_static("x-amz-target");
const TRACE: HeaderName = HeaderName::from_static("x-amzn-trace-id");
const QUERY_ERROR: HeaderName = HeaderName::from_static("x-amzn-query-error");

/// Room for the replies that are sent most.
const REPLY_BYTES: usize = 512;

/// Answers a request of an AWS service.
pub(super) async fn answer(
    front: &Front,
    known: Result<(Caller, Text), Fault>,
    asked: Asked<'_>,
) -> Response<Body> {
    let head = request_head(asked.head);
    let signed_for = match head.target {
        Some(_) => None,
        None => identity::signed_for(&asked.head.headers, head.query),
    };
    let route = match kew_wire::recognise(&head, signed_for.as_deref()) {
        Ok(route) => route,
        Err(unrecognised) => {
            let shown = Shown { dialect: unrecognised.dialect, model: Sqs::MODEL, operation: None };
            return shown.fault(front, &asked, &unrecognised.fault);
        }
    };
    let operation = route.operation.and_then(Sqs::operation);
    let mut shown = Shown { dialect: route.dialect, model: route.service, operation };
    let request = match kew_wire::decode::<Sqs>(&route, &head, asked.body.clone()) {
        Ok(request) => request,
        Err(fault) => return shown.fault(front, &asked, &fault),
    };
    shown.operation = Some(request.operation());
    match carry_out(front, known, &asked, route.dialect, request).await {
        Ok(reply) => shown.reply(front, &asked, &reply),
        Err(fault) => shown.fault(front, &asked, &fault),
    }
}

/// The refusal of a request whose body was not even read.
pub(super) fn throttled(front: &Front, asked: &Asked<'_>) -> Response<Body> {
    let dialect = match kew_wire::recognise(&request_head(asked.head), None) {
        Ok(route) => route.dialect,
        Err(unrecognised) => unrecognised.dialect,
    };
    Shown { dialect, model: Sqs::MODEL, operation: None }.fault(front, asked, &Refusal::Busy.into())
}

async fn carry_out(
    front: &Front,
    known: Result<(Caller, Text), Fault>,
    asked: &Asked<'_>,
    dialect: Dialect,
    request: sqs::Request,
) -> Result<sqs::Reply, Fault> {
    let (caller, endpoint) = known?;
    let trace = asked.head.headers.get(TRACE).and_then(|value| value.to_str().ok()).map(Text::from);
    let call = Call { caller, endpoint, query: dialect != Dialect::Json, trace };
    let (command, finish) = api::prepare(&call, request)?;
    let answer = front.router.ask(Command::Sqs(command)).await?;
    match answer.reply {
        Reply::Sqs(reply) => api::finish(finish, reply, answer.payloads),
        Reply::Done | Reply::Stats(_) => {
            Err(Fault::new(&common::INTERNAL_FAILURE, "The answer does not fit the request."))
        }
    }
}

/// What `wire` wants to know of a request's head.
pub(crate) fn request_head(head: &Parts) -> RequestHead<'_> {
    let text = |name: HeaderName| head.headers.get(name).and_then(|value| value.to_str().ok());
    RequestHead {
        method: head.method.as_str(),
        path: head.uri.path(),
        query: head.uri.query(),
        host: head.uri.authority().map(|authority| authority.as_str()).or_else(|| text(header::HOST)),
        content_type: text(header::CONTENT_TYPE),
        target: text(TARGET),
        accept: text(header::ACCEPT),
    }
}

/// How an outcome is shown.
struct Shown {
    dialect: Dialect,
    model: &'static Model,
    operation: Option<Operation>,
}

impl Shown {
    fn reply(&self, front: &Front, asked: &Asked<'_>, reply: &sqs::Reply) -> Response<Body> {
        let mut body = Vec::with_capacity(REPLY_BYTES);
        let head = kew_wire::encode_reply::<Sqs>(self.dialect, reply, asked.id.as_str(), &mut body);
        self.show(front, head, body)
    }

    fn fault(&self, front: &Front, asked: &Asked<'_>, fault: &Fault) -> Response<Body> {
        let mut body = Vec::with_capacity(REPLY_BYTES);
        let head = kew_wire::encode_fault(self.dialect, self.model, fault, asked.id.as_str(), &mut body);
        self.show(front, head, body)
    }

    fn show(&self, front: &Front, head: ReplyHead, body: Vec<u8>) -> Response<Body> {
        front.meters.see_request(self.operation, head.status);
        let status = StatusCode::from_u16(head.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = respond(status, head.content_type, body);
        if let Some(value) = head.query_error.and_then(|text| HeaderValue::try_from(text).ok()) {
            response.headers_mut().insert(QUERY_ERROR, value);
        }
        response
    }
}
