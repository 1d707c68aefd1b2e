//! A log's folder: its keys private, everything published under `public/`.

use crate::index::Index;
use crate::own;
use crate::store::{Bucket, FolderStore, Store};
use anyhow::{Context, Result};
use coldlog_kit::files::{self, FolderLock};
use coldlog_kit::published::Tree;
use coldlog_objects::{Remote, is_url};
use coldlog_spec::checkpoint::{Checkpoint, SignedCheckpoint};
use coldlog_spec::cose::Claims;
use coldlog_spec::rules::Rules;
use coldlog_spec::tile::entries_path;
use coldlog_spec::verify::append::{Admission, verify_genesis};
use std::cell::OnceCell;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A log, open.
pub struct Place {
    /// Its folder.
    pub home: PathBuf,
    /// What it publishes.
    pub store: Box<dyn Store>,
    /// Whether other machines may write it, too.
    pub shared: bool,
    /// The newest head.
    pub head: SignedCheckpoint,
    /// The index, in step with the head.
    pub index: Index,
    /// The rules in force, when they were asked for.
    rules: OnceCell<(Rules, Option<u64>)>,
    _lock: FolderLock,
}

/// The published part.
pub fn public(home: &Path) -> PathBuf {
    home.join("public")
}

/// Refuses a folder that is no log's home.
pub fn must_be_home(home: &Path) -> Result<()> {
    if !files::is_there(&home.join("log.policy"))? {
        anyhow::bail!("{} holds no log; make one with `log init`", home.display());
    }
    Ok(())
}

/// Holds a log's home for this process alone.
pub fn lock(home: &Path) -> Result<FolderLock> {
    must_be_home(home)?;
    files::lock_within(home, PATIENCE)
}

/// How long a command waits for the log: a server gives it up at least once a second.
const PATIENCE: Duration = Duration::from_secs(5);

/// What a log's home publishes: below it, or in the object store that its file `store` names.
pub fn store(home: &Path) -> Result<Box<dyn Store>> {
    let named = home.join("store");
    if !files::is_there(&named)? {
        return Ok(Box::new(FolderStore::new(public(home))));
    }
    let url = String::from_utf8(files::read(&named, 4096)?);
    let url = url.with_context(|| format!("{} is no text", named.display()))?;
    open_store(url.trim_end())
}

/// The store at a URL, or in a folder.
pub fn open_store(place: &str) -> Result<Box<dyn Store>> {
    match is_url(place) {
        true => Ok(Box::new(Bucket::new(Remote::open(place)?))),
        false => Ok(Box::new(FolderStore::new(place.into()))),
    }
}

impl Place {
    /// Opens a log for this process alone.
    pub fn open(home: &Path) -> Result<Place> {
        let (lock, store) = (lock(home)?, store(home)?);
        let head = store.refresh()?;
        let index = Index::open(&home.join("index.sqlite"), store.as_ref(), &head.checkpoint)?;
        let shared = files::is_there(&home.join("store"))?;
        let (home, rules) = (home.into(), OnceCell::new());
        Ok(Place { home, store, shared, head, index, rules, _lock: lock })
    }

    /// Goes on from the head to which another writer of the same store moved the log.
    pub fn follow(&mut self) -> Result<()> {
        self.head = self.store.refresh()?;
        let path = self.home.join("index.sqlite");
        self.index = Index::open(&path, self.store.as_ref(), &self.head.checkpoint)?;
        self.rules.take();
        Ok(())
    }

    /// Goes on from a head that was made here; the rules may be others now.
    pub(crate) fn moved_to(&mut self, head: SignedCheckpoint) {
        self.head = head;
        self.rules.take();
    }

    /// The rules in force.
    pub fn rules(&self) -> Result<&Rules> {
        Ok(&self.rules_and_entry()?.0)
    }

    /// The rules in force, and the index of the entry that holds them.
    pub fn rules_and_entry(&self) -> Result<&(Rules, Option<u64>)> {
        if self.rules.get().is_none() {
            let Checkpoint { origin, size, .. } = &self.head.checkpoint;
            let of = (origin.as_str(), *size);
            let newest = own::newest_rules(&self.home, self.store.as_ref(), &self.index, of)?;
            let _ = self.rules.set(newest);
        }
        self.rules.get().context("the rules were just read")
    }

    /// The journal's genesis, where it is in the log.
    pub fn admission(&self, claims: &Claims) -> Result<Option<Admission>> {
        let Some((at, leaf)) = self.index.find(claims, 0)? else { return Ok(None) };
        let size = self.head.checkpoint.size;
        let entry = Tree::new(self.store.as_ref(), size).entry(at, entries_path)?;
        let admission = verify_genesis(&entry);
        let admission = admission.with_context(|| format!("entry {at} does not hold"))?;
        anyhow::ensure!(
            admission.genesis.leaf() == leaf,
            "entry {at} is not the one of the index: run `log fsck`"
        );
        Ok(Some(admission))
    }
}
