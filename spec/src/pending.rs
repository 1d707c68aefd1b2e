//! How a log on an object store moves its head (`formats.cddl`: `pending`, `pack`; `formats/pending.md`).
//!
//! What is new is put into packs under a name that nobody else uses; then one object, [`Pending`], is
//! swapped on the condition that it is still the one that was read: that is the moment at which the head
//! moves. Only then do the packs' files get their own names, where whoever puts them, however late,
//! puts the same bytes.

use crate::cbor::{self, DecodeError, Items, Value};
use crate::checkpoint::SignedCheckpoint;
use crate::hash::Hash;
use crate::kind::Kind;
use crate::note::MAX_NOTE;
use crate::tile::{MAX_BUNDLE, parse_path};

/// The newest head, and where the files are that it needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pending {
    /// The head, signed.
    pub head: SignedCheckpoint,
    /// The name under which its files were staged; of hexadecimal digits.
    pub staging: String,
    /// SHA-256 of each pack, in order.
    pub packs: Vec<Hash>,
}

/// The largest object of this kind.
pub const MAX_PENDING: usize = MAX_NOTE + 32 * MAX_PACKS * 2;
/// The most packs that one head needs: 64 GiB at 8 MiB a pack.
pub const MAX_PACKS: usize = 8192;
/// The most files in a pack.
pub const MAX_FILES: usize = 1024;
/// A pack that has so many bytes takes no further file.
pub const FULL_PACK: usize = 8 << 20;
/// The largest pack: one file more than a full one.
pub const MAX_PACK: usize = FULL_PACK + MAX_BUNDLE + (1 << 16);
/// The longest name of a staging place.
pub const MAX_STAGING: usize = 64;

impl Pending {
    /// The object's bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut items = Kind::Pending.head();
        items.push(cbor::bytes(self.head.encode()));
        items.push(self.staging.as_str().into());
        items.push(Value::Array(self.packs.iter().map(|pack| cbor::bytes(pack.0)).collect()));
        cbor::to_bytes(&Value::Array(items))
    }

    /// Reads the object.
    pub fn decode(bytes: &[u8]) -> Result<Pending, DecodeError> {
        let what = Kind::Pending.tag();
        let mut items = Kind::Pending.open(cbor::decode(what, bytes, MAX_PENDING)?, 3)?;
        let head = SignedCheckpoint::decode(&items.bytes("head", MAX_NOTE)?).map_err(|why| {
            DecodeError::field(what, "head", "a signed checkpoint", why.to_string())
        })?;
        let staging = items.text("staging", MAX_STAGING)?;
        if staging.bytes().any(|byte| !matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
            return Err(DecodeError::field(what, "staging", "hexadecimal digits", staging));
        }
        let packs = items.hashes("packs", MAX_PACKS)?;
        Ok(Pending { head, staging, packs })
    }
}

/// Files of a log, each with its path.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pack {
    /// Path and bytes, sorted by path.
    pub files: Vec<(String, Vec<u8>)>,
}

impl Pack {
    /// The pack's bytes.
    pub fn encode(&self) -> Vec<u8> {
        let file = |(path, bytes): &(String, Vec<u8>)| {
            Value::Array(vec![path.as_str().into(), cbor::bytes(bytes)])
        };
        let mut items = Kind::Pack.head();
        items.push(Value::Array(self.files.iter().map(file).collect()));
        cbor::to_bytes(&Value::Array(items))
    }

    /// Reads a pack: only tiles and bundles, each once, in order.
    pub fn decode(bytes: &[u8]) -> Result<Pack, DecodeError> {
        let what = Kind::Pack.tag();
        let mut items = Kind::Pack.open(cbor::decode(what, bytes, MAX_PACK)?, 1)?;
        let list = items.any("files")?;
        let mut list = Items::new(what, "files", list, 1..=MAX_FILES)?;
        let mut files: Vec<(String, Vec<u8>)> = Vec::new();
        while list.left() > 0 {
            let mut file = Items::new(what, "a file", list.any("a file")?, 2..=2)?;
            let path = file.text("path", 255)?;
            if parse_path(&path).is_none() {
                return Err(DecodeError::field(what, "path", "a tile or a bundle", path));
            }
            if files.last().is_some_and(|(before, _)| *before >= path) {
                return Err(DecodeError::field(what, "path", "paths in order, each once", path));
            }
            files.push((path, file.bytes("bytes", MAX_BUNDLE)?));
        }
        Ok(Pack { files })
    }
}
