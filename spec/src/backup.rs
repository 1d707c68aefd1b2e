//! The manifest of a signer's backup (`formats.cddl`: `backup`; `formats/backup.md`): what the files of one
//! generation are, and how far the journal in them reaches.

use crate::batch::SignedTail;
use crate::cbor::{self, DecodeError, Items, Value};
use crate::hash::Hash;
use crate::kind::Kind;
use crate::tile::MAX_ENTRY;

const WHAT: &str = "coldlog-backup";
/// The largest manifest.
pub const MAX_MANIFEST: usize = 1 << 20;
/// Key events of a journal at most, its genesis among them.
pub const MAX_EVENTS: usize = 256;
/// Files of a generation at most.
pub const MAX_FILES: usize = 16;

/// A file of a backup, as it lies on the medium.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Its name: see [`is_name`].
    pub name: String,
    /// Its length in bytes.
    pub size: u64,
    /// SHA-256 of its bytes.
    pub sha256: Hash,
}

/// What a generation holds. Whoever reads it asks [`crate::verify::backup`] before anything is believed.
#[derive(Debug, Clone, PartialEq)]
pub struct Manifest {
    /// Which generation on its medium; the first is 1.
    pub generation: u64,
    /// POSIX seconds by the signer's own clock: a claim.
    pub time: u64,
    /// The files, by name.
    pub files: Vec<File>,
    /// The journal's genesis and its key events, which say whose key is in force.
    pub events: Vec<Vec<u8>>,
    /// How far the journal reaches.
    pub tail: SignedTail,
}

/// Whether a name can be a backup's file: it is plain on every medium, and leads nowhere else.
pub fn is_name(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || ".-_".contains(c);
    (1..=64).contains(&name.len()) && name.chars().all(plain) && !name.starts_with('.')
}

impl Manifest {
    /// The file.
    pub fn encode(&self) -> Vec<u8> {
        let files = self.files.iter().map(|file| {
            let items =
                vec![file.name.as_str().into(), file.size.into(), cbor::bytes(file.sha256.0)];
            Value::Array(items)
        });
        let mut items = Kind::Backup.head();
        items.push(self.generation.into());
        items.push(self.time.into());
        items.push(Value::Array(files.collect()));
        items.push(Value::Array(self.events.iter().map(cbor::bytes).collect()));
        items.push(cbor::bytes(self.tail.sign1.encode()));
        cbor::to_bytes(&Value::Array(items))
    }

    /// Reads a manifest.
    pub fn decode(bytes: &[u8]) -> Result<Manifest, DecodeError> {
        let mut items = Kind::Backup.open(cbor::decode(WHAT, bytes, MAX_MANIFEST)?, 5)?;
        let (generation, time) = (items.uint("generation")?, items.uint("time")?);
        let files = files(items.any("files")?)?;
        let mut list = Items::new(WHAT, "events", items.any("events")?, 1..=MAX_EVENTS)?;
        let events = (0..list.left()).map(|_| list.bytes("an event", MAX_ENTRY));
        let events = events.collect::<Result<_, _>>()?;
        let tail = SignedTail::decode(&items.bytes("tail", MAX_ENTRY)?)?;
        Ok(Manifest { generation, time, files, events, tail })
    }

    /// One of the files.
    pub fn file(&self, name: &str) -> Option<&File> {
        self.files.iter().find(|file| file.name == name)
    }
}

fn files(value: Value) -> Result<Vec<File>, DecodeError> {
    let mut items = Items::new(WHAT, "files", value, 1..=MAX_FILES)?;
    let mut files: Vec<File> = Vec::new();
    while items.left() > 0 {
        let mut file = Items::new(WHAT, "a file", items.any("files")?, 3..=3)?;
        let name = file.text("a file's name", 64)?;
        if !is_name(&name) || files.last().is_some_and(|before| before.name >= name) {
            let expected = "plain names (a-z, 0-9, . - _), sorted, each once";
            return Err(DecodeError::field(WHAT, "a file's name", expected, format!("{name:?}")));
        }
        let (size, sha256) = (file.uint("a file's size")?, file.hash("a file's SHA-256")?);
        files.push(File { name, size, sha256 });
    }
    Ok(files)
}
