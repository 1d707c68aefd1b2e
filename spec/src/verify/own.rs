//! "What has the log itself said, and did it keep its own rules?" — asked by whoever replays a log.
//!
//! A log has a journal of its own, in itself: its versions of the admission rules, and what was sealed
//! anew. Its statements are in the clear, signed by a key of the log, and have no sealed record. In a
//! successor the first of them names the predecessor's last head ([`super::succession`]).

use crate::cbor::DecodeError;
use crate::cose::Claims;
use crate::ed25519::PublicKey;
use crate::rehearsal::NotMeant;
use crate::rules::{NotAdmitted, Rules};
use crate::statement::{Payload, Statement, StatementError};
use crate::verify::append::{Admission, Progress};

/// The name of a log's own journal.
pub const JOURNAL: &str = "log";

/// Issuer and subject of a log's own journal.
pub fn claims(origin: &str) -> Claims {
    Claims { issuer: origin.into(), subject: JOURNAL.into() }
}

/// Whether a statement claims to be the log's own.
pub fn is_own(statement: &Statement, origin: &str) -> bool {
    let claims = statement.claims();
    claims.issuer == origin && claims.subject == JOURNAL
}

/// Why it is none of the log's own statements, or not the next.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotOwn {
    /// Not a statement.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// Another journal's.
    #[error("it is of the journal {found}, expected the log's own, {expected}")]
    OtherJournal {
        /// The log's.
        expected: String,
        /// The statement's.
        found: String,
    },
    /// Not what a log says.
    #[error("a log says its rules and what it sealed anew in its journal, found {found}")]
    OtherKind {
        /// What it is.
        found: &'static str,
    },
    /// No key of the log.
    #[error(
        "it names the key {kid}, which is no Ed25519 key of {origin:?} that is known: somebody else wrote it, or a policy is older than the log's key"
    )]
    OtherKey {
        /// The log.
        origin: String,
        /// The key's thumbprint.
        kid: String,
    },
    /// A bad signature.
    #[error(transparent)]
    Signature(#[from] StatementError),
    /// A sealed record beside it.
    #[error("{0} sealed bytes stand beside it: what a log says is in the clear")]
    Sealed(usize),
    /// Its rules let a rehearsal's journal into a real log, or the other way round.
    #[error(transparent)]
    Rehearsal(#[from] NotMeant),
    /// Not the next.
    #[error(
        "it is number {found} of the log's own journal, expected number {expected} after the newest one: a statement of the log is missing, or was written twice"
    )]
    Order {
        /// The next number.
        expected: u64,
        /// The number found.
        found: u64,
    },
}

/// Reads a statement of the log's own, by any of the log's keys: it has changed them, maybe.
pub fn verify<'a>(
    entry: &[u8],
    sealed: &[u8],
    origin: &str,
    keys: impl IntoIterator<Item = &'a PublicKey>,
) -> Result<Statement, NotOwn> {
    let statement = Statement::decode(entry)?;
    if !is_own(&statement, origin) {
        let show = |claims: &Claims| format!("{} / {}", claims.issuer, claims.subject);
        let (expected, found) = (show(&claims(origin)), show(statement.claims()));
        return Err(NotOwn::OtherJournal { expected, found });
    }
    match &statement.payload {
        Payload::Rules(rules) => rules.may_be_of(origin)?,
        Payload::Reseal(_) => {}
        Payload::Commitment(_) => return Err(NotOwn::OtherKind { found: "a signer's record" }),
        Payload::KeyEvent(_) => return Err(NotOwn::OtherKind { found: "a signer's key event" }),
    }
    if !sealed.is_empty() {
        return Err(NotOwn::Sealed(sealed.len()));
    }
    let named = keys.into_iter().find(|key| statement.names(&key.thumbprint()).is_ok());
    let Some(key) = named else {
        let kid = crate::hash::to_hex(statement.kid());
        return Err(NotOwn::OtherKey { origin: origin.into(), kid });
    };
    statement.verify(key)?;
    Ok(statement)
}

/// What a log has said of itself, up to an entry.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Own {
    progress: Progress,
    rules: Rules,
    versions: u64,
}

impl Own {
    /// Takes the next of its statements, which [`verify`] has verified.
    pub fn take(&mut self, statement: &Statement) -> Result<(), NotOwn> {
        let position = &statement.position;
        let in_order =
            position.sequence == self.progress.next && position.previous == self.progress.head;
        let expected = self.progress.next;
        // What is damaged is said once: the journal goes on from here.
        let next = Progress { next: position.sequence + 1, head: Some(statement.leaf()) };
        self.progress = next;
        if let Payload::Rules(rules) = &statement.payload {
            self.rules = rules.clone();
            self.versions += 1;
        }
        match in_order {
            true => Ok(()),
            false => Err(NotOwn::Order { expected, found: position.sequence }),
        }
    }

    /// "Did the log's own rules let this entry in?" — of a signer's statement that was verified, in a
    /// journal that has come so far. The journal as a whole is asked each time, as the log asks.
    pub fn admitted(
        &self,
        admission: &Admission,
        statement: &Statement,
        sealed: usize,
    ) -> Result<(), NotAdmitted> {
        self.rules.admit_journal(&admission.genesis)?;
        self.rules.admit(statement, sealed, admission.recipients())
    }

    /// The rules in force.
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// How many versions of them there were.
    pub fn versions(&self) -> u64 {
        self.versions
    }
}
