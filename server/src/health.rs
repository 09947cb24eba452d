//! Whether the server lives, for whoever watches it.

use std::sync::Arc;

use http::StatusCode;

use crate::http::{Response, respond};
use crate::meters::ShardMeters;
use crate::router::Router;

/// `GET /health`: 200 while requests are served, 503 while a shard's state is being rebuilt after a failure of the disk. If shards
/// did not start because their data is damaged, it says which; the others serve.
pub(crate) fn health(shards: &[(u32, Arc<ShardMeters>)], router: &Router) -> Response {
    let closed: Vec<_> = shards.iter().filter(|(_, meters)| meters.closed.get() != 0).collect();
    let damaged: Vec<usize> = router.damaged().map(|(number, _)| number).collect();
    let (status, word) = match (closed.is_empty(), damaged.is_empty()) {
        (false, _) => (StatusCode::SERVICE_UNAVAILABLE, "recovering"),
        (true, false) => (StatusCode::OK, "degraded"),
        (true, true) => (StatusCode::OK, "ok"),
    };
    let mut answer = serde_json::json!({ "status": word, "version": env!("CARGO_PKG_VERSION") });
    if closed.is_empty() {
        answer["services"] = serde_json::json!({ "sqs": "running" });
    } else {
        answer["recovering_shards"] = closed.iter().map(|(number, _)| *number).collect();
    }
    if !damaged.is_empty() {
        answer["damaged_shards"] = damaged.into();
    }
    json(status, answer.to_string())
}

/// `GET /_localstack/health`, in LocalStack's form, for tools that wait for LocalStack.
pub(crate) fn localstack() -> Response {
    json(
        StatusCode::OK,
        concat!(
            r#"{"services":{"sqs":"running"},"edition":"community","version":""#,
            env!("CARGO_PKG_VERSION"),
            r#""}"#
        ),
    )
}

fn json(status: StatusCode, text: impl Into<bytes::Bytes>) -> Response {
    respond(status, "application/json", text)
}
