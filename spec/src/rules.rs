//! Admission rules: a text file that says who may write to a log, and what each of their statements must
//! have (`formats/rules.md`). Each version of it is an entry of the log itself, so that anybody can judge
//! every entry by the rules that were in force before it ([`crate::verify::own`]).
//!
//! ```text
//! coldlog-rules/1
//! # why this version was made
//! signer signer.example/releases journal 5f0c...
//! largest-statement 4096
//! largest-sealed 16384
//! require known-head
//! require recipient age1...
//! ```

use crate::cose::Claims;
use crate::hash::Hash;
use crate::note::is_key_name;
use crate::rehearsal::{NotMeant, may_meet};
use crate::statement::{Payload, Statement};
use crate::tile::MAX_ENTRY;

/// What the file begins with.
pub const FIRST_LINE: &str = "coldlog-rules/1";
/// The content type of a statement whose payload is a version of the rules.
pub const RULES_TYPE: &str = "application/vnd.coldlog.rules";
/// The largest file: an entry holds it, with the envelope around it.
pub const MAX_RULES: usize = 64_000;

/// A journal that may be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allowed {
    /// The signer's name and the journal's.
    pub claims: Claims,
    /// The leaf hash of its genesis: the fingerprint that the signer's operator read out.
    pub genesis: Hash,
}

/// A version of the rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    text: String,
    /// Who may write, in the order of the file.
    pub signers: Vec<Allowed>,
    /// The largest statement, in bytes.
    pub largest_statement: usize,
    /// The largest sealed record, in bytes.
    pub largest_sealed: usize,
    /// Whether every statement after a journal's first must name a head that its signer knew.
    pub known_head: bool,
    /// Recipients to whom every journal must be sealed, beside its own.
    pub recipients: Vec<String>,
}

/// A line that is not the language of rules.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line} of the rules: {why}")]
pub struct RulesError {
    /// Counted from 1.
    pub line: usize,
    /// What is wrong.
    pub why: String,
}

/// Why the rules refuse a statement.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAdmitted {
    /// Its journal is not one of those that may be written.
    #[error(
        "the signer {issuer} / {subject} may not write to this log; allow it with `log allow`, if you know it"
    )]
    NotAllowed {
        /// The signer.
        issuer: String,
        /// The journal.
        subject: String,
    },
    /// The journal began otherwise.
    #[error(
        "the journal begins with the genesis {found}, allowed is {expected}; allow the signer anew only after you have asked its operator"
    )]
    OtherGenesis {
        /// The leaf hash that the rules allow.
        expected: Hash,
        /// The leaf hash found.
        found: Hash,
    },
    /// The genesis does not name a recipient whom the rules demand.
    #[error(
        "the rules demand that records are sealed to {missing}, which the journal does not name: the signer's operator names that auditor (`signer init --auditor`, or `signer change --auditor`)"
    )]
    Recipient {
        /// Who is missing.
        missing: String,
    },
    /// A part is too large.
    #[error("the {part} has {found} bytes, the rules allow {limit}: shorten the record's texts")]
    TooLarge {
        /// `statement` or `sealed record`.
        part: &'static str,
        /// The most bytes.
        limit: usize,
        /// The bytes found.
        found: usize,
    },
    /// No head.
    #[error(
        "the rules demand that a statement names a head, record {sequence} names none: append the genesis alone first, and import its receipts before the next signature"
    )]
    NoKnownHead {
        /// The statement's number.
        sequence: u64,
    },
}

impl Default for Rules {
    /// Those of a log that has none yet: nobody may write.
    fn default() -> Rules {
        Rules {
            text: format!("{FIRST_LINE}\n"),
            signers: Vec::new(),
            largest_statement: MAX_ENTRY,
            largest_sealed: MAX_ENTRY,
            known_head: false,
            recipients: Vec::new(),
        }
    }
}

impl Rules {
    /// Reads a file; every line must be understood.
    pub fn parse(bytes: &[u8]) -> Result<Rules, RulesError> {
        let refuse = |line: usize, why: String| Err(RulesError { line: line + 1, why });
        if bytes.len() > MAX_RULES {
            return refuse(0, format!("the file has {} bytes, at most {MAX_RULES}", bytes.len()));
        }
        let Ok(text) = std::str::from_utf8(bytes) else {
            return refuse(0, "the file is not UTF-8".into());
        };
        let Some(body) = text.strip_suffix('\n') else {
            return refuse(text.lines().count().max(1) - 1, "no newline at its end".into());
        };
        let mut rules = Rules { text: text.into(), ..Rules::default() };
        let mut sizes = [None, None];
        for (number, line) in body.split('\n').enumerate() {
            if number == 0 {
                match line == FIRST_LINE {
                    true => continue,
                    false => return refuse(0, format!("expected {FIRST_LINE:?}, found {line:?}")),
                }
            }
            if line.chars().any(char::is_control) {
                return refuse(number, "a control character".into());
            }
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let done = match line.split(' ').collect::<Vec<_>>().as_slice() {
                ["signer", issuer, subject, genesis] => rules.add_signer(issuer, subject, genesis),
                ["largest-statement", bytes] => set_size(&mut sizes[0], bytes),
                ["largest-sealed", bytes] => set_size(&mut sizes[1], bytes),
                ["require", "known-head"] if rules.known_head => Err("said twice".into()),
                ["require", "known-head"] => {
                    rules.known_head = true;
                    Ok(())
                }
                ["require", "recipient", recipient] => rules.add_recipient(recipient),
                _ => Err(format!(
                    "expected `signer NAME JOURNAL FINGERPRINT`, `largest-statement BYTES`, `largest-sealed BYTES`, `require known-head`, `require recipient AGE1...` or a comment, with one space between, found {line:?}"
                )),
            };
            if let Err(why) = done {
                return refuse(number, why);
            }
        }
        let [statement, sealed] = sizes;
        rules.largest_statement = statement.unwrap_or(rules.largest_statement);
        rules.largest_sealed = sealed.unwrap_or(rules.largest_sealed);
        Ok(rules)
    }

    /// The file, byte for byte as it was read.
    pub fn encode(&self) -> Vec<u8> {
        self.text.clone().into_bytes()
    }

    /// These rules with one more journal that may be written.
    pub fn allowing(&self, claims: &Claims, genesis: &Hash) -> Result<Rules, RulesError> {
        let line = format!("signer {} {} {genesis}\n", claims.issuer, claims.subject);
        Rules::parse([self.text.as_str(), &line].concat().as_bytes())
    }

    fn add_signer(&mut self, issuer: &str, subject: &str, genesis: &str) -> Result<(), String> {
        if let Some(name) = [issuer, subject].into_iter().find(|name| !is_key_name(name)) {
            return Err(format!("{name:?} is no name of a signer or a journal"));
        }
        let found = Hash::from_hex(genesis).filter(|hash| hash.to_hex() == *genesis);
        let Some(genesis) = found else {
            return Err(format!("expected a fingerprint, 64 digits, found {genesis:?}"));
        };
        let claims = Claims { issuer: issuer.into(), subject: subject.into() };
        if self.signers.iter().any(|allowed| allowed.claims == claims) {
            return Err(format!(
                "{issuer} / {subject} stands there twice: a journal has one genesis"
            ));
        }
        self.signers.push(Allowed { claims, genesis });
        Ok(())
    }

    fn add_recipient(&mut self, recipient: &str) -> Result<(), String> {
        if !recipient.starts_with("age1") || !recipient.chars().all(|c| c.is_ascii_alphanumeric()) {
            // Not repeated: it may be a secret, pasted into the wrong place.
            return Err("expected an age recipient (age1...)".into());
        }
        if self.recipients.iter().any(|there| there == recipient) {
            return Err("said twice".into());
        }
        self.recipients.push(recipient.into());
        Ok(())
    }

    /// "May a log have these rules?" A rehearsal's log lets nothing real in, nor a real one a rehearsal's
    /// journal ([`crate::rehearsal`]).
    pub fn may_be_of(&self, origin: &str) -> Result<(), NotMeant> {
        self.signers.iter().try_for_each(|allowed| may_meet(origin, &allowed.claims.issuer))
    }

    /// The line that lets a journal be written.
    pub fn allowed(&self, claims: &Claims) -> Result<&Allowed, NotAdmitted> {
        let line = self.signers.iter().find(|allowed| allowed.claims == *claims);
        line.ok_or_else(|| NotAdmitted::NotAllowed {
            issuer: claims.issuer.clone(),
            subject: claims.subject.clone(),
        })
    }

    /// "May this journal be written?" — asked of its genesis, which is verified by itself.
    pub fn admit_journal(&self, genesis: &Statement) -> Result<(), NotAdmitted> {
        let expected = self.allowed(genesis.claims())?.genesis;
        let found = genesis.leaf();
        if found != expected {
            return Err(NotAdmitted::OtherGenesis { expected, found });
        }
        Ok(())
    }

    // Whoever is demanded must be among those to whom records are sealed from now on.
    fn admit_recipients(
        &self,
        statement: &Statement,
        in_force: &[String],
    ) -> Result<(), NotAdmitted> {
        let said = match &statement.payload {
            Payload::KeyEvent(event) => event.event.recipients(),
            _ => None,
        };
        let sealed_to = said.unwrap_or(in_force);
        match self.recipients.iter().find(|recipient| !sealed_to.contains(recipient)) {
            None => Ok(()),
            Some(missing) => Err(NotAdmitted::Recipient { missing: missing.clone() }),
        }
    }

    /// "Has this statement what the rules demand?" `sealed` is the length of its sealed record, `in_force`
    /// those to whom its journal's records are sealed.
    pub fn admit(
        &self,
        statement: &Statement,
        sealed: usize,
        in_force: &[String],
    ) -> Result<(), NotAdmitted> {
        let sizes = [
            ("statement", self.largest_statement, statement.bytes().len()),
            ("sealed record", self.largest_sealed, sealed),
        ];
        for (part, limit, found) in sizes {
            if found > limit {
                return Err(NotAdmitted::TooLarge { part, limit, found });
            }
        }
        let sequence = statement.position.sequence;
        if self.known_head && sequence > 0 && statement.position.head.is_none() {
            return Err(NotAdmitted::NoKnownHead { sequence });
        }
        self.admit_recipients(statement, in_force)
    }
}

fn set_size(size: &mut Option<usize>, text: &str) -> Result<(), String> {
    if size.is_some() {
        return Err("said twice".into());
    }
    let bytes = crate::checkpoint::parse_decimal(text).and_then(|n| usize::try_from(n).ok());
    *size = Some(bytes.filter(|bytes| (1..=MAX_ENTRY).contains(bytes)).ok_or_else(|| {
        format!("expected a number of bytes from 1 to {MAX_ENTRY}, found {text:?}")
    })?);
    Ok(())
}
