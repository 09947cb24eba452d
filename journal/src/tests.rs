//! The journal on real and on faulty disks.

mod crash;
mod damage;
mod disk;
mod fixture;
mod full;
mod inspect;
mod levels;
mod real;
mod rests;
mod threads;

use std::sync::Arc;

use bytes::Bytes;

use crate::backends::memory::Memory;
use crate::{Opened, Options, conformance, open, open_memory};
use disk::Faulty;

/// The smallest segments, no memory of recent batches: everything happens soon, and reads go to the disk.
fn tiny() -> Options {
    Options { segment_bytes: 8192, recent_bytes: 0, ..Options::default() }
}

fn append(opened: &mut Opened, bytes: &Bytes) -> u64 {
    let start = opened.writer.next_start();
    opened.writer.append(start, bytes).expect("append");
    start
}

fn replayed(opened: Opened) -> Vec<(u64, Bytes)> {
    opened.replay.map(|batch| batch.expect("replay")).collect()
}

#[test]
fn the_memory_backend_keeps_the_contract() {
    conformance::run(|| {
        let memory = Memory::default();
        move || open_memory(&memory, &tiny())
    });
}

#[test]
fn the_file_backend_keeps_the_contract_with_tiny_segments() {
    conformance::run(|| {
        let disk = Arc::new(Faulty::default());
        move || open(Arc::<Faulty>::clone(&disk), &tiny()).expect("open")
    });
}

#[test]
fn the_file_backend_keeps_the_contract_without_spares_and_syncs() {
    let options = Options { spares: 0, durability: crate::Durability::Os, read_ahead_bytes: 0, ..tiny() };
    conformance::run(|| {
        let (disk, options) = (Arc::new(Faulty::default()), options.clone());
        move || open(Arc::<Faulty>::clone(&disk), &options).expect("open")
    });
}
