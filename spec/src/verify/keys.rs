//! "Was this key in force then, and does a revocation touch this signature?" — asked by relying parties, with
//! the key events of the log at hand.

use crate::cose::Claims;
use crate::ed25519::PublicKey;
use crate::key_event::{Event, KeyEvent, Since, revoked_journal};
use crate::key_events::{KeyEvents, LoggedEvent};
use crate::merkle::{ProofError, verify_inclusion};
use crate::policy::{HeadError, Policy};
use crate::statement::{Payload, StatementError};
use crate::verify::admission::{Admission, verify_genesis};
use crate::verify::append::Refusal;
use crate::verify::document::Proven;
use crate::verify::revocation::{self, is_prepared};

/// A revocation of a key, as it stands in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revoked {
    /// The key.
    pub key: PublicKey,
    /// From when on.
    pub since: Since,
    /// The revocation's own place: log and index.
    pub place: (String, u64),
}

/// What is known of when a statement was made.
#[derive(Debug, Clone, Copy)]
pub struct Made<'a> {
    /// Its number in the journal.
    pub sequence: u64,
    /// Where it is logged: log and index.
    pub places: &'a [(&'a str, u64)],
    /// Witnesses had seen it by then, in POSIX seconds.
    pub not_after: Option<u64>,
}

impl Revoked {
    /// Whether a statement by the key stays good: where it is shown to be older than the bound.
    pub fn spares(&self, made: Made) -> bool {
        let before = |origin: &str, size: u64| {
            made.places.iter().any(|(log, index)| *log == origin && *index < size)
        };
        match &self.since {
            Since::Publication => before(&self.place.0, self.place.1),
            // Numbers are of the journal as that log has it: another log may have been shown a fork.
            Since::Record(from) => made.sequence < *from && before(&self.place.0, u64::MAX),
            Since::Head { origin, size, .. } => before(origin, *size),
            Since::Time(time) => made.not_after.is_some_and(|seen| seen <= *time),
        }
    }
}

/// The life of a journal's keys, as far as a cosigned head shows it.
#[derive(Debug, Clone)]
pub struct Life {
    /// The head under which it was looked at: log and size.
    pub as_of: (String, u64),
    /// Each key with the first number that it signs.
    keys: Vec<(u64, PublicKey)>,
    ended: Option<u64>,
    /// The index of the revocation outside of the journal that ended it.
    ended_at: Option<u64>,
    revoked: Vec<Revoked>,
}

/// Why the key events of a file say nothing of a journal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoLife {
    /// The head does not hold.
    #[error(transparent)]
    Head(#[from] HeadError),
    /// An event is not in the log.
    #[error("the event at index {index} is not under the head: {why}")]
    NotLogged {
        /// Its index.
        index: u64,
        /// Why.
        why: ProofError,
    },
    /// No genesis.
    #[error(
        "the key events hold no genesis of {issuer} / {subject}: they are of other signers; make the file anew with `verifier key-events`"
    )]
    Unknown {
        /// The signer.
        issuer: String,
        /// The journal.
        subject: String,
    },
    /// An event that does not hold.
    #[error("the event at index {index} does not hold: {why}")]
    Event {
        /// Its index.
        index: u64,
        /// Why.
        why: Box<Refusal>,
    },
}

/// Why a signature that is logged is still not good.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotGood {
    /// Not by the key of its time.
    #[error(
        "record {sequence} is by the key {found}, in force was {expected}: the key had been given up, or was not yet in force"
    )]
    NotInForce {
        /// The record's number.
        sequence: u64,
        /// The key in force.
        expected: String,
        /// The key found.
        found: String,
    },
    /// The key events are of another log.
    #[error(
        "the key events are of {log}, and the proof has no receipt of that log: what its numbers say holds there only; ask the signer for a proof with that receipt, or make the key events of a log that the proof is from"
    )]
    OtherLog {
        /// The log of the key events.
        log: String,
    },
    /// The key events are older.
    #[error(
        "the key events are as of {log} at size {size}, the record is entry {index}: they do not reach it; make them anew with `verifier key-events`"
    )]
    Older {
        /// The log.
        log: String,
        /// The head's size.
        size: u64,
        /// The record's index.
        index: u64,
    },
    /// Logged after a revocation that stands outside of the journal.
    #[error(
        "record {sequence} was logged as entry {index}, after the key in force had been revoked by entry {revoked}: it is not to be trusted"
    )]
    AfterRevocation {
        /// The record's number.
        sequence: u64,
        /// Its index.
        index: u64,
        /// The revocation's index.
        revoked: u64,
    },
    /// The key came before the one that is demanded.
    #[error(
        "the signature is by {found}, which was given up before {demanded}, the signer that is demanded, took over"
    )]
    Before {
        /// The key that is demanded.
        demanded: String,
        /// The key found.
        found: String,
    },
    /// After the end of the journal.
    #[error(
        "record {sequence} comes after the end of the journal, record {end}: it was signed with a key that had ended"
    )]
    AfterTheEnd {
        /// The record's number.
        sequence: u64,
        /// The last record's.
        end: u64,
    },
    /// Touched by a revocation.
    #[error(
        "the key {key} was revoked {since}, by entry {index} of {log}; nothing shows that record {sequence} is older: it is not to be trusted"
    )]
    Revoked {
        /// The key.
        key: String,
        /// The bound.
        since: Box<Since>,
        /// The log of the revocation.
        log: String,
        /// Its index.
        index: u64,
        /// The record's number.
        sequence: u64,
    },
}

/// That a key was in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InForce {
    /// The head under which it was looked at: log and size.
    pub as_of: (String, u64),
    /// How many keys the journal has had.
    pub keys: usize,
    /// A revocation that spares the signature, for it is older.
    pub spared: Option<Since>,
}

impl Life {
    /// The life of a journal, by events whose head holds under a policy. Events of other journals are passed
    /// over. That a file has all events, only who made it can say; that each is real, is verified.
    pub fn of(file: &KeyEvents, policy: &Policy, journal: &Claims) -> Result<Life, NoLife> {
        let head = policy.verify_head(&file.head)?;
        let head = head.checkpoint();
        let mut admission: Option<Admission> = None;
        let (mut keys, mut revoked, mut ended_at) = (Vec::new(), Vec::new(), None);
        for LoggedEvent { statement, index, path } in &file.events {
            let of_it = statement.claims() == journal;
            let prepared = is_prepared(statement)
                && revoked_journal(statement.claims()).as_ref() == Some(journal);
            if !of_it && !prepared {
                continue;
            }
            let (index, leaf) = (*index, statement.leaf());
            verify_inclusion(leaf, index, head.size, path, head.root)
                .map_err(|why| NoLife::NotLogged { index, why })?;
            let refused = |why: Refusal| NoLife::Event { index, why: Box::new(why) };
            let Some(known) = &mut admission else {
                let genesis = verify_genesis(statement.bytes()).map_err(refused)?;
                keys.push((0, genesis.key.clone()));
                admission = Some(genesis);
                continue;
            };
            let Payload::KeyEvent(event) = &statement.payload else { continue };
            // What a thief logs behind the revocation changes nothing, and does not hide what came before.
            if !prepared && ended_at.is_some() {
                continue;
            }
            if prepared {
                let key = revocation::verify_by_itself(statement, journal, known.keys());
                let key = key.map_err(|why| match why {
                    revocation::NotPrepared::Refused(why) => NoLife::Event { index, why },
                    _ => refused(
                        StatementError::OtherKey {
                            expected: known.kid.to_hex(),
                            found: crate::hash::to_hex(statement.kid()),
                        }
                        .into(),
                    ),
                })?;
                if key == known.key {
                    ended_at = ended_at.or(Some(index));
                }
                let (place, since) = ((head.origin.clone(), index), since_of(event));
                revoked.push(Revoked { key, since, place });
                continue;
            }
            statement.verify(&known.key).map_err(Refusal::from).map_err(refused)?;
            known.take(statement).map_err(refused)?;
            match &event.event {
                Event::Rotation { .. } => {
                    let next = statement.position.sequence.saturating_add(1);
                    keys.push((next, known.key.clone()));
                }
                Event::Revocation { key, since } => {
                    let key = PublicKey::from_bytes(key).map_err(Refusal::from).map_err(refused)?;
                    let place = (head.origin.clone(), index);
                    revoked.push(Revoked { key, since: since.clone(), place });
                }
                _ => {}
            }
        }
        let admission = admission.ok_or_else(|| NoLife::Unknown {
            issuer: journal.issuer.clone(),
            subject: journal.subject.clone(),
        })?;
        let ended = admission.ended().map(|ended| ended.sequence);
        Ok(Life { as_of: (head.origin.clone(), head.size), keys, ended, ended_at, revoked })
    }

    /// Whether a key is one of this journal's.
    pub fn has(&self, key: &PublicKey) -> bool {
        self.keys.iter().any(|(_, had)| had == key)
    }

    /// Whether a key is the one that is demanded, or the journal was handed over to it from there.
    pub fn must_come_from(&self, demanded: &PublicKey, found: &PublicKey) -> Result<(), NotGood> {
        let at = |key: &PublicKey| self.keys.iter().position(|(_, had)| had == key);
        match (at(demanded), at(found)) {
            (Some(demanded), Some(found)) if demanded <= found => Ok(()),
            _ => {
                let (demanded, found) = (format!("{demanded:?}"), format!("{found:?}"));
                Err(NotGood::Before { demanded, found })
            }
        }
    }

    /// The revocations, as they stand in the log.
    pub fn revoked(&self) -> &[Revoked] {
        &self.revoked
    }

    /// "Is this signature, which is logged, still good?"
    pub fn judge(&self, proven: &Proven) -> Result<InForce, NotGood> {
        let sequence = proven.sequence;
        let (log, size) = self.as_of.clone();
        let here = proven.logged.iter().find(|logged| logged.origin == log);
        let Some(index) = here.map(|logged| logged.index) else {
            return Err(NotGood::OtherLog { log });
        };
        if index >= size {
            return Err(NotGood::Older { log, size, index });
        }
        if let Some(revoked) = self.ended_at.filter(|revoked| *revoked < index) {
            return Err(NotGood::AfterRevocation { sequence, index, revoked });
        }
        let in_force = self.keys.iter().rev().find(|(from, _)| *from <= sequence);
        if let Some((_, expected)) = in_force
            && *expected != proven.key
        {
            let (expected, found) = (format!("{expected:?}"), format!("{:?}", proven.key));
            return Err(NotGood::NotInForce { sequence, expected, found });
        }
        if let Some(end) = self.ended.filter(|end| sequence > *end) {
            return Err(NotGood::AfterTheEnd { sequence, end });
        }
        let places: Vec<(&str, u64)> =
            proven.logged.iter().map(|logged| (logged.origin.as_str(), logged.index)).collect();
        let made = Made { sequence, places: &places, not_after: proven.not_after };
        let mut spared = None;
        for revoked in self.revoked.iter().filter(|revoked| revoked.key == proven.key) {
            if !revoked.spares(made) {
                let (log, index) = revoked.place.clone();
                let key = format!("{:?}", revoked.key);
                let since = Box::new(revoked.since.clone());
                return Err(NotGood::Revoked { key, since, log, index, sequence });
            }
            spared = Some(revoked.since.clone());
        }
        Ok(InForce { as_of: self.as_of.clone(), keys: self.keys.len(), spared })
    }
}

fn since_of(event: &KeyEvent) -> Since {
    match &event.event {
        Event::Revocation { since, .. } => since.clone(),
        _ => Since::Publication,
    }
}
