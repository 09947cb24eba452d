//! Answers, before any version of HTTP carries them.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use kew_wire::request_id::RequestId;

use crate::audit::Told;

/// By what name an answer tells its request's id: as AWS does, and as some of its clients look for it.
pub(super) const REQUEST_ID: [&str; 2] = ["x-amzn-requestid", "x-amz-request-id"];

/// An answer: all of it, at once.
#[derive(Debug, Default)]
pub(crate) struct Response {
    pub(crate) status: StatusCode,
    /// Empty if there is no body to describe.
    pub(crate) content_type: &'static str,
    pub(crate) body: Bytes,
    /// What few answers say besides.
    pub(crate) headers: HeaderMap,
    /// The request's id, once it is known.
    pub(crate) id: Option<RequestId>,
    /// Whether the connection ends behind it. (HTTP/2 knows no such thing: one request's end is not the connection's.)
    pub(crate) closes: bool,
    /// What the audit log shall know of it.
    pub(crate) told: Option<Told>,
}

impl Response {
    /// As HTTP/2 carries it.
    pub(super) fn into_http(self) -> http::Response<Bytes> {
        let mut response = http::Response::new(self.body);
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        let headers = response.headers_mut();
        if !self.content_type.is_empty() {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(self.content_type));
        }
        // Ids are made of hexadecimal digits and hyphens.
        let id = self.id.and_then(|id| HeaderValue::from_str(id.as_str()).ok());
        for (name, value) in REQUEST_ID.into_iter().zip(std::iter::repeat_n(id, 2)) {
            value.map(|value| headers.insert(HeaderName::from_static(name), value));
        }
        response
    }
}

/// An answer.
pub(crate) fn respond(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Response {
    Response { status, content_type, body: body.into(), ..Response::default() }
}

/// An answer without a body.
pub(super) fn empty(status: StatusCode) -> Response {
    Response { status, ..Response::default() }
}

/// Ends the connection behind this answer.
pub(super) fn closing(answer: Response) -> Response {
    Response { closes: true, ..answer }
}
