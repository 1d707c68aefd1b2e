//! The shortcut to what nearly every entry is: the commitment to a record, in the one form that
//! [`Statement::sign`] gives it. A log and its auditors read millions of them.
//!
//! It says yes or nothing: whatever it does not know, the whole decoder judges. (A test holds that both have
//! the same words for the same bytes.)

use super::{Claims, DISCLOSURE_TYPE, Hash, KnownHead, Payload, Position, Statement};
use crate::cbor::{leading_bytes, leading_text, leading_uint};
use crate::merkle::leaf_hash;
use crate::note::is_key_name;
use crate::tile::MAX_ENTRY;
use std::ops::Range;

/// Where the signed parts of an envelope with an empty unprotected header are, and its signature.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Parts {
    pub(super) protected: Range<usize>,
    pub(super) payload: Range<usize>,
    pub(super) signature: Range<usize>,
}

impl Parts {
    /// Of the whole of these bytes.
    pub(super) fn of(bytes: &[u8]) -> Option<Parts> {
        let range = |part: &[u8], rest: &[u8]| {
            let end = bytes.len() - rest.len();
            end - part.len()..end
        };
        let rest = bytes.strip_prefix(b"\xd2\x84")?;
        let (part, rest) = leading_bytes(rest)?;
        let protected = range(part, rest);
        let (part, rest) = leading_bytes(rest.strip_prefix(b"\xa0")?)?;
        let payload = range(part, rest);
        let (part, rest) = leading_bytes(rest)?;
        let signature = range(part, rest);
        rest.is_empty().then_some(Parts { protected, payload, signature })
    }
}

/// A statement with a commitment, if it is one.
pub(super) fn decode(bytes: &[u8]) -> Option<Statement> {
    if bytes.len() > MAX_ENTRY {
        return None;
    }
    let parts = Parts::of(bytes)?;
    let hash = Hash::from_slice(bytes.get(parts.payload.clone())?)?;
    if parts.signature.len() != 64 {
        return None;
    }
    let mut rest = Rest(bytes.get(parts.protected.clone())?);
    // Six labels: alg is EdDSA; kid.
    rest.skip(b"\xa6\x01\x27\x04")?;
    let kid = rest.hash()?.0.to_vec();
    // The claims, and no others: issuer, subject.
    rest.skip(b"\x0f\xa2\x01")?;
    let issuer = rest.name()?;
    rest.skip(b"\x02")?;
    let subject = rest.name()?;
    // The payload is a SHA-256 digest (label 258), of a disclosure (label 259).
    rest.skip(b"\x19\x01\x02\x2f\x19\x01\x03")?;
    if rest.text()? != DISCLOSURE_TYPE {
        return None;
    }
    // The position: label -70001.
    rest.skip(b"\x3a\x00\x01\x11\x70\x83")?;
    let sequence = rest.uint()?;
    let previous = match sequence {
        0 => rest.skip(b"\xf6").map(|()| None)?,
        _ => Some(rest.hash()?),
    };
    let head = match rest.skip(b"\xf6") {
        Some(()) => None,
        None => {
            rest.skip(b"\x84")?;
            let origin = rest.text().filter(|origin| origin.len() <= Claims::LIMIT)?.to_owned();
            Some(KnownHead { origin, size: rest.uint()?, root: rest.hash()?, note: rest.hash()? })
        }
    };
    let claims = Claims { issuer, subject };
    rest.0.is_empty().then(|| Statement {
        bytes: bytes.to_vec(),
        leaf: leaf_hash(bytes),
        parts,
        claims,
        kid,
        position: Position { sequence, previous, head },
        payload: Payload::Commitment(hash),
    })
}

/// What was not read yet. What reads nothing leaves it as it was, or ends the reading.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn skip(&mut self, expected: &[u8]) -> Option<()> {
        self.0 = self.0.strip_prefix(expected)?;
        Some(())
    }

    fn hash(&mut self) -> Option<Hash> {
        let (bytes, rest) = leading_bytes(self.0)?;
        self.0 = rest;
        Hash::from_slice(bytes)
    }

    fn text(&mut self) -> Option<&'a str> {
        let (text, rest) = leading_text(self.0)?;
        self.0 = rest;
        Some(text)
    }

    fn name(&mut self) -> Option<String> {
        let name = self.text()?;
        (name.len() <= Claims::LIMIT && is_key_name(name)).then(|| name.to_owned())
    }

    fn uint(&mut self) -> Option<u64> {
        let (number, rest) = leading_uint(self.0)?;
        self.0 = rest;
        Some(number)
    }
}
