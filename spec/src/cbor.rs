//! Deterministic CBOR (RFC 8949, section 4.2.1), strict.
//!
//! `ciborium` reads and writes; this module adds what a format that is signed needs: a size limit,
//! nothing after the item, shortest and definite lengths, sorted and unique map keys, no floats,
//! and nesting of at most [`MAX_DEPTH`]. Whatever would not re-encode to the same bytes is refused.

use crate::hash::Hash;
pub use ciborium::Value;

/// The deepest nesting that any of our formats may have.
pub const MAX_DEPTH: usize = 16;
/// The most items, nested ones counted, that a file may have: in memory an item takes many times the
/// byte that it takes in the file.
pub const MAX_ITEMS: u64 = 1 << 16;

/// Why bytes are not a well-formed file of the kind that was expected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Larger than the format allows.
    #[error(
        "{what} is {found} bytes long, and at most {limit} are allowed: this is not such a file"
    )]
    TooLong {
        /// The format.
        what: &'static str,
        /// Bytes allowed.
        limit: usize,
        /// Bytes there.
        found: usize,
    },
    /// More items than a file may have.
    #[error("{what} holds more than {limit} items: this is not such a file")]
    TooMany {
        /// The format.
        what: &'static str,
        /// Items allowed.
        limit: u64,
    },
    /// Not CBOR at all, or cut short.
    #[error("{what} is not well-formed CBOR: {why}; it was damaged or cut short, copy it again")]
    Malformed {
        /// The format.
        what: &'static str,
        /// The reader's reason.
        why: String,
    },
    /// CBOR, but bytes follow it.
    #[error(
        "{what} ends at byte {end}, but {extra} more bytes follow; remove them or copy the file again"
    )]
    Trailing {
        /// The format.
        what: &'static str,
        /// Where the item ends.
        end: usize,
        /// How many bytes are left.
        extra: usize,
    },
    /// CBOR, but not in its one deterministic form.
    #[error(
        "{what} is not deterministic CBOR (RFC 8949, section 4.2.1): {why}; no Coldlog tool writes this"
    )]
    NotDeterministic {
        /// The format.
        what: &'static str,
        /// What differs.
        why: String,
    },
    /// The structure is not the format's.
    #[error("{what}: {field} should be {expected}, found {found}")]
    Field {
        /// The format.
        what: &'static str,
        /// The place in it.
        field: String,
        /// What the format says.
        expected: String,
        /// What is there.
        found: String,
    },
    /// Another kind of Coldlog file.
    #[error("expected {expected}, but this is {found}; pass the right file")]
    OtherKind {
        /// The kind asked for.
        expected: String,
        /// The kind found.
        found: String,
    },
    /// The right kind, from a newer Coldlog.
    #[error(
        "unsupported: {what} has version {found}, and this program reads version {supported}; use a newer Coldlog"
    )]
    Unsupported {
        /// The format.
        what: &'static str,
        /// The version there.
        found: u64,
        /// The version that we read.
        supported: u64,
    },
}

impl DecodeError {
    /// A field that is not what the format says.
    pub fn field(
        what: &'static str,
        field: impl Into<String>,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) -> DecodeError {
        DecodeError::Field {
            what,
            field: field.into(),
            expected: expected.into(),
            found: found.into(),
        }
    }
}

/// Which order of map keys is accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyOrder {
    /// Bytewise by encoded key: all that is ours.
    Sorted,
    /// Any, for a protected header that somebody else signed: its bytes are kept as received.
    Any,
}

/// Decodes one item that is all of `bytes`, in deterministic form.
pub fn decode(what: &'static str, bytes: &[u8], limit: usize) -> Result<Value, DecodeError> {
    decode_with(what, bytes, limit, KeyOrder::Sorted)
}

/// Decodes one item that may hold more than [`MAX_ITEMS`] items.
pub fn decode_large(
    what: &'static str,
    bytes: &[u8],
    limit: usize,
    items: u64,
) -> Result<Value, DecodeError> {
    named(what, bytes, whole(what, bytes, limit, items, KeyOrder::Sorted))
}

/// Decodes one item that is all of `bytes`; see [`KeyOrder`].
pub fn decode_with(
    what: &'static str,
    bytes: &[u8],
    limit: usize,
    order: KeyOrder,
) -> Result<Value, DecodeError> {
    named(what, bytes, whole(what, bytes, limit, MAX_ITEMS, order))
}

// What is no such file at all is named for what it is.
fn named(
    what: &'static str,
    bytes: &[u8],
    decoded: Result<Value, DecodeError>,
) -> Result<Value, DecodeError> {
    decoded.map_err(|error| match crate::kind::other_than(what, bytes) {
        Some(found) => DecodeError::OtherKind { expected: what.into(), found },
        None => error,
    })
}

fn whole(
    what: &'static str,
    bytes: &[u8],
    limit: usize,
    items: u64,
    order: KeyOrder,
) -> Result<Value, DecodeError> {
    if bytes.len() > limit {
        return Err(DecodeError::TooLong { what, limit, found: bytes.len() });
    }
    if scan(what, bytes, limit, items)?.is_none() {
        let why = "it ends in the middle of an item".into();
        return Err(DecodeError::Malformed { what, why });
    }
    let mut rest = bytes;
    let value: Value = ciborium::de::from_reader_with_recursion_limit(&mut rest, MAX_DEPTH)
        .map_err(|error| DecodeError::Malformed { what, why: reader_error(error) })?;
    if !rest.is_empty() {
        let end = bytes.len() - rest.len();
        return Err(DecodeError::Trailing { what, end, extra: rest.len() });
    }
    check(what, &value, order)?;
    let again = to_bytes(&value);
    if again != bytes {
        let at = again.iter().zip(bytes).position(|(a, b)| a != b).unwrap_or(again.len());
        let why = format!("byte {at} is not what the shortest, definite-length encoding has there");
        return Err(DecodeError::NotDeterministic { what, why });
    }
    Ok(value)
}

fn reader_error(error: ciborium::de::Error<std::io::Error>) -> String {
    match error {
        ciborium::de::Error::Io(_) => "it ends in the middle of an item".into(),
        ciborium::de::Error::Syntax(at) => format!("syntax error at byte {at}"),
        ciborium::de::Error::Semantic(Some(at), why) => format!("{why} at byte {at}"),
        ciborium::de::Error::Semantic(None, why) => why,
        ciborium::de::Error::RecursionLimitExceeded => {
            format!("it is nested deeper than {MAX_DEPTH}")
        }
    }
}

fn check(what: &'static str, value: &Value, order: KeyOrder) -> Result<(), DecodeError> {
    let refuse = |why: String| Err(DecodeError::NotDeterministic { what, why });
    match value {
        Value::Float(_) => refuse("it holds a float, which none of our formats has".into()),
        Value::Array(items) => items.iter().try_for_each(|item| check(what, item, order)),
        Value::Tag(_, inner) => check(what, inner, order),
        Value::Map(entries) => {
            let mut keys: Vec<Vec<u8>> = entries.iter().map(|(key, _)| to_bytes(key)).collect();
            if order == KeyOrder::Sorted && !keys.is_sorted() {
                return refuse("map keys are not sorted".into());
            }
            keys.sort();
            if keys.windows(2).any(|pair| pair[0] == pair[1]) {
                return refuse("a map key stands twice".into());
            }
            entries
                .iter()
                .try_for_each(|(key, item)| check(what, key, order).and(check(what, item, order)))
        }
        _ => Ok(()),
    }
}

/// The encoding of a value whose maps are sorted already: see [`map`].
pub fn to_bytes(value: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    // Writing to a Vec cannot fail, and every Value has an encoding.
    let _ = ciborium::into_writer(value, &mut bytes);
    bytes
}

/// A map in deterministic order.
pub fn map(entries: Vec<(Value, Value)>) -> Value {
    let mut keyed: Vec<(Vec<u8>, (Value, Value))> =
        entries.into_iter().map(|entry| (to_bytes(&entry.0), entry)).collect();
    keyed.sort_by(|a, b| a.0.cmp(&b.0));
    Value::Map(keyed.into_iter().map(|(_, entry)| entry).collect())
}

/// A map with text keys, in deterministic order.
pub fn text_map(entries: Vec<(&str, Value)>) -> Value {
    map(entries.into_iter().map(|(key, value)| (Value::from(key), value)).collect())
}

/// A byte string.
pub fn bytes(bytes: impl AsRef<[u8]>) -> Value {
    Value::Bytes(bytes.as_ref().to_vec())
}

/// What a value is, for an error text: its type, and its content where it is short.
pub fn show(value: &Value) -> String {
    match value {
        Value::Integer(n) => i128::from(*n).to_string(),
        Value::Bytes(b) => format!("{} bytes", b.len()),
        Value::Text(t) if t.len() <= 60 => format!("{t:?}"),
        Value::Text(t) => format!("a text of {} bytes", t.len()),
        Value::Bool(b) => b.to_string(),
        Value::Null => "null".into(),
        Value::Array(a) => format!("an array of {}", a.len()),
        Value::Map(m) => format!("a map of {}", m.len()),
        Value::Tag(n, _) => format!("tag {n}"),
        Value::Float(_) => "a float".into(),
        _ => "something else".into(),
    }
}

/// Reads the items of an array in order, each by its type, with errors that name the place.
pub struct Items {
    what: &'static str,
    items: std::vec::IntoIter<Value>,
}

impl Items {
    /// The items of `value`, which must be an array of `range` items.
    pub fn new(
        what: &'static str,
        field: &str,
        value: Value,
        range: std::ops::RangeInclusive<usize>,
    ) -> Result<Items, DecodeError> {
        match value {
            Value::Array(items) if range.contains(&items.len()) => {
                Ok(Items { what, items: items.into_iter() })
            }
            other => Err(DecodeError::field(
                what,
                field,
                format!("an array of {} to {} items", range.start(), range.end()),
                show(&other),
            )),
        }
    }

    /// How many are left.
    pub fn left(&self) -> usize {
        self.items.len()
    }

    /// The next item, whatever it is.
    pub fn any(&mut self, field: &str) -> Result<Value, DecodeError> {
        self.items
            .next()
            .ok_or_else(|| DecodeError::field(self.what, field, "an item", "the end of the array"))
    }

    /// The next item as an unsigned integer.
    pub fn uint(&mut self, field: &str) -> Result<u64, DecodeError> {
        let value = self.any(field)?;
        as_uint(self.what, field, &value)
    }

    /// The next item as a text.
    pub fn text(&mut self, field: &str, limit: usize) -> Result<String, DecodeError> {
        let value = self.any(field)?;
        into_text(self.what, field, value, limit)
    }

    /// The next item as a byte string.
    pub fn bytes(&mut self, field: &str, limit: usize) -> Result<Vec<u8>, DecodeError> {
        let value = self.any(field)?;
        into_bytes(self.what, field, value, limit)
    }

    /// The next item as a 32-byte digest.
    pub fn hash(&mut self, field: &str) -> Result<Hash, DecodeError> {
        let value = self.any(field)?;
        into_hash(self.what, field, value)
    }

    /// The next item as a 32-byte digest, or null.
    pub fn hash_or_null(&mut self, field: &str) -> Result<Option<Hash>, DecodeError> {
        match self.any(field)? {
            Value::Null => Ok(None),
            value => into_hash(self.what, field, value).map(Some),
        }
    }

    /// The next item as a list of digests.
    pub fn hashes(&mut self, field: &str, limit: usize) -> Result<Vec<Hash>, DecodeError> {
        let value = self.any(field)?;
        into_hashes(self.what, field, value, limit)
    }
}

/// An array of digests.
pub fn into_hashes(
    what: &'static str,
    field: &str,
    value: Value,
    limit: usize,
) -> Result<Vec<Hash>, DecodeError> {
    let mut items = Items::new(what, field, value, 0..=limit)?;
    (0..items.left()).map(|_| items.hash(field)).collect()
}

/// An unsigned integer of 64 bits.
pub fn as_uint(what: &'static str, field: &str, value: &Value) -> Result<u64, DecodeError> {
    value
        .as_integer()
        .and_then(|n| u64::try_from(n).ok())
        .ok_or_else(|| DecodeError::field(what, field, "an unsigned integer", show(value)))
}

/// A text of at most `limit` bytes.
pub fn into_text(
    what: &'static str,
    field: &str,
    value: Value,
    limit: usize,
) -> Result<String, DecodeError> {
    match value {
        Value::Text(text) if text.len() <= limit => Ok(text),
        other => Err(DecodeError::field(
            what,
            field,
            format!("a text of at most {limit} bytes"),
            show(&other),
        )),
    }
}

/// A byte string of at most `limit` bytes.
pub fn into_bytes(
    what: &'static str,
    field: &str,
    value: Value,
    limit: usize,
) -> Result<Vec<u8>, DecodeError> {
    match value {
        Value::Bytes(bytes) if bytes.len() <= limit => Ok(bytes),
        other => Err(DecodeError::field(
            what,
            field,
            format!("a byte string of at most {limit} bytes"),
            show(&other),
        )),
    }
}

/// A byte string of exactly 32 bytes.
pub fn into_hash(what: &'static str, field: &str, value: Value) -> Result<Hash, DecodeError> {
    match &value {
        Value::Bytes(bytes) => Hash::from_slice(bytes),
        _ => None,
    }
    .ok_or_else(|| DecodeError::field(what, field, "a byte string of 32 bytes", show(&value)))
}

/// The entries of a map, taken out one by one; what is left over at the end is an error.
pub struct Fields {
    what: &'static str,
    entries: Vec<(Value, Value)>,
}

impl Fields {
    /// The entries of `value`, which must be a map.
    pub fn new(what: &'static str, field: &str, value: Value) -> Result<Fields, DecodeError> {
        match value {
            Value::Map(entries) => Ok(Fields { what, entries }),
            other => Err(DecodeError::field(what, field, "a map", show(&other))),
        }
    }

    /// The entry under `key`, if there is one.
    pub fn optional(&mut self, key: impl Into<Value>) -> Option<Value> {
        let key = key.into();
        let at = self.entries.iter().position(|(k, _)| *k == key)?;
        Some(self.entries.remove(at).1)
    }

    /// The entry under the text key `key`.
    pub fn take(&mut self, key: &str) -> Result<Value, DecodeError> {
        self.optional(key).ok_or_else(|| DecodeError::field(self.what, key, "present", "nothing"))
    }

    /// A text entry.
    pub fn text(&mut self, key: &str, limit: usize) -> Result<String, DecodeError> {
        let value = self.take(key)?;
        into_text(self.what, key, value, limit)
    }

    /// A text entry that may be absent.
    pub fn optional_text(
        &mut self,
        key: &str,
        limit: usize,
    ) -> Result<Option<String>, DecodeError> {
        self.optional(key).map(|value| into_text(self.what, key, value, limit)).transpose()
    }

    /// An unsigned integer entry.
    pub fn uint(&mut self, key: &str) -> Result<u64, DecodeError> {
        let value = self.take(key)?;
        as_uint(self.what, key, &value)
    }

    /// A byte string entry.
    pub fn bytes(&mut self, key: &str, limit: usize) -> Result<Vec<u8>, DecodeError> {
        let value = self.take(key)?;
        into_bytes(self.what, key, value, limit)
    }

    /// A digest entry.
    pub fn hash(&mut self, key: &str) -> Result<Hash, DecodeError> {
        let value = self.take(key)?;
        into_hash(self.what, key, value)
    }

    /// Refuses entries that nobody asked for.
    pub fn finish(self) -> Result<(), DecodeError> {
        match self.entries.first() {
            None => Ok(()),
            Some((key, _)) => {
                Err(DecodeError::field(self.what, "its map", "only known keys", show(key)))
            }
        }
    }
}

/// How many bytes the first item of a CBOR sequence (RFC 8742) takes, looking only at heads.
///
/// `Ok(None)` when `buffer` ends before the item does; an item over `limit` bytes is refused before
/// it is complete, so that a reader never holds more.
pub fn item_length(
    what: &'static str,
    buffer: &[u8],
    limit: usize,
) -> Result<Option<usize>, DecodeError> {
    scan(what, buffer, limit, MAX_ITEMS)
}

fn scan(
    what: &'static str,
    buffer: &[u8],
    limit: usize,
    most: u64,
) -> Result<Option<usize>, DecodeError> {
    let mut items = 0u64;
    let malformed = |why: &str| Err(DecodeError::Malformed { what, why: why.into() });
    let mut at = 0usize;
    let mut pending = 1u64;
    while pending > 0 {
        items += 1;
        if items > most {
            return Err(DecodeError::TooMany { what, limit: most });
        }
        if at >= limit {
            return Err(DecodeError::TooLong { what, limit, found: at });
        }
        let Some(&head) = buffer.get(at) else { return Ok(None) };
        let (major, info) = (head >> 5, head & 0x1f);
        let width = match info {
            0..=23 => 0,
            24..=27 => 1usize << (info - 24),
            31 => {
                let why = "it has an indefinite length".into();
                return Err(DecodeError::NotDeterministic { what, why });
            }
            _ => return malformed("it has a reserved length"),
        };
        let Some(argument) = buffer.get(at + 1..at + 1 + width) else { return Ok(None) };
        let value = match width {
            0 => u64::from(info),
            _ => argument.iter().fold(0u64, |value, byte| (value << 8) | u64::from(*byte)),
        };
        at += 1 + width;
        pending -= 1;
        let left = (limit.saturating_sub(at)) as u64;
        match major {
            2 | 3 if value > left => {
                return Err(DecodeError::TooLong {
                    what,
                    limit,
                    found: at.saturating_add(value as usize),
                });
            }
            2 | 3 => at += value as usize,
            // Every item takes a byte at least, so a count beyond what is left can't be true.
            4 | 5 => {
                let items = value.saturating_mul(if major == 5 { 2 } else { 1 });
                if items > left {
                    return Err(DecodeError::TooLong {
                        what,
                        limit,
                        found: at.saturating_add(value as usize),
                    });
                }
                pending += items;
            }
            6 => pending += 1,
            _ => {}
        }
    }
    if at > limit {
        return Err(DecodeError::TooLong { what, limit, found: at });
    }
    Ok((at <= buffer.len()).then_some(at))
}
