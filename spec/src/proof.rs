//! The proof file: a transparent statement (RFC 9943) with what a relying party needs offline
//! (`formats.cddl`: `proof`).

use crate::cbor::{self, DecodeError, Items, KeyOrder};
use crate::cose::{Headers, Sign1, label};
use crate::hash::Hash;
use crate::note::MAX_NOTE;
use crate::receipt::{MAX_RECEIPT, Receipt};
use crate::record::MAX_DISCLOSURE;
use crate::statement::Statement;

const WHAT: &str = "proof";
/// The largest proof file.
pub const MAX_PROOF: usize = 4 << 20;
/// The most receipts, one for each log.
pub const MAX_RECEIPTS: usize = 16;

/// A proof, decoded; nothing is verified.
#[derive(Debug, Clone, PartialEq)]
pub struct Proof {
    /// The signed statement: the log's entry.
    pub statement: Statement,
    /// One for each log.
    pub receipts: Vec<Receipt>,
    /// The bytes that the statement commits to.
    pub disclosure: Vec<u8>,
    /// SHA-256 of the policy under which the proof was made.
    pub policy: Hash,
    /// The cosigned head that the signer knew, whose digest the statement pins.
    pub earlier_head: Option<Vec<u8>>,
}

impl Proof {
    /// The encoding.
    pub fn encode(&self) -> Vec<u8> {
        let receipts = self.receipts.iter().map(|r| cbor::bytes(r.encode())).collect();
        let mut headers = vec![
            (label::RECEIPTS, cbor::Value::Array(receipts)),
            (label::DISCLOSURE, cbor::bytes(&self.disclosure)),
            (label::POLICY, cbor::bytes(self.policy.0)),
        ];
        if let Some(head) = &self.earlier_head {
            headers.push((label::EARLIER_HEAD, cbor::bytes(head)));
        }
        self.statement.with_unprotected(&Headers::sorted(headers))
    }

    /// Reads a proof.
    pub fn decode(bytes: &[u8]) -> Result<Proof, DecodeError> {
        let mut sign1 = Sign1::decode(WHAT, bytes, MAX_PROOF, KeyOrder::Sorted)?;
        let headers = std::mem::take(&mut sign1.unprotected);
        let known = [label::RECEIPTS, label::DISCLOSURE, label::POLICY, label::EARLIER_HEAD];
        if let Some(other) = headers.unknown(&known) {
            let found = format!("label {other}");
            let expected = "only the labels of a proof";
            return Err(DecodeError::field(WHAT, "the unprotected header", expected, found));
        }
        let take = |label: i64, name: &str| {
            let value = headers.get(label).cloned();
            value.ok_or_else(|| DecodeError::field(WHAT, name, "present", "nothing"))
        };
        let list = take(label::RECEIPTS, "receipts (label 394)")?;
        let mut items = Items::new(WHAT, "receipts (label 394)", list, 1..=MAX_RECEIPTS)?;
        let mut receipts = Vec::new();
        while items.left() > 0 {
            receipts.push(Receipt::decode(&items.bytes("a receipt", MAX_RECEIPT)?)?);
        }
        let disclosure = take(label::DISCLOSURE, "the disclosure")?;
        let disclosure = cbor::into_bytes(WHAT, "the disclosure", disclosure, MAX_DISCLOSURE)?;
        let policy = cbor::into_hash(WHAT, "the policy's digest", take(label::POLICY, "policy")?)?;
        let earlier_head = headers.get(label::EARLIER_HEAD).cloned();
        let earlier_head = earlier_head
            .map(|value| cbor::into_bytes(WHAT, "the earlier head", value, MAX_NOTE))
            .transpose()?;
        let statement = Statement::from_sign1(sign1)?;
        Ok(Proof { statement, receipts, disclosure, policy, earlier_head })
    }
}

/// The receipts of any transparent statement, as RFC 9943 has them: byte strings in label 394.
pub fn transparent(bytes: &[u8]) -> Result<(Sign1, Vec<Receipt>), DecodeError> {
    const WHAT: &str = "transparent statement";
    let value = cbor::decode_with(WHAT, bytes, MAX_PROOF, KeyOrder::Any)?;
    let mut sign1 = Sign1::from_value(WHAT, value, KeyOrder::Any)?;
    let headers = std::mem::take(&mut sign1.unprotected);
    let list = headers.get(label::RECEIPTS).cloned();
    let list = list.ok_or_else(|| DecodeError::field(WHAT, "label 394", "present", "nothing"))?;
    let mut items = Items::new(WHAT, "label 394", list, 1..=MAX_RECEIPTS)?;
    let mut receipts = Vec::new();
    while items.left() > 0 {
        receipts.push(Receipt::decode(&items.bytes("a receipt", MAX_RECEIPT)?)?);
    }
    Ok((sign1, receipts))
}
