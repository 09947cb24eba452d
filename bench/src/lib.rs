//! A load generator for any SQS endpoint that speaks the JSON protocol over HTTP/1.1.
//!
//! It costs a few microseconds per request, because it often shares the machine with the server that it measures: one thread,
//! one task per connection, requests written into buffers that are used again, answers searched for the few fields that matter
//! instead of being parsed. It never interprets the queue's contents, and it never ends a process that it did not start.
//!
//! The way through: [`options`] say what to do, a [`session`] knows the queue and the requests, a [`work`] drives connections
//! within a [`run`], which records what came back; a [`report`] shows it. The [`suite`] and the [`depth`] series string
//! works together against servers that they start themselves, and ask what that costs: a [`process`], its [`figures`], its [`disk`].

pub mod connection;
pub mod depth;
pub mod disk;
pub mod endpoint;
pub mod failure;
pub mod figures;
pub mod histogram;
pub mod options;
pub mod process;
pub mod report;
pub mod run;
pub mod scan;
pub mod server;
pub mod session;
pub mod suite;
mod table;
pub mod work;

pub use failure::Failure;
