//! "Whose key signs next?" — a journal's genesis and what its key events have made of it so far.

use super::append::Refusal;
use crate::ed25519::{KeyError, PublicKey};
use crate::hash::Hash;
use crate::key_event::{Event, KEY_EVENT_TYPE, Since, consents};
use crate::statement::{Payload, Statement};

/// A signer that may write: its genesis, verified by itself, and the key events after it.
#[derive(Debug, Clone, PartialEq)]
pub struct Admission {
    /// The genesis statement.
    pub genesis: Statement,
    /// The key in force.
    pub key: PublicKey,
    /// The key's thumbprint, which the next statement names.
    pub kid: Hash,
    /// All keys that the journal has had, in order.
    keys: Vec<PublicKey>,
    /// The number of the first statement by each of them.
    from: Vec<u64>,
    recipients: Vec<String>,
    ended: Option<Ended>,
    /// A revocation outside of the journal ended it.
    revoked: bool,
    /// Key events after the genesis.
    events: usize,
}

/// Key events of a journal after its genesis at most; a revocation and a retirement may come after them. What
/// reads a log replays them all.
pub const MAX_EVENTS: usize = 1024;

/// A journal that has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// The number of the event that ended it.
    pub sequence: u64,
    /// `retirement`, or `revocation` of the key in force.
    pub event: &'static str,
}

/// Why a key event changes nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EventError {
    /// It names a key that is none.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// Nobody showed that the new key exists, and wants this.
    #[error(
        "the new key {key} did not consent to take over at record {sequence}: the event was altered, or made without that key; rotate again with `signer rotate-key`"
    )]
    NoConsent {
        /// The new key.
        key: String,
        /// The event's number.
        sequence: u64,
    },
    /// Back to a key that was given up.
    #[error(
        "the journal has had the key {key} already: a key that was given up never comes back; make a new one"
    )]
    UsedBefore {
        /// The key.
        key: String,
    },
    /// A key of somebody else.
    #[error("it names the key {found}, which this journal {expected}")]
    OtherKey {
        /// What it should be.
        expected: &'static str,
        /// The key found.
        found: String,
    },
    /// A bound in the future.
    #[error(
        "it takes back records from number {from} on, its own number is {sequence}: what is not written yet needs no revocation"
    )]
    Beyond {
        /// The bound.
        from: u64,
        /// The event's number.
        sequence: u64,
    },
}

/// Reads and verifies a genesis by the key that it names.
pub fn verify_genesis(bytes: &[u8]) -> Result<Admission, Refusal> {
    let genesis = Statement::decode(bytes)?;
    let (key, recipients) = match &genesis.payload {
        Payload::KeyEvent(event) if genesis.position.sequence == 0 => match &event.event {
            Event::Genesis { key, recipients, .. } => (*key, recipients.clone()),
            other => return Err(Refusal::NotGenesis { found: format!("a {}", other.name()) }),
        },
        _ => {
            let found = format!("sequence number {}", genesis.position.sequence);
            return Err(Refusal::NotGenesis { found });
        }
    };
    let key = PublicKey::from_bytes(&key)?;
    genesis.verify(&key)?;
    let (kid, keys) = (key.thumbprint(), vec![key.clone()]);
    let (from, ended, revoked, events) = (vec![0], None, false, 0);
    Ok(Admission { genesis, kid, key, keys, from, recipients, ended, revoked, events })
}

impl Admission {
    /// All keys that the journal has had, in order: statements of their time name them.
    pub fn keys(&self) -> &[PublicKey] {
        &self.keys
    }

    /// The key that signs the statement with a number, and the tail of as many statements.
    pub fn key_at(&self, sequence: u64) -> &PublicKey {
        let had = self.keys.iter().zip(&self.from).rev();
        had.into_iter().find(|(_, from)| **from <= sequence).map_or(&self.key, |(key, _)| key)
    }

    /// Takes a revocation that stands outside of the journal, verified, of one of its keys: where that is the
    /// key in force, nothing may follow any more.
    pub fn take_revocation(&mut self, key: &PublicKey) {
        self.revoked |= *key == self.key;
    }

    /// The key of the journal that a statement names, whether it was in force or not.
    pub fn named_by(&self, statement: &Statement) -> Option<&PublicKey> {
        // Most are by the key in force, whose thumbprint is at hand.
        match statement.names(&self.kid) {
            Ok(()) => Some(&self.key),
            Err(_) => self.keys.iter().find(|key| statement.names(&key.thumbprint()).is_ok()),
        }
    }

    /// The age recipients that records are sealed to.
    pub fn recipients(&self) -> &[String] {
        &self.recipients
    }

    /// Whether nothing may follow any more.
    pub fn ended(&self) -> Option<&Ended> {
        self.ended.as_ref()
    }

    /// Takes the next statement, which [`super::append::follows`] let pass: a key event changes what is in
    /// force, any other statement nothing. One that changes nothing it should is refused again.
    pub fn take(&mut self, statement: &Statement) -> Result<(), Refusal> {
        if let Some(after) = self.after(statement)? {
            *self = after;
        }
        Ok(())
    }

    /// What is in force after a statement; `None` where it changes nothing.
    pub(super) fn after(&self, statement: &Statement) -> Result<Option<Admission>, Refusal> {
        let sequence = statement.position.sequence;
        if let Some(Ended { sequence: at, event }) = &self.ended {
            return Err(Refusal::Ended { sequence, at: *at, event });
        }
        if self.revoked {
            return Err(Refusal::RevokedOutside { sequence });
        }
        statement.names(&self.kid)?;
        let Payload::KeyEvent(event) = &statement.payload else { return Ok(None) };
        let ends = matches!(event.event, Event::Revocation { .. } | Event::Retirement { .. });
        if self.events >= MAX_EVENTS && !ends {
            return Err(Refusal::TooManyEvents { sequence });
        }
        let mut next = self.clone();
        next.events += 1;
        match &event.event {
            Event::Genesis { .. } if sequence == 0 => return Ok(None),
            Event::Genesis { .. } => return Err(Refusal::LateGenesis { sequence }),
            Event::Rotation { key, accepted } => {
                let new = PublicKey::from_bytes(key)?;
                if self.keys.contains(&new) {
                    return Err(EventError::UsedBefore { key: format!("{new:?}") }.into());
                }
                let keys = (&self.key, &new);
                if !consents(accepted, keys, statement.claims(), &statement.position)? {
                    return Err(EventError::NoConsent { key: format!("{new:?}"), sequence }.into());
                }
                next.kid = new.thumbprint();
                next.keys.push(new.clone());
                next.from.push(sequence.saturating_add(1));
                next.key = new;
            }
            Event::Change { recipients } => next.recipients.clone_from(recipients),
            Event::Revocation { key, since } => {
                if let Since::Record(from) = since
                    && *from > sequence
                {
                    return Err(EventError::Beyond { from: *from, sequence }.into());
                }
                let revoked = self.own(key, "never had: it can revoke its own keys only")?;
                if revoked == self.key {
                    next.ended = Some(Ended { sequence, event: event.event.name() });
                }
            }
            Event::Retirement { key } => {
                let expected = "does not have in force now";
                if self.own(key, expected)? != self.key {
                    let found = format!("{:?}", PublicKey::from_bytes(key)?);
                    return Err(EventError::OtherKey { expected, found }.into());
                }
                next.ended = Some(Ended { sequence, event: event.event.name() });
            }
        }
        Ok(Some(next))
    }

    fn own(&self, key: &[u8; 32], expected: &'static str) -> Result<PublicKey, EventError> {
        let key = PublicKey::from_bytes(key)?;
        match self.keys.contains(&key) {
            true => Ok(key),
            false => Err(EventError::OtherKey { expected, found: format!("{key:?}") }),
        }
    }
}

/// The key that an entry introduces, if it is a rotation: cheap where it is not, and nothing is verified.
/// Whether the journal is really handed over is for [`Admission::take`] to say.
pub fn introduced(entry: &[u8]) -> Option<PublicKey> {
    // The content type stands among the first bytes.
    let kind = KEY_EVENT_TYPE.as_bytes();
    if !entry.windows(kind.len()).take(96).any(|window| window == kind) {
        return None;
    }
    match Statement::decode(entry).ok()?.payload {
        Payload::KeyEvent(event) => match event.event {
            Event::Rotation { key, .. } => PublicKey::from_bytes(&key).ok(),
            _ => None,
        },
        _ => None,
    }
}
