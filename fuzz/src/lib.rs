//! The parsers of Kew, each as a function that takes any bytes at all: it must return, and what it took must be sound.
//!
//! The same targets run in two ways: from the binary `kew-fuzz`, which changes known inputs at random and needs nothing but the
//! stable toolchain, and under libFuzzer, which also sees what code an input reaches. An input that once broke something stays in
//! `corpus/TARGET` and is tried first.

pub mod claim;
pub mod configuration;
pub mod disk;
pub mod journal;
pub mod mutation;
pub mod permission;
pub mod policy;
pub mod request;
pub mod shard;

/// One parser.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Its name, and that of its folder below `corpus`.
    pub name: &'static str,
    /// Tries an input; panics if anything is wrong.
    pub run: fn(&[u8]),
    /// Sound inputs to begin with.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// What its inputs are made of.
    pub words: &'static [&'static str],
}

/// All of them.
pub const TARGETS: &[Target] = &[
    Target { name: "request", run: request::run, seeds: request::seeds, words: request::WORDS },
    Target { name: "json", run: request::json, seeds: request::json_seeds, words: request::WORDS },
    Target { name: "form", run: request::form, seeds: request::form_seeds, words: request::WORDS },
    Target { name: "claim", run: claim::run, seeds: claim::seeds, words: claim::WORDS },
    Target { name: "policy", run: policy::run, seeds: policy::seeds, words: policy::WORDS },
    Target { name: "permission", run: permission::run, seeds: permission::seeds, words: policy::WORDS },
    Target {
        name: "configuration",
        run: configuration::run,
        seeds: configuration::seeds,
        words: configuration::WORDS,
    },
    Target { name: "journal", run: journal::run, seeds: journal::seeds, words: &[] },
    Target { name: "replay", run: shard::replay, seeds: shard::replay_seeds, words: &[] },
    Target { name: "snapshot", run: shard::snapshot, seeds: shard::snapshot_seeds, words: &[] },
    Target { name: "payload", run: shard::payload, seeds: shard::payload_seeds, words: &[] },
];

/// The target of this name.
pub fn target(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}
