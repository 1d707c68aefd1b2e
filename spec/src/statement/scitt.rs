//! Signed statements by anybody: what RFC 9943 and the hash envelope demand.

use super::WHAT;
use crate::cbor::{self, DecodeError, KeyOrder, Value, show};
use crate::cose::{ALG_ED25519, ALG_EDDSA, ALG_SHA256, Claims, Sign1, label};
use crate::ed25519::PublicKey;
use crate::tile::MAX_ENTRY;

/// A SCITT Signed Statement by anybody: what RFC 9943 and the hash envelope demand, and no more.
#[derive(Debug, Clone, PartialEq)]
pub struct SignedStatement {
    /// The envelope.
    pub sign1: Sign1,
    /// Issuer and subject.
    pub claims: Claims,
    /// Key identifier.
    pub kid: Vec<u8>,
}

impl SignedStatement {
    /// Reads a statement, of any size up to an entry's. Its unprotected header must be empty, as in
    /// the entry; see [`crate::proof`] for a transparent statement.
    pub fn decode(bytes: &[u8], order: KeyOrder) -> Result<SignedStatement, DecodeError> {
        let sign1 = Sign1::decode(WHAT, bytes, MAX_ENTRY, order)?;
        if let Some((label, _)) = sign1.unprotected.0.first() {
            let found = format!("label {label}");
            let expected = "empty in a log entry (RFC 9943, section 6)";
            return Err(DecodeError::field(WHAT, "the unprotected header", expected, found));
        }
        SignedStatement::from_sign1(sign1)
    }

    /// From an envelope whose unprotected header is not looked at.
    pub fn from_sign1(sign1: Sign1) -> Result<SignedStatement, DecodeError> {
        let headers = &sign1.protected;
        let absent = |name: &str| {
            DecodeError::field(
                WHAT,
                name,
                "in the protected header (RFC 9943, section 6)",
                "nothing",
            )
        };
        if !matches!(sign1.algorithm(), Some(ALG_EDDSA | ALG_ED25519)) {
            let found = headers.get(label::ALG).ok_or_else(|| absent("alg (label 1)"))?;
            let expected = "EdDSA (-8) or Ed25519 (-19)";
            return Err(DecodeError::field(WHAT, "alg (label 1)", expected, show(found)));
        }
        let kid = headers.get(label::KID).cloned().ok_or_else(|| absent("kid (label 4)"))?;
        let kid = cbor::into_bytes(WHAT, "kid (label 4)", kid, 255)?;
        let claims = Claims::from_headers(WHAT, headers)?;
        for only_protected in [label::PAYLOAD_HASH_ALG, label::PREIMAGE_TYPE, label::CONTENT_TYPE] {
            if sign1.unprotected.get(only_protected).is_some() {
                let field = format!("label {only_protected}");
                let found = "in the unprotected header";
                return Err(DecodeError::field(WHAT, field, "protected or absent", found));
            }
        }
        if let Some(algorithm) = headers.get(label::PAYLOAD_HASH_ALG) {
            if *algorithm != Value::from(ALG_SHA256) {
                let found = show(algorithm);
                return Err(DecodeError::field(WHAT, "label 258", "SHA-256 (-16)", found));
            }
            if headers.get(label::CONTENT_TYPE).is_some() {
                let expected = "absent beside a hash envelope";
                return Err(DecodeError::field(WHAT, "label 3", expected, "present"));
            }
            if sign1.payload.as_ref().is_none_or(|payload| payload.len() != 32) {
                let found = format!("{:?} bytes", sign1.payload.as_ref().map(Vec::len));
                return Err(DecodeError::field(WHAT, "the payload", "a SHA-256 digest", found));
            }
        }
        Ok(SignedStatement { claims, kid, sign1 })
    }

    /// Whether `key` signed it.
    pub fn verify(&self, key: &PublicKey) -> bool {
        self.sign1.payload.as_ref().is_some_and(|payload| self.sign1.verify(key, payload))
    }
}
