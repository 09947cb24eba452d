//! The HTTP front: sockets in, AWS's requests out. No queue is known here.

mod addresses;
mod aws;
mod body;
mod callers;
mod connections;
mod cors;
mod front;
pub(crate) mod head;
mod hosts;
mod http1;
mod http2;
mod paced;
mod rates;
mod respond;
mod serving;

pub(crate) use addresses::{Addresses, PerAddress};
pub(crate) use aws::request_head;
pub(crate) use connections::{Listener, Worker, runtime};
pub(crate) use front::{Asked, Front, Peer};
pub(crate) use head::Head;
pub(crate) use rates::Rates;
pub(crate) use respond::{Response, respond};
