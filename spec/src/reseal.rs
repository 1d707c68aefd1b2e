//! What a log says when its sealed records were encrypted anew (`formats.cddl`: `reseal`): auditors come
//! and go, entries and proofs stay.

use crate::cbor::{self, DecodeError, Fields, Items, Value};
use crate::tile::MAX_ENTRY;

const WHAT: &str = "reseal";
/// The content type of its payload.
pub const RESEAL_TYPE: &str = "application/vnd.coldlog.reseal+cbor";
const MAX_TEXT: usize = 4096;

/// Sealed records that were opened, held against their commitments, and encrypted to others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reseal {
    /// The index of the first entry.
    pub from: u64,
    /// The index after the last one.
    pub to: u64,
    /// Who opened them.
    pub by: String,
    /// Why.
    pub purpose: String,
    /// The age recipients to whom they are sealed now.
    pub recipients: Vec<String>,
}

impl Reseal {
    /// The payload.
    pub fn encode(&self) -> Vec<u8> {
        let recipients = self.recipients.iter().map(|r| r.as_str().into()).collect();
        cbor::to_bytes(&cbor::text_map(vec![
            ("v", 1.into()),
            ("from", self.from.into()),
            ("to", self.to.into()),
            ("by", self.by.as_str().into()),
            ("purpose", self.purpose.as_str().into()),
            ("recipients", Value::Array(recipients)),
        ]))
    }

    /// Reads a payload.
    pub fn decode(bytes: &[u8]) -> Result<Reseal, DecodeError> {
        let value = cbor::decode(WHAT, bytes, MAX_ENTRY)?;
        let mut fields = Fields::new(WHAT, "the map", value)?;
        let version = fields.uint("v")?;
        if version != 1 {
            return Err(DecodeError::Unsupported { what: WHAT, found: version, supported: 1 });
        }
        let (from, to) = (fields.uint("from")?, fields.uint("to")?);
        if from >= to {
            let found = format!("{from} to {to}");
            return Err(DecodeError::field(WHAT, "from, to", "a range that is not empty", found));
        }
        let by = fields.text("by", MAX_TEXT)?;
        let purpose = fields.text("purpose", MAX_TEXT)?;
        let mut items = Items::new(WHAT, "recipients", fields.take("recipients")?, 1..=64)?;
        let recipients = (0..items.left()).map(|_| items.text("recipients", MAX_TEXT));
        let recipients = recipients.collect::<Result<_, _>>()?;
        fields.finish()?;
        Ok(Reseal { from, to, by, purpose, recipients })
    }
}
