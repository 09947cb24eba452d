//! The machine's own disk.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use bytes::Bytes;

use super::{append, replayed, tiny};
use crate::disk::{Directory, Disk};
use crate::{OpenError, Options, conformance, open};

/// A directory that goes with the value.
pub(super) struct Temporary(PathBuf);

impl Temporary {
    pub(super) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        Self(std::env::temp_dir().join(format!("kew-journal-{}-{number}", std::process::id())))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn the_file_backend_keeps_the_contract_on_a_real_disk() {
    let temporary = Temporary::new();
    let directory = Directory::open(temporary.path()).expect("directory");
    let mut shard = 0;
    conformance::run(|| {
        shard += 1;
        let disk = Arc::new(directory.shard(shard).expect("shard"));
        move || open(Arc::<crate::disk::Real>::clone(&disk), &tiny()).expect("open")
    });
    assert_eq!(directory.shards().expect("shards"), (1..=shard).collect::<Vec<_>>());
}

#[test]
fn a_directory_is_made_with_its_parents() {
    let temporary = Temporary::new();
    let path = temporary.path().join("some/where/deep");
    drop(Directory::open(&path).expect("directory"));
    assert_eq!(Directory::open(&path).expect("again").path(), path);
}

#[test]
fn a_journal_goes_where_its_directory_is_moved_and_not_where_another_takes_its_name() {
    let (here, there) = (Temporary::new(), Temporary::new());
    let directory = Directory::open(here.path()).expect("directory");
    let disk: Arc<dyn Disk> = Arc::new(directory.shard(0).expect("shard"));
    let mut opened = open(Arc::clone(&disk), &tiny()).expect("open");
    let mut batches = vec![append(&mut opened, &Bytes::from(vec![1; 500]))];
    std::fs::rename(here.path(), there.path()).expect("to move it");
    let other = Directory::open(here.path()).expect("another");
    drop(other.shard(0).expect("shard"));
    batches.extend((0..40).map(|fill| append(&mut opened, &Bytes::from(vec![fill; 500]))));
    opened.cold.write(1, &[Bytes::from_static(b"cold")]).expect("a cold file");
    drop(opened);
    assert_eq!(replayed(open(disk, &tiny()).expect("open")).len(), batches.len());
    let files = |base: &Path| std::fs::read_dir(base.join("shard-0000")).expect("the shard").count();
    assert!(files(here.path()) == 0 && files(there.path()) > 3);
}

#[test]
fn a_second_opening_of_a_directory_is_refused_with_the_holders_id() {
    let temporary = Temporary::new();
    let first = Directory::open(temporary.path()).expect("directory");
    match Directory::open(temporary.path()) {
        Err(OpenError::InUse { holder, .. }) => assert_eq!(holder, format!("pid {}", std::process::id())),
        other => panic!("{other:?}"),
    }
    drop(first);
    Directory::open(temporary.path()).expect("free again");
}

#[test]
fn a_directory_of_a_newer_format_is_refused_by_name() {
    let temporary = Temporary::new();
    drop(Directory::open(temporary.path()).expect("directory"));
    std::fs::write(temporary.path().join("format"), "kew data directory, format 2\n").expect("write");
    let refused = Directory::open(temporary.path());
    assert!(matches!(refused, Err(OpenError::NewerFormat { found: 2, supported: 1, .. })), "{refused:?}");
    std::fs::write(temporary.path().join("format"), "nonsense").expect("write");
    assert!(matches!(Directory::open(temporary.path()), Err(OpenError::Corrupt { .. })));
}

#[test]
fn a_directory_of_somebody_else_is_left_alone() {
    let temporary = Temporary::new();
    std::fs::create_dir(temporary.path()).expect("create");
    std::fs::write(temporary.path().join("thesis.txt"), "").expect("write");
    assert!(matches!(Directory::open(temporary.path()), Err(OpenError::NotOurs { .. })));
    let names: Vec<_> = std::fs::read_dir(temporary.path()).expect("list").collect();
    assert_eq!(names.len(), 1, "nothing was added");
}

#[test]
fn a_path_that_is_no_directory_is_told() {
    let temporary = Temporary::new();
    std::fs::write(temporary.path(), "").expect("write");
    assert!(matches!(Directory::open(temporary.path()), Err(OpenError::NotWritable { .. })));
    std::fs::remove_file(temporary.path()).expect("remove");
}

#[test]
fn large_batches_and_default_segments_come_back() {
    let temporary = Temporary::new();
    let directory = Directory::open(temporary.path()).expect("directory");
    let disk = Arc::new(directory.shard(0).expect("shard"));
    let options = Options { segment_bytes: 4 << 20, recent_bytes: 1 << 20, ..Options::default() };
    let mut opened = open(Arc::<crate::disk::Real>::clone(&disk), &options).expect("open");
    let mut appended = Vec::new();
    for (fill, length) in [(1, 3 << 20), (2, 3 << 20), (3, 9 << 20), (4, 100)] {
        let bytes = Bytes::from(vec![fill; length]);
        appended.push((append(&mut opened, &bytes), bytes));
    }
    for (start, bytes) in &appended {
        assert_eq!(opened.reader.read(*start, bytes.len()).expect("read"), *bytes);
        // Small pieces, across blocks and read on in order.
        for from in (0..bytes.len()).step_by(40_000) {
            let length = (bytes.len() - from).min(30_000);
            let read = opened.reader.read(start + from as u64, length).expect("read");
            assert_eq!(read, bytes.slice(from..from + length));
        }
    }
    drop(opened);
    assert_eq!(replayed(open(disk, &options).expect("open")), appended);
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).expect("it is there").permissions().mode() & 0o777
}

#[test]
fn what_is_made_is_its_owners_alone() {
    let temporary = Temporary::new();
    let directory = Directory::open(temporary.path()).expect("a directory");
    let disk = directory.shard(0).expect("a shard");
    disk.create("file").expect("a file");
    let path = temporary.path();
    assert_eq!((mode(path), mode(&path.join("shard-0000"))), (0o700, 0o700));
    for file in ["lock", "format", "shard-0000/file"] {
        assert_eq!(mode(&path.join(file)), 0o600, "{file}");
    }
    assert!(!directory.is_open_to_all().expect("readable"));
}

#[test]
fn a_directory_that_others_made_wider_is_told_from_one_whose_content_is_closed() {
    let temporary = Temporary::new();
    let directory = Directory::open(temporary.path()).expect("a directory");
    directory.shard(0).expect("a shard");
    let set =
        |path: &Path, mode| std::fs::set_permissions(path, Permissions::from_mode(mode)).expect("its mode");
    set(temporary.path(), 0o755);
    assert!(!directory.is_open_to_all().expect("readable"), "a mount point, say: there is nothing to reach");
    set(&temporary.path().join("shard-0000"), 0o755);
    assert!(directory.is_open_to_all().expect("readable"));
    set(temporary.path(), 0o750);
    assert!(!directory.is_open_to_all().expect("readable"), "a group may be meant");
}
