//! A mirror's folder. What it knows of each log is kept as a witness keeps it, in `logs/<SHA-256 of the
//! origin>/`: by which keys the log signs (`log`), and the newest head that the mirror is locked on
//! (`checkpoint`), which only ever goes forward. Beside them, in `copy/`:
//!
//! ```text
//! public/        the log as it publishes itself; `checkpoint` carries the mirror's cosignatures
//! pending        the last heads that it was locked on
//! next           how many entries were uploaded and are durable
//! fetched        up to which bundle a fetch under way is durable
//! resealed       which bundles are to be fetched anew, and when
//! token          what sealed records are read with, where they are read over HTTP
//! entries-only   where the log has no sealed records, or none for this mirror
//! ```

use anyhow::{Context, Result, bail};
use coldlog_kit::exit::{Outcome, no};
use coldlog_kit::files::{self, Existing, FolderLock, Mode};
use coldlog_kit::published::Source;
use coldlog_log::store::FolderStore;
use coldlog_spec::checkpoint::{SignedCheckpoint, parse_decimal};
use coldlog_spec::hash::Hash;
use coldlog_spec::heads::{Heads, MAX_BYTES};
use coldlog_spec::mirroring::Standing;
use coldlog_spec::note::{MAX_NOTE, VerifierKey};
use coldlog_witness::place as memory;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long one that wants to change a copy waits for another.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long an upload waits for another.
const SOON: Duration = Duration::from_secs(5);
/// Heads that a mirror was locked on and still takes the entries of.
const PENDING: usize = 8;

/// Refuses a folder that is no mirror's.
pub fn must_be_home(home: &Path) -> Result<()> {
    if !files::is_there(&home.join("mirror.policy"))? {
        bail!("{} is no mirror's folder; make one with `mirror init`", home.display());
    }
    Ok(())
}

/// Refuses to cosign in a folder that was restored, copied or moved.
pub fn must_be_settled(home: &Path) -> Outcome {
    must_be_home(home)?;
    if !memory::is_settled(home)? {
        return no(format!(
            "this mirror's folder {} was restored, copied or moved: it may have forgotten heads that it cosigned, and would help a log to show two histories; get the newest heads that carry its cosignature (from each log, a witness, an auditor), and run `mirror recover --newest HEAD...`",
            home.display()
        ));
    }
    Ok(())
}

/// Refuses a memory that was put back over itself: what it forgot may be out.
pub fn must_be_marked(held: &memory::Held, origin: &str) -> Outcome {
    if !held.is_marked_memory()? {
        return no(format!(
            "this mirror's memory of {origin} was restored or put back: it may have forgotten heads that it cosigned; get the newest that carry its cosignature, and run `mirror recover --newest HEAD...`"
        ));
    }
    Ok(())
}

/// Where a log's copy is.
pub fn copy_of(home: &Path, origin: &str) -> PathBuf {
    memory::folder_of(home, &Hash::of(origin.as_bytes())).join("copy")
}

/// A log's copy, to be read.
pub struct Copy {
    folder: PathBuf,
}

/// A log's copy, held for this process and this thread alone.
pub struct Held {
    /// The copy.
    pub copy: Copy,
    _lock: FolderLock,
}

impl Copy {
    /// Of a log that is mirrored.
    pub fn of(home: &Path, origin: &str) -> Copy {
        Copy { folder: copy_of(home, origin) }
    }

    /// For this process alone.
    pub fn hold(home: &Path, origin: &str) -> Result<Held> {
        let copy = Copy::of(home, origin);
        files::create_folder(&copy.folder)?;
        let lock = files::lock_within(&copy.folder, PATIENCE)?;
        Ok(Held { copy, _lock: lock })
    }

    /// The same within seconds, or not at all: a fetch may take hours.
    pub fn try_hold(home: &Path, origin: &str) -> Result<Option<Held>> {
        let copy = Copy::of(home, origin);
        files::create_folder(&copy.folder)?;
        Ok(files::lock_within(&copy.folder, SOON).ok().map(|lock| Held { copy, _lock: lock }))
    }

    /// Its folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What it publishes.
    pub fn public(&self) -> PathBuf {
        self.folder.join("public")
    }

    /// The same, to be read and written.
    pub fn store(&self) -> FolderStore {
        FolderStore::new(self.public())
    }

    /// Whether sealed records are kept, too.
    pub fn keeps_sealed(&self) -> Result<bool> {
        Ok(!files::is_there(&self.folder.join("entries-only"))?)
    }

    /// The file of the token that sealed records are read with.
    pub fn token(&self) -> Result<Option<PathBuf>> {
        let path = self.folder.join("token");
        Ok(files::is_there(&path)?.then_some(path))
    }

    /// The head that is served; its cosignatures are the mirror's own, or somebody else wrote it.
    pub fn served(&self, own: &[VerifierKey]) -> Result<Option<SignedCheckpoint>> {
        let Some(bytes) = self.store().get("checkpoint", MAX_NOTE)? else { return Ok(None) };
        let head = SignedCheckpoint::decode(&bytes);
        let head = head.with_context(|| format!("{} is damaged", self.public().display()))?;
        let own: Vec<&VerifierKey> = own.iter().collect();
        if head.verified_by(&own).unwrap_or_default().len() != own.len() {
            bail!(
                "the head in {} is not cosigned by this mirror: it was altered; put it aside, and fetch the log anew",
                self.public().display()
            );
        }
        Ok(Some(head))
    }

    /// The heads that it was locked on, oldest first.
    pub fn pending(&self) -> Result<Vec<SignedCheckpoint>> {
        let path = self.folder.join("pending");
        if !files::is_there(&path)? {
            return Ok(Vec::new());
        }
        let heads = Heads::decode(&files::read(&path, MAX_BYTES as u64)?);
        Ok(heads.with_context(|| path.display().to_string())?.0)
    }

    /// One more; the oldest are forgotten.
    pub fn add_pending(&self, head: &SignedCheckpoint) -> Result<()> {
        files::create_folder(&self.folder)?;
        let mut heads = self.pending()?;
        heads.retain(|other| other.checkpoint.size != head.checkpoint.size);
        heads.push(head.clone());
        let heads = Heads::new(heads).0;
        let last = heads.len().saturating_sub(PENDING);
        let text = Heads(heads.into_iter().skip(last).collect()).encode();
        files::write(&self.folder.join("pending"), &text, Existing::Replace, Mode::Public)
    }

    fn number(&self, name: &str) -> Result<u64> {
        let path = self.folder.join(name);
        if !files::is_there(&path)? {
            return Ok(0);
        }
        let text = String::from_utf8(files::read(&path, 64)?).unwrap_or_default();
        let number = text.strip_suffix('\n').and_then(parse_decimal);
        number.with_context(|| format!("{} is damaged: remove it", path.display()))
    }

    fn set_number(&self, name: &str, number: u64) -> Result<()> {
        let text = format!("{number}\n");
        files::write(&self.folder.join(name), text.as_bytes(), Existing::Replace, Mode::Public)
    }

    /// So many entries were uploaded, verified and durable.
    pub fn set_uploaded(&self, next: u64) -> Result<()> {
        self.set_number("next", next)
    }

    /// Up to which bundle a fetch that was interrupted had made durable what it fetched.
    pub fn fetched(&self) -> Result<u64> {
        self.number("fetched")
    }

    /// Bundles below this one are durable.
    pub fn set_fetched(&self, bundle: u64) -> Result<()> {
        self.set_number("fetched", bundle)
    }

    /// What there is of the log.
    pub fn standing(&self, own: &[VerifierKey]) -> Result<Standing> {
        let size = self.served(own)?.map_or(0, |head| head.checkpoint.size);
        let pending = self.pending()?.iter().map(|head| head.checkpoint.size).collect();
        Ok(Standing { pending, size, next: size.max(self.number("next")?) })
    }
}
