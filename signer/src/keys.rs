//! The signing key in a signer's folder, and its change.

use crate::journal::Journal;
use anyhow::{Context, Result};
use coldlog_kit::custody::{Protected, Reference};
use coldlog_kit::exit::{Outcome, no};
use coldlog_kit::files::{self, Existing, Mode};
use coldlog_kit::keyfile::Keys;
use coldlog_kit::secret;
use coldlog_kit::terminal::talk;
use coldlog_spec::document::{minisign_public_key, ssh_public_key};
use serde_json::{Value, json};
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
    load_with(home, journal, None, source, &|what| source.ask(what, false))
}

/// A signing run that is about to begin.
pub(crate) struct Run {
    /// So many documents.
    pub(crate) documents: usize,
    /// So many of which share the signature of the tail.
    pub(crate) group: usize,
}

/// The same, for a run: what it will ask of a person is said before it asks. `ask` knows the passphrase,
/// where more than one person must give it.
pub(crate) fn load_with(
    home: &Path,
    journal: &Journal,
    run: Option<Run>,
    source: &secret::Source,
    ask: &dyn Fn(&str) -> Result<Zeroizing<String>>,
) -> Outcome<Keys> {
    let read = |path: &Path| Keys::read_with(path, "signer", source.identity.as_deref(), ask);
    let (mut keys, mut finishes) = (read(&file(home))?, false);
    if keys.ed25519().public() != *journal.key() && files::is_there(&next_file(home))? {
        (keys, finishes) = (read(&next_file(home))?, true);
    }
    // Before a PIN is asked for: none is spent on a key that is not this journal's.
    if keys.ed25519().public() != *journal.key() {
        return no("the key file is not the key of this journal");
    }
    if finishes {
        finish_rotation(home, journal)?;
    }
    if let (Some(reference), Some(run)) = (keys.reference(), run) {
        talk(cost(reference, &run));
    }
    keys.open(source)?;
    Ok(keys)
}

fn cost(reference: &Reference, Run { documents, group }: &Run) -> String {
    let signatures = 2 * documents + documents.div_ceil(*group);
    let ask = match reference {
        Reference::Token(_) => "the PIN is asked for once",
        Reference::Agent(_) => "the agent asks as often as it was told to",
    };
    let takes = if *documents == 1 { "document takes" } else { "documents take" };
    format!(
        "the key is {reference}: {documents} {takes} {signatures} signatures (two each, and one for the tail of every {group}); {ask}; a key that wants a touch wants one for each signature"
    )
}

/// Where the key lives, in words and for JSON, as far as the file tells without a secret.
pub(crate) fn place(home: &Path) -> Result<(String, Value)> {
    let path = file(home);
    if !files::is_there(&path)? {
        return Ok(("the key file is not here".into(), json!({"place": "missing"})));
    }
    let protected = Protected::of(&files::read_private(&path, 4096)?);
    let name = path.display();
    if protected != Protected::ByMode {
        let words = format!("the key opens by {name}, {}", protected.words());
        return Ok((words, json!({"place": "file", "protected": protected.word()})));
    }
    let keys = Keys::read(&path, "signer", |_| anyhow::bail!("it has no passphrase"))?;
    Ok(match keys.reference() {
        None => {
            let words = format!("the key is in {name}, {}", protected.words());
            (words, json!({"place": "file", "protected": protected.word()}))
        }
        Some(reference) => (format!("the key is {reference}"), reference.to_json()),
    })
}

/// Whether a key file that is not encrypted only names a key elsewhere.
pub(crate) fn is_held(path: &Path) -> Result<bool> {
    let keys = Keys::read(path, "signer", |_| anyhow::bail!("it has no passphrase"))?;
    Ok(keys.reference().is_some())
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

/// Writes the genesis, for logs that shall allow the journal.
pub fn write_genesis(home: &Path, journal: &Journal) -> Result<()> {
    let genesis = journal.admission().genesis.bytes();
    files::write(&home.join("genesis.cbor"), genesis, Existing::Replace, Mode::Public)
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
