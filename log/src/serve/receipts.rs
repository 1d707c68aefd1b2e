//! Receipts for entries, one by one, under the newest head.

use crate::keys::LogKeys;
use crate::store::Store;
use anyhow::{Context, Result};
use coldlog_kit::exit::Outcome;
use coldlog_kit::published::{self, Tree};
use coldlog_spec::checkpoint::SignedCheckpoint;
use coldlog_spec::ed25519::PublicKey;
use coldlog_spec::hash::Hash;
use coldlog_spec::receipt::{Inclusion, ReceiptSigner};
use coldlog_spec::statement::Statement;
use coldlog_spec::tile::entries_path;
use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// Subjects whose signature is remembered under one root.
const MANY: usize = 1024;

/// Makes receipts: one signature for each root and subject.
pub(crate) struct Receipts {
    keys: Arc<LogKeys>,
    pub(crate) origin: String,
    signed: Mutex<(Hash, HashMap<String, Arc<ReceiptSigner>>)>,
}

impl Receipts {
    pub(crate) fn new(keys: Arc<LogKeys>, origin: String) -> Receipts {
        Receipts { keys, origin, signed: Mutex::new((Hash([0; 32]), HashMap::new())) }
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

    /// The receipt of the entry at an index, under the newest head; `None` where there is no such entry.
    pub(crate) fn of_index(&self, store: &dyn Store, index: u64) -> Outcome<Option<Vec<u8>>> {
        let head = self.head(store)?;
        if index >= head.checkpoint.size {
            return Ok(None);
        }
        let mut tree = Tree::new(store, head.checkpoint.size);
        let entry = tree.entry(index, entries_path)?;
        let entry = Statement::decode(&entry).with_context(|| format!("entry {index}"))?;
        Ok(Some(self.make(&mut tree, &head, index, &entry.claims().subject)?))
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
        let receipt = self.signer(head.checkpoint.root, subject).inclusion(proof);
        Ok(receipt.with_checkpoint(&head.encode()).encode())
    }

    fn signer(&self, root: Hash, subject: &str) -> Arc<ReceiptSigner> {
        let mut signed = self.signed.lock().unwrap_or_else(PoisonError::into_inner);
        if signed.0 != root || signed.1.len() >= MANY {
            *signed = (root, HashMap::new());
        }
        let make =
            || Arc::new(ReceiptSigner::new(&self.keys.receipt_key(), &self.origin, subject, root));
        signed.1.entry(subject.into()).or_insert_with(make).clone()
    }
}
