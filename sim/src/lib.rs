//! The adversary.
