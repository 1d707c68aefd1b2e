//! An approval (`formats.cddl`: `approval`): COSE_Sign1 over the terms of a request, by an approver's
//! key. As a file it brings the request along; in a record it stands without.

use super::Request;
use crate::cbor::{self, DecodeError, Items, KeyOrder, Value, show};
use crate::cose::{ALG_EDDSA, Claims, Headers, Sign1, label};
use crate::ed25519::{NotSigned, PublicKey, SecretKey};
use crate::hash::Hash;
use crate::record::MAX_TEXT;

const WHAT: &str = "approval";
/// The largest approval, with its request.
pub const MAX_APPROVAL: usize = super::MAX_REQUEST + 16_384;
/// The content type of an approval: it keeps approvals apart from all else that is signed.
pub const APPROVAL_TYPE: &str = "application/vnd.coldlog.approval+cbor";

/// What is agreed to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// The signer and the journal.
    pub claims: Claims,
    /// The leaf of the journal's genesis.
    pub genesis: Hash,
    /// The request.
    pub id: Hash,
    /// Who will sign.
    pub operator: String,
    /// Why.
    pub purpose: String,
    /// POSIX seconds, by the signer's clock: when it was asked for.
    pub made: u64,
    /// POSIX seconds, by the signer's clock: until when it holds.
    pub expires: u64,
    /// How many documents.
    pub count: u64,
    /// The root over them.
    pub root: Hash,
}

impl Terms {
    /// What whoever approves a request agrees to.
    pub fn of(request: &Request) -> Terms {
        Terms {
            claims: request.claims.clone(),
            genesis: request.genesis,
            id: request.id,
            operator: request.operator.clone(),
            purpose: request.purpose.clone(),
            made: request.made,
            expires: request.expires,
            count: request.documents.len() as u64,
            root: request.root(),
        }
    }
}

/// An approval; nothing is verified by decoding it but that it is of the request that it brings.
#[derive(Debug, Clone, PartialEq)]
pub struct Approval {
    sign1: Sign1,
    /// What is agreed to.
    pub terms: Terms,
    /// By which key.
    pub key: PublicKey,
    /// POSIX seconds, by the approver's clock.
    pub time: u64,
    /// Whether the approver's program read the documents themselves, each.
    pub seen: bool,
    /// The request; absent in a record.
    pub request: Option<Request>,
}

// The envelope's values are all comparable; floats do not occur in it.
impl Eq for Approval {}

impl Approval {
    /// Approves a request.
    pub fn sign(
        key: &SecretKey,
        request: Request,
        time: u64,
        seen: bool,
    ) -> Result<Approval, NotSigned> {
        let terms = Terms::of(&request);
        let public = key.public();
        let headers = Headers(vec![
            (label::ALG, ALG_EDDSA.into()),
            (label::KID, cbor::bytes(public.thumbprint().0)),
            (label::CLAIMS, terms.claims.to_value()),
            (label::TYP, APPROVAL_TYPE.into()),
        ]);
        let payload = cbor::to_bytes(&Value::Array(vec![
            cbor::bytes(terms.genesis.0),
            cbor::bytes(terms.id.0),
            terms.operator.as_str().into(),
            terms.purpose.as_str().into(),
            terms.made.into(),
            terms.expires.into(),
            terms.count.into(),
            cbor::bytes(terms.root.0),
            cbor::bytes(public.as_bytes()),
            time.into(),
            seen.into(),
        ]));
        let mut sign1 = Sign1::sign(key, headers, &payload, false)?;
        sign1.unprotected = Headers(vec![(label::REQUEST, cbor::bytes(request.encode()))]);
        Ok(Approval { sign1, terms, key: public, time, seen, request: Some(request) })
    }

    /// The bytes.
    pub fn encode(&self) -> Vec<u8> {
        self.sign1.encode()
    }

    /// As a record carries it: without the request, which may name other documents.
    pub fn bare(mut self) -> Approval {
        self.sign1.unprotected = Headers::default();
        self.request = None;
        self
    }

    /// Reads an approval. Where it brings its request, it is of that one.
    pub fn decode(bytes: &[u8]) -> Result<Approval, DecodeError> {
        let sign1 = Sign1::decode(WHAT, bytes, MAX_APPROVAL, KeyOrder::Sorted)?;
        let known = [label::ALG, label::KID, label::CLAIMS, label::TYP];
        let typ = sign1.protected.get(label::TYP);
        if typ != Some(&APPROVAL_TYPE.into()) || sign1.protected.unknown(&known).is_some() {
            let found = typ.map_or("other labels".into(), show);
            return Err(DecodeError::field(WHAT, "its headers", APPROVAL_TYPE, found));
        }
        if let Some(other) = sign1.unprotected.unknown(&[label::REQUEST]) {
            let found = format!("label {other}");
            return Err(DecodeError::field(
                WHAT,
                "its unprotected header",
                "the request only",
                found,
            ));
        }
        let claims = Claims::from_headers(WHAT, &sign1.protected)?;
        let payload = sign1.payload.as_deref().unwrap_or_default();
        let value = cbor::decode(WHAT, payload, 3 * MAX_TEXT)?;
        let mut items = Items::new(WHAT, "the payload", value, 11..=11)?;
        let terms = Terms {
            claims,
            genesis: items.hash("genesis")?,
            id: items.hash("id")?,
            operator: items.text("operator", MAX_TEXT)?,
            purpose: items.text("purpose", MAX_TEXT)?,
            made: items.uint("made")?,
            expires: items.uint("expires")?,
            count: items.uint("count")?,
            root: items.hash("root")?,
        };
        let key = PublicKey::from_bytes(&items.hash("key")?.0)
            .map_err(|why| DecodeError::field(WHAT, "key", "a sound key", why.to_string()))?;
        if sign1.protected.get(label::KID) != Some(&cbor::bytes(key.thumbprint().0)) {
            return Err(DecodeError::field(WHAT, "kid", "the thumbprint of its key", "another"));
        }
        let time = items.uint("time")?;
        let seen = items.any("seen")?;
        let seen = seen
            .as_bool()
            .ok_or_else(|| DecodeError::field(WHAT, "seen", "true or false", show(&seen)))?;
        let request = match sign1.unprotected.get(label::REQUEST) {
            None => None,
            Some(value) => {
                let bytes =
                    cbor::into_bytes(WHAT, "the request", value.clone(), super::MAX_REQUEST)?;
                Some(Request::decode(&bytes)?)
            }
        };
        if request.as_ref().is_some_and(|request| Terms::of(request) != terms) {
            let expected = "the one that was approved";
            return Err(DecodeError::field(WHAT, "the request", expected, "another one"));
        }
        Ok(Approval { sign1, terms, key, time, seen, request })
    }

    /// Whether its key signed it.
    pub fn verify(&self) -> bool {
        self.sign1.payload.as_ref().is_some_and(|payload| self.sign1.verify(&self.key, payload))
    }
}
