//! How AWS speaks: the dialects of its services, their typed requests and replies, and how a fault is shown.
//!
//! A request walks through in four steps, none of which needs more than its bytes:
//!
//! 1. [`recognise`] looks at the head ([`RequestHead`]) and names service and [`Dialect`].
//! 2. [`decode`] reads body and URL into the service's typed request ([`sqs::Request`]), whose texts are slices of the
//!    body wherever nothing had to be unescaped. What it refuses is a [`fault::Fault`] in AWS's words.
//! 3. The service answers with its typed reply ([`sqs::Reply`]) or a fault.
//! 4. [`encode_reply`] or [`encode_fault`] appends the body to a buffer and gives status and headers ([`ReplyHead`]).
//!
//! [`auth`] reads who calls, [`arn`] names resources, [`request_id`] names answers.
//!
//! Types, schemas and faults of each service are generated from AWS's models (`cargo xtask models`). A new dialect is
//! one file in [`dialects`]: a reader, a writer and how it frames an answer. A new service is its model and a `mod.rs`.
//!
//! Nothing here knows a socket or what a queue is. The crate is `no_std`, so it cannot reach one by mistake.
#![no_std]

extern crate alloc;

pub mod arn;
pub mod auth;
pub mod codec;
pub mod dialects;
pub mod fault;
pub mod limits;
pub mod request_id;
pub mod service;
pub mod services;

pub use service::{
    Dialect, ReplyHead, RequestHead, Route, Service, Unrecognised, decode, encode_fault, encode_reply,
    recognise, versioned,
};
pub use services::{kms, sqs, sts};

/// A UTF-8 string that shares the buffer it was read from: cloning or slicing one copies no text.
pub use bytestring::ByteString as Text;
