//! The dialects: each is a [`Reader`](crate::codec::Reader) and a [`Writer`](crate::codec::Writer), and how it frames
//! a reply and a fault.

pub mod json;
pub mod query;
pub mod query_json;
pub mod xml;
