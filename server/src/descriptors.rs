//! How many files and connections this process may have open at once, which the system decides (`ulimit -n`).
//!
//! A shard that cannot open a file drops its state and rebuilds it, so connections must never take what shards need.

use crate::limits::CONNECTIONS;

/// What the process needs beside shards and connections: the runtime, logs, documents that are read and written.
const OWN: u64 = 64;

/// What a shard needs: the journal's segments, and the cold files that it keeps open for reading.
const PER_SHARD: u64 = 192;

/// Fewer connections than this are worth a warning.
const FEW: usize = 4096;

/// Raises the limit as far as it goes, for many systems begin with a thousand. Gives it; `None` if there is none.
pub(crate) fn raise() -> Option<u64> {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    // Kept as it is, fewer connections fit.
    let _ = setrlimit(Resource::Nofile, limit);
    getrlimit(Resource::Nofile).current
}

/// How many connections fit beside so many shards. A limit that is too low for the shards is shared with them.
pub(crate) fn connections(limit: Option<u64>, shards: usize) -> usize {
    let Some(limit) = limit else { return CONNECTIONS };
    let left = limit.saturating_sub(needed(shards)).max(limit / 4);
    let fitting = usize::try_from(left).unwrap_or(CONNECTIONS).min(CONNECTIONS);
    if fitting < FEW {
        let enough = needed(shards) + CONNECTIONS as u64;
        tracing::warn!(
            "this process may have {limit} files open, so at most {fitting} connections are served at once; to serve {CONNECTIONS} raise that to {enough} (ulimit -n, or LimitNOFILE= of systemd)"
        );
    }
    fitting
}

fn needed(shards: usize) -> u64 {
    OWN + PER_SHARD * shards as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_the_shards_what_they_need() {
        let cases = [
            (None, 2, CONNECTIONS),
            (Some(1 << 20), 2, CONNECTIONS),
            (Some(4096), 2, 4096 - 64 - 2 * 192),
            (Some(1024), 2, 1024 - 64 - 2 * 192),
            (Some(256), 2, 64),
            (Some(1024), 64, 256),
        ];
        for (limit, shards, expected) in cases {
            assert_eq!(connections(limit, shards), expected, "{limit:?}, {shards}");
        }
    }
}
