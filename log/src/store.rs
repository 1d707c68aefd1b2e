//! Where a log's published files are stored: one narrow trait, so that an object store fits in later.

use crate::pipeline;
use anyhow::{Result, bail};
use coldlog_kit::exit::Failure;
use coldlog_kit::files::{self, Existing, Mode};
use coldlog_kit::published::{Folder, Source};
use coldlog_spec::hash::Hash;
use coldlog_spec::note::MAX_NOTE;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Mutex;

/// A store that can be written. Reading is [`Source`].
pub trait Store: Source {
    /// Puts a file whole and durably.
    fn put(&self, path: &str, bytes: &[u8]) -> Result<()>;
    /// Puts a file that lies beyond the head: it is durable only after [`Store::settle`]. An orphan of a
    /// crash is replaced; what is there with the same bytes stays as it is.
    fn stage(&self, path: &str, bytes: &[u8]) -> Result<()>;
    /// Makes all that was staged durable, and reads it back.
    fn settle(&self) -> Result<()>;
    /// Moves the head from the bytes that the caller read to new ones, or fails.
    fn swap_head(&self, old: Option<&[u8]>, new: &[u8]) -> Result<()>;
}

/// From so many files on, one sync of the whole file system is less work than one for each.
const MANY: usize = 64;

/// A folder on a local file system. Writers hold the log's lock, so the swap can compare and put.
pub struct FolderStore {
    root: PathBuf,
    read: Folder,
    /// What must be read back, by its path: what a refused batch left may be replaced by the next.
    staged: Mutex<BTreeMap<PathBuf, Hash>>,
}

impl FolderStore {
    /// The store in a folder.
    pub fn new(root: PathBuf) -> FolderStore {
        FolderStore { read: Folder(root.clone()), root, staged: Mutex::default() }
    }

    fn staged(&self) -> std::sync::MutexGuard<'_, BTreeMap<PathBuf, Hash>> {
        self.staged.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
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

    fn stage(&self, path: &str, bytes: &[u8]) -> Result<()> {
        let path = self.root.join(path);
        // A tile that did not grow is below the head already: a crash must not find it half written.
        if !files::read(&path, bytes.len() as u64).is_ok_and(|there| there == bytes) {
            files::create_folder(&files::folder_of(&path))?;
            files::place(&path, bytes)?;
        }
        self.staged().insert(path, Hash::of(bytes));
        Ok(())
    }

    fn settle(&self) -> Result<()> {
        let staged = std::mem::take(&mut *self.staged());
        let staged: Vec<(PathBuf, Hash)> = staged.into_iter().collect();
        if staged.len() >= MANY {
            files::sync_file_system(&self.root)?;
        } else {
            let mut folders = BTreeSet::new();
            for (path, _) in &staged {
                files::sync_file(path)?;
                folders.insert(files::folder_of(path));
            }
            folders.iter().try_for_each(|folder| files::sync_folder(folder))?;
        }
        // A medium that lost or changed a bit is found out before the head stands for it.
        let mut all = staged.chunks(16);
        pipeline::ordered(
            || Ok(all.next()),
            |some| {
                some.iter().try_for_each(|(path, hash)| match files::hash_uncached(path)? {
                    found if found == *hash => Ok(()),
                    _ => Err(files::lost_write(path)),
                })
            },
            |result| Ok(result?),
        )
        .map_err(|failure| match failure {
            Failure::No(why) | Failure::Trouble(why) => why,
        })
    }

    fn swap_head(&self, old: Option<&[u8]>, new: &[u8]) -> Result<()> {
        if !self.staged().is_empty() {
            bail!("the head cannot move: what it stands for is not settled");
        }
        if self.get("checkpoint", MAX_NOTE)?.as_deref() != old {
            bail!(
                "the head moved meanwhile: another process writes this log; run the command again"
            );
        }
        self.put("checkpoint", new)
    }
}
