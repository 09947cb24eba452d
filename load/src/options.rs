//! What a measurement is asked to do.

use std::path::PathBuf;

use crate::identity::Identity;
use crate::interrupt::Interrupt;
use crate::protocol::Protocol;

/// The smallest body: it begins with a number of so many digits.
pub const LEAST_BODY: u32 = 20;

/// The largest body that SQS takes.
pub const MOST_BODY: u32 = 1_048_576;

/// Where the load goes, how much of it, and for how long.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where the server listens: `http://HOST[:PORT][/PATH]` or `https://…`.
    pub endpoint: String,
    /// The region that requests name.
    pub region: String,
    /// Who calls.
    pub identity: Identity,
    /// The dialect of requests.
    pub protocol: Protocol,
    /// Certificates of those who vouch for a server behind TLS, a PEM file; the system's if not given.
    pub authorities: Option<PathBuf>,
    /// The queue, created if it is not there; FIFO work adds `.fifo` to the name.
    pub queue: String,
    /// Attributes that the queue is created with.
    pub attributes: Vec<(String, String)>,
    /// Connections, each with one request on its way.
    pub connections: u32,
    /// Bytes of each message's body, at least [`LEAST_BODY`].
    pub body_bytes: u32,
    /// Seconds to measure.
    pub duration: f64,
    /// Stop after so many messages instead of after the duration.
    pub count: Option<u64>,
    /// Seconds to work before measuring.
    pub warmup: f64,
    /// Requests per second that fall due whatever the server does; without it each connection waits for its answer.
    pub rate: Option<f64>,
    /// Whether a report tells of each request when it began and ended, which takes 32 bytes of memory for each.
    pub keeps_spans: bool,
    /// The server's process, whose CPU time is counted.
    pub pid: Option<u32>,
    /// Whether progress is told on standard error.
    pub progress: bool,
    /// What ends the measurement early.
    pub interrupt: Interrupt,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            endpoint: "http://127.0.0.1:4566".to_owned(),
            region: "us-east-1".to_owned(),
            identity: Identity::default(),
            protocol: Protocol::Json,
            authorities: None,
            queue: "kew-bench".to_owned(),
            attributes: Vec::new(),
            connections: 64,
            body_bytes: 100,
            duration: 5.0,
            count: None,
            warmup: 0.5,
            rate: None,
            keeps_spans: false,
            pid: None,
            progress: false,
            interrupt: Interrupt::default(),
        }
    }
}
