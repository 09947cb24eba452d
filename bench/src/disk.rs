//! What a directory takes up, and how fast its disk is.

use std::fs;
use std::io;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::Path;
use std::time::{Duration, Instant};

use kew_load::Failure;
use kew_load::histogram::Histogram;

/// Linux counts blocks of this many bytes on every file system.
const BLOCK_BYTES: u64 = 512;

/// Bytes that are allocated on disk for a directory and everything below it, whatever the files' lengths say.
pub fn allocated_bytes(directory: &Path) -> Result<u64, Failure> {
    walk(directory).map_err(|error| Failure::Process(directory.display().to_string(), error.to_string()))
}

/// How long it takes to write a small record behind the last one and to have it synced, in a file whose room was written before:
/// what an answer waits for at least that must outlast a power loss. For about as long as `time`.
pub fn sync_latency(directory: &Path, time: Duration) -> Result<Histogram, Failure> {
    const ROOM: u64 = 16 << 20;
    const RECORD: [u8; 256] = [b'x'; 256];
    let path = directory.join(format!("kew-bench-sync-{}", std::process::id()));
    let measure = || {
        let file = fs::File::create_new(&path)?;
        file.write_all_at(&vec![0; ROOM as usize], 0)?;
        file.sync_all()?;
        let mut latency = Histogram::default();
        let begin = Instant::now();
        let mut at = 0;
        while begin.elapsed() < time {
            let start = Instant::now();
            file.write_all_at(&RECORD, at)?;
            file.sync_data()?;
            latency.record(start.elapsed());
            at = (at + RECORD.len() as u64) % ROOM;
        }
        Ok(latency)
    };
    let measured = measure();
    let _ = fs::remove_file(&path);
    measured.map_err(|error: io::Error| Failure::Process(path.display().to_string(), error.to_string()))
}

fn walk(path: &Path) -> io::Result<u64> {
    let found = fs::symlink_metadata(path)?;
    let mut bytes = found.blocks() * BLOCK_BYTES;
    if found.is_dir() {
        for entry in fs::read_dir(path)? {
            match walk(&entry?.path()) {
                Ok(below) => bytes += below,
                // A server removes files meanwhile.
                Err(error) if error.kind() == io::ErrorKind::NotFound => (),
                Err(error) => return Err(error),
            }
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_count_by_what_is_allocated_for_them() {
        let directory = std::env::temp_dir().join(format!("kew-bench-disk-{}", std::process::id()));
        fs::create_dir_all(directory.join("below")).expect("a directory");
        let empty = allocated_bytes(&directory).expect("a size");
        fs::write(directory.join("below/full"), vec![1; 100_000]).expect("a file");
        fs::File::create(directory.join("holes")).expect("a file").set_len(1 << 30).expect("a length");
        // Some file systems allocate when they write back.
        fs::File::open(directory.join("below/full")).expect("a file").sync_all().expect("a sync");
        let full = allocated_bytes(&directory).expect("a size");
        fs::remove_dir_all(&directory).expect("removed");
        assert!((100_000..1 << 20).contains(&(full - empty)), "{empty} {full}");
        assert!(allocated_bytes(&directory).is_err());
    }
}
