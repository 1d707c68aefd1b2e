//! COSE_Sign1 (RFC 9052, sections 3, 4.2 and 4.4), tagged, strict.
//!
//! ```text
//! 18([ protected: bstr .cbor map, unprotected: map, payload: bstr / nil, signature: bstr ])
//! ```

use crate::cbor::{self, DecodeError, KeyOrder, Value, show};
use crate::ed25519::{NotSigned, PublicKey, SecretKey};

/// Header labels: RFC 9052, RFC 9597 (CWT claims), the hash envelope draft, RFC 9942; and ours, for
/// private use below -65536.
pub mod label {
    /// Algorithm.
    pub const ALG: i64 = 1;
    /// Labels that must be understood.
    pub const CRIT: i64 = 2;
    /// Content type.
    pub const CONTENT_TYPE: i64 = 3;
    /// Key identifier.
    pub const KID: i64 = 4;
    /// CWT claims.
    pub const CLAIMS: i64 = 15;
    /// Type of the whole object (RFC 9596).
    pub const TYP: i64 = 16;
    /// Hash algorithm of the payload.
    pub const PAYLOAD_HASH_ALG: i64 = 258;
    /// Media type of the payload's preimage.
    pub const PREIMAGE_TYPE: i64 = 259;
    /// Receipts.
    pub const RECEIPTS: i64 = 394;
    /// Verifiable data structure.
    pub const VDS: i64 = 395;
    /// Verifiable data structure proofs.
    pub const VDP: i64 = 396;
    /// Ours, protected in a statement: the journal position.
    pub const POSITION: i64 = -70001;
    /// Ours, unprotected in a proof: the disclosure.
    pub const DISCLOSURE: i64 = -70002;
    /// Ours, unprotected in a proof: SHA-256 of the policy under which it was made.
    pub const POLICY: i64 = -70003;
    /// Ours, unprotected in a proof: the cosigned head that the signer knew.
    pub const EARLIER_HEAD: i64 = -70004;
    /// Ours, unprotected in a proof's receipt: the cosigned checkpoint of its root.
    pub const CHECKPOINT: i64 = -70005;
    /// sealed record (ours)
    pub const SEALED: i64 = -70006;
    /// Ours, unprotected in an approval's file: the request.
    pub const REQUEST: i64 = -70010;
}

/// EdDSA, as every deployed verifier reads it.
pub const ALG_EDDSA: i64 = -8;
/// Ed25519 by its fully specified number (RFC 9864): accepted, never emitted.
pub const ALG_ED25519: i64 = -19;
/// SHA-256 as a hash algorithm.
pub const ALG_SHA256: i64 = -16;

/// A decoded COSE_Sign1. The protected header's bytes are kept as received: they are what is signed.
#[derive(Debug, Clone, PartialEq)]
pub struct Sign1 {
    /// The protected header as it stands in the byte string.
    pub protected_bytes: Vec<u8>,
    /// The protected header.
    pub protected: Headers,
    /// The unprotected header.
    pub unprotected: Headers,
    /// The payload; `None` where it is detached.
    pub payload: Option<Vec<u8>>,
    /// The signature.
    pub signature: Vec<u8>,
}

/// The most labels that a header may have.
pub const MAX_LABELS: usize = 64;

/// A header map with integer labels.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Headers(pub Vec<(i64, Value)>);

impl Headers {
    /// A header in deterministic order.
    pub fn sorted(entries: Vec<(i64, Value)>) -> Headers {
        let mut keyed: Vec<(Vec<u8>, (i64, Value))> = entries
            .into_iter()
            .map(|entry| (cbor::to_bytes(&Value::from(entry.0)), entry))
            .collect();
        keyed.sort_by(|a, b| a.0.cmp(&b.0));
        Headers(keyed.into_iter().map(|(_, entry)| entry).collect())
    }

    /// The value under `label`.
    pub fn get(&self, label: i64) -> Option<&Value> {
        self.0.iter().find(|(l, _)| *l == label).map(|(_, value)| value)
    }

    /// The first label that is not one of `known`.
    pub fn unknown(&self, known: &[i64]) -> Option<i64> {
        self.0.iter().map(|(label, _)| *label).find(|label| !known.contains(label))
    }

    /// As a CBOR map, in the order in which it stands: another's receipt is written as it was read.
    pub fn to_value(&self) -> Value {
        Value::Map(self.0.iter().map(|(l, v)| (Value::from(*l), v.clone())).collect())
    }

    fn from_value(what: &'static str, field: &str, value: Value) -> Result<Headers, DecodeError> {
        let Value::Map(entries) = value else {
            return Err(DecodeError::field(what, field, "a map", show(&value)));
        };
        if entries.len() > MAX_LABELS {
            let expected = format!("at most {MAX_LABELS} labels");
            return Err(DecodeError::field(what, field, expected, entries.len().to_string()));
        }
        let entries = entries.into_iter().map(|(key, value)| {
            let label = key.as_integer().and_then(|n| i64::try_from(n).ok());
            let label = label
                .ok_or_else(|| DecodeError::field(what, field, "integer labels", show(&key)))?;
            Ok((label, value))
        });
        entries.collect::<Result<_, DecodeError>>().map(Headers)
    }
}

impl Sign1 {
    /// Decodes `18([..])`. `order` says whether the protected header must be deterministic: ours
    /// always is, another's need not be.
    pub fn decode(
        what: &'static str,
        bytes: &[u8],
        limit: usize,
        order: KeyOrder,
    ) -> Result<Sign1, DecodeError> {
        let value = cbor::decode_with(what, bytes, limit, order)?;
        Sign1::from_value(what, value, order)
    }

    /// From a decoded value: see [`Sign1::decode`].
    pub fn from_value(
        what: &'static str,
        value: Value,
        order: KeyOrder,
    ) -> Result<Sign1, DecodeError> {
        let Value::Tag(18, inner) = value else {
            let found = show(&value);
            return Err(DecodeError::field(
                what,
                "the outermost item",
                "tag 18 (COSE_Sign1)",
                found,
            ));
        };
        let mut items = cbor::Items::new(what, "COSE_Sign1", *inner, 4..=4)?;
        let protected_bytes = items.bytes("the protected header", 1 << 16)?;
        let protected = match protected_bytes.is_empty() {
            true => Headers::default(),
            false => {
                let value = cbor::decode_with(what, &protected_bytes, 1 << 16, order)?;
                let headers = Headers::from_value(what, "the protected header", value)?;
                if headers.0.is_empty() {
                    let found = "an encoded empty map";
                    return Err(DecodeError::field(
                        what,
                        "the empty protected header",
                        "a zero-length byte string (RFC 9052, section 3)",
                        found,
                    ));
                }
                headers
            }
        };
        let unprotected = items.any("the unprotected header")?;
        let unprotected = Headers::from_value(what, "the unprotected header", unprotected)?;
        for (label, _) in &unprotected.0 {
            if protected.get(*label).is_some() {
                let field = format!("label {label}");
                return Err(DecodeError::field(what, field, "in one header", "in both headers"));
            }
        }
        for headers in [&protected, &unprotected] {
            if let Some(crit) = headers.get(label::CRIT) {
                let found = show(crit);
                return Err(DecodeError::field(
                    what,
                    "crit (label 2)",
                    "absent: no critical header is known to us",
                    found,
                ));
            }
        }
        let payload = match items.any("the payload")? {
            Value::Null => None,
            Value::Bytes(bytes) => Some(bytes),
            other => {
                let found = show(&other);
                return Err(DecodeError::field(
                    what,
                    "the payload",
                    "a byte string or null",
                    found,
                ));
            }
        };
        let signature = items.bytes("the signature", 1 << 13)?;
        Ok(Sign1 { protected_bytes, protected, unprotected, payload, signature })
    }

    /// As a CBOR value, tagged.
    pub fn to_value(&self) -> Value {
        let payload = self.payload.as_deref();
        envelope(&self.protected_bytes, &self.unprotected, payload, &self.signature)
    }

    /// The encoding.
    pub fn encode(&self) -> Vec<u8> {
        cbor::to_bytes(&self.to_value())
    }

    /// Signs with Ed25519 over [`sig_structure`]. With `detached`, the payload is signed but not carried.
    pub fn sign(
        key: &SecretKey,
        protected: Headers,
        payload: &[u8],
        detached: bool,
    ) -> Result<Sign1, NotSigned> {
        let protected = Headers::sorted(protected.0);
        let protected_bytes = cbor::to_bytes(&protected.to_value());
        let signature = key.sign(&sig_structure(&protected_bytes, payload))?.to_vec();
        Ok(Sign1 {
            protected_bytes,
            protected,
            unprotected: Headers::default(),
            payload: (!detached).then(|| payload.to_vec()),
            signature,
        })
    }

    /// The algorithm in the protected header.
    pub fn algorithm(&self) -> Option<i64> {
        self.protected.get(label::ALG)?.as_integer().and_then(|n| i64::try_from(n).ok())
    }

    /// Whether the algorithm is Ed25519 and `key` signed `payload` under this protected header.
    pub fn verify(&self, key: &PublicKey, payload: &[u8]) -> bool {
        matches!(self.algorithm(), Some(ALG_EDDSA | ALG_ED25519))
            && key.verify(&sig_structure(&self.protected_bytes, payload), &self.signature)
    }
}

/// The tagged envelope of its parts; the payload is `None` where it is detached.
pub fn envelope(
    protected: &[u8],
    unprotected: &Headers,
    payload: Option<&[u8]>,
    signature: &[u8],
) -> Value {
    let payload = payload.map_or(Value::Null, cbor::bytes);
    let items =
        vec![cbor::bytes(protected), unprotected.to_value(), payload, cbor::bytes(signature)];
    Value::Tag(18, Box::new(Value::Array(items)))
}

/// The signed bytes: `["Signature1", protected, h'', payload]` (RFC 9052, section 4.4).
pub fn sig_structure(protected: &[u8], payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(protected.len() + payload.len() + 24);
    bytes.extend_from_slice(b"\x84\x6aSignature1");
    cbor::write_bytes(protected, &mut bytes);
    bytes.push(0x40);
    cbor::write_bytes(payload, &mut bytes);
    bytes
}

/// The issuer and subject of the CWT claims (RFC 8392, RFC 9597).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Claims {
    /// Who says it: a signer's name or a log's origin.
    pub issuer: String,
    /// Of what: the journal's name.
    pub subject: String,
}

impl Claims {
    /// The longest issuer or subject, in bytes.
    pub const LIMIT: usize = 255;

    /// As the value of label 15.
    pub fn to_value(&self) -> Value {
        cbor::map(vec![
            (1.into(), self.issuer.as_str().into()),
            (2.into(), self.subject.as_str().into()),
        ])
    }

    /// From a protected header; both claims are mandatory (RFC 9943, section 6).
    pub fn from_headers(what: &'static str, headers: &Headers) -> Result<Claims, DecodeError> {
        let value = headers.get(label::CLAIMS).cloned().ok_or_else(|| {
            let expected = "present, with issuer and subject (RFC 9943, section 6)";
            DecodeError::field(what, "the CWT claims (label 15)", expected, "nothing")
        })?;
        let mut fields = cbor::Fields::new(what, "the CWT claims", value)?;
        let mut claim = |key: i64, name: &str| {
            let value = fields.optional(key).ok_or_else(|| {
                let expected = "present (RFC 9943, section 6)";
                DecodeError::field(
                    what,
                    format!("the CWT {name} (claim {key})"),
                    expected,
                    "nothing",
                )
            })?;
            cbor::into_text(what, &format!("the CWT {name}"), value, Claims::LIMIT)
        };
        Ok(Claims { issuer: claim(1, "issuer")?, subject: claim(2, "subject")? })
    }
}
