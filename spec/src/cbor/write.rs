//! The one encoding of a value: shortest heads, definite lengths, maps sorted by their encoded keys.

use ciborium::Value;

/// The encoding of a value whose maps are sorted already: see [`map`].
pub fn to_bytes(value: &Value) -> Vec<u8> {
    // Measured first, for a Vec that grows leaves copies behind, and the value may be a key file's.
    let mut length = 0;
    write(value, &mut |part| length += part.len());
    let mut bytes = Vec::with_capacity(length);
    write(value, &mut |part| bytes.extend_from_slice(part));
    bytes
}

// The shortest head: a major type and its argument.
fn write_head(major: u8, argument: u64, out: &mut impl FnMut(&[u8])) {
    let major = major << 5;
    match argument {
        0..=23 => out(&[major | argument as u8]),
        24..=0xff => out(&[major | 24, argument as u8]),
        0x100..=0xffff => {
            out(&[major | 25]);
            out(&(argument as u16).to_be_bytes());
        }
        0x1_0000..=0xffff_ffff => {
            out(&[major | 26]);
            out(&(argument as u32).to_be_bytes());
        }
        _ => {
            out(&[major | 27]);
            out(&argument.to_be_bytes());
        }
    }
}

/// Writes a byte string in place: without a value of its own, for what is on the path of every
/// verification.
pub fn write_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    write_string(2, bytes, &mut |part| out.extend_from_slice(part));
}

fn write_string(major: u8, bytes: &[u8], out: &mut impl FnMut(&[u8])) {
    write_head(major, bytes.len() as u64, out);
    out(bytes);
}

// As ciborium writes it (a test holds them against each other), without the way through serde: a log
// writes a receipt for every record.
fn write(value: &Value, out: &mut impl FnMut(&[u8])) {
    match value {
        Value::Integer(number) => match i128::from(*number) {
            number @ 0.. => write_head(0, number as u64, out),
            number => write_head(1, (-1 - number) as u64, out),
        },
        Value::Bytes(bytes) => write_string(2, bytes, out),
        Value::Text(text) => write_string(3, text.as_bytes(), out),
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
        Value::Bool(truth) => out(&[0xf4 | u8::from(*truth)]),
        Value::Null => out(&[0xf6]),
        // None of our formats has these. Writing to a Vec cannot fail.
        other => {
            let mut bytes = Vec::new();
            let _ = ciborium::into_writer(other, &mut bytes);
            out(&bytes);
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
