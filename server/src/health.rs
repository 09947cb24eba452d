//! Whether the server lives, for whoever watches it.

use http::{Response, StatusCode};

use crate::http::{Body, respond};

/// `GET /health`.
pub(crate) fn health() -> Response<Body> {
    json(concat!(
        r#"{"status":"ok","version":""#,
        env!("CARGO_PKG_VERSION"),
        r#"","services":{"sqs":"running"}}"#
    ))
}

/// `GET /_localstack/health`, in LocalStack's form, for tools that wait for LocalStack.
pub(crate) fn localstack() -> Response<Body> {
    json(concat!(
        r#"{"services":{"sqs":"running"},"edition":"community","version":""#,
        env!("CARGO_PKG_VERSION"),
        r#""}"#
    ))
}

fn json(text: &'static str) -> Response<Body> {
    respond(StatusCode::OK, "application/json", text)
}
