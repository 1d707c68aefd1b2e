//! `verifier inspect`: names and shows any of our files; verifies nothing.

use crate::diagnostic;
use anyhow::{Context, Result};
use coldlog_kit::exit::{Outcome, trouble};
use coldlog_kit::files;
use coldlog_kit::report::{self, Report};
use coldlog_spec::approval::Approval;
use coldlog_spec::audit::Audit;
use coldlog_spec::batch::SignedTail;
use coldlog_spec::cbor::{self, KeyOrder, Value};
use coldlog_spec::checkpoint::SignedCheckpoint;
use coldlog_spec::document::{SignatureFile, parse_public_key};
use coldlog_spec::kind::Kind;
use coldlog_spec::policy::{Policy, Root};
use coldlog_spec::proof::{MAX_PROOF, Proof};
use coldlog_spec::receipt::Receipt;
use coldlog_spec::record::Disclosure;
use coldlog_spec::statement::{SignedStatement, Statement};
use serde_json::json;
use std::path::Path;

const LIMIT: u64 = 256 << 20;
/// Items of a sequence that are shown.
const SHOWN: usize = 8;

/// Runs the command.
pub fn run(path: &Path, as_json: bool) -> Outcome {
    report::run(as_json, &[], |_| {
        let bytes = files::read(path, LIMIT)?;
        let Some((kind, content)) = name(&bytes)? else {
            return trouble(format!("{} is none of Coldlog's files", path.display()));
        };
        let first = format!("{kind}, {} bytes; well-formed, nothing else is verified", bytes.len());
        let (body, content) = match content {
            Content::Text(text) => (text.clone(), json!(text)),
            Content::Items { shown, more } => {
                let mut text: Vec<String> =
                    shown.iter().map(|item| diagnostic::show(item, 0)).collect();
                if more > 0 {
                    text.push(format!("/ and {more} more items /"));
                }
                let items: Vec<_> = shown.iter().map(diagnostic::to_json).collect();
                (text.join("\n"), json!({"items": items, "more_items": more}))
            }
        };
        let fields = json!({
            "kind": kind, "bytes": bytes.len(), "well_formed": true, "verified": [],
            "not_verified": ["signatures", "hashes", "proofs", "times"], "content": content,
        });
        Ok(Report { text: vec![first, body], fields })
    })
}

enum Content {
    Text(String),
    Items { shown: Vec<Value>, more: usize },
}

fn name(bytes: &[u8]) -> Result<Option<(&'static str, Content)>> {
    let hidden = |kind, why: &str| Ok(Some((kind, Content::Text(why.into()))));
    if bytes.starts_with(b"age-encryption.org/v1\n") {
        return hidden("age file (a sealed record, or a key file)", "encrypted");
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        if text.contains("AGE-SECRET-KEY-1") {
            return hidden("age identity file", "its secrets are not shown");
        }
        // Lines of a policy, without its quorum: what log and witness write when they are made.
        let lines = [bytes, b"\nquorum none\n"].concat();
        let kind = if SignedCheckpoint::decode(bytes).is_ok() {
            "checkpoint (C2SP tlog-checkpoint)"
        } else if SignatureFile::decode(bytes).is_ok() {
            "document signature"
        } else if text.starts_with("c2sp.org/tlog-proof@v1\n") {
            "offline proof (C2SP tlog-proof)"
        } else if Root::decode(bytes).is_ok() {
            "trust root: a policy, who may renew it, and its time"
        } else if Policy::parse(bytes).is_ok_and(|policy| !policy.earlier().is_empty()) {
            "history of policies"
        } else if Policy::parse(bytes).is_ok() {
            "policy (C2SP tlog-policy)"
        } else if Policy::parse(&lines)
            .is_ok_and(|p| !(p.logs.is_empty() && p.witnesses.is_empty()))
        {
            "lines for a policy (C2SP tlog-policy)"
        } else if parse_public_key(text).is_some() || text.contains(" namespaces=\"file\" ssh-") {
            "public key"
        } else if text.starts_with("untrusted comment: minisign public key") {
            "public key (minisign)"
        } else {
            return Ok(None);
        };
        return Ok(Some((kind, Content::Text(text.trim_end().into()))));
    }
    let mut shown = Vec::new();
    let mut count = 0;
    let mut first = String::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let limit = rest.len().min(MAX_PROOF);
        let length = cbor::item_length("this file", rest, limit)?
            .context("the file ends in the middle of an item")?;
        let value = cbor::decode_with("this file", &rest[..length], limit, KeyOrder::Any)?;
        if sequence_kind(&value) == Some(Kind::Key.tag()) {
            return hidden("a key file that is not encrypted", "its secrets are not shown");
        }
        if count == 0 {
            first = sequence_kind(&value).unwrap_or_default().into();
        }
        if count < SHOWN {
            shown.push(value);
        }
        rest = &rest[length..];
        count += 1;
    }
    if count == 0 {
        return Ok(None);
    }
    let more = count - shown.len();
    let kind = if Proof::decode(bytes).is_ok() {
        "proof (transparent statement, RFC 9943)"
    } else if Receipt::decode(bytes).is_ok() {
        "receipt (RFC 9942)"
    } else if Statement::decode(bytes).is_ok() {
        "signed statement (a log entry)"
    } else if SignedStatement::decode(bytes, KeyOrder::Any).is_ok() {
        "signed statement (RFC 9943) of another system"
    } else if SignedTail::decode(bytes).is_ok() {
        "journal tail"
    } else if Approval::decode(bytes).is_ok() {
        "approval"
    } else if Audit::decode(bytes).is_ok() {
        "audit (what an auditor signed)"
    } else if Disclosure::decode(bytes).is_ok() {
        "disclosure"
    } else {
        match Kind::ALL.iter().find(|known| known.tag() == first) {
            Some(known) => known.tag(),
            None => return Ok(None),
        }
    };
    Ok(Some((kind, Content::Items { shown, more })))
}

fn sequence_kind(value: &Value) -> Option<&str> {
    value.as_array()?.first()?.as_text()
}
