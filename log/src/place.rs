//! A log's folder: keys and admission private, everything published under `public/`.

use crate::index::{Index, journal_id};
use crate::store::{FolderStore, Store};
use anyhow::{Context, Result};
use coldlog_kit::files::{self, FolderLock};
use coldlog_kit::published;
use coldlog_spec::checkpoint::SignedCheckpoint;
use coldlog_spec::cose::Claims;
use coldlog_spec::verify::append::{Admission, verify_genesis};
use std::path::{Path, PathBuf};

/// A log, open.
pub struct Place {
    /// Its folder.
    pub home: PathBuf,
    /// What it publishes.
    pub store: FolderStore,
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

impl Place {
    /// Opens a log for this process alone.
    pub fn open(home: &Path) -> Result<Place> {
        if !public(home).is_dir() {
            anyhow::bail!("{} holds no log; make one with `log init`", home.display());
        }
        let lock = files::lock(home)?;
        let store = FolderStore::new(public(home));
        let head = published::head(&store)?;
        // A crash between the swap and this file leaves it to the next that opens the log.
        let head_path = coldlog_spec::tile::head_path(head.checkpoint.size);
        if head.checkpoint.size > 0 && !files::is_there(&public(home).join(&head_path))? {
            store.put(&head_path, &head.encode())?;
        }
        let index = Index::open(&home.join("index.sqlite"), &store, &head.checkpoint)?;
        Ok(Place { home: home.into(), store, head, index, _lock: lock })
    }

    /// The signer that may write a journal.
    pub fn admission(&self, claims: &Claims) -> Result<Option<Admission>> {
        let path = admission_path(&self.home, claims);
        if !files::is_there(&path)? {
            return Ok(None);
        }
        let genesis = files::read(&path, 1 << 16)?;
        let admission = verify_genesis(&genesis);
        admission.map(Some).with_context(|| format!("{} does not hold", path.display()))
    }
}

/// Where an allowed signer's genesis is kept.
pub fn admission_path(home: &Path, claims: &Claims) -> PathBuf {
    home.join("allowed").join(format!("{}.cbor", journal_id(claims)))
}
