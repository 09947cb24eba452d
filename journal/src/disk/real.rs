//! The file system of the machine.

use std::fs::{self, DirBuilder};
use std::io::{self, IoSlice};
use std::os::unix::fs::{DirBuilderExt, FileExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{AtFlags, CWD, Dir, FallocateFlags, FileType, Mode, OFlags, RenameFlags};

use super::{Disk, File};

/// What those who are not its owner may do with a file that is made here: nothing, whatever the umask says. Messages lie in it.
pub(super) const FILE_MODE: u32 = 0o600;

/// See [`FILE_MODE`].
const DIRECTORY_MODE: u32 = 0o700;

/// A directory of the machine's file system. Once open it is that directory, whatever its name becomes: whoever moves it away from
/// under a running server, and puts another one in its place, does not have the server write into that.
#[derive(Debug)]
pub struct Real {
    path: PathBuf,
    directory: fs::File,
    is_read_only: bool,
}

/// How a file came into a directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Adoption {
    /// It is the same file under a second name.
    Linked,
    /// It is another file.
    Copied,
}

impl Real {
    /// Opens a directory and makes it first if it is missing (its parent must exist), for its owner alone.
    ///
    /// # Errors
    /// Whatever the file system says.
    pub fn open(path: impl Into<PathBuf>) -> io::Result<Self> {
        let path = path.into();
        match make(&path) {
            Ok(()) => sync_parent(&path)?,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
        let directory = fs::File::open(&path)?;
        Ok(Self { path, directory, is_read_only: false })
    }

    /// Opens a directory in which nothing can be changed by way of this value.
    ///
    /// # Errors
    /// Whatever the file system says.
    pub fn read_only(path: impl Into<PathBuf>) -> io::Result<Self> {
        let path = path.into();
        let directory = fs::File::open(&path)?;
        Ok(Self { path, directory, is_read_only: true })
    }

    /// Takes over a file of another directory, durably but for its name. With `may_link`, which is right only for a file that
    /// nobody will ever write to, as a second name for the same file where that can be; else as a copy.
    ///
    /// # Errors
    /// Whatever the file system says.
    pub fn adopt(&self, from: &Path, name: &str, may_link: bool) -> io::Result<Adoption> {
        let (from, to) = (from.join(name), self.path.join(name));
        if may_link && fs::hard_link(&from, &to).is_ok() {
            return Ok(Adoption::Linked);
        }
        // Shares the blocks, where the file system can.
        fs::copy(&from, &to)?;
        fs::File::open(&to)?.sync_all()?;
        Ok(Adoption::Copied)
    }

    fn writable(&self) -> io::Result<()> {
        if self.is_read_only { Err(io::ErrorKind::ReadOnlyFilesystem.into()) } else { Ok(()) }
    }

    /// The directory's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn open_with(&self, flags: OFlags, name: &str) -> io::Result<Arc<dyn File>> {
        let access = if self.is_read_only { OFlags::RDONLY } else { OFlags::RDWR };
        let mode = Mode::from_raw_mode(FILE_MODE as _);
        let file = rustix::fs::openat(&self.directory, name, access | flags | OFlags::CLOEXEC, mode)?;
        Ok(Arc::new(RealFile(file.into())))
    }
}

/// Makes a directory for its owner alone; its parent must exist.
///
/// # Errors
/// Whatever the file system says; `AlreadyExists` if it does.
pub fn make(path: &Path) -> io::Result<()> {
    DirBuilder::new().mode(DIRECTORY_MODE).create(path)
}

/// Gives two directories each other's name in one step, durably.
///
/// # Errors
/// Whatever the file system says; `Unsupported` or `InvalidInput` where it cannot do that.
pub fn exchange(one: &Path, other: &Path) -> io::Result<()> {
    rustix::fs::renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE)?;
    sync_parent(one)?;
    sync_parent(other)
}

/// Makes the name of a directory durable.
///
/// # Errors
/// Whatever the file system says.
pub fn sync_parent(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => fs::File::open(".")?.sync_all(),
        Some(parent) => fs::File::open(parent)?.sync_all(),
        None => Ok(()),
    }
}

impl Disk for Real {
    fn location(&self) -> String {
        self.path.display().to_string()
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn File>> {
        self.writable()?;
        self.open_with(OFlags::CREATE | OFlags::EXCL, name)
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn File>> {
        self.open_with(OFlags::empty(), name)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.writable()?;
        Ok(rustix::fs::renameat(&self.directory, from, &self.directory, to)?)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.writable()?;
        Ok(rustix::fs::unlinkat(&self.directory, name, AtFlags::empty())?)
    }

    fn list(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in Dir::read_from(&self.directory)? {
            let entry = entry?;
            let is_file = match entry.file_type() {
                // Some file systems do not tell while listing.
                FileType::Unknown => {
                    let found =
                        rustix::fs::statat(&self.directory, entry.file_name(), AtFlags::SYMLINK_NOFOLLOW)?;
                    FileType::from_raw_mode(found.st_mode) == FileType::RegularFile
                }
                kind => kind == FileType::RegularFile,
            };
            // A name that is not UTF-8 is not the journal's.
            if let (true, Ok(name)) = (is_file, entry.file_name().to_str()) {
                names.push(name.to_owned());
            }
        }
        Ok(names)
    }

    fn sync_dir(&self) -> io::Result<()> {
        self.directory.sync_all()
    }

    fn free_space(&self) -> io::Result<u64> {
        let stat = rustix::fs::fstatvfs(&self.directory)?;
        Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
    }
}

#[derive(Debug)]
struct RealFile(fs::File);

impl File for RealFile {
    fn length(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut filled = 0;
        while filled < buffer.len() {
            match self.0.read_at(&mut buffer[filled..], offset + filled as u64) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }

    fn write_at(&self, parts: &[&[u8]], offset: u64) -> io::Result<()> {
        let mut slices: Vec<IoSlice<'_>> = parts.iter().map(|part| IoSlice::new(part)).collect();
        let mut slices = slices.as_mut_slice();
        let mut offset = offset;
        // Skips empty parts, so that an empty rest means that all is written.
        IoSlice::advance_slices(&mut slices, 0);
        while !slices.is_empty() {
            match rustix::io::pwritev(&self.0, slices, offset) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => {
                    IoSlice::advance_slices(&mut slices, count);
                    offset += count as u64;
                }
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn allocate(&self, length: u64) -> io::Result<()> {
        match rustix::fs::fallocate(&self.0, FallocateFlags::empty(), 0, length) {
            Ok(()) => Ok(()),
            // A file system that cannot reserve says so in one of these ways.
            Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOSYS) => {
                Err(io::ErrorKind::Unsupported.into())
            }
            Err(error) => Err(error.into()),
        }
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        self.0.set_len(length)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }
}
