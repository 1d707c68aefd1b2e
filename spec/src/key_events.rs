//! The key events that a log holds, each with its inclusion proof, under one cosigned head: what a relying
//! party needs to judge a key without the log (`formats.cddl`: `key-events`; `formats/key-events.md`).

use crate::cbor::{self, DecodeError, Items, Value};
use crate::checkpoint::SignedCheckpoint;
use crate::kind::Kind;
use crate::note::MAX_NOTE;
use crate::receipt::hashes;
use crate::statement::{Payload, Statement};
use crate::tile::MAX_ENTRY;

/// The most events in a file.
pub const MAX_EVENTS: usize = 4096;
/// The largest file.
pub const MAX_BYTES: usize = 64 << 20;
/// The most hashes of a path.
const MAX_PATH: usize = 63;
// The file, kind, version, head and the list; of each event the event, its three parts, and a path's hashes.
const MAX_ITEMS: u64 = 5 + MAX_EVENTS as u64 * (4 + MAX_PATH as u64);

/// A key event as an entry of a log.
#[derive(Debug, Clone, PartialEq)]
pub struct LoggedEvent {
    /// The statement.
    pub statement: Statement,
    /// Its index in the log.
    pub index: u64,
    /// Its inclusion path under the head.
    pub path: Vec<crate::hash::Hash>,
}

/// Key events under one head, by index; nothing is verified.
#[derive(Debug, Clone, PartialEq)]
pub struct KeyEvents {
    /// The head, with its cosignatures.
    pub head: SignedCheckpoint,
    /// The events.
    pub events: Vec<LoggedEvent>,
}

impl KeyEvents {
    /// The file.
    pub fn encode(&self) -> Vec<u8> {
        let event = |LoggedEvent { statement, index, path }: &LoggedEvent| {
            Value::Array(vec![cbor::bytes(statement.bytes()), (*index).into(), hashes(path)])
        };
        let mut items = Kind::KeyEvents.head();
        items.push(cbor::bytes(self.head.encode()));
        items.push(Value::Array(self.events.iter().map(event).collect()));
        cbor::to_bytes(&Value::Array(items))
    }

    /// Reads a file.
    pub fn decode(bytes: &[u8]) -> Result<KeyEvents, DecodeError> {
        let what = Kind::KeyEvents.tag();
        let value = cbor::decode_large(what, bytes, MAX_BYTES, MAX_ITEMS)?;
        let mut items = Kind::KeyEvents.open(value, 2)?;
        let note = items.bytes("the head", MAX_NOTE)?;
        let head = SignedCheckpoint::decode(&note).map_err(|why| {
            DecodeError::field(what, "the head", "a signed checkpoint", why.to_string())
        })?;
        let mut list = Items::new(what, "the events", items.any("the events")?, 0..=MAX_EVENTS)?;
        let mut events: Vec<LoggedEvent> = Vec::new();
        while list.left() > 0 {
            let mut parts = Items::new(what, "an event", list.any("an event")?, 3..=3)?;
            let statement = Statement::decode(&parts.bytes("a statement", MAX_ENTRY)?)?;
            if !matches!(statement.payload, Payload::KeyEvent(_)) {
                return Err(DecodeError::field(
                    what,
                    "an event",
                    "a key event",
                    "another statement",
                ));
            }
            let index = parts.uint("an index")?;
            if events.last().is_some_and(|before| before.index >= index) {
                let found = index.to_string();
                return Err(DecodeError::field(what, "an index", "indexes that rise", found));
            }
            events.push(LoggedEvent { statement, index, path: parts.hashes("a path", MAX_PATH)? });
        }
        Ok(KeyEvents { head, events })
    }
}
