//! What rules look at.

use crate::records::Row;

/// Something that happened, or was seen.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// An entry of the log: a signature, or a key event and what else a log says in the clear.
    Row(Box<Row>),
    /// The log's head, as it was found in a round.
    Head(Head),
    /// A reader took sealed records.
    Access(Read),
    /// Something that is wrong with the log itself.
    Finding(Finding),
    /// A round is over.
    Tick(Tick),
}

/// The head that a log shows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Head {
    /// The log's name.
    pub origin: String,
    /// Entries.
    pub size: u64,
    /// Entries more than in the round before.
    pub grown: u64,
    /// Whether it has the quorum of witnesses.
    pub quorum: bool,
    /// The time at which a quorum had cosigned the newest head that has one, in POSIX seconds.
    pub witnessed: Option<u64>,
    /// The witnesses that cosigned it, each once, with the newest of their times.
    pub cosigned: Vec<Witness>,
    /// The witnesses that the policy names.
    pub expected: Vec<String>,
}

/// A witness that cosigned a head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Witness {
    /// Its name.
    pub name: String,
    /// When, by its own clock, in POSIX seconds.
    pub time: u64,
}

/// A read of sealed records, from a log's access journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Read {
    /// Counted from 1.
    pub number: u64,
    /// POSIX seconds, by the server's clock.
    pub time: u64,
    /// Who.
    pub reader: String,
    /// From where.
    pub address: String,
    /// The first entry.
    pub first: u64,
    /// How many from there.
    pub count: u64,
}

/// Something that is wrong with the log itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What kind of thing: `history`, `access-journal`, and those of the audit.
    pub kind: String,
    /// `note`, `warning`, `high` or `critical`.
    pub severity: super::Severity,
    /// The entry that it is about.
    pub index: Option<u64>,
    /// In words.
    pub text: String,
}

/// The end of a round.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tick {
    /// Why the log could not be read, if it could not.
    pub failing: Option<String>,
    /// For how many seconds it could not.
    pub failing_for: u64,
    /// Entries that no quorum has cosigned yet, and which rules have not seen.
    pub behind: u64,
    /// For how many seconds there have been such entries.
    pub behind_for: u64,
    /// For how many seconds the oldest message could not be delivered.
    pub undelivered_for: u64,
}
