//! Whole files under age, for a medium that others may find: written and read back in constant memory.

use crate::files::{self, Existing, Mode, NewFile};
use crate::read_back::ReadBack;
use crate::seal::{Identity, Recipient, decrypt, encryptor};
use anyhow::{Context, Result};
use coldlog_spec::hash::Hash;
use sha2::{Digest, Sha256};
use std::io::{Read, Write};
use std::path::Path;

/// What is written before it is read back, while more is written.
const PIECE: u64 = 8 << 20;

/// Hashes and counts what goes to a new file, and has it read back behind it.
struct Told {
    file: NewFile,
    digest: Sha256,
    length: u64,
    told: u64,
    behind: ReadBack,
}

impl Write for Told {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.digest.update(bytes.get(..written).unwrap_or_default());
        self.length += written as u64;
        if self.length - self.told >= PIECE {
            self.told = self.length & !0xffff;
            self.behind.written(self.told);
        }
        Ok(written)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.file.flush()
    }
}

/// Seals a file to recipients, durably, and reads it back. Returns the length and the SHA-256 of what lies
/// on the medium.
pub fn seal(from: &Path, to: &Path, recipients: &[Recipient]) -> Result<(u64, Hash)> {
    let mut source = files::open(from)?;
    let file = NewFile::create(to, Existing::Never, Mode::Private)?;
    let behind = ReadBack::start(file.temporary())?;
    let told = Told { file, digest: Sha256::new(), length: 0, told: 0, behind };
    let writing = || format!("writing {}", to.display());
    let mut writer = encryptor(recipients)?.wrap_output(told)?;
    let mut buffer = vec![0; 1 << 16];
    loop {
        let read =
            source.read(&mut buffer).with_context(|| format!("reading {}", from.display()))?;
        if read == 0 {
            break;
        }
        writer.write_all(buffer.get(..read).unwrap_or_default()).with_context(writing)?;
    }
    let mut told = writer.finish().with_context(writing)?;
    told.flush().with_context(writing)?;
    let (length, digest) = (told.length, Hash(told.digest.finalize().into()));
    // What does not read back gets no name.
    if told.behind.finish(length)? != digest {
        return Err(files::lost_write(to));
    }
    told.file.finish()?;
    Ok((length, digest))
}

/// Opens a sealed file into a new one, which is not in its place yet.
pub fn open(from: &Path, to: &mut NewFile, identity: &Identity) -> Result<()> {
    let source = std::io::BufReader::new(files::open(from)?);
    let damaged = || format!("{} is no age file, or damaged", from.display());
    let mut opened = decrypt(source, std::slice::from_ref(identity)).with_context(|| {
        format!("the key's age identity does not open {}: it is another signer's", from.display())
    })?;
    std::io::copy(&mut opened, to).with_context(damaged)?;
    to.flush()?;
    Ok(())
}

/// The length and the SHA-256 of a file as its medium has it.
pub fn measure(path: &Path) -> Result<(u64, Hash)> {
    let size = files::open(path)?.metadata().with_context(|| path.display().to_string())?.len();
    Ok((size, files::hash_uncached(path)?))
}
