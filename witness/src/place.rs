//! A witness's folder: its key, the logs that it watches, and the newest head of each that it cosigned.
//!
//! `logs/<SHA-256 of the origin>/log` says by which keys a log is watched (`spec::log_list`), and
//! `.../checkpoint` beside it is the memory: the log's head with this witness's own cosignatures on it, so
//! that it can be held against the witness's key, and shown to anybody.
//!
//! `place.mark` says which folder this is: one that was restored, copied or moved has another time of
//! birth, and may have forgotten heads that are out. It cosigns nothing before `witness recover` has
//! settled that.

use anyhow::{Context, Result, bail};
use coldlog_kit::exit::{OrNo, Outcome, no};
use coldlog_kit::files::{self, Existing, Mark, Mode};
use coldlog_kit::marked;
use coldlog_spec::checkpoint::SignedCheckpoint;
use coldlog_spec::hash::Hash;
use coldlog_spec::log_list::{self, ListedLog};
use coldlog_spec::note::{MAX_NOTE, VerifierKey};
use coldlog_spec::rehearsal::may_meet;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long a request waits for another one about the same log.
const PATIENCE: Duration = Duration::from_secs(20);

/// Refuses a folder that is no witness's.
pub fn must_be_home(home: &Path) -> Result<()> {
    if !home.join("logs").is_dir() {
        bail!("{} is no witness's folder; make one with `witness init`", home.display());
    }
    Ok(())
}

/// Where a log is kept.
pub fn folder_of(home: &Path, origin: &Hash) -> PathBuf {
    home.join("logs").join(origin.to_hex())
}

/// A log's folder, held for this process and this thread alone.
pub struct Held {
    folder: PathBuf,
    _lock: files::FolderLock,
}

/// What a witness knows of a log.
#[derive(Debug, Clone)]
pub struct Known {
    /// Origin, keys, and so on.
    pub log: ListedLog,
    /// The newest head that it cosigned.
    pub last: Option<SignedCheckpoint>,
}

impl Held {
    /// Whether a log is watched, without waiting for anybody.
    pub fn is_watched(home: &Path, origin: &str) -> Result<bool> {
        files::is_there(&folder_of(home, &Hash::of(origin.as_bytes())).join("log"))
    }

    /// The log's; `None` where it is not watched.
    pub fn open(home: &Path, origin: &str) -> Result<Option<Held>> {
        let folder = folder_of(home, &Hash::of(origin.as_bytes()));
        if !files::is_there(&folder.join("log"))? {
            return Ok(None);
        }
        let lock = files::lock_within(&folder, PATIENCE)?;
        // It may have been removed while we waited.
        Ok(files::is_there(&folder.join("log"))?.then_some(Held { folder, _lock: lock }))
    }

    /// What is known of it.
    pub fn known(&self) -> Result<Known> {
        known_in(&self.folder)?.context("the log is watched no longer")
    }

    /// Remembers a head, durably, before anybody is told.
    pub fn remember(&self, head: &SignedCheckpoint) -> Result<()> {
        let bytes = head.encode();
        SignedCheckpoint::decode(&bytes).context("the head cannot be remembered")?;
        files::write(&self.folder.join("checkpoint"), &bytes, Existing::Replace, Mode::Public)
    }

    /// The same, with a mark that tells a file that was put back: for who writes seldom, as a mirror.
    pub fn remember_marked(&self, head: &SignedCheckpoint) -> Result<()> {
        let bytes = head.encode();
        SignedCheckpoint::decode(&bytes).context("the head cannot be remembered")?;
        marked::write(&self.folder.join("checkpoint"), &bytes)
    }

    /// Whether the memory is the one that was marked here, or there is none.
    pub fn is_marked_memory(&self) -> Result<bool> {
        let path = self.folder.join("checkpoint");
        Ok(!files::is_there(&path)? || marked::is_same(&path)?)
    }

    /// Says that the memory as it is counts.
    pub fn settle_memory(&self) -> Result<()> {
        let path = self.folder.join("checkpoint");
        if files::is_there(&path)? { marked::settle(&path) } else { Ok(()) }
    }

    /// Watches the log by other keys, or says more of it.
    pub fn describe(&self, log: &ListedLog) -> Result<()> {
        let text = log_list::encode(std::slice::from_ref(log));
        files::write(&self.folder.join("log"), text.as_bytes(), Existing::Replace, Mode::Public)
    }

    /// Watches it no longer. What was cosigned stays remembered: who adds it again must not forget.
    pub fn remove(self) -> Result<()> {
        let path = self.folder.join("log");
        std::fs::remove_file(&path).with_context(|| format!("removing {}", path.display()))?;
        files::sync_folder(&self.folder)
    }
}

fn known_in(folder: &Path) -> Result<Option<Known>> {
    let path = folder.join("log");
    if !files::is_there(&path)? {
        return Ok(None);
    }
    let list = log_list::parse(&files::read(&path, 1 << 20)?);
    let list = list.with_context(|| path.display().to_string())?;
    let [log] = <[ListedLog; 1]>::try_from(list)
        .map_err(|list| anyhow::anyhow!("{} names {} logs", path.display(), list.len()))?;
    let last = last_in(folder)?;
    if let Some(last) = &last
        && last.checkpoint.origin != log.origin
    {
        bail!("{} holds a head of {}", folder.display(), last.checkpoint.origin);
    }
    Ok(Some(Known { log, last }))
}

fn last_in(folder: &Path) -> Result<Option<SignedCheckpoint>> {
    let path = folder.join("checkpoint");
    if !files::is_there(&path)? {
        return Ok(None);
    }
    let head = SignedCheckpoint::decode(&files::read(&path, MAX_NOTE as u64)?);
    Ok(Some(head.with_context(|| {
        format!("{} is damaged; settle it before this witness cosigns again (`witness recover --newest HEAD`)", path.display())
    })?))
}

/// Watches a log that is not watched yet.
pub fn add(home: &Path, log: &ListedLog) -> Result<()> {
    let folder = folder_of(home, &Hash::of(log.origin.as_bytes()));
    files::create_folder(&folder)?;
    let held = Held { _lock: files::lock_within(&folder, PATIENCE)?, folder };
    held.describe(log)
}

/// Every log that is watched, in the order of their origins.
pub fn all(home: &Path) -> Result<Vec<Known>> {
    must_be_home(home)?;
    let mut all = Vec::new();
    for entry in std::fs::read_dir(home.join("logs"))? {
        let folder = entry?.path();
        if folder.is_dir() {
            all.extend(known_in(&folder)?);
        }
    }
    all.sort_by(|a, b| a.log.origin.cmp(&b.log.origin));
    Ok(all)
}

/// Removes what a witness that was killed left behind, log by log.
pub fn clear_unfinished(home: &Path) -> Result<()> {
    for entry in std::fs::read_dir(home.join("logs"))? {
        let folder = entry?.path();
        if folder.is_dir() {
            let _lock = files::lock_within(&folder, PATIENCE)?;
            files::clear_unfinished(&folder)?;
        }
    }
    Ok(())
}

/// The newest cosigned head of a log by the SHA-256 of its origin, in hexadecimal digits.
pub fn newest(home: &Path, origin: &str) -> Result<Option<SignedCheckpoint>> {
    Ok(by_hash(home, origin)?.and_then(|known| known.last))
}

/// The origin of a log that is watched, by its SHA-256 in hexadecimal digits.
pub fn origin_of(home: &Path, hash: &str) -> Result<Option<String>> {
    Ok(by_hash(home, hash)?.map(|known| known.log.origin))
}

// Nothing else in a URL leads to a file.
fn by_hash(home: &Path, hash: &str) -> Result<Option<Known>> {
    let is_hash =
        hash.len() == 64 && hash.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    if is_hash { known_in(&home.join("logs").join(hash)) } else { Ok(None) }
}

/// A head that carries a cosignature by `own` and is not remembered: its size, and the size that is. The memory
/// was put back.
pub fn forgotten(
    known: &Known,
    head: &SignedCheckpoint,
    own: &[VerifierKey],
) -> Option<(u64, u64)> {
    let own: Vec<&VerifierKey> = own.iter().collect();
    let ours = head.verified_by(&own).is_ok_and(|ours| !ours.is_empty());
    let last = known.last.as_ref().map(|last| &last.checkpoint);
    let (size, seen) = (head.checkpoint.size, last.map_or(0, |last| last.size));
    let other = last.is_some_and(|last| last.size == size && *last != head.checkpoint);
    let of_it = head.checkpoint.origin == known.log.origin;
    (ours && of_it && (size > seen || other)).then_some((size, seen))
}

/// Refuses a head in the memory that this witness has not cosigned: somebody else wrote it.
pub fn must_be_ours(last: &SignedCheckpoint, own: &[VerifierKey]) -> Result<u64> {
    let own: Vec<&VerifierKey> = own.iter().collect();
    let vouched = last.verified_by(&own).unwrap_or_default();
    if vouched.len() != own.len() {
        bail!(
            "the head of {} in this witness's memory is not cosigned by it: the memory was altered; settle it with `witness recover --newest HEAD`",
            last.checkpoint.origin
        );
    }
    Ok(vouched.iter().map(|vouched| vouched.time).max().unwrap_or(0))
}

/// The name of the witness, or the mirror, whose folder this is, as its lines for a policy have it.
fn own_name(home: &Path) -> Result<Option<String>> {
    for role in ["witness", "mirror"] {
        let path = home.join(format!("{role}.policy"));
        if !files::is_there(&path)? {
            continue;
        }
        let text = String::from_utf8(files::read(&path, 1 << 16)?).unwrap_or_default();
        let vkey = text.split_whitespace().nth(2).unwrap_or_default();
        let key = VerifierKey::decode(vkey).with_context(|| path.display().to_string())?;
        return Ok(Some(key.name));
    }
    // What an interrupted init leaves: the key says it when it cosigns.
    Ok(None)
}

/// Refuses to have to do with a log of a rehearsal, or, in a rehearsal, with a real one.
pub fn may_watch(home: &Path, origin: &str) -> Outcome {
    match own_name(home)? {
        Some(name) => may_meet(&name, origin).or_no(),
        None => Ok(()),
    }
}

fn mark_of(home: &Path) -> Result<String> {
    // Neither is ever written anew by this program.
    let [key, logs] = ["key.age", "logs"].map(|name| Mark::of(&home.join(name)));
    Ok(format!("{}\n{}\n", key?.born, logs?.born))
}

/// Says that this folder is the one whose memory counts.
pub fn settle(home: &Path) -> Result<()> {
    let path = home.join("place.mark");
    files::write(&path, mark_of(home)?.as_bytes(), Existing::Replace, Mode::Public)
}

/// Whether this folder is the one whose memory counts, and no copy of it.
pub fn is_settled(home: &Path) -> Result<bool> {
    let path = home.join("place.mark");
    Ok(files::is_there(&path)? && files::read(&path, 4096)? == mark_of(home)?.as_bytes())
}

/// Refuses to cosign in a folder that was restored, copied or moved.
pub fn must_be_settled(home: &Path) -> Outcome {
    must_be_home(home)?;
    if !is_settled(home)? {
        return no(format!(
            "this witness's folder {} was restored, copied or moved: it may have forgotten heads that it cosigned, and would help a log to show two histories; get the newest heads that carry its cosignature (from each log, a mirror, an auditor), and run `witness recover --newest HEAD...`",
            home.display()
        ));
    }
    Ok(())
}
