//! What is posted to a log (SCRAPI, `POST /entries`): a signed statement that carries its sealed record
//! in its unprotected header (`formats.cddl`: `registration`). The log takes the record out: the entry
//! is the statement alone.

use crate::cbor::{self, DecodeError, KeyOrder};
use crate::cose::{Headers, Sign1, label};
use crate::statement::Statement;
use crate::tile::MAX_ENTRY;

const WHAT: &str = "registration";
/// The largest registration: a statement and a sealed record, each as large as an entry may be.
pub const MAX_REGISTRATION: usize = 2 * MAX_ENTRY + 64;

/// A statement on its way to a log; nothing is verified.
#[derive(Debug, Clone, PartialEq)]
pub struct Registration {
    /// The statement, as it will be logged.
    pub statement: Statement,
    /// Its sealed record.
    pub sealed: Vec<u8>,
}

impl Registration {
    /// The encoding.
    pub fn encode(&self) -> Vec<u8> {
        let headers = Headers(vec![(label::SEALED, cbor::bytes(&self.sealed))]);
        self.statement.with_unprotected(&headers)
    }

    /// Reads what was posted.
    pub fn decode(bytes: &[u8]) -> Result<Registration, DecodeError> {
        let mut sign1 = Sign1::decode(WHAT, bytes, MAX_REGISTRATION, KeyOrder::Sorted)?;
        let headers = std::mem::take(&mut sign1.unprotected);
        if let Some(other) = headers.unknown(&[label::SEALED]) {
            let expected = "the sealed record (label -70006) only";
            let found = format!("label {other}");
            return Err(DecodeError::field(WHAT, "the unprotected header", expected, found));
        }
        let sealed = headers.get(label::SEALED).cloned();
        let sealed = sealed.ok_or_else(|| {
            DecodeError::field(WHAT, "the sealed record (label -70006)", "present", "nothing")
        })?;
        let sealed = cbor::into_bytes(WHAT, "the sealed record", sealed, MAX_ENTRY)?;
        Ok(Registration { statement: Statement::from_sign1(sign1)?, sealed })
    }
}
