//! A manifest: many documents to sign, in one file (`formats.cddl`: `manifest`). Its CSV twin has the
//! columns file, name, version, purpose.

use crate::cbor::{self, DecodeError, Items, Value};
use crate::kind::Kind;
use crate::record::MAX_TEXT;

const WHAT: &str = "coldlog-manifest";
/// The largest manifest.
pub const MAX_MANIFEST: usize = 32 << 20;
/// The most documents in one.
pub const MAX_ROWS: usize = 1 << 17;

/// One document.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Row {
    /// The file, relative to the manifest's folder.
    pub file: String,
    /// Its name in the record, if not the file's.
    pub name: Option<String>,
    /// Its version, if not the command line's.
    pub version: Option<String>,
    /// Its purpose, if not the command line's.
    pub purpose: Option<String>,
}

impl Row {
    /// Whether the file lies in or below the manifest's folder: no absolute path, no `..`.
    pub fn stays_inside(&self) -> bool {
        !self.file.is_empty()
            && !self.file.starts_with('/')
            && self.file.split('/').all(|part| part != "..")
    }
}

/// The file.
pub fn encode(rows: &[Row]) -> Vec<u8> {
    let text = |text: &Option<String>| text.as_deref().map_or(Value::Null, Value::from);
    let rows = rows.iter().map(|row| {
        let file = row.file.as_str().into();
        Value::Array(vec![file, text(&row.name), text(&row.version), text(&row.purpose)])
    });
    let mut items = Kind::Manifest.head();
    items.push(Value::Array(rows.collect()));
    cbor::to_bytes(&Value::Array(items))
}

/// Reads a file.
pub fn decode(bytes: &[u8]) -> Result<Vec<Row>, DecodeError> {
    // Five items a row: the row and its four texts.
    let value = cbor::decode_large(WHAT, bytes, MAX_MANIFEST, 5 * MAX_ROWS as u64 + 16)?;
    let mut items = Kind::Manifest.open(value, 1)?;
    let mut list = Items::new(WHAT, "its documents", items.any("its documents")?, 1..=MAX_ROWS)?;
    let mut rows = Vec::new();
    while list.left() > 0 {
        let mut row = Items::new(WHAT, "a document", list.any("a document")?, 4..=4)?;
        let file = row.text("file", MAX_TEXT)?;
        let mut optional = |field: &str| match row.any(field)? {
            Value::Null => Ok(None),
            value => cbor::into_text(WHAT, field, value, MAX_TEXT).map(Some),
        };
        let (name, version) = (optional("name")?, optional("version")?);
        rows.push(Row { file, name, version, purpose: optional("purpose")? });
    }
    Ok(rows)
}
