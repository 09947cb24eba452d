//! The HTTP front: sockets in, AWS's requests out. No queue is known here.

mod aws;
mod body;
mod connections;
mod cors;
mod front;
mod respond;

pub(crate) use aws::request_head;
pub(crate) use connections::{Listener, Worker, runtime};
pub(crate) use front::{Asked, Front};
pub(crate) use respond::{Body, respond};
