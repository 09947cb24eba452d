//! Who may call: users, roles and access keys with their policies, and the sessions of STS.
//!
//! Identities come from three places, of which an earlier one wins: the environment (the administrator of account
//! 000000000000), the configuration file, and the store in the data directory, which commands change also while a server
//! runs. Together they are a [`Registry`], which says what an access key's secret is and who signs with it. A running
//! server looks at the store twice a second and takes a changed one over as a whole ([`live`]).
//!
//! A secret leaves this room in two ways: to the operator who makes a key, once, and to the verifier of signatures. No
//! log, error or `Debug` shows one, and what was held is overwritten.

pub(crate) mod command;
pub(crate) mod declared;
pub(crate) mod environment;
pub(crate) mod ids;
pub(crate) mod live;
pub(crate) mod managed;
pub(crate) mod model;
pub(crate) mod modes;
pub(crate) mod registry;
pub(crate) mod roster;
#[cfg(test)]
mod samples;
pub(crate) mod secret;
pub(crate) mod session;
pub(crate) mod sources;
pub(crate) mod store;
pub(crate) mod sts;
