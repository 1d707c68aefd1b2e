//! The log's keys: those in force, and beside them the next ones while they take over.

use anyhow::{Context, Result, bail};
use coldlog_kit::exit::{OrNo, Outcome, trouble};
use coldlog_kit::files;
use coldlog_kit::keyfile::Keys;
use coldlog_kit::secret::Source;
use coldlog_spec::checkpoint::{Checkpoint, HeadKeys, SignedCheckpoint};
use coldlog_spec::ed25519::SecretKey;
use coldlog_spec::hash::Hash;
use coldlog_spec::note::VerifierKey;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// The file of the keys in force.
pub fn key_file(home: &Path) -> PathBuf {
    home.join("key.age")
}

/// The file of the keys that take over.
pub fn next_key_file(home: &Path) -> PathBuf {
    home.join("next-key.age")
}

/// A log's keys, loaded.
pub struct LogKeys {
    /// In force: they sign receipts.
    pub current: Keys,
    /// They sign heads, too, until they take over (`log rotate-key`).
    pub next: Option<Keys>,
    /// Of the files that they were loaded from.
    files: Hash,
}

// What the key files are, for whoever loaded them earlier.
fn files_of(home: &Path) -> Result<Hash> {
    let read = |path: &Path| match files::is_there(path)? {
        true => anyhow::Ok(Hash::of(&files::read_private(path, 1 << 16)?).0.to_vec()),
        false => Ok(Vec::new()),
    };
    Ok(Hash::of_parts(&[&read(&key_file(home))?, b"next", &read(&next_key_file(home))?]))
}

impl LogKeys {
    /// Loads the keys of a home, whose files have one passphrase: it is asked for once.
    pub fn load(home: &Path, secret: &Source) -> Result<LogKeys> {
        LogKeys::load_with_passphrase(home, secret).map(|(keys, _)| keys)
    }

    /// The same, with the passphrase, where the files have one.
    pub(crate) fn load_with_passphrase(
        home: &Path,
        secret: &Source,
    ) -> Result<(LogKeys, Option<Zeroizing<String>>)> {
        let mut known: Option<Zeroizing<String>> = None;
        let mut read = |path: &Path| {
            let ask = |what: &str| match &known {
                Some(passphrase) => Ok(passphrase.clone()),
                None => secret.ask(what, false).inspect(|told| known = Some(told.clone())),
            };
            let mut keys = Keys::read_with(path, "log", secret.identity.as_deref(), ask)?;
            keys.open(secret)?;
            anyhow::Ok(keys)
        };
        let current = read(&key_file(home))?;
        let next = next_key_file(home);
        let next = match files::is_there(&next)? {
            true => Some(read(&next)?),
            false => None,
        };
        if let Some(other) = next.as_ref().filter(|next| next.name != current.name) {
            bail!("{} is of {:?}", next_key_file(home).display(), other.name);
        }
        Ok((LogKeys { current, next, files: files_of(home)? }, known))
    }

    /// Refuses keys that were loaded before the key files were changed, by `log rotate-key`.
    pub(crate) fn must_be_current(&self, home: &Path) -> Outcome {
        match files_of(home)? == self.files {
            true => Ok(()),
            false => trouble("the log's key files were changed: start the server again"),
        }
    }

    /// The log's origin.
    pub fn origin(&self) -> &str {
        &self.current.name
    }

    /// The key that signs receipts.
    pub fn receipt_key(&self) -> SecretKey {
        self.current.ed25519()
    }

    /// The keys that sign heads.
    pub fn head_keys(&self) -> Vec<HeadKeys> {
        [Some(&self.current), self.next.as_ref()]
            .into_iter()
            .flatten()
            .map(Keys::head_keys)
            .collect()
    }

    /// Their verifier keys.
    pub fn verifiers(&self) -> Vec<VerifierKey> {
        self.head_keys().iter().flat_map(HeadKeys::log_verifiers).collect()
    }

    /// A head with the lines of all of them.
    pub fn sign_head(&self, checkpoint: &Checkpoint, time: u64) -> Result<SignedCheckpoint> {
        let mut head: Option<SignedCheckpoint> = None;
        for keys in self.head_keys() {
            let signed = keys.sign_head(checkpoint, time)?;
            match &mut head {
                None => head = Some(signed),
                Some(head) => head.note.signatures.extend(signed.note.signatures),
            }
        }
        head.context("a key")
    }

    /// Refuses a head that is not the log's own: nothing is built on it.
    pub fn must_have_signed(&self, head: &SignedCheckpoint) -> Outcome {
        let signed = head.must_be_by(&self.verifiers());
        signed.context("the log's checkpoint is not signed by its key file; run `log fsck`").or_no()
    }
}
