//! Where a log's published files are stored: one narrow trait, with a folder and object stores behind it.

mod bucket;
mod folder;

pub use bucket::Bucket;
pub use coldlog_objects::Swapped;
pub use folder::FolderStore;

use anyhow::Result;
use coldlog_kit::published::Source;
use coldlog_spec::checkpoint::SignedCheckpoint;

/// A store that can be written. Reading is [`Source`]: it sees what is staged and settled, too.
pub trait Store: Source + Send {
    /// Reads the newest head, and puts in place what an interrupted writer left to do.
    fn refresh(&self) -> Result<SignedCheckpoint>;
    /// Puts a file whole and durably: one whose bytes follow from the head, or that no head needs.
    fn put(&self, path: &str, bytes: &[u8]) -> Result<()>;
    /// Puts files whose bytes follow from a head, durably, and reads them back; those that are there with
    /// the same bytes stay. Returns how many were new.
    fn put_many(&self, files: Vec<(String, Vec<u8>)>) -> Result<u64>;
    /// Forgets what was staged and not settled.
    fn begin(&self);
    /// Puts a file that lies beyond the head: it is durable only after [`Store::settle`].
    fn stage(&self, path: &str, bytes: &[u8]) -> Result<()>;
    /// Makes all that was staged durable, and reads it back.
    fn settle(&self) -> Result<()>;
    /// Moves the head from the one that [`Store::refresh`] gave (`None`: there is none yet) to another,
    /// and publishes it as `checkpoint` and in `heads/`; or leaves it where another writer moved it.
    fn swap_head(&self, old: Option<&SignedCheckpoint>, new: &SignedCheckpoint) -> Result<Swapped>;
    /// Names every file whose path begins with `folder` and a slash, relative to it, in any order.
    fn list(&self, folder: &str, each: &mut dyn FnMut(&str) -> Result<()>) -> Result<()>;
    /// Removes what interrupted writers staged; returns how many objects.
    fn collect(&self) -> Result<u64>;
    /// Removes a file that nothing needs.
    fn remove(&self, path: &str) -> Result<()>;
    /// Where it is, for people.
    fn place(&self) -> String;
}
