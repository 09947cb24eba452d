//! Data directories of every released format: they open for ever.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;

use super::real::Temporary;
use super::{append, replayed, tiny};
use crate::disk::Directory;
use crate::format::{HEADER, Kind, decode_header, encode_header};
use crate::{Opened, Snapshot, open};

fn fixture(format: u64) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("fixtures/format-{format}"))
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("create");
    for entry in fs::read_dir(from).expect("list") {
        let entry = entry.expect("entry");
        let to = to.join(entry.file_name());
        if entry.file_type().expect("type").is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).expect("copy");
        }
    }
}

/// Every file's name and content, but for the lock.
fn contents(path: &Path, prefix: &str, found: &mut Vec<(String, Vec<u8>)>) {
    for entry in fs::read_dir(path).expect("list") {
        let entry = entry.expect("entry");
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if entry.file_type().expect("type").is_dir() {
            contents(&entry.path(), &format!("{name}/"), found);
        } else if name != "lock" {
            found.push((name, fs::read(entry.path()).expect("read")));
        }
    }
    found.sort();
}

fn open_in(path: &Path) -> (Directory, Opened) {
    let directory = Directory::open(path).expect("directory");
    let disk = Arc::new(directory.shard(0).expect("shard"));
    let opened = open(disk, &tiny()).expect("open");
    (directory, opened)
}

fn batch(index: u8) -> Bytes {
    (0..400 + u16::from(index)).map(|at| (at as u8) ^ index).collect()
}

fn snapshot(position: u64) -> Snapshot {
    Snapshot { position, keep: 4000, bytes: Bytes::from_static(b"the state as of format 1") }
}

/// The story of the directory of format 1: appends over several segments, a snapshot, two openings, no close.
fn write_format_1(path: &Path) {
    let (directory, mut opened) = open_in(path);
    for index in 0..16 {
        append(&mut opened, &batch(index));
    }
    opened.snapshots.save(&snapshot(opened.writer.durable())).expect("save");
    drop((directory, opened));
    let (_directory, mut opened) = open_in(path);
    for index in 16..20 {
        append(&mut opened, &batch(index));
    }
}

#[test]
fn a_directory_of_format_1_opens() {
    let temporary = Temporary::new();
    copy(&fixture(1), temporary.path());
    let (_directory, opened) = open_in(temporary.path());
    let position = opened.snapshot.as_ref().map_or(0, |snapshot| snapshot.position);
    assert_eq!(opened.snapshot, Some(snapshot(position)));
    assert_eq!(opened.report, crate::Report::default());
    let mut start = 32;
    for index in 0..20 {
        let bytes = batch(index);
        if start >= 4000 {
            assert_eq!(opened.reader.read(start, bytes.len()).expect("read"), bytes, "batch {index}");
        }
        start += bytes.len() as u64 + 32;
    }
    let found: Vec<_> = replayed(opened).into_iter().map(|(_, bytes)| bytes).collect();
    assert_eq!(found, (16..20).map(batch).collect::<Vec<_>>());
}

#[test]
fn today_s_bytes_are_those_of_format_1() {
    let temporary = Temporary::new();
    write_format_1(temporary.path());
    let (mut today, mut kept) = (Vec::new(), Vec::new());
    contents(temporary.path(), "", &mut today);
    contents(&fixture(1), "", &mut kept);
    let names = |files: &[(String, Vec<u8>)]| files.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&today), names(&kept));
    for ((name, mut today), (_, kept)) in today.into_iter().zip(&kept) {
        if name.contains("/segment-") {
            // The one thing that is told since, where nothing was: the file's length.
            let Ok([base, epoch, settled, unsynced, previous, length]) =
                decode_header(Kind::Segment, &today[..HEADER])
            else {
                panic!("{name} has no header")
            };
            assert!(length >= today.len() as u64, "{name}");
            let header = encode_header(Kind::Segment, [base, epoch, settled, unsynced, previous, 0]);
            today[..HEADER].copy_from_slice(&header);
        }
        assert!(
            today == *kept,
            "{name} differs: a changed layout is a new format, with a fixture of its own"
        );
    }
}

/// Run this once for each new format, and never again: `cargo test -p kew-journal -- --ignored write_the_fixture`.
#[test]
#[ignore = "checks nothing: it makes a fixture, once for each format, and writes into the source tree"]
fn write_the_fixture_of_the_newest_format() {
    let path = fixture(1);
    assert!(!path.exists(), "a released format's fixture never changes");
    fs::create_dir_all(path.parent().expect("a parent")).expect("create");
    write_format_1(&path);
    fs::remove_file(path.join("lock")).expect("remove");
}
