//! Deterministic CBOR (RFC 8949, section 4.2.1), strict.
//!
//! `ciborium` has the values. Reading is here, for a format that is signed needs what no
//! reader of any CBOR has: a size limit, nothing after the item, shortest and definite lengths, sorted
//! and unique map keys, no floats, and nesting of at most [`MAX_DEPTH`]. Whatever would not re-encode to
//! the same bytes is refused.

mod parts;
mod write;

pub use ciborium::Value;
pub use parts::{Fields, Items, as_uint, into_bytes, into_hash, into_hashes, into_text, show};
use std::cmp::Ordering;
pub use write::{bytes, map, text_map, to_bytes, write_bytes};

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
            // It may be a text from the file: it forges no line of its own.
            found: found.into().replace('\n', "\\n"),
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
    let mut source = Source { what, bytes, at: 0 };
    let value = source.value(MAX_DEPTH)?;
    if source.at < bytes.len() {
        let (end, extra) = (source.at, bytes.len() - source.at);
        return Err(DecodeError::Trailing { what, end, extra });
    }
    // The scan saw shortest heads and definite lengths only; with the order of keys, which it does not
    // see, this is the one encoding of the value. (A test re-encodes whatever any decoder accepts.)
    check(what, &value, order)?;
    Ok(value)
}

// Builds the value of an item that [`scan`] went over.
struct Source<'a> {
    what: &'static str,
    bytes: &'a [u8],
    at: usize,
}

impl Source<'_> {
    fn malformed(&self, why: &str) -> DecodeError {
        DecodeError::Malformed { what: self.what, why: format!("{why} at byte {}", self.at) }
    }

    fn take(&mut self, length: u64) -> Result<&[u8], DecodeError> {
        let end = usize::try_from(length).ok().and_then(|length| self.at.checked_add(length));
        match end.and_then(|end| Some((end, self.bytes.get(self.at..end)?))) {
            Some((end, taken)) => {
                self.at = end;
                Ok(taken)
            }
            None => Err(self.malformed("it ends in the middle of an item")),
        }
    }

    fn value(&mut self, depth: usize) -> Result<Value, DecodeError> {
        let Some(depth) = depth.checked_sub(1) else {
            let why = format!("it is nested deeper than {MAX_DEPTH}");
            return Err(DecodeError::Malformed { what: self.what, why });
        };
        let head = self.take(1)?.first().copied().unwrap_or_default();
        let argument = match head & 0x1f {
            small @ 0..=23 => u64::from(small),
            info => {
                let argument = self.take(1 << (info & 3))?;
                argument.iter().fold(0, |value, byte| (value << 8) | u64::from(*byte))
            }
        };
        Ok(match head >> 5 {
            0 => Value::from(argument),
            1 => Value::Integer(
                (-1 - i128::from(argument))
                    .try_into()
                    .map_err(|_| self.malformed("a number of more than 64 bits"))?,
            ),
            2 => Value::Bytes(self.take(argument)?.to_vec()),
            3 => match String::from_utf8(self.take(argument)?.to_vec()) {
                Ok(text) => Value::Text(text),
                Err(_) => return Err(self.malformed("a text that is not UTF-8")),
            },
            // No more is set aside than the scan found to be there.
            4 => {
                let items = (0..argument).map(|_| self.value(depth));
                Value::Array(items.collect::<Result<_, _>>()?)
            }
            5 => {
                let entries = (0..argument).map(|_| Ok((self.value(depth)?, self.value(depth)?)));
                Value::Map(entries.collect::<Result<_, _>>()?)
            }
            6 => Value::Tag(argument, Box::new(self.value(depth)?)),
            _ => match argument {
                20 => Value::Bool(false),
                21 => Value::Bool(true),
                22 => Value::Null,
                _ => return Err(self.malformed("a value that none of our formats has")),
            },
        })
    }
}

fn check(what: &'static str, value: &Value, order: KeyOrder) -> Result<(), DecodeError> {
    let refuse = |why: &str| Err(DecodeError::NotDeterministic { what, why: why.into() });
    match value {
        Value::Array(items) => items.iter().try_for_each(|item| check(what, item, order)),
        Value::Tag(_, inner) => check(what, inner, order),
        Value::Map(entries) => {
            let ascends = |pair: &[(Value, Value)]| match pair {
                [(a, _), (b, _)] => compare(a, b),
                _ => Ordering::Less,
            };
            match order {
                KeyOrder::Sorted => match entries.windows(2).map(ascends).max() {
                    Some(Ordering::Greater) => return refuse("map keys are not sorted"),
                    Some(Ordering::Equal) => return refuse("a map key stands twice"),
                    Some(Ordering::Less) | None => {}
                },
                KeyOrder::Any => {
                    let mut keys: Vec<&Value> = entries.iter().map(|(key, _)| key).collect();
                    keys.sort_by(|a, b| compare(a, b));
                    if keys.windows(2).any(|pair| compare(pair[0], pair[1]).is_eq()) {
                        return refuse("a map key stands twice");
                    }
                }
            }
            entries
                .iter()
                .try_for_each(|(key, item)| check(what, key, order).and(check(what, item, order)))
        }
        _ => Ok(()),
    }
}

// The order of two keys by their encodings; those that are common without making them.
fn compare(a: &Value, b: &Value) -> Ordering {
    match (a, b) {
        (Value::Integer(a), Value::Integer(b)) => {
            // 0, 1, 2, ... before -1, -2, -3, ...
            let place = |n: &ciborium::value::Integer| {
                let n = i128::from(*n);
                if n < 0 { (1, -1 - n) } else { (0, n) }
            };
            place(a).cmp(&place(b))
        }
        (Value::Text(a), Value::Text(b)) => a.len().cmp(&b.len()).then_with(|| a.cmp(b)),
        _ => to_bytes(a).cmp(&to_bytes(b)),
    }
}

/// The byte string that `bytes` begin with, and what follows it; `None` where it is none, or has not the
/// shortest head.
pub fn leading_bytes(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    match leading_head(bytes)? {
        (2, length, rest) => rest.split_at_checked(usize::try_from(length).ok()?),
        _ => None,
    }
}

/// The same of a text.
pub fn leading_text(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let (text, rest) = match leading_head(bytes)? {
        (3, length, rest) => rest.split_at_checked(usize::try_from(length).ok()?)?,
        _ => return None,
    };
    Some((std::str::from_utf8(text).ok()?, rest))
}

/// The same of an unsigned integer.
pub fn leading_uint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    match leading_head(bytes)? {
        (0, number, rest) => Some((number, rest)),
        _ => None,
    }
}

// The head that `bytes` begin with, as major type and argument; `None` where it is not in its shortest form.
fn leading_head(bytes: &[u8]) -> Option<(u8, u64, &[u8])> {
    let (&head, rest) = bytes.split_first()?;
    let (major, info) = (head >> 5, head & 0x1f);
    let width = match info {
        0..=23 => return Some((major, info.into(), rest)),
        24..=27 => 1 << (info - 24),
        _ => return None,
    };
    let (argument, rest) = rest.split_at_checked(width)?;
    let value = argument.iter().fold(0u64, |value, byte| (value << 8) | u64::from(*byte));
    let shortest = value >= 24 && (width == 1 || value >> (4 * width) != 0);
    shortest.then_some((major, value, rest))
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
        let why = match (major, info) {
            (0..=6, 24..) if value < 24 || (width > 1 && value >> (4 * width) == 0) => {
                "it holds a number that is not in its shortest form"
            }
            (6, 2 | 3) => "it holds a number of more than 64 bits",
            (7, 0..20 | 23..) => "it holds a float or another value that none of our formats has",
            _ => "",
        };
        if !why.is_empty() {
            let why = format!("{why}, at byte {at}");
            return Err(DecodeError::NotDeterministic { what, why });
        }
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
