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
    /// The head of a log on an object store, with the files that it still needs.
    Pending,
    /// Files of a log that have no names of their own yet.
    Pack,
    /// The access journal of a log's server.
    Access,
    /// Heads that somebody saw, for others to compare.
    Heads,
    /// Key events with their proofs.
    KeyEvents,
    /// The manifest of a signer's backup.
    Backup,
    /// The statements of one journal that a log has.
    Statements,
    /// A request to approve what is to be signed.
    ApprovalRequest,
    /// What an audit came to.
    Audit,
    /// An auditor's journal of the records that it opened.
    Openings,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Kind; 17] = [
        Kind::Batch,
        Kind::Receipts,
        Kind::WitnessRequest,
        Kind::WitnessResponse,
        Kind::Evidence,
        Kind::Key,
        Kind::Manifest,
        Kind::Pending,
        Kind::Pack,
        Kind::Access,
        Kind::Heads,
        Kind::KeyEvents,
        Kind::Backup,
        Kind::Statements,
        Kind::ApprovalRequest,
        Kind::Audit,
        Kind::Openings,
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
            Kind::Pending => "coldlog-pending",
            Kind::Pack => "coldlog-pack",
            Kind::Access => "coldlog-access",
            Kind::Heads => "coldlog-heads",
            Kind::KeyEvents => "coldlog-key-events",
            Kind::Backup => "coldlog-backup",
            Kind::Statements => "coldlog-statements",
            Kind::ApprovalRequest => "coldlog-approval-request",
            Kind::Audit => "coldlog-audit",
            Kind::Openings => "coldlog-openings",
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
            && let (Some(kind @ Value::Text(found)), Some(version)) = (items.first(), items.get(1))
        {
            if found != what {
                let known = Kind::ALL.iter().any(|kind| kind.tag() == found);
                let found = match known {
                    true => found.clone(),
                    false => format!("something else ({})", crate::cbor::show(kind)),
                };
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

/// Names what `bytes` are by how they begin, where that is not `expected`: for the error that a user
/// sees who passed the wrong file. Nothing is decoded.
pub fn other_than(expected: &str, bytes: &[u8]) -> Option<String> {
    let text = &bytes[..bytes.len().min(4096)];
    let text = match std::str::from_utf8(text) {
        Ok(text) => Some(text),
        // A character may be cut where the look ends.
        Err(why) if why.error_len().is_none() => {
            std::str::from_utf8(&text[..why.valid_up_to()]).ok()
        }
        Err(_) => None,
    };
    let found = match (text, bytes) {
        (_, []) => "an empty file",
        (Some(text), _) if text.starts_with("age-encryption.org/") => "an age file",
        (Some(text), _) if text.starts_with("-----BEGIN SSH SIGNATURE") => "an SSH signature",
        (Some(text), _) if text.starts_with("untrusted comment:") => "a minisign file",
        (Some(text), _) if text.starts_with("c2sp.org/tlog-proof@v1") => "a C2SP tlog-proof",
        (Some(text), _) if text.starts_with("coldlog-root/v1") => "a trust root",
        (Some(text), _) if text.starts_with("coldlog-policies/1") => "a history of policies",
        (Some(text), _) if text.contains("\n\n\u{2014} ") => "a signed note (a checkpoint?)",
        (Some(text), _) if text.lines().any(|line| line.starts_with("quorum ")) => "a policy",
        (Some(text), _) if text.lines().any(|line| line.starts_with("log ")) => "a policy",
        (Some(_), _) => "a text file",
        (None, [0xd2, ..]) => "a COSE_Sign1 (a statement, receipt, tail or proof)",
        (None, [0x80..=0x97, rest @ ..]) => {
            let length = match rest {
                [head @ 0x60..=0x77, ..] => Some((usize::from(head & 0x1f), 1)),
                [0x78, length, ..] => Some((usize::from(*length), 2)),
                _ => None,
            };
            let (length, start) = length?;
            let tag = std::str::from_utf8(rest.get(start..start + length)?).ok()?;
            Kind::ALL.iter().find(|kind| kind.tag() == tag)?.tag()
        }
        _ => return None,
    };
    let same = found == expected || (found.contains("COSE_Sign1") && !expected.contains("coldlog"));
    (!same).then(|| found.into())
}
