//! What is left of a copy whose making was killed passes for a data directory with nobody, whenever that was.

use std::fs;
use std::path::{Path, PathBuf};

use kew_journal::OpenError;
use kew_journal::disk::Directory;
use kew_store::backup::{BackupError, Draft};
use kew_store::doctor::Examination;
use kew_store::restore::{RestoreError, restore};

use crate::stand::{Stand, Temporary, copy, story, tiny};

/// A data directory of two shards, with sealed documents and a root key.
fn data(scratch: &Temporary) -> PathBuf {
    let path = scratch.join("data");
    story(&path);
    copy(&path.join("shard-0000"), &path.join("shard-0001"));
    fs::create_dir(path.join("sealed")).expect("a folder");
    for name in ["sealed/contents", "sealed/identities", "root-key"] {
        fs::write(path.join(name), name).expect("a file");
    }
    path
}

fn examine(path: &Path) -> Result<Examination, OpenError> {
    Examination::begin(path, &tiny(), &|_, _| {})
}

/// What a kill would leave of `path` now is nobody's.
fn assert_unfinished(path: &Path, when: &str) {
    let scratch = Temporary::new();
    let left = scratch.join("left");
    copy(path, &left);
    let is_unfinished = |error: Option<OpenError>| matches!(error, Some(OpenError::Unfinished { .. }));
    assert!(is_unfinished(examine(&left).err()), "{when}: a doctor");
    assert!(is_unfinished(Directory::open(&left).err()), "{when}: a server");
    let restored = restore(&left, &scratch.join("restored"), &tiny(), &|_, _| {});
    assert!(
        matches!(restored, Err(RestoreError::Open(OpenError::Unfinished { .. }))),
        "{when}: {restored:?}"
    );
    assert!(!scratch.join("restored").exists(), "{when}");
}

#[test]
fn a_backup_that_was_killed_is_refused_as_unfinished_at_each_of_its_steps() {
    let scratch = Temporary::new();
    let (data, target, new) = (data(&scratch), scratch.join("backup"), scratch.join("backup.new"));
    let examined = examine(&data).expect("to look");
    let draft = Draft::begin(&target, &data).expect("a draft");
    assert_unfinished(&new, "begun");
    for (number, checkup) in &examined.shards {
        let to = draft.shard(*number).expect("a folder");
        assert_unfinished(&new, "a shard begun");
        checkup.back_up(&data.join(Directory::shard_name(*number)), to).expect("a copy");
        assert_unfinished(&new, "a shard copied");
    }
    assert!(matches!(Draft::begin(&target, &data), Err(BackupError::Unfinished(_))));
    draft.finish(&data).expect("a backup");
    assert!(!new.exists());
    let mut names: Vec<_> =
        fs::read_dir(&target).expect("list").map(|entry| entry.expect("entry").file_name()).collect();
    names.sort();
    assert_eq!(names, ["format", "root-key", "sealed", "shard-0000", "shard-0001", "shards"]);
    assert!(examine(&target).expect("to look").is_sound());
    restore(&target, &scratch.join("restored"), &tiny(), &|_, _| {}).expect("a directory");
    drop(Stand::open(&scratch.join("restored"), tiny()));
}

#[test]
fn a_copy_is_unfinished_until_all_else_is_in_it() {
    let scratch = Temporary::new();
    let path = scratch.join("copy");
    fs::create_dir(&path).expect("a folder");
    let copied = Directory::draft(&path).expect("a draft");
    assert_eq!(fs::read_dir(&path).expect("list").count(), 2, "the mark and the lock");
    assert!(matches!(Directory::open(&path), Err(OpenError::InUse { .. })), "whoever makes it is named");
    drop(copied.shard(0).expect("a shard"));
    // The last step but one: all is there, and the mark still.
    let mark = fs::read(path.join("unfinished")).expect("a mark");
    copied.complete().expect("to end it");
    drop(Directory::open(&path).expect("a data directory"));
    fs::write(path.join("unfinished"), mark).expect("a mark");
    assert_unfinished(&path, "not yet said to be whole");
}

#[test]
fn a_restore_that_came_to_no_end_is_refused_too_and_no_repair_blesses_it() {
    let scratch = Temporary::new();
    let (data, restored) = (data(&scratch), scratch.join("restored"));
    // Copied behind the shards; it ends the restore there.
    fs::remove_dir_all(data.join("sealed")).expect("to remove it");
    fs::write(data.join("sealed"), "").expect("a file in its place");
    let refused = restore(&data, &restored, &tiny(), &|_, _| {});
    assert!(matches!(refused, Err(RestoreError::Copy(_))), "{refused:?}");
    assert!(restored.join("shard-0001").exists());
    assert_unfinished(&restored, "without its sealed documents");
}
