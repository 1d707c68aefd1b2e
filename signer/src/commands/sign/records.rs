//! One document: hashed once, found in the journal or signed anew, and what its record says.

use super::SelfCheck;
use super::tasks::Task;
use crate::journal::{Journal, Row};
use anyhow::{Context, Result, bail};
use coldlog_kit::files;
use coldlog_spec::approval::{Carried, Requested};
use coldlog_spec::document::{DocumentDigest, DocumentHasher, SignatureFile};
use coldlog_spec::ed25519::SecretKey;
use coldlog_spec::record::{Document, Operation, Record, Scheme, Signature};
use std::io::Read;

pub(super) fn hash(task: &Task, scheme: Scheme) -> Result<DocumentDigest> {
    // What a person was shown is signed, and not what the file may be now.
    if let Some(seen) = &task.seen {
        return seen.unchanged(task.path.as_deref());
    }
    let mut hasher = DocumentHasher::new(scheme);
    let mut source: Box<dyn Read> = match &task.path {
        Some(path) => Box::new(files::open(path)?),
        None => Box::new(std::io::stdin().lock()),
    };
    let mut buffer = vec![0; 1 << 15];
    loop {
        let read = source.read(&mut buffer).with_context(|| format!("reading {}", task.name))?;
        if read == 0 {
            return Ok(hasher.finish());
        }
        hasher.update(&buffer[..read]);
    }
}

// The document as approvers see it.
pub(super) fn requested(task: &Task, digest: &DocumentDigest) -> Requested {
    let (name, version) = (task.name.clone(), task.version.clone());
    Requested { name, version, size: digest.size, sha256: digest.sha256 }
}

// A record of this very document that stands already: signed in an earlier, perhaps interrupted run.
pub(super) fn earlier(
    journal: &Journal,
    task: &Task,
    digest: &DocumentDigest,
    (operator, force): (&str, bool),
) -> Result<Option<Row>> {
    if force {
        return Ok(None);
    }
    for row in journal.of_document(&digest.sha256)? {
        let record = &row.disclosure.record;
        let Operation::Sign { document, signature } = &record.operation else { continue };
        let same = document.name == task.name
            && document.version == task.version
            && record.purpose == task.purpose
            && record.operator == operator
            && signature.scheme == digest.scheme
            && signature.verified
            && row.output == task.output
            && task.output.is_some();
        if !same {
            continue;
        }
        let there = task.output.as_ref().is_some_and(|path| {
            files::read(path, 8192).is_ok_and(|bytes| bytes == signature.bytes)
        });
        return Ok(Some(Row { released: there, ..row }));
    }
    Ok(None)
}

pub(super) fn sign_one(
    key: &SecretKey,
    task: &Task,
    digest: &DocumentDigest,
    self_check: SelfCheck,
    operator: &str,
    time: u64,
) -> Result<Record> {
    let limit = coldlog_spec::record::MAX_TEXT;
    for text in [&task.name, &task.version, &task.purpose] {
        if text.len() > limit {
            bail!(
                "a name, version or purpose has {} bytes, at most {limit} are recorded",
                text.len()
            );
        }
    }
    let comment = format!("timestamp:{time}\tfile:{}\thashed", one_line(&task.name));
    let file = SignatureFile::sign(key, digest, &comment)?;
    let bytes = file.encode();
    let public = key.public();
    let verified = self_check(&public, &bytes, digest);
    let document = Document {
        name: task.name.clone(),
        version: task.version.clone(),
        media_type: "application/octet-stream".into(),
        size: digest.size,
        sha256: digest.sha256,
    };
    let signature = Signature { scheme: digest.scheme, key: *public.as_bytes(), bytes, verified };
    Ok(Record {
        time,
        operator: operator.into(),
        purpose: task.purpose.clone(),
        device: String::new(),
        clock: None,
        approved: Carried::default(),
        factors: Vec::new(),
        operation: Operation::Sign { document, signature },
    })
}

// A trusted comment is one line.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(200).collect()
}

pub(super) fn signature_bytes(row: &Row) -> Vec<u8> {
    match &row.disclosure.record.operation {
        Operation::Sign { signature, .. } => signature.bytes.clone(),
        Operation::Genesis { .. } | Operation::KeyEvent { .. } => Vec::new(),
    }
}

pub(super) fn verified(row: &Row) -> bool {
    matches!(&row.disclosure.record.operation, Operation::Sign { signature, .. } if signature.verified)
}
