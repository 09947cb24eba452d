//! What cold files hold, as the world saw it written: so that the auditor can look behind a queue's window.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use kew_engine::cold::{Standing, Thaw};
use kew_engine::services::sqs::command::Delivery;

use crate::model::Id;

/// The pieces of cold files, by file and offset.
#[derive(Debug, Clone, Default)]
pub struct Shelf(BTreeMap<(u64, u64), Bytes>);

/// Messages of a queue that no receive reaches as yet.
#[derive(Debug, Clone, Default)]
pub struct Away {
    /// The messages.
    pub ids: BTreeSet<Id>,
    /// Those of them that wait in memory.
    pub beyond: BTreeSet<Id>,
    /// Some of them lie in cold files, and come back before anything behind them does.
    pub cold: bool,
    /// The first of those are on their way.
    pub thaws: bool,
    /// How much of the window is taken.
    pub occupied: u64,
}

impl Shelf {
    /// A piece was written.
    pub fn put(&mut self, file: u64, offset: u64, bytes: Bytes) {
        self.0.insert((file, offset), bytes);
    }

    /// A piece that was written.
    pub fn get(&self, thaw: &Thaw) -> Option<&Bytes> {
        self.0.get(&(thaw.chunk(), thaw.offset()))
    }

    /// The messages of a piece.
    pub fn messages(&self, thaw: &Thaw) -> Vec<Delivery> {
        let bytes = self.get(thaw).unwrap_or_else(|| panic!("{thaw:?} was never written"));
        thaw.messages(bytes.clone()).unwrap_or_else(|_| panic!("{thaw:?} does not hold what it should"))
    }

    /// Which messages are away.
    pub fn away(&self, standing: &Standing) -> Away {
        let cold = standing.pieces.iter().flat_map(|piece| self.messages(piece)).map(|message| message.id);
        Away {
            ids: cold.chain(standing.beyond.iter().copied()).collect(),
            beyond: standing.beyond.iter().copied().collect(),
            cold: !standing.pieces.is_empty(),
            thaws: standing.thaws,
            occupied: standing.occupied,
        }
    }
}
