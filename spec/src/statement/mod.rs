//! Signed statements (SCITT, RFC 9943, section 6): one log entry each (`formats.cddl`: `statement`).

mod plain;
mod scitt;

use crate::cbor::{self, DecodeError, Items, KeyOrder, Value, show};
use crate::cose::{ALG_EDDSA, ALG_SHA256, Claims, Headers, Sign1, envelope, label, sig_structure};
use crate::ed25519::{NotSigned, PublicKey, SecretKey};
use crate::hash::Hash;
use crate::key_event::{KEY_EVENT_TYPE, KeyEvent};
use crate::merkle::leaf_hash;
use crate::note::is_key_name;
use crate::record::DISCLOSURE_TYPE;
use crate::reseal::{RESEAL_TYPE, Reseal};
use crate::rules::{RULES_TYPE, Rules};
use plain::Parts;
pub use scitt::SignedStatement;
use std::ops::Range;

const WHAT: &str = "signed statement";

/// Where a statement stands in its journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// From 0, without gaps.
    pub sequence: u64,
    /// The leaf hash of the statement before; `None` for the first.
    pub previous: Option<Hash>,
    /// The newest cosigned head that the signer knew.
    pub head: Option<KnownHead>,
}

/// A head that a signer knew when it signed. The digest of the cosigned note pins the witnesses'
/// times: the root alone could have been known before they cosigned it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownHead {
    /// The log.
    pub origin: String,
    /// Its size.
    pub size: u64,
    /// Its root.
    pub root: Hash,
    /// SHA-256 of the note with its cosignatures.
    pub note: Hash,
}

/// What a statement says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Payload {
    /// The commitment to a disclosure (hash envelope).
    Commitment(Hash),
    /// A key event, in the clear.
    KeyEvent(KeyEvent),
    /// What only a log itself says, in the clear: the rules by which it admits statements.
    Rules(Rules),
    /// What only a log itself says: records that were sealed anew.
    Reseal(Reseal),
}

/// One of our statements, decoded; its signature is not verified: see [`Statement::verify`].
#[derive(Debug, Clone, PartialEq)]
pub struct Statement {
    bytes: Vec<u8>,
    parts: Parts,
    leaf: Hash,
    claims: Claims,
    kid: Vec<u8>,
    /// Its place in the journal.
    pub position: Position,
    /// What it says.
    pub payload: Payload,
}

/// A disclosure that is not the statement's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotCommitted {
    /// It has none.
    #[error("the statement is what a log says of itself, and commits to no record")]
    None,
    /// Another one.
    #[error(
        "the disclosure hashes to {found}, the logged statement commits to {expected}: the record was altered"
    )]
    Other {
        /// In the statement.
        expected: Hash,
        /// Of the disclosure.
        found: Hash,
    },
}

/// The signature is not by the key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StatementError {
    /// Another key's thumbprint.
    #[error("the statement names the key {found} (kid), expected {expected}")]
    OtherKey {
        /// The thumbprint of the key in force.
        expected: String,
        /// The statement's kid.
        found: String,
    },
    /// Not this key's signature.
    #[error(
        "the statement's signature does not verify under the key {key}: it was altered, or forged"
    )]
    BadSignature {
        /// The key's thumbprint.
        key: String,
    },
}

impl Statement {
    /// Reads an entry. Only the labels of `formats.cddl` are allowed.
    pub fn decode(bytes: &[u8]) -> Result<Statement, DecodeError> {
        // Nearly all of a log's entries; of any other, why it is one or none is said below.
        if let Some(statement) = plain::decode(bytes) {
            return Ok(statement);
        }
        let inner = SignedStatement::decode(bytes, KeyOrder::Sorted)?;
        Statement::from_signed(inner, bytes.to_vec())
    }

    /// From an envelope with an emptied unprotected header.
    pub fn from_sign1(sign1: Sign1) -> Result<Statement, DecodeError> {
        let bytes = sign1.encode();
        Statement::from_signed(SignedStatement::from_sign1(sign1)?, bytes)
    }

    fn from_signed(inner: SignedStatement, bytes: Vec<u8>) -> Result<Statement, DecodeError> {
        let headers = &inner.sign1.protected;
        let common = [label::ALG, label::KID, label::CLAIMS, label::POSITION];
        let content_type = headers.get(label::CONTENT_TYPE);
        let own: &[i64] = match content_type {
            Some(_) => &[label::CONTENT_TYPE],
            None => &[label::PAYLOAD_HASH_ALG, label::PREIMAGE_TYPE],
        };
        if let Some(other) = headers.unknown(&[&common[..], own].concat()) {
            let expected = "only the labels of a Coldlog statement";
            let found = format!("label {other}");
            return Err(DecodeError::field(WHAT, "the protected header", expected, found));
        }
        // Names go into reports and policies: nothing in them may break a line.
        for (name, field) in [(&inner.claims.issuer, "iss"), (&inner.claims.subject, "sub")] {
            if !is_key_name(name) {
                let expected = "a name without spaces, plus or control characters";
                return Err(DecodeError::field(WHAT, field, expected, format!("{name:?}")));
            }
        }
        if inner.sign1.algorithm() != Some(ALG_EDDSA) {
            return Err(DecodeError::field(WHAT, "alg", "EdDSA (-8)", "another algorithm"));
        }
        let payload = inner.sign1.payload.as_deref().unwrap_or_default();
        let payload = if let Some(content_type) = content_type {
            in_the_clear(content_type, payload)?
        } else {
            let preimage = headers.get(label::PREIMAGE_TYPE);
            if preimage != Some(&Value::from(DISCLOSURE_TYPE)) {
                let found = preimage.map_or("nothing".into(), show);
                return Err(DecodeError::field(WHAT, "label 259", DISCLOSURE_TYPE, found));
            }
            let hash = Hash::from_slice(payload)
                .filter(|_| headers.get(label::PAYLOAD_HASH_ALG).is_some())
                .ok_or_else(|| {
                    DecodeError::field(WHAT, "label 258", "SHA-256 (-16)", "no hash envelope")
                })?;
            Payload::Commitment(hash)
        };
        let position = headers.get(label::POSITION).cloned().ok_or_else(|| {
            DecodeError::field(WHAT, "the journal position (label -70001)", "present", "nothing")
        })?;
        let position = Position::from_value(position)?;
        let parts = Parts::of(&bytes).ok_or_else(|| {
            let expected =
                "tag 18, a protected header, an empty unprotected one, a payload, a signature";
            DecodeError::field(WHAT, "the envelope", expected, "another order of parts")
        })?;
        let SignedStatement { claims, kid, .. } = inner;
        Ok(Statement { leaf: leaf_hash(&bytes), bytes, parts, claims, kid, position, payload })
    }

    /// Signs a statement.
    pub fn sign(
        key: &SecretKey,
        claims: &Claims,
        position: &Position,
        payload: Payload,
    ) -> Result<Statement, NotSigned> {
        let mut headers = vec![
            (label::ALG, ALG_EDDSA.into()),
            (label::KID, cbor::bytes(key.public().thumbprint().0)),
            (label::CLAIMS, claims.to_value()),
            (label::POSITION, position.to_value()),
        ];
        let bytes = match &payload {
            Payload::Commitment(hash) => {
                headers.push((label::PAYLOAD_HASH_ALG, ALG_SHA256.into()));
                headers.push((label::PREIMAGE_TYPE, DISCLOSURE_TYPE.into()));
                hash.0.to_vec()
            }
            Payload::KeyEvent(event) => {
                headers.push((label::CONTENT_TYPE, KEY_EVENT_TYPE.into()));
                event.encode()
            }
            Payload::Rules(rules) => {
                headers.push((label::CONTENT_TYPE, RULES_TYPE.into()));
                rules.encode()
            }
            Payload::Reseal(reseal) => {
                headers.push((label::CONTENT_TYPE, RESEAL_TYPE.into()));
                reseal.encode()
            }
        };
        let sign1 = Sign1::sign(key, Headers(headers), &bytes, false)?;
        let bytes = sign1.encode();
        let parts = Parts::of(&bytes).unwrap_or_default();
        let (leaf, claims) = (leaf_hash(&bytes), claims.clone());
        let (kid, position) = (key.public().thumbprint().0.to_vec(), position.clone());
        Ok(Statement { leaf, bytes, parts, claims, kid, position, payload })
    }

    /// The entry's bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
    /// The entry's leaf hash: its identity in chains, indexes and evidence.
    pub fn leaf(&self) -> Hash {
        self.leaf
    }
    /// Issuer and subject.
    pub fn claims(&self) -> &Claims {
        &self.claims
    }
    /// The signature.
    pub fn signature(&self) -> &[u8] {
        self.bytes.get(self.parts.signature.clone()).unwrap_or_default()
    }
    /// The same statement with an unprotected header, as transparent statements have one; nothing else of it
    /// changes.
    pub fn with_unprotected(&self, headers: &Headers) -> Vec<u8> {
        let (protected, payload) = self.protected_and_payload();
        cbor::to_bytes(&envelope(protected, headers, Some(payload), self.signature()))
    }
    /// The thumbprint of the key that it names.
    pub fn kid(&self) -> &[u8] {
        &self.kid
    }
    /// The commitment to the disclosure, which every statement of a signer has.
    pub fn commitment(&self) -> Option<Hash> {
        match &self.payload {
            Payload::Commitment(hash) => Some(*hash),
            Payload::KeyEvent(event) => Some(event.commitment),
            Payload::Rules(_) | Payload::Reseal(_) => None,
        }
    }

    /// "Is this what it commits to?" — asked of a disclosure, by whoever opened it. A statement that commits
    /// to nothing has none.
    pub fn must_commit_to(&self, disclosure: &[u8]) -> Result<(), NotCommitted> {
        let expected = self.commitment().ok_or(NotCommitted::None)?;
        match Hash::of(disclosure) {
            found if found == expected => Ok(()),
            found => Err(NotCommitted::Other { expected, found }),
        }
    }

    /// What its signature covers.
    pub fn signed_bytes(&self) -> Vec<u8> {
        let (protected, payload) = self.protected_and_payload();
        sig_structure(protected, payload)
    }

    fn protected_and_payload(&self) -> (&[u8], &[u8]) {
        let part = |range: &Range<usize>| self.bytes.get(range.clone()).unwrap_or_default();
        (part(&self.parts.protected), part(&self.parts.payload))
    }

    /// Checks that it names a key, by its thumbprint.
    pub fn names(&self, kid: &Hash) -> Result<(), StatementError> {
        if self.kid != kid.0 {
            let found = crate::hash::to_hex(&self.kid);
            return Err(StatementError::OtherKey { expected: kid.to_hex(), found });
        }
        Ok(())
    }

    /// Verifies the signature by a key.
    pub fn verify(&self, key: &PublicKey) -> Result<(), StatementError> {
        let thumbprint = key.thumbprint();
        self.names(&thumbprint)?;
        if !key.verify(&self.signed_bytes(), self.signature()) {
            return Err(StatementError::BadSignature { key: thumbprint.to_hex() });
        }
        Ok(())
    }
}

// A payload that is no commitment, by its content type.
fn in_the_clear(content_type: &Value, payload: &[u8]) -> Result<Payload, DecodeError> {
    match content_type.as_text() {
        Some(KEY_EVENT_TYPE) => Ok(Payload::KeyEvent(KeyEvent::decode(payload)?)),
        Some(RESEAL_TYPE) => Ok(Payload::Reseal(Reseal::decode(payload)?)),
        Some(RULES_TYPE) => match Rules::parse(payload) {
            Ok(rules) => Ok(Payload::Rules(rules)),
            Err(why) => {
                Err(DecodeError::Malformed { what: "admission rules", why: why.to_string() })
            }
        },
        _ => {
            let expected = format!("{KEY_EVENT_TYPE}, {RULES_TYPE} or {RESEAL_TYPE}");
            Err(DecodeError::field(WHAT, "label 3", expected, show(content_type)))
        }
    }
}

impl Position {
    fn to_value(&self) -> Value {
        let head = match &self.head {
            None => Value::Null,
            Some(head) => Value::Array(vec![
                head.origin.as_str().into(),
                head.size.into(),
                cbor::bytes(head.root.0),
                cbor::bytes(head.note.0),
            ]),
        };
        let previous = self.previous.map_or(Value::Null, |hash| cbor::bytes(hash.0));
        Value::Array(vec![self.sequence.into(), previous, head])
    }

    fn from_value(value: Value) -> Result<Position, DecodeError> {
        let mut items = Items::new(WHAT, "the journal position", value, 3..=3)?;
        let sequence = items.uint("the sequence number")?;
        let previous = items.hash_or_null("the previous statement's hash")?;
        if previous.is_none() != (sequence == 0) {
            let field = "the previous statement's hash";
            let expected = "null for sequence number 0 and only there";
            return Err(DecodeError::field(WHAT, field, expected, format!("{previous:?}")));
        }
        let head = match items.any("the known head")? {
            Value::Null => None,
            value => {
                let mut items = Items::new(WHAT, "the known head", value, 4..=4)?;
                Some(KnownHead {
                    origin: items.text("the head's origin", Claims::LIMIT)?,
                    size: items.uint("the head's size")?,
                    root: items.hash("the head's root")?,
                    note: items.hash("the digest of the head's note")?,
                })
            }
        };
        Ok(Position { sequence, previous, head })
    }
}
