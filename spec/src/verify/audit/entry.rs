//! What an audit looks at, entry by entry, and what it keeps to go on from.

use super::finding::{Finding, Kind};
use super::people::Bounds;
use crate::hash::Hash;
use crate::record::{Disclosure, Record};
use crate::statement::Statement;
use crate::verify::append::{Progress, Refusal, has_next_number, names_the_one_before};

/// One entry that could be read.
pub struct Entry<'a> {
    /// Its place in the log.
    pub index: u64,
    /// What it says.
    pub statement: &'a Statement,
    /// Its sealed record; `None` where the bundle of sealed records could not be read.
    pub sealed: Option<&'a [u8]>,
    /// Whether the key that it names signed it, where somebody looked already who knew the key.
    pub signed: Option<bool>,
    /// The root of this very tree at the size of the head that it names, where that is one of this log.
    pub known: Known,
    /// Its record.
    pub opened: Opened,
    /// What witnesses say of its time.
    pub bounds: Bounds,
}

/// The head that a statement names, held against this tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    /// It names none, or one of another log.
    Elsewhere,
    /// The tree has this root at that size.
    Root(Hash),
    /// That size is beyond the entry itself.
    Beyond,
}

/// What came of opening a sealed record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Opened {
    /// Nobody tried, or there is none.
    Untried,
    /// No identity opens it.
    Closed(String),
    /// It is not what the statement commits to.
    Differs(String),
    /// It is no disclosure.
    Malformed(String),
    /// The record, and the bytes of its disclosure.
    Record(Box<Record>, Vec<u8>),
}

impl Opened {
    /// Of the plain bytes of a statement's sealed record.
    pub fn of(statement: &Statement, bytes: Vec<u8>) -> Opened {
        if let Err(why) = statement.must_commit_to(&bytes) {
            return Opened::Differs(why.to_string());
        }
        match Disclosure::decode(&bytes) {
            Ok(disclosure) => Opened::Record(Box::new(disclosure.record), bytes),
            Err(why) => Opened::Malformed(why.to_string()),
        }
    }

    /// The record.
    pub fn record(&self) -> Option<&Record> {
        match self {
            Opened::Record(record, _) => Some(record),
            _ => None,
        }
    }
}

/// A statement in the clear that changed what is in force: whoever goes on with an audit replays these.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clear {
    /// Its place in the log.
    pub index: u64,
    /// The entry.
    pub entry: Vec<u8>,
    /// The disclosure to which it commits, where it was opened.
    pub disclosure: Option<Vec<u8>>,
}

/// The first statement that a part of an audit has of a journal: it must follow the last one of the part before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seam {
    /// Its place in the log.
    pub index: u64,
    /// Its number.
    pub sequence: u64,
    /// The statement that it follows.
    pub previous: Option<Hash>,
}

/// How far a part of an audit has come in a journal.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Place {
    /// Where it came in; `None` where it knows the journal from its genesis on, or has seen nothing of it.
    pub seam: Option<Seam>,
    /// The next number, and the statement that it must follow; `None` where nothing is known.
    pub progress: Option<Progress>,
    /// Statements that were seen.
    pub seen: u64,
}

/// Whether a statement with this number, after that one, is the next of a journal; by the log's own decision
/// ([`crate::verify::append::follows`]), of which an audit tells and goes on.
pub fn must_follow(progress: &Progress, sequence: u64, previous: Option<Hash>) -> Option<Finding> {
    let judged =
        has_next_number(sequence, progress).and_then(|()| names_the_one_before(previous, progress));
    Some(match judged.err()? {
        Refusal::Gap { expected, found } if found < expected => {
            Finding::new(Kind::NumberRepeated, format!("number {found} once more"))
                .expected(format!("number {expected}"))
        }
        Refusal::Gap { expected, found } => {
            let missing = found - expected;
            let text = format!("number {found}: {missing} records are missing");
            Finding::new(Kind::NumberMissing, text).expected(format!("number {expected}"))
        }
        Refusal::Chain { expected, found } => {
            Finding::new(Kind::ChainBroken, found).expected(expected)
        }
        other => Finding::new(Kind::ChainBroken, other),
    })
}
