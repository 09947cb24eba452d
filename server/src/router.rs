//! Which shard a command belongs to.

use kew_engine::shard::Command;

use crate::mailbox::{Answer, Handle, Refusal};

/// The way to every shard. There is one so far; a queue's key will choose among several.
#[derive(Debug, Clone)]
pub(crate) struct Router {
    shard: Handle,
}

impl Router {
    /// All commands go to `shard`.
    pub(crate) fn new(shard: Handle) -> Self {
        Self { shard }
    }

    /// Asks the shard that `command` belongs to, and waits for its answer.
    pub(crate) async fn ask(&self, command: Command) -> Result<Answer, Refusal> {
        self.shard.ask(command).await
    }

    /// Each shard's mailbox.
    pub(crate) fn shards(&self) -> impl Iterator<Item = &Handle> {
        std::iter::once(&self.shard)
    }

    /// Ends all shards, everything answered and written down.
    pub(crate) async fn stop(&self) {
        self.shard.stop().await;
    }
}
