//! Evidence: two signed things that cannot both be honest, in one file that convicts
//! (`formats.cddl`: `evidence`).

use crate::cbor::{self, DecodeError, Value};
use crate::hash::Hash;
use crate::kind::Kind;
use crate::merkle::MAX_PATH;
use crate::note::MAX_NOTE;
use crate::receipt::{MAX_RECEIPT, hashes};
use crate::tile::MAX_ENTRY;

/// What stands against what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Evidence {
    /// Two heads of one log that do not fit.
    SplitView {
        /// The older or first note.
        first: Vec<u8>,
        /// The newer or second note.
        second: Vec<u8>,
        /// The consistency path that the log gave.
        path: Vec<Hash>,
    },
    /// Two heads of one log that do not fit, and were cosigned by one witness, whoever signed them.
    CosignedTwice {
        /// The older or first note.
        first: Vec<u8>,
        /// The newer or second note.
        second: Vec<u8>,
        /// The consistency path of the tree of the newer one.
        path: Vec<Hash>,
    },
    /// A receipt for an entry, and a head of the same log that does not fit it.
    BrokenPromise {
        /// The entry.
        statement: Vec<u8>,
        /// The log's receipt for it.
        receipt: Vec<u8>,
        /// The note of the head.
        head: Vec<u8>,
        /// The consistency path of the tree of the larger of the two.
        path: Vec<Hash>,
    },
    /// Two statements of one signer with one sequence number.
    Fork {
        /// The signer's public key.
        key: [u8; 32],
        /// One statement.
        first: Vec<u8>,
        /// The other.
        second: Vec<u8>,
    },
    /// A statement of a signer, and a tail that it signed with another statement at that place.
    ForkedTail {
        /// The signer's public key.
        key: [u8; 32],
        /// The statement.
        statement: Vec<u8>,
        /// The signed tail.
        tail: Vec<u8>,
    },
}

/// The largest file.
pub const MAX_EVIDENCE: usize = MAX_NOTE + MAX_RECEIPT + MAX_ENTRY + 4096;

impl Evidence {
    /// The file.
    pub fn encode(&self) -> Vec<u8> {
        let mut items = Kind::Evidence.head();
        match self {
            Evidence::SplitView { first, second, path }
            | Evidence::CosignedTwice { first, second, path } => {
                let twice = matches!(self, Evidence::CosignedTwice { .. });
                items.push(if twice { "cosigned-twice" } else { "split-view" }.into());
                items.push(Value::Array(vec![
                    cbor::bytes(first),
                    cbor::bytes(second),
                    hashes(path),
                ]));
            }
            Evidence::BrokenPromise { statement, receipt, head, path } => {
                items.push("broken-promise".into());
                items.push(Value::Array(vec![
                    cbor::bytes(statement),
                    cbor::bytes(receipt),
                    cbor::bytes(head),
                    hashes(path),
                ]));
            }
            Evidence::Fork { key, first, second } => {
                items.push("fork".into());
                let parts = vec![cbor::bytes(key), cbor::bytes(first), cbor::bytes(second)];
                items.push(Value::Array(parts));
            }
            Evidence::ForkedTail { key, statement, tail } => {
                items.push("forked-tail".into());
                let parts = vec![cbor::bytes(key), cbor::bytes(statement), cbor::bytes(tail)];
                items.push(Value::Array(parts));
            }
        }
        cbor::to_bytes(&Value::Array(items))
    }

    /// Reads a file; nothing is verified: see [`crate::verify::heads`].
    pub fn decode(bytes: &[u8]) -> Result<Evidence, DecodeError> {
        let tag = Kind::Evidence.tag();
        let value = cbor::decode(tag, bytes, MAX_EVIDENCE)?;
        let mut items = Kind::Evidence.open(value, 2)?;
        let kind = items.text("what it shows", 32)?;
        let mut parts = cbor::Items::new(tag, "its parts", items.any("its parts")?, 3..=4)?;
        let expected = if kind == "broken-promise" { 4 } else { 3 };
        if parts.left() != expected {
            let found = parts.left().to_string();
            return Err(DecodeError::field(tag, "its parts", expected.to_string(), found));
        }
        match kind.as_str() {
            "split-view" => Ok(Evidence::SplitView {
                first: parts.bytes("the first head", MAX_NOTE)?,
                second: parts.bytes("the second head", MAX_NOTE)?,
                path: parts.hashes("the path", MAX_PATH + 1)?,
            }),
            "cosigned-twice" => Ok(Evidence::CosignedTwice {
                first: parts.bytes("the first head", MAX_NOTE)?,
                second: parts.bytes("the second head", MAX_NOTE)?,
                path: parts.hashes("the path", MAX_PATH + 1)?,
            }),
            "broken-promise" => Ok(Evidence::BrokenPromise {
                statement: parts.bytes("the statement", MAX_ENTRY)?,
                receipt: parts.bytes("the receipt", MAX_RECEIPT)?,
                head: parts.bytes("the head", MAX_NOTE)?,
                path: parts.hashes("the path", MAX_PATH + 1)?,
            }),
            "fork" => Ok(Evidence::Fork {
                key: parts.hash("the key")?.0,
                first: parts.bytes("the first statement", MAX_ENTRY)?,
                second: parts.bytes("the second statement", MAX_ENTRY)?,
            }),
            "forked-tail" => Ok(Evidence::ForkedTail {
                key: parts.hash("the key")?.0,
                statement: parts.bytes("the statement", MAX_ENTRY)?,
                tail: parts.bytes("the tail", MAX_ENTRY)?,
            }),
            other => {
                let expected = "split-view, cosigned-twice, broken-promise, fork or forked-tail";
                Err(DecodeError::field(tag, "what it shows", expected, other))
            }
        }
    }
}
