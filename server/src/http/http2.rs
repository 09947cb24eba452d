//! HTTP/2 on one connection: many requests at once, so what HTTP/1.1 bounds by its one request is bounded here.
//!
//! Streams, headers, windows and resets are bounded by the library underneath, with our limits. What it does not bound is here: how
//! many requests all connections of a worker hold, how long a connection may idle, and how long an answer may wait to be taken.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, Uri, header};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, sleep_until};

use super::connections::Stopping;
use super::front::Connection;
use super::head::{Head, Headers};
use super::respond::empty;
use crate::limits;
use crate::meters::WorkerMeters;

/// Serves a connection until it ends, idles for too long, or takes no answers. A stopping server lets the requests that are being
/// answered finish and then closes.
pub(super) async fn serve<S>(stream: S, connection: Connection, mut stopping: Stopping)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let connection = Arc::new(connection);
    let activity = Arc::new(Activity::new(connection.meters()));
    let seen = Arc::clone(&activity);
    let service = service_fn(move |request| {
        let (connection, seen) = (Arc::clone(&connection), Arc::clone(&seen));
        async move { Ok::<_, Infallible>(answer(&connection, &seen, request).await.map(Full::new)) }
    });
    let mut http = pin!(
        http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .max_concurrent_streams(limits::STREAMS)
            .max_header_list_size(limits::HEAD_BYTES as u32)
            .max_pending_accept_reset_streams(limits::RESET_STREAMS)
            .max_local_error_reset_streams(limits::REFUSED_STREAMS)
            .initial_stream_window_size(limits::STREAM_WINDOW)
            .initial_connection_window_size(limits::CONNECTION_WINDOW)
            .keep_alive_interval(limits::PING_INTERVAL)
            .keep_alive_timeout(limits::PING_TIME)
            .serve_connection(TokioIo::new(stream), service)
    );
    let mut end = pin!(async {
        tokio::select! {
            // The sender lives as long as the server.
            _ = stopping.wait_for(|stopping| *stopping) => {}
            () = activity.idle() => {}
        }
    });
    let mut is_ending = false;
    let serving = poll_fn(|context| {
        if !is_ending && end.as_mut().poll(context).is_ready() {
            is_ending = true;
            http.as_mut().graceful_shutdown();
        }
        http.as_mut().poll(context)
    });
    tokio::select! {
        result = serving => if let Err(error) = result {
            tracing::debug!(%error, "a connection ended early");
        },
        () = activity.abandoned() => tracing::debug!("a connection took no answers, or did not go when it was told to"),
    }
}

async fn answer(
    connection: &Connection,
    activity: &Arc<Activity>,
    request: Request<Incoming>,
) -> Response<Bytes> {
    let (head, body) = take(request);
    if connection.meters().streams.get() >= limits::STREAMS_HELD {
        return connection.throttle(&head).into_http();
    }
    let held = activity.begin();
    if head.headers.len() > limits::HEADERS {
        return empty(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE).into_http();
    }
    let is_head = head.method == Method::HEAD;
    let mut response = connection.answer(head, body).await.into_http();
    if is_head {
        let body = std::mem::take(response.body_mut());
        response.headers_mut().insert(header::CONTENT_LENGTH, body.len().into());
    }
    response.map(|body| held.give(body))
}

/// The host stands where HTTP/1.1 has it, so that nobody behind this needs to know two places; signatures cover it by that name.
fn take(request: Request<Incoming>) -> (Box<Head>, Incoming) {
    let (mut parts, body) = request.into_parts();
    if let Some(authority) = parts.uri.authority() {
        let host = HeaderValue::from_str(authority.as_str());
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str()).parse::<Uri>();
        // What was parsed as part of a URL parses again.
        if let (Ok(host), Ok(path)) = (host, path) {
            parts.uri = path;
            parts.headers.insert(header::HOST, host);
        }
    }
    (Box::new(Head { method: parts.method, uri: parts.uri, headers: Headers::from(&parts.headers) }), body)
}

/// What happens on a connection.
struct Activity {
    meters: Arc<WorkerMeters>,
    state: Mutex<State>,
}

struct State {
    /// Requests that have no answer yet.
    asked: u32,
    /// Answers that were not taken in full yet.
    given: u32,
    /// How long it may idle: less before the first request.
    patience: Duration,
    /// When the last request came or the last answer was taken.
    last: Instant,
    /// Since when no answer was taken, though there are some.
    stalled: Instant,
}

impl Activity {
    fn new(meters: &Arc<WorkerMeters>) -> Self {
        let now = Instant::now();
        Self {
            meters: Arc::clone(meters),
            state: Mutex::new(State {
                asked: 0,
                given: 0,
                patience: limits::FIRST_HEAD_TIME,
                last: now,
                stalled: now,
            }),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(self: &Arc<Self>) -> Held {
        self.meters.streams.add(1);
        let mut state = self.state();
        state.asked += 1;
        state.patience = limits::HEAD_TIME;
        state.last = Instant::now();
        Held { activity: Arc::clone(self), is_given: false }
    }

    /// Waits until nothing has happened for as long as a connection may idle.
    async fn idle(&self) {
        self.quiet_for(Duration::ZERO).await;
    }

    /// Waits until a connection that idled did not go, or until no answer is taken.
    async fn abandoned(&self) {
        let stuck = async {
            loop {
                let end = {
                    let state = self.state();
                    let since = if state.given == 0 { Instant::now() } else { state.stalled };
                    since + limits::ANSWER_TIME
                };
                if end <= Instant::now() {
                    return;
                }
                sleep_until(end).await;
            }
        };
        tokio::select! {
            () = stuck => {}
            () = self.quiet_for(limits::STOP_TIME) => {}
        }
    }

    /// Waits until nothing has happened for so much longer than a connection may idle.
    async fn quiet_for(&self, longer: Duration) {
        loop {
            let end = {
                let state = self.state();
                let last = if state.asked + state.given == 0 { state.last } else { Instant::now() };
                last + state.patience + longer
            };
            if end <= Instant::now() {
                return;
            }
            sleep_until(end).await;
        }
    }
}

/// A request until it has its answer, and then the answer until it was taken, or until nobody wants it any more.
struct Held {
    activity: Arc<Activity>,
    is_given: bool,
}

impl Held {
    /// The answer, which tells by its end that it was taken.
    fn give(mut self, bytes: Bytes) -> Bytes {
        if bytes.is_empty() {
            return bytes;
        }
        {
            let mut state = self.activity.state();
            state.asked -= 1;
            if state.given == 0 {
                state.stalled = Instant::now();
            }
            state.given += 1;
        }
        self.is_given = true;
        Bytes::from_owner(Given { bytes, _held: self })
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.activity.meters.streams.subtract(1);
        let mut state = self.activity.state();
        state.last = Instant::now();
        if self.is_given {
            state.given -= 1;
            state.stalled = state.last;
        } else {
            state.asked -= 1;
        }
    }
}

/// An answer's bytes.
struct Given {
    bytes: Bytes,
    _held: Held,
}

impl AsRef<[u8]> for Given {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}
