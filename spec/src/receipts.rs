//! The receipts file, log to signer: a CBOR sequence of a header, one item for each record, and a
//! trailer (`formats.cddl`: `receipts`).

use crate::batch::SignedTail;
use crate::cbor::{self, DecodeError, Items, Value};
use crate::cose::Claims;
use crate::hash::Hash;
use crate::kind::Kind;
use crate::merkle::MAX_PATH;
use crate::note::MAX_NOTE;
use crate::receipt::{MAX_RECEIPT, Receipt, hashes};
use crate::tile::MAX_ENTRY;

const WHAT: &str = "coldlog-receipts";
/// The largest item.
pub const MAX_ITEM: usize = MAX_NOTE + 8192;

/// What a receipts file begins with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// Whose records.
    pub claims: Claims,
    /// The cosigned checkpoint that every receipt in the file leads to.
    pub checkpoint: Vec<u8>,
    /// The size that the signer remembers.
    pub old_size: u64,
    /// The consistency path from there.
    pub consistency: Vec<Hash>,
}

impl Header {
    /// The item.
    pub fn encode(&self) -> Vec<u8> {
        let mut items = Kind::Receipts.head();
        items.push(self.claims.issuer.as_str().into());
        items.push(self.claims.subject.as_str().into());
        items.push(cbor::bytes(&self.checkpoint));
        items.push(self.old_size.into());
        items.push(hashes(&self.consistency));
        cbor::to_bytes(&Value::Array(items))
    }

    /// Reads the first item.
    pub fn decode(item: &[u8]) -> Result<Header, DecodeError> {
        let mut items = Kind::Receipts.open(cbor::decode(WHAT, item, MAX_ITEM)?, 5)?;
        let issuer = items.text("issuer", Claims::LIMIT)?;
        let subject = items.text("subject", Claims::LIMIT)?;
        let checkpoint = items.bytes("checkpoint", MAX_NOTE)?;
        let old_size = items.uint("old size")?;
        let consistency = items.hashes("consistency path", MAX_PATH + 1)?;
        Ok(Header { claims: Claims { issuer, subject }, checkpoint, old_size, consistency })
    }
}

/// What follows the header.
#[derive(Debug, Clone, PartialEq)]
pub enum Item {
    /// `[sequence, receipt]`
    Receipt(u64, Box<Receipt>),
    /// `["end", count, digest, tail]`
    Trailer {
        /// Receipts in the file.
        count: u64,
        /// SHA-256 of all bytes before the trailer.
        digest: Hash,
        /// The journal's tail, as the batch brought it: it tells a restored journal what it lost.
        tail: Box<SignedTail>,
    },
}

impl Item {
    /// The item.
    pub fn encode(&self) -> Vec<u8> {
        let items = match self {
            Item::Receipt(sequence, receipt) => {
                vec![(*sequence).into(), cbor::bytes(receipt.encode())]
            }
            Item::Trailer { count, digest, tail } => {
                let tail = cbor::bytes(tail.sign1.encode());
                vec!["end".into(), (*count).into(), cbor::bytes(digest.0), tail]
            }
        };
        cbor::to_bytes(&Value::Array(items))
    }

    /// Reads an item after the header.
    pub fn decode(item: &[u8]) -> Result<Item, DecodeError> {
        let value = cbor::decode(WHAT, item, MAX_ITEM)?;
        let mut items = Items::new(WHAT, "an item", value, 2..=4)?;
        if items.left() == 2 {
            let sequence = items.uint("sequence")?;
            let receipt = Receipt::decode(&items.bytes("receipt", MAX_RECEIPT)?)?;
            return Ok(Item::Receipt(sequence, Box::new(receipt)));
        }
        let end = items.text("end", 8)?;
        if end != "end" {
            return Err(DecodeError::field(WHAT, "the trailer", "\"end\"", end));
        }
        let (count, digest) = (items.uint("count")?, items.hash("digest")?);
        let tail = Box::new(SignedTail::decode(&items.bytes("tail", MAX_ENTRY)?)?);
        Ok(Item::Trailer { count, digest, tail })
    }
}
