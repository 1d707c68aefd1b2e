//! The commands that look at the journal: `list`, `show`, `status`, `verify-journal`, `reopen`,
//! `public-key`.

use crate::journal::{self, Journal, Logged, Row};
use anyhow::Context;
use coldlog_kit::ask::Person;
use coldlog_kit::exit::{OrNo, Outcome, no};
use coldlog_kit::inputs;
use coldlog_kit::progress::Progress as Bar;
use coldlog_kit::rehearsal::marked;
use coldlog_kit::report::{self, Report};
use coldlog_kit::terminal::{field, say};
use coldlog_kit::time;
use coldlog_spec::checkpoint::SignedCheckpoint;
use coldlog_spec::document::{minisign_public_key, ssh_public_key};
use coldlog_spec::policy::Policy;
use coldlog_spec::receipt::Receipt;
use coldlog_spec::record::Operation;
use coldlog_spec::verify::append::{Progress, follows, verify_genesis};
use coldlog_spec::verify::receipts::{Refusal, verify_path, verify_receipt};
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
        "clock": record.clock.map(|clock| json!({
            "behind_last": clock.behind_last, "impossible": clock.impossible, "ahead": clock.ahead,
        })),
        "leaf": row.statement.leaf().to_hex(),
        "receipt": !row.receipts.is_empty(),
        "logs": row.receipts.iter().map(|logged| logged.origin.as_str()).collect::<Vec<_>>(),
        "known_head": position.head.as_ref().map(|head| json!({
            "origin": head.origin, "size": head.size, "root": head.root.to_hex()
        })),
    });
    if !record.factors.is_empty() {
        object["factors"] = record.factors.iter().map(|factor| factor.words()).collect();
    }
    if !record.approved.approvals.is_empty() {
        let keys = record.approved.approvals.iter();
        object["approved_by"] = keys.map(|one| format!("{:?}", one.key)).collect();
    }
    match &record.operation {
        Operation::Genesis { operators, approvals, second_factor } => {
            object["operation"] = json!("genesis");
            object["operators"] = json!(operators);
            if approvals.demands() {
                object["approvals_demanded"] = json!(approvals.words());
            }
            if let Some(factor) = second_factor {
                object["second_factor"] = json!(factor.name());
            }
        }
        Operation::KeyEvent { event, operators, approvals } => {
            object["operation"] = json!(event);
            object["operators"] = json!(operators);
            if let Some(approvals) = approvals {
                object["approvals_demanded"] = json!(approvals.words());
            }
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
        Operation::KeyEvent { event, .. } => format!("{event}: {}", field(&record.purpose)),
        Operation::Sign { document, .. } => {
            format!(
                "{} {} {}",
                document.sha256.to_hex().get(..16).unwrap_or(""),
                field(&document.name),
                field(&document.version),
            )
        }
    };
    let odd = record.clock.as_ref().map(|odd| format!("  clock: {}", crate::clock::words(odd)));
    let state = if row.receipts.is_empty() { "waits" } else { "logged" };
    format!(
        "{:>6}  {}  {:<7} {}  {}{}",
        row.statement.position.sequence,
        time::show(record.time),
        state,
        field(&record.operator),
        what,
        odd.unwrap_or_default()
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
    report::run(as_json, &[], |_| {
        let journal = Journal::open_to_read(home)?;
        let mut records = Vec::new();
        each(&journal, |row| {
            if as_json {
                records.push(record_json(&row))
            } else {
                say(line(&row))
            }
            Ok(())
        })?;
        Ok(Report { text: Vec::new(), fields: json!({"records": records}) })
    })
}

/// `signer show`
pub fn show(home: &Path, sequence: u64, as_json: bool) -> Outcome {
    report::run(as_json, &[], |_| {
        let journal = Journal::open_to_read(home)?;
        let Some(row) = journal.row(sequence)? else {
            return no(format!("the journal has no record {sequence}; see `signer list`"));
        };
        let object = record_json(&row);
        let text = vec![serde_json::to_string_pretty(&object)?];
        Ok(Report { text, fields: json!({"record": object}) })
    })
}

/// `signer status`
pub fn status(home: &Path, as_json: bool) -> Outcome {
    report::run(as_json, &[], |_| {
        let journal = Journal::open_to_read(home)?;
        let tail = journal.tail()?.tail;
        let waiting = journal.waiting()?;
        let since = match waiting {
            Some((first, _)) => journal.row(first)?.map(|row| row.disclosure.record.time),
            None => None,
        };
        let head = journal.newest_head()?.map(|(head, _)| head.checkpoint);
        let line = format!("{} records; tail {}", tail.count, tail.short());
        let mut text = vec![marked(&journal.claims().issuer, line)];
        text.push(match (waiting, since) {
            (Some((first, count)), Some(since)) => {
                let since = time::show(since);
                format!("{count} wait for a receipt, from number {first}, since {since}")
            }
            _ => "every record has its receipt".into(),
        });
        let (place, place_json) = crate::keys::place(home)?;
        text.push(place);
        if let Some(head) = &head {
            text.push(format!("newest head known: {} with {} entries", head.origin, head.size));
        }
        let fields = json!({
            "records": tail.count, "tail": tail.short(),
            "waiting": waiting.map_or(0, |(_, count)| count),
            "waiting_since": since.map(time::show),
            "key": place_json,
            "known_head": head.map(|h| json!({"origin": h.origin, "size": h.size, "root": h.root.to_hex()})),
        });
        Ok(Report { text, fields })
    })
}

/// Verifies every record of a journal: signature, number, chain, commitment, receipts. Says whether it has
/// the record that `wanted` tells of, if anything is.
pub(crate) fn whole(
    journal: &Journal,
    policy: Option<&Policy>,
    wanted: Option<&(u64, String)>,
) -> Outcome<bool> {
    let progress_bar = Bar::new("verifying", Some(journal.tail()?.tail.count));
    let mut progress = Progress::default();
    let mut reached = wanted.is_none();
    let mut admission = verify_genesis(journal.admission().genesis.bytes()).or_no()?;
    each(journal, |row| {
        let statement = &row.statement;
        let place = || format!("record {}", progress.next);
        statement.verify(&admission.key).with_context(place).or_no()?;
        let next =
            follows(statement, &admission, &progress, |_| true).with_context(place).or_no()?;
        admission.take(statement).with_context(place).or_no()?;
        if Some(row.disclosure.commitment()) != statement.commitment() {
            return no(format!(
                "record {}: its disclosure is not what its statement commits to",
                progress.next
            ));
        }
        for Logged { origin, receipt, head } in &row.receipts {
            let note = journal.head_note(head).with_context(place)?;
            let head = SignedCheckpoint::decode(&note).with_context(place)?;
            let receipt = Receipt::decode(receipt).with_context(place)?;
            // What a policy does not name is not for it to judge.
            let policy = policy.filter(|policy| policy.names(origin));
            let held = match policy {
                Some(policy) => policy
                    .verify_head(&head)
                    .map_err(Refusal::from)
                    .and_then(|_| verify_receipt(&receipt, statement, &head.checkpoint, policy)),
                None => verify_path(&receipt, statement, &head.checkpoint),
            };
            held.with_context(place).or_no()?;
        }
        if let Some(known) = &statement.position.head
            && !journal.is_recovered(statement.position.sequence)?
        {
            journal.head_note(&known.note).with_context(place)?;
        }
        progress = next;
        progress_bar.add(1);
        if let Some((count, digits)) = wanted
            && *count == progress.next
        {
            reached = statement.leaf().to_hex().starts_with(digits);
        }
        Ok(())
    })?;
    Ok(reached)
}

/// `signer verify-journal`
pub fn verify(
    home: &Path,
    at_least: Option<&str>,
    policy: Option<&Path>,
    as_json: bool,
) -> Outcome {
    const CHECKS: [&str; 2] = [
        "each record: signature, number, chain, commitment, receipt",
        "the journal reaches the tail from paper",
    ];
    report::run(as_json, &CHECKS[..1 + usize::from(at_least.is_some())], |checks| {
        let journal = Journal::open_to_read(home)?;
        let policy = policy.map(|path| coldlog_kit::policy::read("signer", path)).transpose()?;
        let wanted = inputs::parse_tail(at_least)?;
        let reached = whole(&journal, policy.as_ref(), wanted.as_ref())?;
        checks.pass();
        let tail = journal.tail()?.tail;
        if !reached {
            return no(format!(
                "the journal ends at {}, the paper says {}: it was cut, forked or restored from an older copy",
                tail.short(),
                at_least.unwrap_or_default()
            ));
        }
        let text = vec![format!("{} records verified; tail {}", tail.count, tail.short())];
        Ok(Report { text, fields: json!({"records": tail.count, "tail": tail.short()}) })
    })
}

/// `signer reopen`: the one command here that writes, once the whole journal is verified.
pub fn reopen(home: &Path, tail: &str, yes: bool) -> Outcome {
    let _lock = journal::lock(home)?;
    Journal::open(home)?.must_be_up_to_date()?;
    verify(home, Some(tail), None, false)?;
    if let Some(person) = Person::here().filter(|_| !yes) {
        person.tell(
            "From now on this copy signs. If another copy signs as well, two records get the same number: the log then refuses both this journal's branches, and keeps them as evidence against you.",
        );
        if !person.agrees("Is every other copy put away, so that only this one signs?")? {
            return no("nothing was changed: this copy does not sign");
        }
    }
    let journal = Journal::open(home)?;
    journal.count_anew()?;
    journal.leave(home)?;
    say("this copy of the journal signs from now on; let no other copy sign");
    Ok(())
}

/// `signer public-key`
pub fn public_key(home: &Path) -> Outcome {
    let journal = Journal::open_to_read(home)?;
    let key = journal.key();
    say(format!("{} {}", ssh_public_key(key), journal.claims().issuer));
    say(minisign_public_key(key).trim_end());
    Ok(())
}
