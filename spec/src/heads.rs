//! Heads that somebody saw, in one file: what witnesses remember, and auditors swap on a stick
//! (`formats.cddl`: `heads`; `formats/heads.md`).

use crate::cbor::{self, DecodeError, Items, Value};
use crate::checkpoint::SignedCheckpoint;
use crate::kind::Kind;
use crate::note::MAX_NOTE;

/// The most heads in a file.
pub const MAX_HEADS: usize = 100_000;
/// The largest file.
pub const MAX_BYTES: usize = 1 << 30;

/// Signed heads, sorted by origin, size and bytes, each once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Heads(pub Vec<SignedCheckpoint>);

fn order(head: &SignedCheckpoint) -> (String, u64, Vec<u8>) {
    (head.checkpoint.origin.clone(), head.checkpoint.size, head.encode())
}

impl Heads {
    /// In any order.
    pub fn new(mut heads: Vec<SignedCheckpoint>) -> Heads {
        heads.sort_by_cached_key(order);
        heads.dedup();
        Heads(heads)
    }

    /// The file.
    pub fn encode(&self) -> Vec<u8> {
        let mut items = Kind::Heads.head();
        items.push(Value::Array(self.0.iter().map(|head| cbor::bytes(head.encode())).collect()));
        cbor::to_bytes(&Value::Array(items))
    }

    /// Reads a file. Nothing is verified.
    pub fn decode(bytes: &[u8]) -> Result<Heads, DecodeError> {
        let what = Kind::Heads.tag();
        let mut items = Kind::Heads.open(cbor::decode(what, bytes, MAX_BYTES)?, 1)?;
        let list = items.any("heads")?;
        let mut list = Items::new(what, "heads", list, 0..=MAX_HEADS)?;
        let mut heads: Vec<SignedCheckpoint> = Vec::new();
        while list.left() > 0 {
            let note = list.bytes("a head", MAX_NOTE)?;
            let head = SignedCheckpoint::decode(&note).map_err(|why| {
                DecodeError::field(what, "a head", "a signed checkpoint", why.to_string())
            })?;
            if heads.last().is_some_and(|before| order(before) >= order(&head)) {
                let found = head.checkpoint.origin;
                return Err(DecodeError::field(what, "a head", "heads in order, each once", found));
            }
            heads.push(head);
        }
        Ok(Heads(heads))
    }
}
