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
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::thread::JoinHandle;

/// From so many files on, one sync of the whole file system is less work than one for each.
const MANY: usize = 64;
/// So many files are made durable and read back while the next ones are still being made.
const AHEAD: usize = 192;

/// A folder on a local file system. Writers hold the log's lock, so the swap can compare and put.
pub struct FolderStore {
    root: PathBuf,
    read: Folder,
    staged: Mutex<Staged>,
}

/// Files beyond the head.
#[derive(Default)]
struct Staged {
    /// What must be made durable and read back, by its path.
    fresh: BTreeMap<PathBuf, Hash>,
    /// At work on earlier ones; it returns those that do not read back.
    helper: Option<JoinHandle<Result<Vec<PathBuf>>>>,
}

impl Staged {
    fn is_settled(&self) -> bool {
        self.fresh.is_empty() && self.helper.is_none()
    }

    // Waits for the helper. What was put again meanwhile is checked again anyway.
    fn join(&mut self) -> Result<()> {
        let Some(helper) = self.helper.take() else { return Ok(()) };
        let lost = helper.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        match lost.iter().find(|path| !self.fresh.contains_key(*path)) {
            Some(path) => Err(files::lost_write(path)),
            None => Ok(()),
        }
    }

    // Hands what there is to a helper, where it is enough and the one before is done.
    fn hand_over(&mut self, root: &Path) -> Result<()> {
        let free = self.helper.as_ref().is_none_or(JoinHandle::is_finished);
        if self.fresh.len() < AHEAD || !free {
            return Ok(());
        }
        self.join()?;
        let (root, fresh) = (root.to_path_buf(), std::mem::take(&mut self.fresh));
        let work = move || {
            files::sync_file_system(&root)?;
            let mut lost = Vec::new();
            for (path, hash) in fresh {
                if files::hash_uncached(&path)? != hash {
                    lost.push(path);
                }
            }
            Ok(lost)
        };
        let helper = std::thread::Builder::new().name("read-back".into()).spawn(work);
        self.helper = Some(helper.context("starting to read back")?);
        Ok(())
    }
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

    fn staged(&self) -> std::sync::MutexGuard<'_, Staged> {
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
        // A crash between the swap and this file leaves it to the next that opens the log; also where the
        // swap only added cosignatures, and the file is there without them.
        if self.get(&head_path(head.checkpoint.size), MAX_NOTE).ok().flatten()
            != Some(head.encode())
        {
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
        let mut staged = self.staged();
        staged.fresh.clear();
        // What it finds in files that are given up is no matter.
        let _ = staged.helper.take().map(JoinHandle::join);
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
        let mut staged = self.staged();
        staged.fresh.insert(path, Hash::of(bytes));
        staged.hand_over(&self.root)
    }

    fn settle(&self) -> Result<()> {
        let staged: Vec<(PathBuf, Hash)> = {
            let mut staged = self.staged();
            staged.join()?;
            std::mem::take(&mut staged.fresh).into_iter().collect()
        };
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
        if !self.staged().is_settled() {
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
