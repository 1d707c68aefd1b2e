//! One change of one CBOR file, drawn at random.

use coldlog_spec::cbor::{self, Value};
use proptest::prelude::*;
use proptest::sample::Index;

// One change, drawn at random: of which node, which of the changes that its type allows, at which
// place in it, and by what.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Change {
    node: Index,
    kind: Index,
    place: Index,
    by: u8,
}

pub(crate) fn any_change() -> impl Strategy<Value = Change> {
    let parts = any::<(Index, Index, Index, u8)>();
    parts.prop_map(|(node, kind, place, by)| Change { node, kind, place, by })
}

// CBOR within a byte string (`bytes .cbor` in formats.cddl): its nodes are nodes of the file.
pub(crate) fn inside(bytes: &[u8]) -> Option<Value> {
    let value = cbor::decode("embedded", bytes, 1 << 22).ok()?;
    matches!(value, Value::Array(_) | Value::Map(_) | Value::Tag(..)).then_some(value)
}

pub(crate) fn nodes(value: &Value) -> usize {
    let below = match value {
        Value::Array(items) => items.iter().map(nodes).sum(),
        Value::Map(entries) => entries.iter().map(|(_, value)| nodes(value)).sum(),
        Value::Tag(_, inner) => nodes(inner),
        Value::Bytes(bytes) => inside(bytes).as_ref().map_or(0, nodes),
        _ => 0,
    };
    1 + below
}

impl Change {
    // The whole file with the drawn node changed, in deterministic form.
    pub(crate) fn of(&self, bytes: &[u8]) -> Vec<u8> {
        let mut value = cbor::decode("good", bytes, 1 << 22).unwrap();
        let mut left = self.node.index(nodes(&value));
        assert!(self.walk(&mut value, &mut left), "no such node");
        cbor::to_bytes(&value)
    }

    // `left` nodes are still to be passed, in the order of `nodes`.
    fn walk(&self, value: &mut Value, left: &mut usize) -> bool {
        if *left == 0 {
            self.here(value);
            return true;
        }
        *left -= 1;
        match value {
            Value::Array(items) => items.iter_mut().any(|item| self.walk(item, left)),
            Value::Map(entries) => entries.iter_mut().any(|(_, item)| self.walk(item, left)),
            Value::Tag(_, inner) => self.walk(inner, left),
            Value::Bytes(bytes) => inside(bytes).is_some_and(|mut value| {
                let done = self.walk(&mut value, left);
                *bytes = cbor::to_bytes(&value);
                done
            }),
            _ => false,
        }
    }

    fn here(&self, value: &mut Value) {
        match value {
            Value::Integer(number) => {
                let number = i128::from(*number) + if self.by & 1 == 0 { 1 } else { -1 };
                *value = number.try_into().map_or(Value::Null, Value::Integer);
            }
            Value::Bytes(bytes) => match self.kind.index(4) {
                0 if !bytes.is_empty() => {
                    let place = self.place.index(bytes.len());
                    bytes[place] ^= 1 << (self.by % 8);
                }
                1 if !bytes.is_empty() => bytes.truncate(self.place.index(bytes.len())),
                2 if bytes.contains(&b'\n') => {
                    let mut lines: Vec<Vec<u8>> =
                        bytes.split_inclusive(|byte| *byte == b'\n').map(Vec::from).collect();
                    self.list(&mut lines);
                    *bytes = lines.concat();
                }
                _ => bytes.push(self.by),
            },
            Value::Text(text) => {
                let mut letters: Vec<char> = text.chars().collect();
                match self.kind.index(3) {
                    0 if !letters.is_empty() => {
                        letters[self.place.index(text.chars().count())] = char::from(self.by);
                    }
                    1 if !letters.is_empty() => self.list(&mut letters),
                    _ => letters.push(char::from(self.by)),
                }
                *text = letters.into_iter().collect();
            }
            Value::Bool(bool) => *bool = !*bool,
            Value::Array(items) if items.is_empty() => items.push(Value::Null),
            Value::Array(items) => self.list(items),
            Value::Map(entries) if entries.is_empty() => entries.push((1.into(), 1.into())),
            Value::Map(entries) => {
                let place = self.place.index(entries.len());
                if self.kind.index(2) == 0 {
                    entries.remove(place);
                } else {
                    self.here(&mut entries[place].0);
                }
                *value = cbor::map(std::mem::take(entries));
            }
            Value::Tag(number, inner) => match self.kind.index(2) {
                0 => *number ^= u64::from(self.by | 1),
                _ => *value = std::mem::replace(inner, Value::Null),
            },
            _ => {
                *value =
                    [0.into(), cbor::bytes([]), Value::Array(vec![])][self.kind.index(3)].clone()
            }
        }
    }

    // One of a list is removed, stands twice, or changes places with its neighbour.
    pub(crate) fn list<T: Clone>(&self, list: &mut Vec<T>) {
        let place = self.place.index(list.len());
        let neighbour = (place + 1) % list.len();
        match self.by % 3 {
            0 => drop(list.remove(place)),
            1 => list.insert(place, list[place].clone()),
            _ => list.swap(place, neighbour),
        }
    }
}

// The places of the bytes that say how long an item is, or how many; also within embedded CBOR.
pub(crate) fn length_bytes(bytes: &[u8], at: usize, places: &mut Vec<usize>) -> usize {
    let (major, info) = (bytes[at] >> 5, bytes[at] & 0x1f);
    let width = if info < 24 { 0 } else { 1usize << (info - 24) };
    let body = at + 1 + width;
    let argument = &bytes[at + 1..body];
    let value = argument.iter().fold(0, |value, byte| (value << 8) | usize::from(*byte));
    let value = if width == 0 { usize::from(info) } else { value };
    if matches!(major, 2..=5) {
        places.extend(at..body);
    }
    match major {
        2 | 3 => {
            if major == 2 && inside(&bytes[body..body + value]).is_some() {
                length_bytes(bytes, body, places);
            }
            body + value
        }
        4 => (0..value).fold(body, |at, _| length_bytes(bytes, at, places)),
        5 => (0..2 * value).fold(body, |at, _| length_bytes(bytes, at, places)),
        6 => length_bytes(bytes, body, places),
        _ => body,
    }
}
