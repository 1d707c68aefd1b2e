//! The signing key in a signer's folder, and its change.

use crate::journal::Journal;
use anyhow::{Context, Result};
use coldlog_kit::exit::{Outcome, no};
use coldlog_kit::files::{self, Existing, Mode};
use coldlog_kit::keyfile::Keys;
use coldlog_kit::secret;
use coldlog_spec::document::{minisign_public_key, ssh_public_key};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// The key file.
pub fn file(home: &Path) -> PathBuf {
    home.join("key.age")
}

/// The next key, while a rotation is under way.
pub(crate) fn next_file(home: &Path) -> PathBuf {
    home.join("key.next.age")
}

/// Loads the key in force. Where a rotation was interrupted after its record was durable, the next key is
/// the one: the rotation is finished first.
pub fn load(home: &Path, journal: &Journal, source: &secret::Source) -> Outcome<Keys> {
    load_with(home, journal, &|what| source.ask(what, false))
}

/// The same, where more than one passphrase may be needed.
pub fn load_with(
    home: &Path,
    journal: &Journal,
    ask: &dyn Fn(&str) -> Result<Zeroizing<String>>,
) -> Outcome<Keys> {
    let keys = Keys::read(&file(home), "signer", ask)?;
    if keys.ed25519().public() == *journal.key() {
        return Ok(keys);
    }
    if files::is_there(&next_file(home))? {
        let next = Keys::read(&next_file(home), "signer", ask)?;
        if next.ed25519().public() == *journal.key() {
            finish_rotation(home, journal)?;
            return Ok(next);
        }
    }
    no("the key file is not the key of this journal")
}

/// Puts the next key in the place of the old one, which stays beside it under another name.
pub(crate) fn finish_rotation(home: &Path, journal: &Journal) -> Result<PathBuf> {
    let digits =
        journal.admission().keys().iter().rev().nth(1).map(|key| key.thumbprint().to_hex());
    let digits = digits.context("the journal has had one key only")?;
    let old = home.join(format!("key.{}.given-up.age", digits.get(..16).unwrap_or_default()));
    let rename = |from: &Path, to: &Path| {
        std::fs::rename(from, to).with_context(|| format!("renaming {}", from.display()))
    };
    // Each step alone leaves what the next run of this goes on with.
    if files::is_there(&next_file(home))? {
        if files::is_there(&file(home))? && !files::is_there(&old)? {
            std::fs::hard_link(file(home), &old)
                .with_context(|| format!("linking {}", old.display()))?;
        }
        rename(&next_file(home), &file(home))?;
        files::sync_folder(home)?;
    }
    write_public(home, journal)?;
    Ok(old)
}

/// Writes the files that others need to check the signer's signatures.
pub fn write_public(home: &Path, journal: &Journal) -> Result<()> {
    let name = &journal.claims().issuer;
    let key = journal.key();
    let write = |file: &str, text: String| {
        files::write(&home.join(file), text.as_bytes(), Existing::Replace, Mode::Public)
    };
    write("signer.pub", format!("{} {name}\n", ssh_public_key(key)))?;
    // What was signed by an earlier key stays good.
    let keys = journal.admission().keys().iter();
    let allowed = keys.map(|key| format!("{name} namespaces=\"file\" {}\n", ssh_public_key(key)));
    write("allowed_signers", allowed.collect())?;
    write("minisign.pub", minisign_public_key(key))
}
