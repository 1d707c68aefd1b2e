//! Batches, signer to log: a CBOR sequence (RFC 8742) of a header, one item for each record, and a
//! trailer that ends with the journal's signed tail (`formats.cddl`: `batch`).

use crate::cbor::{self, DecodeError, Items, KeyOrder, Value};
use crate::cose::{ALG_EDDSA, Claims, Headers, Sign1, label};
use crate::ed25519::{NotSigned, PublicKey, SecretKey};
use crate::hash::Hash;
use crate::kind::Kind;
use crate::tile::MAX_ENTRY;

const WHAT: &str = "coldlog-batch";
/// The largest item of a batch: a statement and its sealed record.
pub const MAX_ITEM: usize = 2 * MAX_ENTRY + 64;
/// The content type of a tail.
pub const TAIL_TYPE: &str = "application/vnd.coldlog.tail+cbor";

/// What a batch begins with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// The signer and the journal.
    pub claims: Claims,
    /// The sequence number of the first record.
    pub first: u64,
    /// The size of the newest head that the signer remembers: receipts prove consistency from it.
    pub remembered: u64,
}

impl Header {
    /// The item.
    pub fn encode(&self) -> Vec<u8> {
        let mut items = Kind::Batch.head();
        items.push(self.claims.issuer.as_str().into());
        items.push(self.claims.subject.as_str().into());
        items.push(self.first.into());
        items.push(self.remembered.into());
        cbor::to_bytes(&Value::Array(items))
    }

    /// Reads the first item.
    pub fn decode(item: &[u8]) -> Result<Header, DecodeError> {
        let mut items = Kind::Batch.open(cbor::decode(WHAT, item, MAX_ITEM)?, 4)?;
        let issuer = items.text("issuer", Claims::LIMIT)?;
        let subject = items.text("subject", Claims::LIMIT)?;
        let (first, remembered) = (items.uint("first")?, items.uint("remembered")?);
        Ok(Header { claims: Claims { issuer, subject }, first, remembered })
    }
}

/// The item of a record.
pub fn encode_record(statement: &[u8], sealed: &[u8]) -> Vec<u8> {
    cbor::to_bytes(&Value::Array(vec![cbor::bytes(statement), cbor::bytes(sealed)]))
}

/// The statement and the sealed record of an item that is a record, where they stand in it. What is not
/// just that is left to [`Item::decode`], which says why.
pub fn plain_record(item: &[u8]) -> Option<(&[u8], &[u8])> {
    let (statement, rest) = cbor::leading_bytes(item.strip_prefix(&[0x82])?)?;
    let (sealed, rest) = cbor::leading_bytes(rest)?;
    let fits = [statement, sealed].iter().all(|part| part.len() <= MAX_ENTRY);
    (rest.is_empty() && fits).then_some((statement, sealed))
}

/// What follows the header.
#[derive(Debug, Clone, PartialEq)]
pub enum Item {
    /// A record.
    Record {
        /// The entry.
        statement: Vec<u8>,
        /// The age ciphertext of its disclosure.
        sealed: Vec<u8>,
    },
    /// The end.
    Trailer {
        /// Records in this batch.
        count: u64,
        /// SHA-256 of all bytes before the trailer.
        digest: Hash,
        /// The journal's tail.
        tail: SignedTail,
    },
}

impl Item {
    /// Reads an item after the header: two items are a record, three the trailer.
    pub fn decode(item: &[u8]) -> Result<Item, DecodeError> {
        if let Some((statement, sealed)) = plain_record(item) {
            return Ok(Item::Record { statement: statement.to_vec(), sealed: sealed.to_vec() });
        }
        let value = cbor::decode(WHAT, item, MAX_ITEM)?;
        let mut items = Items::new(WHAT, "an item", value, 2..=3)?;
        if items.left() == 2 {
            let statement = items.bytes("statement", MAX_ENTRY)?;
            return Ok(Item::Record {
                statement,
                sealed: items.bytes("sealed record", MAX_ENTRY)?,
            });
        }
        let (count, digest) = (items.uint("count")?, items.hash("digest")?);
        let tail = SignedTail::decode(&items.bytes("tail", MAX_ENTRY)?)?;
        Ok(Item::Trailer { count, digest, tail })
    }
}

/// The last item.
pub fn encode_trailer(count: u64, digest: Hash, tail: &SignedTail) -> Vec<u8> {
    let items = vec![count.into(), cbor::bytes(digest.0), cbor::bytes(tail.sign1.encode())];
    cbor::to_bytes(&Value::Array(items))
}

/// How far a journal reaches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tail {
    /// Statements in the journal; the newest has the sequence number `count - 1`.
    pub count: u64,
    /// The leaf hash of the newest statement.
    pub head: Hash,
}

impl Tail {
    /// The short form to write down: count and the first 8 bytes of the chain head.
    pub fn short(&self) -> String {
        let hex = self.head.to_hex();
        format!("{}:{}-{}-{}-{}", self.count, &hex[..4], &hex[4..8], &hex[8..12], &hex[12..16])
    }

    /// The number and the digits of a short form.
    pub fn parse_short(text: &str) -> Option<(u64, String)> {
        let (count, digits) = text.trim().split_once(':')?;
        let digits: String = digits.chars().filter(|c| *c != '-').collect();
        let valid = digits.len() == 16 && digits.chars().all(|c| c.is_ascii_hexdigit());
        Some((crate::checkpoint::parse_decimal(count)?, digits.to_lowercase())).filter(|_| valid)
    }
}

/// A tail signed by the signer's key.
#[derive(Debug, Clone, PartialEq)]
pub struct SignedTail {
    /// The envelope.
    pub sign1: Sign1,
    /// Whose journal.
    pub claims: Claims,
    /// How far it reaches.
    pub tail: Tail,
}

impl SignedTail {
    /// Signs a tail; its `typ` keeps it apart from statements and receipts.
    pub fn sign(key: &SecretKey, claims: &Claims, tail: Tail) -> Result<SignedTail, NotSigned> {
        let headers = Headers(vec![
            (label::ALG, ALG_EDDSA.into()),
            (label::KID, cbor::bytes(key.public().thumbprint().0)),
            (label::CLAIMS, claims.to_value()),
            (label::TYP, TAIL_TYPE.into()),
        ]);
        let payload = Value::Array(vec![tail.count.into(), cbor::bytes(tail.head.0)]);
        let sign1 = Sign1::sign(key, headers, &cbor::to_bytes(&payload), false)?;
        Ok(SignedTail { sign1, claims: claims.clone(), tail })
    }

    /// Reads a tail; its signature is not verified.
    pub fn decode(bytes: &[u8]) -> Result<SignedTail, DecodeError> {
        const WHAT: &str = "journal tail";
        let sign1 = Sign1::decode(WHAT, bytes, MAX_ENTRY, KeyOrder::Sorted)?;
        let known = [label::ALG, label::KID, label::CLAIMS, label::TYP];
        let typ = sign1.protected.get(label::TYP);
        if typ != Some(&TAIL_TYPE.into())
            || sign1.protected.unknown(&known).is_some()
            || !sign1.unprotected.0.is_empty()
        {
            let found = typ.map_or("other labels".into(), cbor::show);
            return Err(DecodeError::field(WHAT, "its headers", TAIL_TYPE, found));
        }
        let claims = Claims::from_headers(WHAT, &sign1.protected)?;
        let payload = sign1.payload.as_deref().unwrap_or_default();
        let value = cbor::decode(WHAT, payload, 64)?;
        let mut items = Items::new(WHAT, "the payload", value, 2..=2)?;
        let tail = Tail { count: items.uint("count")?, head: items.hash("chain head")? };
        Ok(SignedTail { sign1, claims, tail })
    }

    /// Whether `key` signed it.
    pub fn verify(&self, key: &PublicKey) -> bool {
        self.sign1.payload.as_ref().is_some_and(|payload| self.sign1.verify(key, payload))
    }
}
