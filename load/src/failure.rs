//! Why a measurement could not be made: one line for whoever started it.

use std::io;

/// The measurement cannot begin or go on.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The endpoint cannot be spoken to as it was named.
    #[error("--endpoint {0}: {1}")]
    Endpoint(String, String),
    /// What was asked for makes no sense.
    #[error("{0}")]
    Asked(String),
    /// No connection to the endpoint.
    #[error("cannot reach {0}: {1}")]
    Unreachable(String, io::Error),
    /// A request that must succeed before anything can be measured was refused.
    #[error("{operation} answered {status}: {body}")]
    Refused {
        /// The operation's name.
        operation: &'static str,
        /// The HTTP status.
        status: u16,
        /// What the endpoint said.
        body: String,
    },
    /// A process could not be started, watched or stopped.
    #[error("{0}: {1}")]
    Process(String, String),
}
