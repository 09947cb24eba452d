//! Whether the server lives, for whoever watches it.

use http::{Response, StatusCode};

use crate::http::{Body, respond};
use crate::meters::ShardMeters;

/// `GET /health`: 200 while requests are served, 503 while the state is being rebuilt after a failure of the disk.
pub(crate) fn health(shard: &ShardMeters) -> Response<Body> {
    if shard.closed.get() != 0 {
        return json(
            StatusCode::SERVICE_UNAVAILABLE,
            concat!(r#"{"status":"recovering","version":""#, env!("CARGO_PKG_VERSION"), r#""}"#),
        );
    }
    json(
        StatusCode::OK,
        concat!(
            r#"{"status":"ok","version":""#,
            env!("CARGO_PKG_VERSION"),
            r#"","services":{"sqs":"running"}}"#
        ),
    )
}

/// `GET /_localstack/health`, in LocalStack's form, for tools that wait for LocalStack.
pub(crate) fn localstack() -> Response<Body> {
    json(
        StatusCode::OK,
        concat!(
            r#"{"services":{"sqs":"running"},"edition":"community","version":""#,
            env!("CARGO_PKG_VERSION"),
            r#""}"#
        ),
    )
}

fn json(status: StatusCode, text: &'static str) -> Response<Body> {
    respond(status, "application/json", text)
}
