//! Every byte that means something is checked.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;

use kew_journal::FileKind;
use kew_journal::disk::{Disk, File};
use kew_store::doctor::{self, Checkup};

use crate::stand::{Temporary, story, tiny};

/// Files in memory that nobody can change.
#[derive(Debug, Clone, Default)]
pub(crate) struct Still(BTreeMap<String, Arc<Vec<u8>>>);

impl Still {
    pub(crate) fn of(path: &Path) -> Self {
        let files = std::fs::read_dir(path).expect("list").map(|entry| {
            let path = entry.expect("entry").path();
            let name = path.file_name().expect("a name").to_str().expect("text").to_owned();
            (name, Arc::new(std::fs::read(path).expect("read")))
        });
        Self(files.collect())
    }

    pub(crate) fn with(&self, name: &str, content: Vec<u8>) -> Self {
        let mut other = self.clone();
        other.0.insert(name.to_owned(), Arc::new(content));
        other
    }

    pub(crate) fn check(self) -> Checkup {
        doctor::check(Arc::new(self), tiny(), &|_| {}).expect("to look")
    }
}

#[derive(Debug)]
struct StillFile(Arc<Vec<u8>>);

fn forbidden<T>() -> io::Result<T> {
    panic!("a doctor changes nothing")
}

impl Disk for Still {
    fn location(&self) -> String {
        "still".into()
    }
    fn create(&self, _: &str) -> io::Result<Arc<dyn File>> {
        forbidden()
    }
    fn open(&self, name: &str) -> io::Result<Arc<dyn File>> {
        let content = self.0.get(name).ok_or(io::ErrorKind::NotFound)?;
        Ok(Arc::new(StillFile(Arc::clone(content))))
    }
    fn rename(&self, _: &str, _: &str) -> io::Result<()> {
        forbidden()
    }
    fn remove(&self, _: &str) -> io::Result<()> {
        forbidden()
    }
    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.0.keys().cloned().collect())
    }
    fn sync_dir(&self) -> io::Result<()> {
        forbidden()
    }
    fn free_space(&self) -> io::Result<u64> {
        Ok(0)
    }
}

impl File for StillFile {
    fn length(&self) -> io::Result<u64> {
        Ok(self.0.len() as u64)
    }
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let rest = self.0.get(offset as usize..).unwrap_or_default();
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }
    fn write_at(&self, _: &[&[u8]], _: u64) -> io::Result<()> {
        forbidden()
    }
    fn allocate(&self, _: u64) -> io::Result<()> {
        forbidden()
    }
    fn truncate(&self, _: u64) -> io::Result<()> {
        forbidden()
    }
    fn sync_data(&self) -> io::Result<()> {
        forbidden()
    }
}

/// What is known of a queue, to be compared.
fn figures(checkup: &Checkup) -> Vec<(String, u64, u64, u64, u64)> {
    let row = |queue: &kew_engine::audit::Holding| {
        let stats = &queue.stats;
        (stats.key.name.to_string(), stats.visible, stats.in_flight, stats.delayed, queue.cold)
    };
    checkup.queues.iter().map(row).collect()
}

#[test]
fn a_whole_directory_is_sound_and_summed_up() {
    let temporary = Temporary::new();
    story(&temporary.join("data"));
    let checkup = Still::of(&temporary.join("data/shard-0000")).check();
    assert_eq!(checkup.damage, []);
    assert!(checkup.cut.is_none() && checkup.loss == Default::default());
    let count = |kind| checkup.files_of(kind).count();
    assert!(count(FileKind::Cold) > 3 && count(FileKind::Segment) > 1 && count(FileKind::Snapshot) == 1);
    let row =
        |name: &str, visible, in_flight, delayed, cold| (name.to_owned(), visible, in_flight, delayed, cold);
    let expected = [row("dead", 2, 0, 0, 0), row("f.fifo", 15, 1, 0, 12), row("q", 36, 4, 1, 29)];
    assert_eq!(figures(&checkup), expected);
}

#[test]
fn a_flipped_bit_is_found_wherever_it_means_something() {
    let temporary = Temporary::new();
    story(&temporary.join("data"));
    let whole = Still::of(&temporary.join("data/shard-0000"));
    let before = figures(&whole.clone().check());
    let segments: Vec<(u64, String)> = whole
        .0
        .keys()
        .filter_map(|name| {
            let base = u64::from_str_radix(name.strip_prefix("segment-")?, 16).ok()?;
            Some((base, name.clone()))
        })
        .collect();
    let last_batch = last_batch(&whole, &segments);
    for (name, content) in &whole.0 {
        let (mut meant, mut torn) = (content.len(), 0..0);
        if let Some(index) = segments.iter().position(|(_, segment)| segment == name) {
            // What lies behind the last batch of a segment is what is left of another life of the file.
            torn = if index + 1 == segments.len() { last_batch.clone() } else { 0..0 };
            let base = segments[index].0;
            let end = segments.get(index + 1).map(|(next, _)| 4096 + (next - base) as usize);
            meant = end.unwrap_or(torn.end);
        }
        // Long bodies mean the same at all their places.
        let step = if name.starts_with("segment-") { 7 } else { 1 };
        for at in (0..content.len()).step_by(step) {
            // Room for the next segment; the rest of a header's page; the older slot of the epoch, which the next opening writes over,
            // and what lies between the two.
            let means_nothing = name.starts_with("spare-")
                || (name.starts_with("segment-") && (64..4096).contains(&at))
                || (name == "epoch" && at >= 64)
                || at >= meant;
            if means_nothing && at % 251 != 0 && !(name == "epoch" && at >= 4096) {
                continue;
            }
            let mut content = content.to_vec();
            content[at] ^= 1 << (at % 8);
            let checkup = whole.with(name, content).check();
            if means_nothing {
                assert!(checkup.is_sound() && figures(&checkup) == before, "{name} at {at}");
            } else if torn.contains(&at) {
                // The last batch of all can only be told from a torn one by something that follows it.
                assert!(checkup.cut.is_some() || !checkup.is_sound(), "{name} at {at}");
            } else {
                assert!(!checkup.is_sound(), "a flip in {name} at {at} was not found");
            }
        }
    }
}

#[test]
fn a_missing_file_is_found_and_so_is_one_that_was_cut_short() {
    let temporary = Temporary::new();
    story(&temporary.join("data"));
    let whole = Still::of(&temporary.join("data/shard-0000"));
    let before = figures(&whole.clone().check());
    for (name, content) in &whole.0 {
        let mut missing = whole.clone();
        missing.0.remove(name);
        let is_spare = name.starts_with("spare-");
        let checkup = missing.check();
        assert_eq!(checkup.is_sound(), is_spare, "{name} is missing");
        assert!(is_spare || checkup.damage[0].file.starts_with("still"), "{:?}", checkup.damage);
        for length in (0..content.len()).step_by(61) {
            let checkup = whole.with(name, content[..length].to_vec()).check();
            // Behind its last batch a segment ends well anywhere; in its last batch it is torn.
            let is_whole = is_spare || (name.starts_with("segment-") && checkup.cut.is_none());
            if checkup.is_sound() {
                // Where a batch ends, nothing tells that another one followed.
                let is_torn = checkup.cut.is_some() || content[length..].starts_with(b"KEWB");
                assert!(is_torn || (is_whole && figures(&checkup) == before), "{name} cut at {length}");
            }
        }
    }
}

/// Where in the last segment the last batch lies, and the mark behind it.
fn last_batch(whole: &Still, segments: &[(u64, String)]) -> std::ops::Range<usize> {
    let (_, name) = segments.last().expect("a segment");
    let content = &whole.0[name];
    let (mut begin, mut at) = (4096, 4096);
    while content[at..].starts_with(b"KEWB") {
        begin = at;
        let length = u32::from_le_bytes(*content[at + 8..].first_chunk().expect("a header"));
        at += 32 + length as usize;
    }
    begin..at + 32
}
