//! "Did those do it who may, as their journal demands?" — asked of each record that an auditor opens.

use super::finding::Kind;
use crate::approval::{ApprovalPolicy, Carried, Requested};
use crate::cose::Claims;
use crate::document::SignatureFile;
use crate::factor::{Factor, SecondFactor};
use crate::hash::Hash;
use crate::record::{Operation, Record, Signature};
use crate::statement::Statement;
use crate::verify::approvals::{NotApproved, Signing, carried_by, judge};
use crate::verify::clock::{Claim, claim};
use crate::verify::disclosed::agrees;
use std::collections::BTreeMap;

/// What a journal demands of its records: what its genesis says, and its changes since.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Demands {
    /// The leaf of the genesis.
    pub genesis: Hash,
    /// Who may operate the signer.
    pub operators: Vec<String>,
    /// Who must approve.
    pub approvals: ApprovalPolicy,
    /// What must be given beside the passphrase.
    pub second_factor: Option<SecondFactor>,
}

impl Demands {
    /// In words; `None` where nothing is demanded beside an operator.
    pub fn words(&self) -> Option<String> {
        let mut words = Vec::new();
        if self.approvals.demands() {
            words.push(format!("demands approvals by {}", self.approvals.words()));
        }
        words.extend(self.second_factor.map(|factor| format!("demands {}", factor.name())));
        (!words.is_empty()).then(|| words.join("; "))
    }
}

/// Which approvals were used, and by which entry: 16 bytes of SHA-256 over journal, request and place in it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Used(pub BTreeMap<[u8; 16], u64>);

impl Used {
    /// Notes a record's approvals; the earlier entry where they were used before.
    pub fn note(&mut self, claims: &Claims, carried: &Carried, index: u64) -> Option<u64> {
        let first = carried.approvals.first()?;
        let text = [
            Hash::of(claims.issuer.as_bytes()).0,
            Hash::of(claims.subject.as_bytes()).0,
            first.terms.id.0,
            Hash::of(&carried.index.to_be_bytes()).0,
        ];
        let hash = Hash::of(&text.concat());
        let key = *hash.0.first_chunk::<16>()?;
        match self.0.get(&key) {
            Some(earlier) => Some(*earlier),
            None => {
                self.0.insert(key, index);
                None
            }
        }
    }
}

/// The times that witnesses vouch for. POSIX seconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Bounds {
    /// Of the head that the record names: it was not made before.
    pub not_before: Option<u64>,
    /// Of a head that covers it: it was not made after.
    pub not_after: Option<u64>,
}

/// What is said of approvals that were used before.
pub const REUSED: &str = "its approvals were used by an earlier record";

/// What is found of one record.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Judged {
    /// What is worth saying.
    pub said: Vec<String>,
    /// What is wrong.
    pub findings: Vec<(Kind, String)>,
}

/// The journals whose genesis was read, and what was used in them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct People {
    demands: BTreeMap<Claims, Demands>,
    /// The approvals that were used.
    pub used: Used,
}

impl People {
    /// What a journal demands, where its genesis was read.
    pub fn demands(&self, claims: &Claims) -> Option<&Demands> {
        self.demands.get(claims)
    }

    /// Takes what a key event's record says of people.
    pub fn take(&mut self, statement: &Statement, record: &Record) {
        let claims = statement.claims();
        match &record.operation {
            Operation::Genesis { operators, approvals, second_factor } => {
                self.demands.entry(claims.clone()).or_insert_with(|| Demands {
                    genesis: statement.leaf(),
                    operators: operators.clone(),
                    approvals: approvals.clone(),
                    second_factor: *second_factor,
                });
            }
            Operation::KeyEvent { operators, approvals, .. } => {
                if let Some(known) = self.demands.get_mut(claims) {
                    known.operators = operators.clone().unwrap_or(known.operators.clone());
                    known.approvals = approvals.clone().unwrap_or(known.approvals.clone());
                }
            }
            Operation::Sign { .. } => {}
        }
    }

    /// Judges a record that was opened, of the entry `index`; the records of a journal come in their order.
    pub fn judge(&mut self, index: u64, statement: &Statement, record: &Record) -> Judged {
        let mut judged = Judged::default();
        if let Err(why) = agrees(statement, &record.operation) {
            judged.findings.push((Kind::RecordKind, why.to_string()));
        }
        let claims = statement.claims();
        if !matches!(record.operation, Operation::Genesis { .. }) {
            self.who(claims, record, &mut judged);
        }
        if let Operation::Sign { document, signature } = &record.operation {
            self.approved(index, claims, record, &Requested::from(document), &mut judged);
            signature_of(signature, statement, &mut judged);
        }
        self.take(statement, record);
        let demands = self.demands.get(claims);
        match &record.operation {
            Operation::Genesis { .. } => judged.said.extend(demands.and_then(Demands::words)),
            Operation::KeyEvent { approvals: Some(approvals), .. } if demands.is_some() => {
                judged.said.push(format!("demands approvals by {} from now on", approvals.words()))
            }
            _ => {}
        }
        // A passphrase alone is what everybody expects.
        if record.factors.len() > 1 {
            let words: Vec<String> = record.factors.iter().map(Factor::words).collect();
            judged.said.push(format!("opened by {}", words.join(", ")));
        }
        judged
    }

    // The second factor is for every use of the key, and so are the operators.
    fn who(&self, claims: &Claims, record: &Record, judged: &mut Judged) {
        let Some(demands) = self.demands.get(claims) else { return };
        if !demands.operators.contains(&record.operator) {
            let (found, names) = (&record.operator, demands.operators.join(", "));
            let text = format!("{found:?}; the journal names {names}");
            judged.findings.push((Kind::OperatorUnknown, text));
        }
        if let Some(factor) = demands.second_factor
            && !record.factors.iter().any(|used| used_as(used) == factor.name())
        {
            let text = format!("the second factor {} was not used", factor.name());
            judged.findings.push((Kind::FactorMissing, text));
        }
    }

    fn approved(
        &mut self,
        index: u64,
        claims: &Claims,
        record: &Record,
        document: &Requested,
        judged: &mut Judged,
    ) {
        let (demands, carried) = (self.demands.get(claims), &record.approved);
        let signing = Signing {
            claims,
            genesis: demands.map(|demands| demands.genesis),
            document,
            operator: &record.operator,
            purpose: &record.purpose,
            time: record.time,
        };
        let approved = match demands.map(|demands| &demands.approvals) {
            Some(approvals) if approvals.demands() || !carried.approvals.is_empty() => {
                judge(approvals, &signing, carried).map(|approved| Some(approved.words()))
            }
            Some(_) => Ok(None),
            None => carried_by(&signing, carried).map(|by| {
                let count = by.len();
                (count > 0).then(|| format!("carries {count} approvals; whether they are enough, its genesis says, which was not read"))
            }),
        };
        match approved {
            Ok(words) => judged.said.extend(words),
            Err(why @ NotApproved::TooFew { .. }) => {
                judged.findings.push((Kind::ApprovalsMissing, why.to_string()));
            }
            Err(why) => judged.findings.push((Kind::ApprovalInvalid, why.to_string())),
        }
        if self.used.note(claims, carried, index).is_some() {
            judged.findings.push((Kind::ApprovalReused, REUSED.into()));
        }
    }
}

/// Holds a record's time against the witnesses', and tells what the signer noted of its clock.
pub(super) fn clock(record: &Record, bounds: Bounds) -> Vec<(Kind, String)> {
    let mut findings = Vec::new();
    match claim(record.time, bounds.not_before, bounds.not_after) {
        Claim::Possible => {}
        Claim::BeforeItsHead(seconds) => findings.push((
            Kind::TimeBeforeHead,
            format!("{seconds} seconds before the head that it names was cosigned"),
        )),
        Claim::AfterItsLogging(seconds) => findings.push((
            Kind::TimeAfterLogging,
            format!("{seconds} seconds after a head that covers it was cosigned"),
        )),
    }
    if let Some(clock) = &record.clock {
        let noted = [
            (Kind::ClockWrong, clock.impossible, "seconds behind a time that had passed"),
            (Kind::ClockOdd, clock.behind_last, "seconds behind the record before"),
            (Kind::ClockOdd, clock.ahead, "seconds ahead of all that it knew"),
        ];
        let noted = noted.into_iter().filter(|(_, seconds, _)| *seconds > 0);
        findings
            .extend(noted.map(|(kind, seconds, what)| {
                (kind, format!("the signer noted: {seconds} {what}"))
            }));
    }
    findings
}

// A key signs documents and statements both. Whether the signature is over the document, only the document says.
fn signature_of(signature: &Signature, statement: &Statement, judged: &mut Judged) {
    let mut wrong = |kind, text: String| judged.findings.push((kind, text));
    if !signature.verified {
        wrong(Kind::NotVerified, "a signature that did not verify when it was made".into());
    }
    let by = crate::ed25519::PublicKey::from_bytes(&signature.key).map(|key| key.thumbprint());
    match by {
        Ok(thumbprint) if statement.names(&thumbprint).is_ok() => {}
        Ok(thumbprint) => {
            wrong(Kind::DocumentSignature, format!("by the key {thumbprint}, not the statement's"));
        }
        Err(why) => wrong(Kind::DocumentSignature, format!("its key is none: {why}")),
    }
    match SignatureFile::decode(&signature.bytes) {
        Ok(file) if file.scheme() != signature.scheme => {
            let (found, said) = (file.scheme().name(), signature.scheme.name());
            wrong(Kind::DocumentSignature, format!("a {found} signature, the record says {said}"));
        }
        Ok(SignatureFile::Sshsig { key, .. }) if key != signature.key => {
            wrong(Kind::DocumentSignature, "the signature file names another key".into());
        }
        Ok(_) => {}
        Err(why) => wrong(Kind::DocumentSignature, why.to_string()),
    }
}

fn used_as(factor: &Factor) -> &str {
    match factor {
        Factor::Named(name) => name,
        Factor::Totp { .. } => SecondFactor::Totp.name(),
    }
}
