//! What an auditor asks of approvals: were those given that the genesis of the journal demands?

use coldlog_kit::terminal::field;
use coldlog_spec::approval::{ApprovalPolicy, Requested};
use coldlog_spec::cose::Claims;
use coldlog_spec::factor::{Factor, SecondFactor};
use coldlog_spec::hash::Hash;
use coldlog_spec::record::{Operation, Record};
use coldlog_spec::statement::Statement;
use coldlog_spec::verify::approvals::{Signing, Used, carried_by, judge};
use coldlog_spec::verify::disclosed::agrees;
use serde_json::{Value, json};
use std::collections::BTreeMap;

struct Demanded {
    genesis: Hash,
    approvals: ApprovalPolicy,
    second_factor: Option<SecondFactor>,
}

/// The journals whose genesis was read, and what was used in them.
#[derive(Default)]
pub(crate) struct Journals {
    demanded: BTreeMap<Claims, Demanded>,
    used: Used,
}

/// What is found of one record.
pub(crate) struct Found {
    /// What is said behind the record, if anything.
    pub(crate) text: Option<String>,
    /// The same, for `--json`.
    pub(crate) fields: Value,
    /// Whether the record is as its genesis demands.
    pub(crate) good: bool,
}

impl Journals {
    /// Judges a record that was opened; records of a journal come in their order.
    pub(crate) fn judge(&mut self, statement: &Statement, record: &Record) -> Found {
        let claims = statement.claims();
        let document = match &record.operation {
            Operation::Genesis { approvals, second_factor, .. } => {
                let (approvals, second_factor) = (approvals.clone(), *second_factor);
                let words = demands(&approvals, second_factor);
                let demanded = Demanded { genesis: statement.leaf(), approvals, second_factor };
                self.demanded.entry(claims.clone()).or_insert(demanded);
                return Found { fields: json!({"demands": words}), text: words, good: true };
            }
            // Approvals are of documents; the second factor is for every use of the key.
            Operation::KeyEvent { .. } => None,
            Operation::Sign { document, .. } => Some(Requested::from(document)),
        };
        let demanded = self.demanded.get(claims);
        let lacks = demanded
            .and_then(|demanded| demanded.second_factor)
            .filter(|factor| !record.factors.iter().any(|used| used_as(used) == factor.name()));
        let mut said = Vec::new();
        let mut findings = Vec::new();
        findings.extend(agrees(statement, &record.operation).err().map(|why| why.to_string()));
        if let Some(factor) = lacks {
            findings.push(format!("the second factor {} was not used", factor.name()));
        }
        let Some(document) = document else {
            if let Operation::KeyEvent { approvals: Some(approvals), .. } = &record.operation
                && let Some(known) = self.demanded.get_mut(claims)
            {
                known.approvals = approvals.clone();
                said.push(format!("demands approvals by {} from now on", approvals.words()));
            }
            return found(said, findings);
        };
        let signing = Signing {
            claims,
            genesis: demanded.map(|demanded| demanded.genesis),
            document: &document,
            operator: &record.operator,
            purpose: &record.purpose,
            time: record.time,
        };
        let carried = &record.approved;
        let approved = match demanded {
            Some(Demanded { approvals, .. })
                if approvals.demands() || !carried.approvals.is_empty() =>
            {
                judge(approvals, &signing, carried).map(|approved| Some(approved.words()))
            }
            Some(_) => Ok(None),
            None => carried_by(&signing, carried).map(|by| {
                let count = by.len();
                (count > 0).then(|| format!("carries {count} approvals; whether they are enough, its genesis says, which was not read"))
            }),
        };
        let once = self.used.note(claims, carried);
        match approved {
            Ok(words) => said.extend(words),
            Err(why) => findings.push(why.to_string()),
        }
        if !once {
            findings.push("its approvals were used by an earlier record".into());
        }
        // A passphrase alone is what everybody expects.
        if record.factors.len() > 1 {
            let words: Vec<String> = record.factors.iter().map(Factor::words).collect();
            said.push(format!("opened by {}", words.join(", ")));
        }
        found(said, findings)
    }
}

fn found(mut said: Vec<String>, findings: Vec<String>) -> Found {
    let fields = json!({"said": said, "findings": findings});
    let good = findings.is_empty();
    said.extend(findings.into_iter().map(|finding| format!("FINDING: {finding}")));
    let text = (!said.is_empty()).then(|| field(&said.join("; ")));
    Found { text, fields, good }
}

fn used_as(factor: &Factor) -> &str {
    match factor {
        Factor::Named(name) => name,
        Factor::Totp { .. } => SecondFactor::Totp.name(),
    }
}

fn demands(approvals: &ApprovalPolicy, second_factor: Option<SecondFactor>) -> Option<String> {
    let mut words = Vec::new();
    if approvals.demands() {
        words.push(format!("demands approvals by {}", approvals.words()));
    }
    words.extend(second_factor.map(|factor| format!("demands {}", factor.name())));
    (!words.is_empty()).then(|| field(&words.join("; ")))
}
