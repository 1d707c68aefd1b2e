//! The auditor's own journal of what sealed records it opened: who, when, why, which. A CBOR sequence of a header
//! and one item for each opening, each of which names the one before (`formats.cddl`: `openings`;
//! `formats/openings.md`).

use crate::access::Broken;
use crate::cbor::{self, DecodeError, Items, Value};
use crate::hash::Hash;
use crate::kind::Kind;

const WHAT: &str = "coldlog-openings";
/// The largest item.
pub const MAX_ITEM: usize = 8192;
const MAX_TEXT: usize = 1024;

/// What the journal begins with.
pub fn encode_header() -> Vec<u8> {
    cbor::to_bytes(&Value::Array(Kind::Openings.head()))
}

/// Reads the first item.
pub fn decode_header(item: &[u8]) -> Result<(), DecodeError> {
    Kind::Openings.open(cbor::decode(WHAT, item, MAX_ITEM)?, 0).map(drop)
}

/// Sealed records that an auditor is about to open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opening {
    /// SHA-256 of the item before.
    pub previous: Hash,
    /// POSIX seconds, by the auditor's clock.
    pub time: u64,
    /// Who.
    pub who: String,
    /// Why.
    pub why: String,
    /// By which command.
    pub by: String,
    /// The log's origin.
    pub origin: String,
    /// The index of the first entry.
    pub first: u64,
    /// How many from there.
    pub count: u64,
}

impl Opening {
    /// The item.
    pub fn encode(&self) -> Vec<u8> {
        cbor::to_bytes(&Value::Array(vec![
            cbor::bytes(self.previous.0),
            self.time.into(),
            self.who.as_str().into(),
            self.why.as_str().into(),
            self.by.as_str().into(),
            self.origin.as_str().into(),
            self.first.into(),
            self.count.into(),
        ]))
    }

    /// Reads an item after the header.
    pub fn decode(item: &[u8]) -> Result<Opening, DecodeError> {
        let value = cbor::decode(WHAT, item, MAX_ITEM)?;
        let mut items = Items::new(WHAT, "an opening", value, 8..=8)?;
        Ok(Opening {
            previous: items.hash("the item before")?,
            time: items.uint("time")?,
            who: items.text("who", MAX_TEXT)?,
            why: items.text("why", MAX_TEXT)?,
            by: items.text("by", MAX_TEXT)?,
            origin: items.text("origin", MAX_TEXT)?,
            first: items.uint("first entry")?,
            count: items.uint("count")?,
        })
    }

    /// Checks that it follows the item before; returns the digest that the next one must name.
    pub fn follows(&self, number: u64, previous: Hash) -> Result<Hash, Broken> {
        match self.previous == previous {
            true => Ok(Hash::of(&self.encode())),
            false => Err(Broken { number, expected: previous, found: self.previous }),
        }
    }
}
