//! A log's folder: its keys private, everything published under `public/`.

use crate::index::Index;
use crate::own;
use crate::store::{Bucket, FolderStore, Store};
use anyhow::{Context, Result};
use coldlog_client::Published;
use coldlog_kit::files::{self, FolderLock};
use coldlog_kit::published::{Source, Tree};
use coldlog_objects::{Remote, is_url};
use coldlog_spec::checkpoint::SignedCheckpoint;
use coldlog_spec::cose::Claims;
use coldlog_spec::rules::Rules;
use coldlog_spec::statement::Statement;
use coldlog_spec::tile::entries_path;
use coldlog_spec::verify::append::{Admission, Refusal, verify_genesis};
use coldlog_spec::verify::revocation::verify_by_itself;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
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
    /// What is known beyond the head, or was asked for already.
    known: Mutex<Known>,
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

/// A copy of a log to read from.
pub enum Opened {
    /// A folder or an object store, which can be listed.
    Store(Box<dyn Store>),
    /// Over HTTP.
    Url(Published),
}

impl Opened {
    /// To read from.
    pub fn source(&self) -> &dyn Source {
        match self {
            Opened::Store(store) => store.as_ref(),
            Opened::Url(url) => url,
        }
    }

    /// Where it is, for people.
    pub fn place(&self) -> String {
        match self {
            Opened::Store(store) => store.place(),
            Opened::Url(url) => url.url().into(),
        }
    }
}

/// A copy of a log at a URL, in a store, or in a folder; sealed records over HTTP with a reader's token.
pub fn open_source(place: &str, token: Option<&Path>) -> Result<Opened> {
    if !coldlog_client::is_url(place) {
        return Ok(Opened::Store(open_store(place)?));
    }
    let published = Published::new(place)?;
    Ok(Opened::Url(match token {
        Some(path) => published.with_token(path)?,
        None => published,
    }))
}

/// Rules, and the index of the entry that holds them; none where the log has said none.
pub struct InForce {
    /// The rules.
    pub rules: Rules,
    /// The entry.
    pub entry: Option<u64>,
}

impl std::ops::Deref for InForce {
    type Target = Rules;

    fn deref(&self) -> &Rules {
        &self.rules
    }
}

#[derive(Default)]
struct Known {
    rules: Option<Arc<InForce>>,
    pushed: HashMap<u64, Vec<u8>>,
}

impl Place {
    /// Opens a log for this process alone.
    pub fn open(home: &Path) -> Result<Place> {
        let (lock, store) = (lock(home)?, store(home)?);
        let head = store.refresh()?;
        let index = Index::open(&home.join("index.sqlite"), store.as_ref(), &head.checkpoint)?;
        let shared = files::is_there(&home.join("store"))?;
        let (home, known) = (home.into(), Mutex::default());
        Ok(Place { home, store, shared, head, index, known, _lock: lock })
    }

    /// Says, before anything is written, where the disks have not so many bytes free: that of the index, and
    /// that of the published folder, which may be another.
    pub fn need_space(&self, bytes: u64) -> Result<()> {
        files::need_space(&self.home, bytes)?;
        match self.shared {
            true => Ok(()),
            false => files::need_space(&public(&self.home), bytes),
        }
    }

    /// Goes on from the head to which another writer of the same store moved the log.
    pub fn follow(&mut self) -> Result<()> {
        self.head = self.store.refresh()?;
        let path = self.home.join("index.sqlite");
        self.index = Index::open(&path, self.store.as_ref(), &self.head.checkpoint)?;
        self.forget_pushed();
        Ok(())
    }

    /// Goes on from a head that was made here; the rules may be others now.
    pub(crate) fn moved_to(&mut self, head: SignedCheckpoint) {
        self.head = head;
        self.forget_pushed();
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes note of an entry beyond the head that decides about the next ones: a genesis, or a statement of
    /// the log's own.
    pub(crate) fn note_pushed(&self, index: u64, entry: &[u8]) {
        let mut known = self.known();
        known.rules = None;
        known.pushed.insert(index, entry.to_vec());
    }

    /// What was pushed is in the log now, or given up.
    pub(crate) fn forget_pushed(&self) {
        *self.known() = Known::default();
    }

    /// An entry of the log, or one that was noted beyond the head.
    pub(crate) fn entry(&self, index: u64) -> Result<Vec<u8>> {
        if let Some(pushed) = self.known().pushed.get(&index) {
            return Ok(pushed.clone());
        }
        Tree::new(self.store.as_ref(), self.head.checkpoint.size).entry(index, entries_path)
    }

    /// The rules in force, and the index of the entry that holds them.
    pub fn rules(&self) -> Result<Arc<InForce>> {
        if let Some(known) = &self.known().rules {
            return Ok(known.clone());
        }
        // What is wrong with the log's own store is trouble of its own, and no fault of a sender.
        let newest = own::newest_rules(self).map_err(|why| anyhow::anyhow!("{why:#}"))?;
        let newest = Arc::new(newest);
        self.known().rules = Some(newest.clone());
        Ok(newest)
    }

    /// The journal's genesis, where it is in the log, with what its key events have made of it.
    pub fn admission(&self, claims: &Claims) -> Result<Option<Admission>> {
        let Some((at, leaf)) = self.index.find(claims, 0)? else { return Ok(None) };
        let admission = verify_genesis(&self.entry(at)?);
        let mut admission =
            admission.map_err(|why| anyhow::anyhow!("entry {at} does not hold: {why}"))?;
        anyhow::ensure!(
            admission.genesis.leaf() == leaf,
            "entry {at} is not the one of the index: run `log fsck`"
        );
        // In the log's order: a revocation outside of the journal ends it where it stands.
        let revocations = self.index.revocations(claims)?.into_iter().map(|at| (at, true));
        let events = self.index.events(claims)?.into_iter().map(|at| (at, false));
        let mut all: Vec<(u64, bool)> = events.chain(revocations).collect();
        all.sort_unstable();
        for (at, outside) in all {
            let event = Statement::decode(&self.entry(at)?);
            if outside {
                let event = event.with_context(|| format!("entry {at}"))?;
                let key = verify_by_itself(&event, claims, admission.keys());
                admission.take_revocation(&key.with_context(|| format!("entry {at}"))?);
                continue;
            }
            let taken = event.map_err(Refusal::from).and_then(|event| {
                event.verify(&admission.key)?;
                admission.take(&event)
            });
            // What is wrong with the log's own store is no fault of a sender.
            taken.map_err(|why| anyhow::anyhow!("entry {at} does not hold: {why}"))?;
        }
        Ok(Some(admission))
    }
}
