//! The operations under AWS's names: each checks its request and says what to ask of the state machine ([`prepare`]),
//! and turns the state machine's answer into AWS's reply ([`finish`]).
//!
//! Nothing here knows a queue's state; what depends on it is refused by the state machine, in words from
//! [`super::faults`].

use alloc::vec::Vec;

use bytes::Bytes;
use kew_wire::Text;
use kew_wire::fault::Fault;
use kew_wire::sqs::{Reply, Request};

use super::command::{self, Command};
use crate::identity::Caller;

/// A request's surroundings.
#[derive(Debug, Clone)]
pub struct Call {
    /// Who calls.
    pub caller: Caller,
    /// How this server is reached, for queue URLs (`http://localhost:4566`).
    pub endpoint: Text,
    /// Whether the request came in the Query dialect, in which AWS does a few things differently.
    pub query: bool,
}

/// What a reply needs beside the state machine's answer.
#[derive(Debug)]
pub enum Finish {
    /// TODO
    Stub,
}

/// Checks a request: what to ask of the state machine, and what [`finish`] will need.
pub fn prepare(_call: &Call, _request: Request) -> Result<(Command, Finish), Fault> {
    Err(super::faults::unsupported(""))
}

/// AWS's reply. `payloads` are those of [`command::Reply::Received`]'s deliveries, in order.
pub fn finish(_finish: Finish, _reply: command::Reply, _payloads: Vec<Bytes>) -> Result<Reply, Fault> {
    Err(super::faults::unsupported(""))
}
