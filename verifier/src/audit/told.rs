//! What an audit came to, for people and for programs.

use super::against::Against;
use super::engine::Engine;
use super::findings::Findings;
use super::show::{lines, summary};
use coldlog_kit::exit::{Outcome, no};
use coldlog_kit::report::{self, Report};
use coldlog_kit::terminal::{field, say};
use coldlog_kit::time;
use coldlog_spec::batch::Tail;
use coldlog_spec::hash::Hash;
use coldlog_spec::policy::CosignedCheckpoint;
use coldlog_spec::verify::audit::Severity;
use serde_json::{Value, json};

use super::heads::Published;

/// Does an audit, or joins one, and tells it; the answer is no where a finding is as severe as that.
pub(super) fn answer(
    as_json: bool,
    fail_on: Severity,
    work: impl FnOnce() -> anyhow::Result<Done>,
) -> Outcome {
    const CHECKS: [&str; 1] = ["no finding is as severe as --fail-on says"];
    report::run_judged(as_json, &CHECKS, |checks| {
        let done = work()?;
        if !as_json {
            lines(&done.findings).iter().for_each(say);
        }
        let verdict = verdict(&done.findings, fail_on);
        if verdict.is_ok() {
            checks.pass();
        }
        Ok((Report { text: done.text, fields: done.fields }, verdict))
    })
}

/// Whether the answer is yes.
fn verdict(findings: &Findings, fail_on: Severity) -> Outcome {
    match findings.worst() {
        Some(worst) if worst >= fail_on => no(format!(
            "findings: {}; see above, and docs/audit.md for what each kind asks for",
            summary(findings)
        )),
        _ => Ok(()),
    }
}

/// What an audit came to.
pub(crate) struct Done {
    pub(crate) findings: Findings,
    pub(crate) text: Vec<String>,
    pub(crate) fields: Value,
    /// The heads that the log publishes, and the newest: what they say, and who cosigned them.
    pub(crate) heads: Vec<Published>,
}

/// The report of an audit, or of a part.
pub(super) fn told(
    engine: &Engine,
    against: &Against,
    mut now: Findings,
    ((from, to), opened, documents): ((u64, u64), bool, Option<usize>),
) -> Done {
    now.join(engine.findings.clone());
    let checkpoint = &against.head.checkpoint;
    let witnesses = against.cosigned.as_ref().map(CosignedCheckpoint::witnesses);
    let witnesses: Vec<String> = witnesses
        .unwrap_or_default()
        .iter()
        .map(|witness| format!("{} at {}", witness.name, time::show(witness.time)))
        .collect();
    let by = match witnesses.is_empty() {
        true => "cosigned by nobody whom the policy demands".into(),
        false => format!("cosigned by {}", witnesses.join(", ")),
    };
    let mut text = vec![
        format!("audited: entries {from} to {to} of {}", field(&checkpoint.origin)),
        format!("head: size {}, root {}, {}", checkpoint.size, checkpoint.root, field(&by)),
    ];
    let mut journals = Vec::new();
    for (claims, place) in engine.journals.places() {
        let progress = place.progress.clone().unwrap_or_default();
        let tail = Tail { count: progress.next, head: progress.head.unwrap_or(Hash([0; 32])) };
        let tail = tail.short();
        let (signer, journal) = (&claims.issuer, &claims.subject);
        text.push(format!("journal: {} / {}, tail {tail}", field(signer), field(journal)));
        journals.push(
            json!({"signer": signer, "journal": journal, "records": progress.next, "tail": tail}),
        );
    }
    let counts = engine.counts;
    text.push(match opened {
        true => {
            format!("records: {} opened, {} of them of documents", counts.opened, counts.documents)
        }
        false => {
            "records: closed (no --identity): operators, approvals and times were not looked at"
                .into()
        }
    });
    if let Some(documents) = documents {
        text.push(format!("documents in use: {documents}"));
    }
    text.push(format!("findings: {}", summary(&now)));
    let list: Vec<Value> = now.list().map(super::to_json).collect();
    let more: Vec<Value> =
        now.more().map(|(kind, count)| json!({"kind": kind.name(), "count": count})).collect();
    let fields = json!({
        "origin": checkpoint.origin, "from": from, "to": to, "head_size": checkpoint.size,
        "root": checkpoint.root.to_hex(), "witnesses": witnesses, "policy": against.digest.to_hex(),
        "rules": engine.journals.rules(), "journals": journals, "records_opened": opened,
        "opened": counts.opened, "documents": counts.documents, "documents_in_use": documents,
        "findings": list, "more": more,
    });
    Done { findings: now, text, fields, heads: Vec::new() }
}
