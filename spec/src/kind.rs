//! The names that our CBOR files carry in front, so that the wrong kind is named in the error.

use crate::cbor::{DecodeError, Items, Value};

/// A kind of file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `.batch.cbor`
    Batch,
    /// `.receipts.cbor`
    Receipts,
    /// `.witness-request.cbor`
    WitnessRequest,
    /// `.witness-response.cbor`
    WitnessResponse,
    /// evidence
    Evidence,
    /// A key file, before encryption.
    Key,
    /// A manifest of documents to sign.
    Manifest,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Kind; 7] = [
        Kind::Batch,
        Kind::Receipts,
        Kind::WitnessRequest,
        Kind::WitnessResponse,
        Kind::Evidence,
        Kind::Key,
        Kind::Manifest,
    ];

    /// The first item of the file's first array.
    pub fn tag(self) -> &'static str {
        match self {
            Kind::Batch => "coldlog-batch",
            Kind::Receipts => "coldlog-receipts",
            Kind::WitnessRequest => "coldlog-witness-request",
            Kind::WitnessResponse => "coldlog-witness-response",
            Kind::Evidence => "coldlog-evidence",
            Kind::Key => "coldlog-key",
            Kind::Manifest => "coldlog-manifest",
        }
    }

    /// The value of the head: kind and version.
    pub fn head(self) -> Vec<Value> {
        vec![self.tag().into(), 1.into()]
    }

    /// Reads kind and version from an array of `count` further items.
    pub fn open(self, value: Value, count: usize) -> Result<Items, DecodeError> {
        let what = self.tag();
        if let Value::Array(items) = &value
            && let (Some(Value::Text(found)), Some(version)) = (items.first(), items.get(1))
        {
            if found != what {
                let known = Kind::ALL.iter().any(|kind| kind.tag() == found);
                let found =
                    if known { found.clone() } else { format!("something else ({found:?})") };
                return Err(DecodeError::OtherKind { expected: what.into(), found });
            }
            let found = crate::cbor::as_uint(what, "version", version)?;
            if found != 1 {
                return Err(DecodeError::Unsupported { what, found, supported: 1 });
            }
        } else {
            let found = crate::cbor::show(&value);
            return Err(DecodeError::OtherKind { expected: what.into(), found });
        }
        let mut items = Items::new(what, "the file", value, count + 2..=count + 2)?;
        items.text("kind", 64)?;
        items.uint("version")?;
        Ok(items)
    }
}
