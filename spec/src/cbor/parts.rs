//! The parts of a decoded value: arrays and maps taken apart item by item, each by its type.

use super::{DecodeError, Value};
use crate::hash::Hash;

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
