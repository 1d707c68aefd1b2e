//! Large files are made durable, and read back from the medium, piece by piece while more is written: the
//! end has not to wait for all of it.

use crate::files;
use anyhow::{Context, Result};
use coldlog_spec::hash::Hash;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

/// A helper at work behind a writer.
pub struct ReadBack {
    upto: Sender<u64>,
    helper: JoinHandle<Result<Hash>>,
}

impl ReadBack {
    /// For a file that is being written, from its beginning to its end.
    pub fn start(path: &Path) -> Result<ReadBack> {
        let (upto, pieces) = channel();
        let mut file = Behind { file: files::open(path)?, done: 0, digest: Sha256::new() };
        let path = path.to_path_buf();
        let work = move || {
            while let Some(upto) = newest(&pieces) {
                file.catch_up(upto).with_context(|| format!("reading {} back", path.display()))?;
            }
            Ok(Hash(file.digest.finalize().into()))
        };
        let helper = std::thread::Builder::new().name("read-back".into()).spawn(work);
        Ok(ReadBack { upto, helper: helper.context("starting to read back")? })
    }

    /// So many bytes are written.
    pub fn written(&self, upto: u64) {
        // A helper that has failed says so at the end.
        let _ = self.upto.send(upto);
    }

    /// All is written: SHA-256 of it as the medium has it.
    pub fn finish(self, length: u64) -> Result<Hash> {
        self.written(length);
        drop(self.upto);
        self.helper.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

// The newest of what waits; `None` when there is no more to come.
fn newest(pieces: &Receiver<u64>) -> Option<u64> {
    let first = pieces.recv().ok()?;
    Some(pieces.try_iter().last().unwrap_or(first))
}

struct Behind {
    file: File,
    done: u64,
    digest: Sha256,
}

impl Behind {
    fn catch_up(&mut self, upto: u64) -> std::io::Result<()> {
        self.file.sync_data()?;
        let length = upto.saturating_sub(self.done);
        #[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
        {
            let length = std::num::NonZeroU64::new(length);
            let advice = rustix::fs::Advice::DontNeed;
            let _ = rustix::fs::fadvise(&self.file, self.done, length, advice);
        }
        let mut rest = (&mut self.file).take(length);
        let mut buffer = vec![0; 1 << 16];
        loop {
            match rest.read(&mut buffer)? {
                0 => break,
                read => self.digest.update(buffer.get(..read).unwrap_or_default()),
            }
        }
        self.done = upto;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::ReadBack;
    use coldlog_spec::hash::Hash;
    use std::io::Write;

    #[test]
    fn what_is_read_back_is_what_was_written() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("file");
        let mut file = std::fs::File::create(&path)?;
        let back = ReadBack::start(&path)?;
        let (mut all, mut length) = (Vec::new(), 0u64);
        for piece in 0..40u8 {
            let bytes = vec![piece; 1 + 4096 * usize::from(piece)];
            file.write_all(&bytes)?;
            all.extend_from_slice(&bytes);
            length += bytes.len() as u64;
            if piece.is_multiple_of(3) {
                back.written(length);
            }
        }
        assert_eq!(back.finish(length)?, Hash::of(&all));
        // What was not written is not read.
        let short = ReadBack::start(&path)?;
        assert_ne!(short.finish(length - 1)?, Hash::of(&all));
        Ok(())
    }
}
