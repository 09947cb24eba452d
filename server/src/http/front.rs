//! What one connection does with a request: bounds it, finds who calls, sends it where it belongs.

use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, Method, StatusCode, header};
use kew_wire::Text;
use kew_wire::request_id::RequestId;

use super::aws;
use super::body::{self, NoBody};
use super::callers::Callers;
use super::cors::{Origin, Trust};
use super::head::{Head, Headers};
use super::rates::Rates;
use super::respond::{Response, closing, empty, respond};
use crate::audit::{Audit, Visit};
use crate::backup::{self, Backups};
use crate::clock::Clock;
use crate::health;
use crate::identities::live::Live;
use crate::identity::{Identities, Page};
use crate::kms::Kms;
use crate::limits;
use crate::meters::WorkerMeters;
use crate::metrics::Metrics;
use crate::random::Random;
use crate::router::Router;
use crate::sse::Sse;
use crate::test_endpoints::TestEndpoints;
use crate::tls::Tls;

const METHODS: &str = "GET,HEAD,OPTIONS,POST";

/// What the connections of one worker share.
#[derive(Debug, Clone)]
pub(crate) struct Front {
    pub(crate) router: Router,
    pub(crate) kms: Arc<Kms>,
    pub(crate) sse: Arc<Sse>,
    pub(crate) identities: Arc<Identities>,
    pub(crate) random: Arc<Random>,
    pub(crate) meters: Arc<WorkerMeters>,
    pub(crate) metrics: Arc<Metrics>,
    /// What queue URLs begin with, if the operator says so.
    pub(crate) public_url: Option<Text>,
    /// Origins that may call besides those of this machine.
    pub(crate) origins: Arc<[String]>,
    /// Only where the operator opened them.
    pub(crate) test_endpoints: Option<TestEndpoints>,
    pub(crate) backups: Arc<Backups>,
    pub(crate) rates: Arc<Rates>,
    /// Where somebody wants to know who asks for what.
    pub(crate) audit: Option<Arc<Audit>>,
    /// Where connections are encrypted.
    pub(crate) tls: Option<Arc<Tls>>,
    pub(crate) live: Arc<Live>,
    pub(crate) clock: Arc<Clock>,
}

impl Front {
    /// Whom it trusts now.
    fn trust(&self) -> Trust<'_> {
        Trust {
            origins: &self.origins,
            public_url: self.public_url.as_deref(),
            is_open: self.identities.is_open(),
        }
    }
}

/// Who is at the other end of a connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer {
    /// Its address, an IPv4 address never in IPv6's clothes.
    pub(crate) ip: IpAddr,
    /// Whether it is on this machine.
    pub(crate) is_local: bool,
    /// Whether what it says is encrypted on its way.
    pub(crate) is_secure: bool,
}

/// A request, read and bounded.
pub(crate) struct Asked<'a> {
    pub(crate) head: &'a Head,
    pub(crate) body: Bytes,
    pub(crate) id: RequestId,
}

/// One connection.
pub(super) struct Connection {
    front: Arc<Front>,
    peer: Peer,
    callers: Callers,
}

impl Connection {
    /// A connection that has just come.
    pub(super) fn open(front: Arc<Front>, peer: Peer) -> Self {
        front.meters.accepted.add(1);
        front.meters.connections.add(1);
        Self { front, peer, callers: Callers::new(peer) }
    }

    /// What counts for it.
    pub(super) fn meters(&self) -> &Arc<WorkerMeters> {
        &self.front.meters
    }

    /// Refuses a request because there are too many.
    pub(super) fn throttle(&self, head: &Head) -> Response {
        aws::throttled(&self.front, head, self.front.random.request_id())
    }

    /// Answers a request.
    pub(super) async fn answer<B>(&self, head: Box<Head>, body: B) -> Response
    where
        B: hyper::body::Body<Data = Bytes> + Unpin,
    {
        let id = self.front.random.request_id();
        let origin = Origin::of(&head, self.front.trust());
        let mut answer = if origin == Origin::Forbidden {
            closing(empty(StatusCode::FORBIDDEN))
        } else if head.method == Method::OPTIONS {
            options()
        } else {
            // Boxed, so that a connection is small while it has nothing to answer.
            Box::pin(self.route(head, body, id)).await
        };
        origin.write(&mut answer.headers);
        answer.id = Some(id);
        answer
    }

    /// What is rare is boxed: a long poll holds on to the room of all of it while it waits.
    async fn route<B>(&self, head: Box<Head>, body: B, id: RequestId) -> Response
    where
        B: hyper::body::Body<Data = Bytes> + Unpin,
    {
        let path = head.uri.path();
        // Whether it lives must be seen also when there is too much to do.
        if path != "/health" && !self.front.rates.admit_address(self.peer.ip) {
            return aws::throttled(&self.front, &head, id);
        }
        if matches!(head.method, Method::GET | Method::HEAD) {
            match path {
                "/health" | "/_localstack/health" => {
                    let tell = if path == "/health" { health::health } else { health::localstack };
                    return tell(
                        &self.front.metrics.shards,
                        &self.front.router,
                        self.front.identities.is_open(),
                    );
                }
                "/metrics" => {
                    return match self.admit(Page::Metrics, &head, &[], id) {
                        Err(refused) => *refused,
                        Ok(_) => Box::pin(self.front.metrics.text(&self.front.router)).await,
                    };
                }
                _ => {}
            }
        }
        // The room that the body takes is given back with the answer.
        let is_strange = || self.front.identities.is_stranger(&head, aws::called);
        let (body, _room) = match body::read(body, &self.front.meters, is_strange).await {
            Ok(held) => held,
            Err(no_body) => return self.no_body(&head, no_body, id),
        };
        if !is_served(&head) {
            let mut answer = empty(StatusCode::METHOD_NOT_ALLOWED);
            answer.headers.insert(header::ALLOW, HeaderValue::from_static(METHODS));
            self.front.meters.see_request(None, 405);
            return answer;
        }
        let page = Page::at(path).filter(|_| self.front.test_endpoints.is_some() || path == backup::PATH);
        let visit = match page.map(|page| self.admit(page, &head, &body, id)).transpose() {
            Ok(visit) => visit.flatten(),
            Err(refused) => return *refused,
        };
        if path == backup::PATH && head.method == Method::POST {
            let backups = &self.front.backups;
            let answer = backups.answer(&self.front.router, self.peer.is_local, &head, &body);
            return noted(visit, Box::pin(answer).await);
        }
        if let Some(refused) = encoded(&head.headers) {
            self.front.meters.see_request(None, refused.status.as_u16());
            return refused;
        }
        let known = self.callers.identify(&self.front, &head, &body);
        if known.as_ref().is_ok_and(|(caller, _)| !self.front.rates.admit_caller(caller)) {
            let mut answer = aws::throttled(&self.front, &head, id);
            let audit = self.front.audit.as_ref();
            let note = audit.and_then(|audit| audit.note_throttled(&head, &body, &known, self.peer, id));
            if let Some(note) = note {
                note.answered(&mut answer);
            }
            return answer;
        }
        if let Some(test) = self.front.test_endpoints.as_ref().filter(|_| path.starts_with("/_")) {
            let asked = Asked { head: &head, body: body.clone(), id };
            if let Some(answer) = Box::pin(test.answer(&self.front, &known, &asked)).await {
                return noted(visit, answer);
            }
        }
        let audit = self.front.audit.as_ref();
        let note = audit.and_then(|audit| audit.note(&head, &body, &known, self.peer, id));
        let mut answer = aws::answer(&self.front, known, head, body, id).await;
        if let Some(note) = note {
            note.answered(&mut answer);
        }
        answer
    }

    /// The refusal of a request to one of Kew's own pages, or what the audit log notes of it.
    fn admit(
        &self,
        page: Page,
        head: &Head,
        body: &[u8],
        id: RequestId,
    ) -> Result<Option<Visit>, Box<Response>> {
        let visitor = self.front.identities.admit(page, self.peer, head, body);
        let who = visitor.as_ref().map(Option::as_deref).map_err(|refusal| refusal.who.as_deref());
        let audit = self.front.audit.as_ref();
        let visit = audit.and_then(|audit| audit.visit(page, who, head, body, self.peer, id));
        match visitor {
            Ok(_) => Ok(visit),
            Err(refusal) => {
                self.front.meters.see_request(None, refusal.answer.status.as_u16());
                Err(Box::new(noted(visit, refusal.answer)))
            }
        }
    }

    fn no_body(&self, head: &Head, no_body: NoBody, id: RequestId) -> Response {
        let status = match no_body {
            NoBody::TooLong { drained } => {
                // AWS refuses this before it looks for a dialect, in plain text.
                let text = format!("HTTP content length exceeded {} bytes.", limits::BODY_BYTES);
                let response = respond(StatusCode::PAYLOAD_TOO_LARGE, "text/plain", text);
                self.front.meters.see_request(None, 413);
                return if drained { response } else { closing(response) };
            }
            NoBody::Busy => {
                return closing(aws::throttled(&self.front, head, id));
            }
            NoBody::Broken => StatusCode::BAD_REQUEST,
            NoBody::Slow => StatusCode::REQUEST_TIMEOUT,
        };
        self.front.meters.see_request(None, status.as_u16());
        closing(empty(status))
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.front.meters.connections.subtract(1);
    }
}

/// The answer to a visit, noted.
fn noted(visit: Option<Visit>, answer: Response) -> Response {
    if let Some(visit) = visit {
        visit.answered(&answer);
    }
    answer
}

/// Whether the method may carry such a request: POST everything, GET what its query says, HEAD nothing, for its sender
/// would not see the answer.
fn is_served(head: &Head) -> bool {
    match head.method {
        Method::POST => true,
        Method::GET => !head.headers.contains("x-amz-target"),
        Method::HEAD => head.uri.query().is_none_or(str::is_empty),
        _ => false,
    }
}

/// The refusal of a body that would have to be unpacked first. Nothing is unpacked here: a few bytes can hide gigabytes.
fn encoded(headers: &Headers) -> Option<Response> {
    let plain = |value: &[u8]| value.is_empty() || value.eq_ignore_ascii_case(b"identity");
    if headers.all("content-encoding").all(plain) {
        return None;
    }
    let mut answer = empty(StatusCode::UNSUPPORTED_MEDIA_TYPE);
    answer.headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    Some(answer)
}

fn options() -> Response {
    let mut answer = empty(StatusCode::NO_CONTENT);
    answer.headers.insert(header::ALLOW, HeaderValue::from_static(METHODS));
    answer
}
