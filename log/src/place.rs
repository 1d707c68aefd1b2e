//! A log's folder: keys and admission private, everything published under `public/`.

use crate::index::{Index, journal_id};
use crate::store::{Bucket, FolderStore, Store};
use anyhow::{Context, Result};
use coldlog_kit::files::{self, FolderLock};
use coldlog_objects::{Remote, is_url};
use coldlog_spec::checkpoint::SignedCheckpoint;
use coldlog_spec::cose::Claims;
use coldlog_spec::verify::append::{Admission, verify_genesis};
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
        Ok(Place { home: home.into(), store, shared, head, index, _lock: lock })
    }

    /// Goes on from the head to which another writer of the same store moved the log.
    pub fn follow(&mut self) -> Result<()> {
        self.head = self.store.refresh()?;
        let path = self.home.join("index.sqlite");
        self.index = Index::open(&path, self.store.as_ref(), &self.head.checkpoint)?;
        Ok(())
    }

    /// The signer that may write a journal.
    pub fn admission(&self, claims: &Claims) -> Result<Option<Admission>> {
        admission(&self.home, claims)
    }
}

/// The signer that may write a journal.
pub fn admission(home: &Path, claims: &Claims) -> Result<Option<Admission>> {
    let path = admission_path(home, claims);
    if !files::is_there(&path)? {
        return Ok(None);
    }
    let genesis = files::read(&path, 1 << 16)?;
    let admission = verify_genesis(&genesis);
    admission.map(Some).with_context(|| format!("{} does not hold", path.display()))
}

/// Where an allowed signer's genesis is kept.
pub fn admission_path(home: &Path, claims: &Claims) -> PathBuf {
    home.join("allowed").join(format!("{}.cbor", journal_id(claims)))
}
