//! A load generator for any SQS endpoint: Kew, ElasticMQ, LocalStack, AWS; in AWS JSON or Query, with or without TLS, signed or not.
//!
//! It costs a few microseconds per request, because it often shares the machine with the server that it measures: one thread,
//! one task per connection, requests written into buffers that are used again, answers searched for the few fields that matter
//! instead of being parsed. It never interprets the queue's contents, and it never ends a process that it did not start.
//!
//! The way through: [`options`] say what to do, a [`session`] knows the queue, a [`client`] its requests, a [`work`] drives clients
//! within a [`run`], which records what came back; a [`report`] shows it. [`command`] is all of that for whoever types
//! `kew bench`; Kew's own series (the crate `kew-bench`) string works together instead.

mod answer;
pub mod client;
pub mod command;
pub mod connection;
pub mod endpoint;
mod failure;
pub mod histogram;
pub mod identity;
pub mod interrupt;
mod operation;
pub mod options;
mod pace;
pub mod process;
mod progress;
pub mod protocol;
pub mod report;
pub mod run;
pub mod session;
mod stream;
pub mod work;

pub use failure::Failure;
pub use operation::Operation;
