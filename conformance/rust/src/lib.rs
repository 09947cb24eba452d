//! Kew against the AWS SDK for Rust: see `tests/`.
