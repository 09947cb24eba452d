//! A disk in memory, made from bytes and turned into bytes.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use kew_journal::disk::{Disk, File};

type Content = Arc<Mutex<Vec<u8>>>;

/// Files by name.
#[derive(Debug, Default)]
pub struct Memory(Mutex<BTreeMap<String, Content>>);

/// The longest file that a broken length may ask for.
const LONGEST: u64 = 16 << 20;

impl Memory {
    /// The files that `image` describes: a name's length, the name, the content's length in four bytes, the content.
    pub fn from_image(mut image: &[u8]) -> Self {
        let memory = Self::default();
        while let Some((&length, rest)) = image.split_first() {
            let Some((name, rest)) = rest.split_at_checked(usize::from(length)) else { break };
            let Some((length, rest)) = rest.split_first_chunk::<4>() else { break };
            let length = (u32::from_le_bytes(*length) as usize).min(rest.len());
            let (content, rest) = rest.split_at(length);
            let name = String::from_utf8_lossy(name).replace('/', "_");
            memory.files().insert(name, Arc::new(Mutex::new(content.to_vec())));
            image = rest;
        }
        memory
    }

    /// The image of all files.
    pub fn image(&self) -> Vec<u8> {
        let mut image = Vec::new();
        for (name, content) in &*self.files() {
            let content = content.lock().unwrap_or_else(PoisonError::into_inner);
            image.push(name.len() as u8);
            image.extend(name.as_bytes());
            image.extend((content.len() as u32).to_le_bytes());
            image.extend(&*content);
        }
        image
    }

    fn files(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Content>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn missing() -> io::Error {
    io::ErrorKind::NotFound.into()
}

impl Disk for Memory {
    fn location(&self) -> String {
        "memory".into()
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn File>> {
        if self.files().contains_key(name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let content = Content::default();
        self.files().insert(name.to_owned(), Arc::clone(&content));
        Ok(Arc::new(Handle(content)))
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn File>> {
        let content = self.files().get(name).cloned().ok_or_else(missing)?;
        Ok(Arc::new(Handle(content)))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let content = self.files().remove(from).ok_or_else(missing)?;
        self.files().insert(to.to_owned(), content);
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.files().remove(name).map(drop).ok_or_else(missing)
    }

    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.files().keys().cloned().collect())
    }

    fn sync_dir(&self) -> io::Result<()> {
        Ok(())
    }

    fn free_space(&self) -> io::Result<u64> {
        Ok(1 << 40)
    }
}

#[derive(Debug)]
struct Handle(Content);

impl Handle {
    fn content(&self) -> std::sync::MutexGuard<'_, Vec<u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn grow(&self, length: u64) -> io::Result<()> {
        if length > LONGEST {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let mut content = self.content();
        let length = content.len().max(length as usize);
        content.resize(length, 0);
        Ok(())
    }
}

impl File for Handle {
    fn length(&self) -> io::Result<u64> {
        Ok(self.content().len() as u64)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let content = self.content();
        let from = usize::try_from(offset).unwrap_or(usize::MAX).min(content.len());
        let count = buffer.len().min(content.len() - from);
        buffer[..count].copy_from_slice(&content[from..from + count]);
        Ok(count)
    }

    fn write_at(&self, parts: &[&[u8]], offset: u64) -> io::Result<()> {
        let bytes = parts.concat();
        self.grow(offset.saturating_add(bytes.len() as u64))?;
        let from = offset as usize;
        self.content()[from..from + bytes.len()].copy_from_slice(&bytes);
        Ok(())
    }

    fn allocate(&self, length: u64) -> io::Result<()> {
        self.grow(length)
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        self.grow(length)?;
        self.content().truncate(length as usize);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }
}
