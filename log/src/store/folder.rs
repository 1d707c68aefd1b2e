//! A log in a folder of a local file system: durable by fsync, one writer by the log's lock.

use super::{Store, Swapped};
use crate::pipeline;
use anyhow::{Context, Result, bail};
use coldlog_kit::exit::Failure;
use coldlog_kit::files::{self, Existing, Mode};
use coldlog_kit::published::{self, Folder, Source};
use coldlog_spec::checkpoint::SignedCheckpoint;
use coldlog_spec::hash::Hash;
use coldlog_spec::note::MAX_NOTE;
use coldlog_spec::tile::head_path;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Mutex;

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

    // The history of heads begins with the first that stands for something.
    fn publish(&self, head: &SignedCheckpoint) -> Result<()> {
        match head.checkpoint.size {
            0 => Ok(()),
            size => self.put(&head_path(size), &head.encode()),
        }
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
    fn refresh(&self) -> Result<SignedCheckpoint> {
        let head = published::head(self)?;
        // A crash between the swap and this file leaves it to the next that opens the log.
        if !files::is_there(&self.root.join(head_path(head.checkpoint.size)))? {
            self.publish(&head)?;
        }
        Ok(head)
    }

    fn put_many(&self, files: Vec<(String, Vec<u8>)>) -> Result<u64> {
        let mut new = 0;
        for (path, bytes) in files {
            new += u64::from(self.get(&path, bytes.len()).ok().flatten().as_ref() != Some(&bytes));
            self.stage(&path, &bytes)?;
        }
        self.settle()?;
        Ok(new)
    }

    fn begin(&self) {
        self.staged().clear();
    }

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

    fn swap_head(&self, old: Option<&SignedCheckpoint>, new: &SignedCheckpoint) -> Result<Swapped> {
        if !self.staged().is_empty() {
            bail!("the head cannot move: what it stands for is not settled");
        }
        if self.get("checkpoint", MAX_NOTE)? != old.map(SignedCheckpoint::encode) {
            return Ok(Swapped::Lost);
        }
        files::create_folder(&self.root)?;
        // The swap comes first: a signed head that is not in the history must never be published.
        self.put("checkpoint", &new.encode())?;
        self.publish(new)?;
        Ok(Swapped::Done)
    }

    fn list(&self, folder: &str, each: &mut dyn FnMut(&str) -> Result<()>) -> Result<()> {
        let top = self.root.join(folder);
        if !files::is_there(&top)? {
            return Ok(());
        }
        for entry in walkdir::WalkDir::new(&top) {
            let entry = entry.with_context(|| format!("walking {}", top.display()))?;
            if !entry.file_type().is_dir() {
                each(&entry.path().strip_prefix(&top)?.to_string_lossy())?;
            }
        }
        Ok(())
    }

    fn collect(&self) -> Result<u64> {
        // What a crash staged here bears its own name, beyond the head.
        Ok(0)
    }

    fn remove(&self, path: &str) -> Result<()> {
        let path = self.root.join(path);
        std::fs::remove_file(&path).with_context(|| format!("removing {}", path.display()))
    }

    fn place(&self) -> String {
        self.root.display().to_string()
    }
}
