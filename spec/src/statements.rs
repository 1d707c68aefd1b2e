//! The statements of one journal that a log has, for a signer whose machine died: a CBOR sequence of a
//! header, one item for each, and a trailer (`formats.cddl`: `statements`; `formats/statements.md`). Whoever
//! has a copy of the log can write it: the head and the paths prove everything but that there is no more.

use crate::cbor::{self, DecodeError, Items, Value};
use crate::cose::Claims;
use crate::hash::Hash;
use crate::kind::Kind;
use crate::merkle::MAX_PATH;
use crate::note::MAX_NOTE;
use crate::receipt::hashes;
use crate::receipts;
use crate::tile::MAX_ENTRY;

const WHAT: &str = "coldlog-statements";
/// The largest item.
pub const MAX_ITEM: usize = MAX_NOTE + 8192;

/// What the file begins with: whose statements, the cosigned head that all of them are under, and its
/// consistency with the one that the signer remembers. The same facts as a receipts file's.
pub type Header = receipts::Header;

/// The item of a header.
pub fn encode_header(header: &Header) -> Vec<u8> {
    let mut items = Kind::Statements.head();
    items.push(header.claims.issuer.as_str().into());
    items.push(header.claims.subject.as_str().into());
    items.push(cbor::bytes(&header.checkpoint));
    items.push(header.old_size.into());
    items.push(hashes(&header.consistency));
    cbor::to_bytes(&Value::Array(items))
}

/// Reads the first item.
pub fn decode_header(item: &[u8]) -> Result<Header, DecodeError> {
    let mut items = Kind::Statements.open(cbor::decode(WHAT, item, MAX_ITEM)?, 5)?;
    let issuer = items.text("issuer", Claims::LIMIT)?;
    let subject = items.text("subject", Claims::LIMIT)?;
    let checkpoint = items.bytes("checkpoint", MAX_NOTE)?;
    let old_size = items.uint("old size")?;
    let consistency = items.hashes("consistency path", MAX_PATH + 1)?;
    Ok(Header { claims: Claims { issuer, subject }, checkpoint, old_size, consistency })
}

/// A statement as a log has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logged {
    /// Its entry's index.
    pub index: u64,
    /// The path from there to the root of the header's head.
    pub path: Vec<Hash>,
    /// The entry.
    pub statement: Vec<u8>,
    /// The sealed record.
    pub sealed: Vec<u8>,
}

/// What follows the header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// `[note]`: a cosigned head that statements after it name, where the log has it to the byte.
    Head(Vec<u8>),
    /// `[index, path, statement, sealed]`
    Logged(Logged),
    /// `["end", count, digest]`
    Trailer {
        /// Statements in the file.
        count: u64,
        /// SHA-256 of all bytes before the trailer.
        digest: Hash,
    },
}

impl Item {
    /// The item.
    pub fn encode(&self) -> Vec<u8> {
        let items = match self {
            Item::Head(note) => vec![cbor::bytes(note)],
            Item::Logged(Logged { index, path, statement, sealed }) => {
                let (statement, sealed) = (cbor::bytes(statement), cbor::bytes(sealed));
                vec![(*index).into(), hashes(path), statement, sealed]
            }
            Item::Trailer { count, digest } => {
                vec!["end".into(), (*count).into(), cbor::bytes(digest.0)]
            }
        };
        cbor::to_bytes(&Value::Array(items))
    }

    /// Reads an item after the header.
    pub fn decode(item: &[u8]) -> Result<Item, DecodeError> {
        let value = cbor::decode(WHAT, item, MAX_ITEM)?;
        let mut items = Items::new(WHAT, "an item", value, 1..=4)?;
        if items.left() == 1 {
            return Ok(Item::Head(items.bytes("head", MAX_NOTE)?));
        }
        if items.left() == 4 {
            let (index, path) = (items.uint("index")?, items.hashes("inclusion path", MAX_PATH)?);
            let statement = items.bytes("statement", MAX_ENTRY)?;
            let sealed = items.bytes("sealed record", MAX_ENTRY)?;
            return Ok(Item::Logged(Logged { index, path, statement, sealed }));
        }
        let end = items.text("end", 8)?;
        if end != "end" {
            return Err(DecodeError::field(WHAT, "the trailer", "\"end\"", end));
        }
        Ok(Item::Trailer { count: items.uint("count")?, digest: items.hash("digest")? })
    }
}
