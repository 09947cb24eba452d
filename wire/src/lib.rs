//! How AWS speaks: the dialects of its services, their typed requests and replies, and how a fault is shown.
//!
//! Nothing here knows a socket or what a queue is. The crate is `no_std`, so it cannot reach one by mistake.
#![no_std]

extern crate alloc;

pub mod arn;
pub mod auth;
pub mod codec;
pub mod dialects;
pub mod fault;
pub mod request_id;
pub mod service;
pub mod services;

pub use service::{
    Dialect, ReplyHead, RequestHead, Route, Service, Unrecognised, decode, encode_fault, encode_reply,
    recognise,
};
pub use services::sqs;

/// A UTF-8 string that shares the buffer it was read from: cloning or slicing one copies no text.
pub use bytestring::ByteString as Text;
