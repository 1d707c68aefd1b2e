//! Receipts for entries, one by one, under the newest head.

use crate::commands::witnesses;
use crate::keys::LogKeys;
use crate::store::Store;
use anyhow::{Context, Result};
use coldlog_kit::exit::Outcome;
use coldlog_kit::published::{self, Tree};
use coldlog_spec::checkpoint::SignedCheckpoint;
use coldlog_spec::ed25519::PublicKey;
use coldlog_spec::hash::Hash;
use coldlog_spec::policy::Policy;
use coldlog_spec::receipt::{Inclusion, ReceiptSigner};
use coldlog_spec::statement::Statement;
use coldlog_spec::tile::entries_path;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// Subjects whose signature is remembered under one root.
const MANY: usize = 1024;

/// What there is for an index.
pub(crate) enum Found {
    Receipt(Vec<u8>),
    /// The entry is in the log; its head is not cosigned yet.
    Waits,
    Nothing,
}

/// Makes receipts: one signature for each root and subject.
pub(crate) struct Receipts {
    home: PathBuf,
    /// Receipts are made under heads that meet its quorum only.
    policy: Option<Arc<Policy>>,
    /// Heads, by their hashes, and whether they wait for the quorum.
    judged: Mutex<HashMap<Hash, bool>>,
    keys: Arc<LogKeys>,
    pub(crate) origin: String,
    signed: Mutex<(Hash, HashMap<String, Arc<ReceiptSigner>>)>,
}

impl Receipts {
    pub(crate) fn new(
        home: &Path,
        keys: Arc<LogKeys>,
        origin: String,
        policy: Option<Arc<Policy>>,
    ) -> Receipts {
        let signed = Mutex::new((Hash([0; 32]), HashMap::new()));
        let judged = Mutex::default();
        Receipts { home: home.into(), policy, judged, keys, origin, signed }
    }

    /// Whether every head is shown, cosigned or not.
    pub(crate) fn shows_all(&self) -> bool {
        self.policy.is_none()
    }

    /// Whether receipts wait for the witnesses under this head.
    pub(crate) fn wait(&self, head: &SignedCheckpoint) -> bool {
        let Some(policy) = &self.policy else { return false };
        // Many ask after the same few heads.
        let note = Hash::of(&head.encode());
        let mut judged = self.judged.lock().unwrap_or_else(PoisonError::into_inner);
        if judged.len() >= MANY {
            judged.clear();
        }
        *judged.entry(note).or_insert_with(|| policy.verify_head(head).is_err())
    }

    /// The head that is shown: the newest; where there is a policy, the newest that meets its quorum.
    pub(crate) fn shown(&self, store: &dyn Store) -> Outcome<Option<SignedCheckpoint>> {
        let newest = self.head(store)?;
        if !self.wait(&newest) {
            return Ok(Some(newest));
        }
        Ok(witnesses::newest_cosigned(&self.home)?.filter(|head| !self.wait(head)))
    }

    /// Refuses keys that have been changed since the server was started.
    pub(crate) fn must_be_current(&self, home: &Path) -> Outcome {
        self.keys.must_be_current(home)
    }

    /// The key that signs them.
    pub(crate) fn key(&self) -> PublicKey {
        self.keys.receipt_key().public()
    }

    /// The newest head; it is the log's own.
    pub(crate) fn head(&self, store: &dyn Store) -> Outcome<SignedCheckpoint> {
        let head = published::head(store)?;
        // A receipt vouches for a root: only for one that this log signed.
        self.keys.must_have_signed(&head)?;
        Ok(head)
    }

    /// The receipt of the entry at an index, under the head that is shown.
    pub(crate) fn of_index(&self, store: &dyn Store, index: u64) -> Outcome<Found> {
        if index >= self.head(store)?.checkpoint.size {
            return Ok(Found::Nothing);
        }
        let head = match self.shown(store)? {
            Some(head) if index < head.checkpoint.size => head,
            _ => return Ok(Found::Waits),
        };
        let mut tree = Tree::new(store, head.checkpoint.size);
        let entry = tree.entry(index, entries_path)?;
        let entry = Statement::decode(&entry).with_context(|| format!("entry {index}"))?;
        Ok(Found::Receipt(self.make(&mut tree, &head, index, &entry.claims().subject)?))
    }

    /// A receipt under a head of the log's own.
    pub(crate) fn make(
        &self,
        tree: &mut Tree,
        head: &SignedCheckpoint,
        index: u64,
        subject: &str,
    ) -> Result<Vec<u8>> {
        let path = tree.inclusion(index)?;
        let proof = Inclusion { size: head.checkpoint.size, index, path };
        let receipt = self.signer(head.checkpoint.root, subject)?.inclusion(proof);
        Ok(receipt.with_checkpoint(&head.encode()).encode())
    }

    fn signer(&self, root: Hash, subject: &str) -> Result<Arc<ReceiptSigner>> {
        let mut signed = self.signed.lock().unwrap_or_else(PoisonError::into_inner);
        if signed.0 != root || signed.1.len() >= MANY {
            *signed = (root, HashMap::new());
        }
        if let Some(signer) = signed.1.get(subject) {
            return Ok(signer.clone());
        }
        let key = self.keys.receipt_key();
        let signer = Arc::new(ReceiptSigner::new(&key, &self.origin, subject, root)?);
        signed.1.insert(subject.into(), signer.clone());
        Ok(signer)
    }
}
