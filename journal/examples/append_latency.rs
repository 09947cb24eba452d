//! How long a durable append takes, by what the file was before: growing, preallocated, or recycled.
//!
//! `cargo run --release -p kew-journal --example append_latency [DIRECTORY] [BYTES]`

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use kew_journal::disk::{Disk, Real};
use kew_journal::{Options, Snapshot, open};

const APPENDS: usize = 4000;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let directory = arguments.next().unwrap_or_else(|| String::from("append-latency"));
    let bytes: usize = arguments.next().map_or(Ok(1024), |bytes| bytes.parse())?;
    let disk = Arc::new(Real::open(&directory)?);
    println!("{APPENDS} appends of {bytes} bytes, one at a time");
    raw(&*disk, bytes)?;
    whole(&disk, bytes)?;
    std::fs::remove_dir_all(directory)?;
    Ok(())
}

/// The disk alone: a write and a sync.
fn raw(disk: &dyn Disk, bytes: usize) -> Result<(), Box<dyn Error>> {
    let payload = vec![7; bytes];
    let length = (APPENDS * bytes) as u64;
    for (name, lives) in [("growing file", 1), ("preallocated file", 1), ("recycled file", 2)] {
        let file = disk.create("raw")?;
        if name != "growing file" {
            file.allocate(length)?;
        }
        file.sync_data()?;
        let mut times = Vec::new();
        for _ in 0..lives {
            times.clear();
            for index in 0..APPENDS {
                let begun = Instant::now();
                file.write_at(&[&payload], (index * bytes) as u64)?;
                file.sync_data()?;
                times.push(begun.elapsed());
            }
        }
        print(name, times);
        disk.remove("raw")?;
    }
    Ok(())
}

/// The journal: first in fresh segments, then in recycled ones.
fn whole(disk: &Arc<Real>, bytes: usize) -> Result<(), Box<dyn Error>> {
    let options = Options { segment_bytes: (APPENDS * bytes / 2) as u64, spares: 8, ..Options::default() };
    let mut opened = open(Arc::<Real>::clone(disk), &options)?;
    let payload = Bytes::from(vec![7; bytes]);
    let lives = ["journal, fresh segments", "journal, prepared segments", "journal, recycled segments"];
    for (life, name) in lives.into_iter().enumerate() {
        let mut times = Vec::new();
        for index in 0..APPENDS {
            if life == 1 && index % 100 == 0 {
                opened.snapshots.prepare()?;
            }
            let begun = Instant::now();
            let start = opened.writer.next_start();
            opened.writer.append(start, &payload)?;
            times.push(begun.elapsed());
        }
        print(name, times);
        if life == 0 {
            // Without a snapshot nothing is dropped, so the next life begins in a fresh segment too.
            continue;
        }
        let position = opened.writer.durable();
        opened.snapshots.save(&Snapshot { position, keep: position, bytes: Bytes::new() })?;
    }
    Ok(())
}

fn print(name: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let at = |share: usize| times[(times.len() - 1) * share / 1000].as_micros();
    println!(
        "{name:27} p50 {:5} us   p90 {:5} us   p99 {:5} us   p99.9 {:6} us",
        at(500),
        at(900),
        at(990),
        at(999)
    );
}
