//! Whether the server lives, for whoever watches it.

use std::sync::Arc;

use http::StatusCode;

use crate::http::{Response, respond};
use crate::meters::ShardMeters;
use crate::router::Router;

/// `GET /health`: 200 while requests are served, 503 while a shard's state is being rebuilt after a failure of the disk. If the data of
/// shards is damaged, the others serve, and it says so; 503 if none is left. Release and shards are told only where nobody is a stranger
/// (`tells_all`).
pub(crate) fn health(shards: &[(u32, Arc<ShardMeters>)], router: &Router, tells_all: bool) -> Response {
    let closed: Vec<_> = shards.iter().filter(|(_, meters)| meters.closed.get() != 0).collect();
    let damaged: Vec<u32> = router.damaged().collect();
    let serves = router.shards().next().is_some();
    let (status, word) = match (closed.is_empty(), damaged.is_empty()) {
        (false, _) => (StatusCode::SERVICE_UNAVAILABLE, "recovering"),
        (true, false) if serves => (StatusCode::OK, "degraded"),
        (true, false) => (StatusCode::SERVICE_UNAVAILABLE, "degraded"),
        (true, true) => (StatusCode::OK, "ok"),
    };
    let mut answer = serde_json::json!({ "status": word });
    if !tells_all {
        return json(status, answer.to_string());
    }
    answer["version"] = env!("CARGO_PKG_VERSION").into();
    if closed.is_empty() && serves {
        answer["services"] = serde_json::json!({ "sqs": "running" });
    }
    if !closed.is_empty() {
        answer["recovering_shards"] = closed.iter().map(|(number, _)| *number).collect();
    }
    if !damaged.is_empty() {
        answer["damaged_shards"] = damaged.into();
    }
    json(status, answer.to_string())
}

/// `GET /_localstack/health`, in LocalStack's form, for tools that wait for LocalStack: always 200, and what [`health`] answers otherwise
/// with 503 is an `error` of the service. The release as there.
pub(crate) fn localstack(shards: &[(u32, Arc<ShardMeters>)], router: &Router, tells_all: bool) -> Response {
    let is_closed = |(_, meters): &(u32, Arc<ShardMeters>)| meters.closed.get() != 0;
    let serves = router.shards().next().is_some() && !shards.iter().any(is_closed);
    let state = if serves { "running" } else { "error" };
    let mut answer = serde_json::json!({ "services": { "sqs": state }, "edition": "community" });
    if tells_all {
        answer["version"] = env!("CARGO_PKG_VERSION").into();
    }
    json(StatusCode::OK, answer.to_string())
}

fn json(status: StatusCode, text: impl Into<bytes::Bytes>) -> Response {
    respond(status, "application/json", text)
}
