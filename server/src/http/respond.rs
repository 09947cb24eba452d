//! Answers, as HTTP carries them.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};

/// An answer's body: all of it, at once.
pub(crate) type Body = Bytes;

/// An answer.
pub(crate) fn respond(
    status: StatusCode,
    content_type: &'static str,
    body: impl Into<Bytes>,
) -> Response<Body> {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// An answer without a body.
pub(super) fn empty(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = status;
    response
}

/// Ends the connection behind this answer.
pub(super) fn closing(mut response: Response<Body>) -> Response<Body> {
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}
