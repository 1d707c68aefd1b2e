//! "Is this what the statement says in public?" — asked by whoever opens a sealed record.

use crate::record::Operation;
use crate::statement::{Payload, Statement};

/// A record that is of another kind than its statement.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the record says {record}, its statement says in public {statement}: the signer wrote what it did not do"
)]
pub struct Disagrees {
    /// What the record is of.
    pub record: String,
    /// What the statement is.
    pub statement: String,
}

/// Holds a record's kind against its statement's: a signature's is a commitment and nothing more, a key event's
/// is that event.
pub fn agrees(statement: &Statement, operation: &Operation) -> Result<(), Disagrees> {
    let public = match &statement.payload {
        Payload::Commitment(_) => "document signature",
        Payload::KeyEvent(event) => event.event.name(),
        Payload::Rules(_) => "rules",
        Payload::Reseal(_) => "reseal",
    };
    let record = match operation {
        Operation::Sign { .. } => "document signature",
        Operation::Genesis { .. } => "genesis",
        Operation::KeyEvent { event, .. } => event.as_str(),
    };
    match record == public {
        true => Ok(()),
        false => Err(Disagrees { record: record.into(), statement: public.into() }),
    }
}
