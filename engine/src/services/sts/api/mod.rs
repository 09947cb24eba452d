//! One file per operation.

pub mod assume_role;
mod get_caller_identity;
pub mod get_session_token;

pub use get_caller_identity::get_caller_identity;
