//! One entry of a log as an auditor sees it.

use coldlog_spec::factor::Factor;
use coldlog_spec::hash::{self, Hash};
use coldlog_spec::record::{Clock, Operation, Record};
use coldlog_spec::statement::{Payload, Statement};

/// One entry of a log. What stands in the sealed record is `None`, or empty, where no identity opened it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Its place in the log.
    pub index: u64,
    /// Its leaf hash.
    pub leaf: Hash,
    /// The signer's name; for what a log says of itself, the log's origin.
    pub signer: String,
    /// The journal's name.
    pub journal: String,
    /// Its number in the journal.
    pub sequence: u64,
    /// The leaf hash of the statement before it in the journal.
    pub previous: Option<Hash>,
    /// `sign`, `genesis`, `rotation`, `change`, `revocation`, `retirement`, `rules` or `reseal`.
    pub operation: String,
    /// The thumbprint of the key that signed the statement, in hexadecimal.
    pub key: String,
    /// The size of the newest cosigned head that the signer knew.
    pub known_head: Option<u64>,
    /// Not made before: the witnesses' time on that head, in POSIX seconds.
    pub not_before: Option<u64>,
    /// Not made after: the witnesses' time on a head that covers the entry, in POSIX seconds.
    pub not_after: Option<u64>,
    /// Whether its sealed record was opened.
    pub opened: bool,
    /// The signer's own clock, in POSIX seconds: a claim.
    pub claimed: Option<u64>,
    /// What the signer noted of its clock.
    pub clock: Option<Clock>,
    /// Who did it.
    pub operator: Option<String>,
    /// Why.
    pub purpose: Option<String>,
    /// On which machine.
    pub device: Option<String>,
    /// How many approvals it carries.
    pub approvals: u64,
    /// What opened the key, in words.
    pub factors: Vec<String>,
    /// The document that was signed.
    pub document: Option<Document>,
}

/// The document of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its media type.
    pub media_type: String,
    /// Its length in bytes.
    pub size: u64,
    /// SHA-256 of its bytes.
    pub sha256: Hash,
    /// The format of its signature: `sshsig` or `minisign`.
    pub scheme: String,
    /// SHA-256 of its signature file.
    pub signature: Hash,
}

impl Row {
    /// Of a statement at an index, with the record that was opened, and the bounds that witnesses give
    /// (not before, not after).
    pub fn new(
        index: u64,
        statement: &Statement,
        record: Option<Record>,
        (not_before, not_after): (Option<u64>, Option<u64>),
    ) -> Row {
        let claims = statement.claims();
        let mut row = Row {
            index,
            leaf: statement.leaf(),
            signer: claims.issuer.clone(),
            journal: claims.subject.clone(),
            sequence: statement.position.sequence,
            previous: statement.position.previous,
            operation: operation(statement).into(),
            key: hash::to_hex(statement.kid()),
            known_head: statement.position.head.as_ref().map(|head| head.size),
            not_before,
            not_after,
            opened: record.is_some(),
            claimed: None,
            clock: None,
            operator: None,
            purpose: None,
            device: None,
            approvals: 0,
            factors: Vec::new(),
            document: None,
        };
        let Some(record) = record else { return row };
        row.claimed = Some(record.time);
        row.clock = record.clock;
        row.operator = Some(record.operator);
        row.purpose = Some(record.purpose);
        row.device = Some(record.device);
        row.approvals = record.approved.approvals.len() as u64;
        row.factors = record.factors.iter().map(Factor::words).collect();
        if let Operation::Sign { document, signature } = record.operation {
            row.document = Some(Document {
                name: document.name,
                version: document.version,
                media_type: document.media_type,
                size: document.size,
                sha256: document.sha256,
                scheme: signature.scheme.name().into(),
                signature: Hash::of(&signature.bytes),
            });
        }
        row
    }
}

// By what the statement says in public.
fn operation(statement: &Statement) -> &'static str {
    match &statement.payload {
        Payload::Commitment(_) => "sign",
        Payload::KeyEvent(event) => event.event.name(),
        Payload::Rules(_) => "rules",
        Payload::Reseal(_) => "reseal",
    }
}
