//! The commands that only read: `list`, `show`, `status`, `verify-journal`, `public-key`.

use crate::journal::{Journal, Row};
use anyhow::Context;
use coldlog_kit::exit::{OrNo, Outcome, no, trouble};
use coldlog_kit::terminal::{field, say};
use coldlog_kit::time;
use coldlog_spec::batch::Tail;
use coldlog_spec::document::{minisign_public_key, ssh_public_key};
use coldlog_spec::record::Operation;
use coldlog_spec::verify::append::{Progress, follows};
use serde_json::{Value, json};
use std::path::Path;

fn record_json(row: &Row) -> Value {
    let record = &row.disclosure.record;
    let position = &row.statement.position;
    let mut object = json!({
        "sequence": position.sequence,
        "time": time::show(record.time),
        "operator": record.operator,
        "purpose": record.purpose,
        "device": record.device,
        "leaf": row.statement.leaf().to_hex(),
        "receipt": row.receipt.is_some(),
        "known_head": position.head.as_ref().map(|head| json!({
            "origin": head.origin, "size": head.size, "root": head.root.to_hex()
        })),
    });
    match &record.operation {
        Operation::Genesis { operators } => {
            object["operation"] = json!("genesis");
            object["operators"] = json!(operators);
        }
        Operation::Sign { document, signature } => {
            object["operation"] = json!("sign");
            object["document"] = json!({
                "name": document.name, "version": document.version, "size": document.size,
                "sha256": document.sha256.to_hex(),
            });
            object["signature"] =
                json!({"scheme": signature.scheme.name(), "verified": signature.verified});
        }
    }
    object
}

fn line(row: &Row) -> String {
    let record = &row.disclosure.record;
    let what = match &record.operation {
        Operation::Genesis { .. } => "genesis".into(),
        Operation::Sign { document, .. } => {
            format!(
                "{} {} {}",
                document.sha256.to_hex().get(..16).unwrap_or(""),
                field(&document.name),
                field(&document.version),
            )
        }
    };
    let state = if row.receipt.is_some() { "logged" } else { "waits" };
    format!(
        "{:>6}  {}  {:<7} {}  {}",
        row.statement.position.sequence,
        time::show(record.time),
        state,
        field(&record.operator),
        what
    )
}

fn each(journal: &Journal, mut visit: impl FnMut(Row) -> Outcome) -> Outcome {
    for sequence in 0..journal.tail()?.tail.count {
        let row = journal.row(sequence)?;
        visit(row.with_context(|| format!("record {sequence} is missing"))?)?;
    }
    Ok(())
}

/// `signer list`
pub fn list(home: &Path, as_json: bool) -> Outcome {
    let journal = Journal::open(home)?;
    let mut records = Vec::new();
    each(&journal, |row| {
        if as_json {
            records.push(record_json(&row))
        } else {
            say(line(&row))
        }
        Ok(())
    })?;
    if as_json {
        say(json!({"version": 1, "records": records}));
    }
    Ok(())
}

/// `signer show`
pub fn show(home: &Path, sequence: u64, as_json: bool) -> Outcome {
    let journal = Journal::open(home)?;
    let Some(row) = journal.row(sequence)? else {
        return no(format!("the journal has no record {sequence}; see `signer list`"));
    };
    let object = record_json(&row);
    if as_json {
        say(json!({"version": 1, "record": object}));
    } else {
        say(serde_json::to_string_pretty(&object)?);
    }
    Ok(())
}

/// `signer status`
pub fn status(home: &Path, as_json: bool) -> Outcome {
    let journal = Journal::open(home)?;
    let tail = journal.tail()?.tail;
    let waiting = journal.waiting()?;
    let since = match waiting {
        Some((first, _)) => journal.row(first)?.map(|row| row.disclosure.record.time),
        None => None,
    };
    let head = journal.newest_head()?.map(|(head, _)| head.checkpoint);
    if as_json {
        say(json!({
            "version": 1, "records": tail.count, "tail": tail.short(),
            "waiting": waiting.map_or(0, |(_, count)| count),
            "waiting_since": since.map(time::show),
            "known_head": head.map(|h| json!({"origin": h.origin, "size": h.size, "root": h.root.to_hex()})),
        }));
        return Ok(());
    }
    say(format!("{} records; tail {}", tail.count, tail.short()));
    match (waiting, since) {
        (Some((first, count)), Some(since)) => say(format!(
            "{count} wait for a receipt, from number {first}, since {}",
            time::show(since)
        )),
        _ => say("every record has its receipt"),
    }
    if let Some(head) = head {
        say(format!("newest head known: {} with {} entries", head.origin, head.size));
    }
    Ok(())
}

/// `signer verify-journal`
pub fn verify(home: &Path, at_least: Option<&str>, as_json: bool) -> Outcome {
    let journal = Journal::open(home)?;
    let wanted = match at_least.map(|text| (text, Tail::parse_short(text))) {
        Some((text, None)) => {
            return trouble(format!("{text:?} is no tail; it looks like 42:1a2b-3c4d-5e6f-7081"));
        }
        Some((_, wanted)) => wanted,
        None => None,
    };
    let mut progress = Progress::default();
    let mut reached = wanted.is_none();
    let admission = journal.admission();
    each(&journal, |row| {
        let statement = &row.statement;
        let place = || format!("record {}", progress.next);
        statement.verify(journal.key()).with_context(place).or_no()?;
        let next =
            follows(statement, admission, &progress, |_| true).with_context(place).or_no()?;
        if row.disclosure.commitment() != statement.commitment() {
            return no(format!(
                "record {}: its disclosure is not what its statement commits to",
                progress.next
            ));
        }
        progress = next;
        if let Some((count, digits)) = &wanted
            && *count == progress.next
        {
            reached = statement.leaf().to_hex().starts_with(digits);
        }
        Ok(())
    })?;
    let tail = journal.tail()?.tail;
    if !reached {
        return no(format!(
            "the journal ends at {}, the paper says {}: it was cut, forked or restored from an older copy",
            tail.short(),
            at_least.unwrap_or_default()
        ));
    }
    if as_json {
        say(json!({"version": 1, "verified": true, "records": tail.count, "tail": tail.short()}));
    } else {
        say(format!("{} records verified; tail {}", tail.count, tail.short()));
    }
    Ok(())
}

/// `signer public-key`
pub fn public_key(home: &Path) -> Outcome {
    let journal = Journal::open(home)?;
    let key = journal.key();
    say(format!("{} {}", ssh_public_key(key), journal.claims().issuer));
    say(minisign_public_key(key).trim_end());
    Ok(())
}
