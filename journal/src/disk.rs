//! The disk seam: all that the journal asks of a file system, and nothing about what it writes there.
//!
//! The seam lies under the file format, so framing, recovery, rolling and snapshots run for real on whatever implements
//! it: [`Real`] in production, a disk that tears, loses, reorders and fails in the simulator.
//!
//! What an implementer promises, and no more:
//!
//! - Written bytes are seen by reads at once, but outlive a power cut only after [`File::sync_data`] of that file.
//! - A created, renamed or removed name is seen at once, but outlives a power cut only after [`Disk::sync_dir`].
//!   A rename is atomic: after a cut either the old or the new name (with its content) is there, never a mix.
//! - Until it is synced, any subset of the written 512-byte sectors may survive a power cut, in any order. A sector
//!   is written whole or not at all. Sectors that nobody wrote stay as they are.
//! - After an error of `sync_data`, nobody knows which unsynced bytes are durable, and a later success of the same
//!   call says nothing about them. The journal never asks twice.
//!
//! Calls block. Handles are shared between threads; callers never write the same bytes from two threads at once.

use std::fmt::Debug;
use std::io;
use std::sync::Arc;

mod directory;
mod real;

pub use directory::{Directory, Holder, MOST_SHARDS, create_all};
pub use real::{Adoption, Real, exchange, make, sync_parent};

/// One flat directory of files, belonging to one journal. Names are plain file names without separators.
pub trait Disk: Debug + Send + Sync {
    /// Where this is, for people: the directory's path.
    fn location(&self) -> String;

    /// Makes a new, empty file and opens it for reading and writing.
    ///
    /// # Errors
    /// `AlreadyExists` if the name is taken.
    fn create(&self, name: &str) -> io::Result<Arc<dyn File>>;

    /// Opens an existing file for reading and writing.
    ///
    /// # Errors
    /// `NotFound` if there is none.
    fn open(&self, name: &str) -> io::Result<Arc<dyn File>>;

    /// Gives a file a new name, replacing a file of that name. Open handles stay with their file.
    ///
    /// # Errors
    /// Whatever the file system says.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Removes a name. Open handles keep reading.
    ///
    /// # Errors
    /// `NotFound` if there is none.
    fn remove(&self, name: &str) -> io::Result<()>;

    /// The names of all files, in no particular order.
    ///
    /// # Errors
    /// Whatever the file system says.
    fn list(&self) -> io::Result<Vec<String>>;

    /// Makes creations, renames and removals up to now durable.
    ///
    /// # Errors
    /// Whatever the file system says.
    fn sync_dir(&self) -> io::Result<()>;

    /// Bytes that can still be allocated here.
    ///
    /// # Errors
    /// Whatever the file system says.
    fn free_space(&self) -> io::Result<u64>;
}

/// An open file.
pub trait File: Debug + Send + Sync {
    /// The file's length in bytes.
    ///
    /// # Errors
    /// Whatever the file system says.
    fn length(&self) -> io::Result<u64>;

    /// Fills `buffer` from `offset` on and returns how many bytes it could fill: fewer than asked only where the file
    /// ends.
    ///
    /// # Errors
    /// Whatever the file system says.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Writes all parts, one after the other, from `offset` on. The file grows where needed.
    ///
    /// # Errors
    /// `StorageFull` without room. After an error any part of it may have been written.
    fn write_at(&self, parts: &[&[u8]], offset: u64) -> io::Result<()>;

    /// Reserves room for the first `length` bytes and makes the file at least that long; bytes never written read as
    /// zeros. Writing below `length` then needs no further room.
    ///
    /// # Errors
    /// `StorageFull` without room, `Unsupported` where the file system cannot reserve.
    fn allocate(&self, length: u64) -> io::Result<()>;

    /// Cuts or extends the file to `length` bytes; new bytes read as zeros and have no room reserved.
    ///
    /// # Errors
    /// Whatever the file system says.
    fn truncate(&self, length: u64) -> io::Result<()>;

    /// Makes all bytes written to this file, and its length, durable.
    ///
    /// # Errors
    /// Whatever the file system says. See the module's note on what holds after an error.
    fn sync_data(&self) -> io::Result<()>;
}
