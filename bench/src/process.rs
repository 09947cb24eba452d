//! What a process costs beside CPU time: memory, bytes written.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use tokio::task::AbortHandle;

use kew_load::{Failure, process};

/// How often a watched process is looked at.
const LOOK: Duration = Duration::from_millis(50);

/// Memory of a process that lies in RAM, in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Memory {
    /// All of it.
    pub resident: u64,
    /// The part that the process made: heap and stacks.
    pub anonymous: u64,
    /// The part that mirrors files: the program itself, and files that it mapped. It can be dropped at any time.
    pub file: u64,
    /// The most that was ever resident, as the kernel kept it.
    pub peak: u64,
}

impl Memory {
    /// Memory of a process now.
    pub fn of(pid: u32) -> Result<Self, Failure> {
        process::read(pid, "status", Self::read)
    }

    fn read(status: &str) -> Option<Self> {
        let field = |name| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
            Some(kibibytes * 1024)
        };
        Some(Self {
            resident: field("VmRSS:")?,
            anonymous: field("RssAnon:")?,
            file: field("RssFile:")? + field("RssShmem:").unwrap_or_default(),
            peak: field("VmHWM:")?,
        })
    }

    /// The larger of each figure.
    #[must_use]
    pub fn max(self, other: Self) -> Self {
        Self {
            resident: self.resident.max(other.resident),
            anonymous: self.anonymous.max(other.anonymous),
            file: self.file.max(other.file),
            peak: self.peak.max(other.peak),
        }
    }

    /// What is resident beyond another reading, for each of so many, in 2^10 bytes.
    pub fn kibibytes_each(&self, less: Self, count: u32) -> f64 {
        self.resident.saturating_sub(less.resident) as f64 / 1024.0 / f64::from(count.max(1))
    }

    /// What is resident, in 2^20 bytes.
    pub fn mebibytes(&self) -> f64 {
        self.resident as f64 / 1_048_576.0
    }
}

/// Looks at a process's memory over and over, and keeps the largest figures. Must be made within a `LocalSet`.
#[derive(Debug)]
pub struct Watch {
    pid: u32,
    largest: Rc<Cell<Memory>>,
    task: AbortHandle,
}

impl Watch {
    /// Begins to look.
    pub fn start(pid: u32) -> Self {
        let largest = Rc::new(Cell::new(Memory::default()));
        let seen = Rc::clone(&largest);
        let task = tokio::task::spawn_local(async move {
            // It ends with the process, or when nobody wants to know any more.
            while let Ok(memory) = Memory::of(pid) {
                seen.set(seen.get().max(memory));
                tokio::time::sleep(LOOK).await;
            }
        });
        Self { pid, largest, task: task.abort_handle() }
    }

    /// The largest figures so far; the peak is exact, the others were looked at every 50 ms.
    pub fn largest(&self) -> Memory {
        let now = Memory::of(self.pid).unwrap_or_default();
        self.largest.get().max(now)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Bytes that a process has caused to be written to storage: whole pages of 4 KiB that it made dirty and did not take back before
/// they were written. The file system's own journal is not among them.
pub fn stored_bytes(pid: u32) -> Result<u64, Failure> {
    process::read(pid, "io", |text| {
        let field = |name| text.lines().find_map(|line| line.strip_prefix(name))?.trim().parse::<u64>().ok();
        Some(field("write_bytes:")?.saturating_sub(field("cancelled_write_bytes:")?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_told_apart_by_its_kind() {
        let status = "Name:\tkew\nVmHWM:\t   12000 kB\nVmRSS:\t   10000 kB\nRssAnon:\t    6000 kB\nRssFile:\t    3000 kB\n\
            RssShmem:\t    1000 kB\n";
        let memory = Memory::read(status).expect("figures");
        let kib = [memory.resident, memory.anonymous, memory.file, memory.peak].map(|bytes| bytes / 1024);
        assert_eq!(kib, [10_000, 6_000, 4_000, 12_000]);
        assert_eq!(Memory::read("Name:\tkew\nState:\tZ (zombie)\n"), None);
    }

    #[test]
    fn the_largest_figures_are_each_kept() {
        let one = Memory { resident: 5, anonymous: 4, file: 1, peak: 6 };
        let other = Memory { resident: 4, anonymous: 1, file: 3, peak: 7 };
        assert_eq!(one.max(other), Memory { resident: 5, anonymous: 4, file: 3, peak: 7 });
    }

    #[test]
    fn memory_that_was_given_back_stays_seen() {
        const BYTES: u64 = 64 << 20;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        tokio::task::LocalSet::new().block_on(&runtime, async {
            let watch = Watch::start(std::process::id());
            let before = watch.largest().anonymous;
            let filled = vec![1_u8; BYTES as usize];
            while watch.largest.get().anonymous < before + BYTES / 2 {
                tokio::task::yield_now().await;
            }
            drop(filled);
            assert!(watch.largest().anonymous >= before + BYTES / 2);
        });
    }

    #[test]
    fn this_process_has_a_cost() {
        let pid = std::process::id();
        let memory = Memory::of(pid).expect("figures");
        assert!(memory.resident > 100_000 && memory.peak >= memory.anonymous, "{memory:?}");
        assert!(stored_bytes(pid).is_ok());
    }
}
