//! CBOR for people: in diagnostic notation (RFC 8949, section 8), and as JSON.

use ciborium::Value;
use serde_json::{Value as Json, json};

/// The longest byte string that is shown whole.
const SHOWN: usize = 64;

/// A value in diagnostic notation, indented.
pub fn show(value: &Value, indent: usize) -> String {
    let pad = "  ".repeat(indent + 1);
    let end = "  ".repeat(indent);
    match value {
        Value::Bytes(bytes) if bytes.len() > SHOWN => {
            let start = coldlog_spec::hash::to_hex(&bytes[..16]);
            format!("h'{start}...' / {} bytes /", bytes.len())
        }
        Value::Bytes(bytes) => format!("h'{}'", coldlog_spec::hash::to_hex(bytes)),
        Value::Text(text) => format!("{text:?}"),
        Value::Integer(number) => i128::from(*number).to_string(),
        Value::Bool(flag) => flag.to_string(),
        Value::Null => "null".into(),
        Value::Tag(tag, inner) => format!("{tag}({})", show(inner, indent)),
        Value::Array(items) if items.is_empty() => "[]".into(),
        Value::Array(items) => {
            let items: Vec<String> =
                items.iter().map(|i| format!("{pad}{}", show(i, indent + 1))).collect();
            format!("[\n{}\n{end}]", items.join(",\n"))
        }
        Value::Map(entries) if entries.is_empty() => "{}".into(),
        Value::Map(entries) => {
            let entries: Vec<String> = entries
                .iter()
                .map(|(k, v)| format!("{pad}{}: {}", show(k, indent + 1), show(v, indent + 1)))
                .collect();
            format!("{{\n{}\n{end}}}", entries.join(",\n"))
        }
        _ => "undefined".into(),
    }
}

/// A value as JSON: byte strings as `{"hex": ..}`, tags as `{"tag": .., "value": ..}`, maps with the
/// diagnostic notation of their keys.
pub fn to_json(value: &Value) -> Json {
    match value {
        Value::Bytes(bytes) => json!({"hex": coldlog_spec::hash::to_hex(bytes)}),
        Value::Text(text) => json!(text),
        Value::Integer(number) => match i64::try_from(*number) {
            Ok(number) => json!(number),
            Err(_) => json!(u64::try_from(*number).ok()),
        },
        Value::Bool(flag) => json!(flag),
        Value::Tag(tag, inner) => json!({"tag": tag, "value": to_json(inner)}),
        Value::Array(items) => items.iter().map(to_json).collect(),
        Value::Map(entries) => {
            let entries = entries.iter().map(|(key, value)| {
                let key = match key {
                    Value::Text(text) => text.clone(),
                    other => show(other, 0),
                };
                (key, to_json(value))
            });
            Json::Object(entries.collect())
        }
        _ => Json::Null,
    }
}
