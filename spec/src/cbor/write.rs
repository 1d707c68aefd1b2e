//! The one encoding of a value: shortest heads, definite lengths, maps sorted by their encoded keys.

use ciborium::Value;

/// The encoding of a value whose maps are sorted already: see [`map`].
pub fn to_bytes(value: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    write(value, &mut bytes);
    bytes
}

// The shortest head: a major type and its argument.
fn write_head(major: u8, argument: u64, out: &mut Vec<u8>) {
    let major = major << 5;
    match argument {
        0..=23 => out.push(major | argument as u8),
        24..=0xff => out.extend_from_slice(&[major | 24, argument as u8]),
        0x100..=0xffff => {
            out.push(major | 25);
            out.extend_from_slice(&(argument as u16).to_be_bytes());
        }
        0x1_0000..=0xffff_ffff => {
            out.push(major | 26);
            out.extend_from_slice(&(argument as u32).to_be_bytes());
        }
        _ => {
            out.push(major | 27);
            out.extend_from_slice(&argument.to_be_bytes());
        }
    }
}

/// Writes a byte string in place: without a value of its own, for what is on the path of every
/// verification.
pub fn write_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    write_head(2, bytes.len() as u64, out);
    out.extend_from_slice(bytes);
}

// As ciborium writes it (a test holds them against each other), without the way through serde: a log
// writes a receipt for every record.
fn write(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Integer(number) => match i128::from(*number) {
            number @ 0.. => write_head(0, number as u64, out),
            number => write_head(1, (-1 - number) as u64, out),
        },
        Value::Bytes(bytes) => write_bytes(bytes, out),
        Value::Text(text) => {
            write_head(3, text.len() as u64, out);
            out.extend_from_slice(text.as_bytes());
        }
        Value::Array(items) => {
            write_head(4, items.len() as u64, out);
            items.iter().for_each(|item| write(item, out));
        }
        Value::Map(entries) => {
            write_head(5, entries.len() as u64, out);
            for (key, value) in entries {
                write(key, out);
                write(value, out);
            }
        }
        Value::Tag(tag, value) => {
            write_head(6, *tag, out);
            write(value, out);
        }
        Value::Bool(truth) => out.push(0xf4 | u8::from(*truth)),
        Value::Null => out.push(0xf6),
        // None of our formats has these. Writing to a Vec cannot fail.
        other => {
            let _ = ciborium::into_writer(other, out);
        }
    }
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
