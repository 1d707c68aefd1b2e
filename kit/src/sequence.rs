//! CBOR sequences (RFC 8742) in constant memory, both ways.

use crate::files::{Existing, Mode, NewFile};
use crate::read_back::ReadBack;
use anyhow::{Context, Result};
use coldlog_spec::cbor;
use coldlog_spec::hash::Hash;
use sha2::{Digest, Sha256};
use std::io::{BufWriter, Read, Write};
use std::path::{Path, PathBuf};

/// A sequence that ends in the middle of an item.
#[derive(Debug)]
pub struct CutShort(&'static str);

impl std::fmt::Display for CutShort {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let what = self.0;
        write!(f, "the {what} ends in the middle of an item: it was cut short, copy it again")
    }
}

impl std::error::Error for CutShort {}

/// Reads a sequence item by item.
pub struct Reader<R> {
    source: R,
    what: &'static str,
    limit: usize,
    buffer: Vec<u8>,
    start: usize,
    /// Of all items before the one that was read last, which ends at `start`.
    digest: Option<Sha256>,
    last: usize,
    begun: bool,
}

impl Reader<std::fs::File> {
    /// Opens a file.
    pub fn open(path: &Path, what: &'static str, limit: usize) -> Result<Self> {
        Ok(Reader::new(crate::files::open(path)?, what, limit))
    }
}

impl<R: Read> Reader<R> {
    /// Over any source; no item may exceed `limit` bytes.
    pub fn new(source: R, what: &'static str, limit: usize) -> Self {
        Reader {
            source,
            what,
            limit,
            buffer: Vec::new(),
            start: 0,
            digest: Some(Sha256::new()),
            last: 0,
            begun: false,
        }
    }

    /// The same, for who does not ask for [`Reader::digest_before`].
    pub fn without_digest(mut self) -> Self {
        self.digest = None;
        self
    }

    /// The next item's bytes; `None` at a clean end.
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> Result<Option<Vec<u8>>> {
        if let Some(digest) = &mut self.digest {
            digest.update(&self.buffer[self.start - self.last..self.start]);
        }
        self.last = 0;
        loop {
            let have = &self.buffer[self.start..];
            if !self.begun && !have.is_empty() {
                self.begun = true;
                if let Some(found) = coldlog_spec::kind::other_than(self.what, have) {
                    let expected = self.what.into();
                    return Err(cbor::DecodeError::OtherKind { expected, found }.into());
                }
            }
            if let Some(length) = cbor::item_length(self.what, have, self.limit)? {
                let item = have[..length].to_vec();
                self.start += length;
                self.last = length;
                return Ok(Some(item));
            }
            self.buffer.drain(..self.start);
            self.start = 0;
            let before = self.buffer.len();
            let more = (&mut self.source).take(1 << 18).read_to_end(&mut self.buffer);
            if more.with_context(|| format!("reading the {}", self.what))? == 0 {
                if before == 0 {
                    return Ok(None);
                }
                return Err(CutShort(self.what).into());
            }
        }
    }

    /// SHA-256 of all bytes before the item that was read last; of none without a digest.
    pub fn digest_before(&self) -> Hash {
        Hash(self.digest.clone().unwrap_or_default().finalize().into())
    }
}

/// Writes a sequence as a file that appears whole.
pub struct Writer {
    file: BufWriter<NewFile>,
    path: PathBuf,
    digest: Sha256,
    existing: Existing,
    length: u64,
    /// At work behind a large file, and how far it was told to come.
    behind: Option<ReadBack>,
    told: u64,
}

/// What is written before it is made durable and read back, while more is written.
const PIECE: u64 = 8 << 20;

impl Writer {
    /// Starts the file. With [`Existing::Keep`], a file that stands there already is refused at the
    /// end, unless it is the same: an interrupted command that is run again finds its own work.
    pub fn create(path: &Path, existing: Existing) -> Result<Writer> {
        let mut file = NewFile::create(path, Existing::Replace, Mode::Public)?;
        file.existing = existing;
        Ok(Writer {
            file: BufWriter::new(file),
            path: path.into(),
            digest: Sha256::new(),
            existing,
            length: 0,
            behind: None,
            told: 0,
        })
    }

    /// Writes an item.
    pub fn item(&mut self, item: &[u8]) -> Result<()> {
        self.digest.update(item);
        let writing = || format!("writing {}", self.path.display());
        self.file.write_all(item).with_context(writing)?;
        self.length += item.len() as u64;
        if self.length - self.told < PIECE {
            return Ok(());
        }
        self.file.flush().with_context(writing)?;
        // Whole pages: what is only begun would be read from memory.
        self.told = self.length & !0xffff;
        let behind = match self.behind.take() {
            Some(behind) => behind,
            None => ReadBack::start(self.file.get_ref().temporary())?,
        };
        behind.written(self.told);
        self.behind = Some(behind);
        Ok(())
    }

    /// SHA-256 of all that was written.
    pub fn digest(&self) -> Hash {
        Hash(self.digest.clone().finalize().into())
    }

    /// Puts the file in place, reads it back and compares.
    pub fn finish(self) -> Result<()> {
        let written = self.digest();
        let file = self.file.into_inner().map_err(|e| e.into_error());
        let file = file.with_context(|| format!("writing {}", self.path.display()))?;
        if self.existing != Existing::Replace && crate::files::is_there(&self.path)? {
            return match crate::files::hash_uncached(&self.path) {
                Ok(there) if there == written => {
                    // What an interrupted command left may not be durable yet.
                    crate::files::sync_file(&self.path)?;
                    crate::files::sync_folder(&crate::files::folder_of(&self.path))
                }
                _ => Err(crate::files::taken(&self.path, self.existing)),
            };
        }
        let lost = || Err(crate::files::lost_write(&self.path));
        // What was read back already and is not what was written gets no name.
        if let Some(behind) = self.behind {
            return match behind.finish(self.length)? == written {
                true => file.finish(),
                false => lost(),
            };
        }
        file.finish()?;
        match crate::files::hash_uncached(&self.path)? == written {
            true => Ok(()),
            false => lost(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{PIECE, Writer};
    use crate::files::Existing;
    use std::io::{Seek, SeekFrom, Write};

    // Writes a large file; `harm` is given what stands in the folder when all but the last bytes are there.
    fn large(harm: impl FnOnce(&std::path::Path) -> anyhow::Result<()>) -> anyhow::Result<bool> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("large");
        let mut writer = Writer::create(&path, Existing::Never)?;
        let item = vec![7; 1 << 16];
        for _ in 0..(PIECE >> 16) + 32 {
            writer.item(&item)?;
        }
        let begun = std::fs::read_dir(folder.path())?.next();
        harm(&begun.ok_or_else(|| anyhow::anyhow!("nothing is begun"))??.path())?;
        let finished = writer.finish();
        if let Err(why) = &finished {
            anyhow::ensure!(why.to_string().contains("does not read back"), "{why:#}");
            anyhow::ensure!(!path.exists(), "what was lost has a name");
        }
        Ok(finished.is_ok())
    }

    #[test]
    fn a_large_file_that_does_not_read_back_gets_no_name() -> anyhow::Result<()> {
        assert!(large(|_| Ok(()))?);
        // A byte beyond what the helper was told of so far.
        let flipped = |path: &std::path::Path| {
            let mut file = std::fs::File::options().write(true).open(path)?;
            file.seek(SeekFrom::Start(PIECE + (1 << 20)))?;
            Ok(file.write_all(&[8])?)
        };
        assert!(!large(flipped)?);
        Ok(())
    }
}
