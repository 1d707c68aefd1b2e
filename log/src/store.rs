//! Where a log's published files are stored: one narrow trait, so that an object store fits in later.

use anyhow::{Result, bail};
use coldlog_kit::files::{self, Existing, Mode};
use coldlog_kit::published::{Folder, Source};
use coldlog_spec::note::MAX_NOTE;
use std::path::PathBuf;

/// A store that can be written. Reading is [`Source`].
pub trait Store: Source {
    /// Puts a file whole and durably. What lies beyond the head is an orphan of a crash, and is
    /// replaced; nothing below the head is ever put again with other bytes.
    fn put(&self, path: &str, bytes: &[u8]) -> Result<()>;
    /// Moves the head from the bytes that the caller read to new ones, or fails.
    fn swap_head(&self, old: Option<&[u8]>, new: &[u8]) -> Result<()>;
}

/// A folder on a local file system. Writers hold the log's lock, so the swap can compare and put.
pub struct FolderStore {
    root: PathBuf,
    read: Folder,
}

impl FolderStore {
    /// The store in a folder.
    pub fn new(root: PathBuf) -> FolderStore {
        FolderStore { read: Folder(root.clone()), root }
    }
}

impl Source for FolderStore {
    fn get(&self, path: &str, limit: usize) -> Result<Option<Vec<u8>>> {
        self.read.get(path, limit)
    }
}

impl Store for FolderStore {
    fn put(&self, path: &str, bytes: &[u8]) -> Result<()> {
        let path = self.root.join(path);
        files::create_folder(&files::folder_of(&path))?;
        files::write(&path, bytes, Existing::Replace, Mode::Public)
    }

    fn swap_head(&self, old: Option<&[u8]>, new: &[u8]) -> Result<()> {
        if self.get("checkpoint", MAX_NOTE)?.as_deref() != old {
            bail!(
                "the head moved meanwhile: another process writes this log; run the command again"
            );
        }
        self.put("checkpoint", new)
    }
}
