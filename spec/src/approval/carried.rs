//! What a record carries of its approvals: the approvals themselves, and the place of its document
//! in their request (`formats.cddl`: `approved`).

use super::Approval;
use crate::cbor::{self, DecodeError, Fields, Items, Value};
use crate::hash::Hash;
use crate::merkle::MAX_PATH;

/// The approvals of a record; the default is none.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Carried {
    /// The approvals, without their request.
    pub approvals: Vec<Approval>,
    /// The document's number in the request.
    pub index: u64,
    /// From the document to the root that was approved.
    pub path: Vec<Hash>,
}

impl Carried {
    /// The entries of the record's map.
    pub fn entries(&self) -> Vec<(&'static str, Value)> {
        let each = self.approvals.iter().map(|one| cbor::bytes(one.encode())).collect();
        let mut entries = vec![("approvals", Value::Array(each))];
        if !self.approvals.is_empty() {
            let path = self.path.iter().map(|hash| cbor::bytes(hash.0)).collect();
            entries.push(("approved", Value::Array(vec![self.index.into(), Value::Array(path)])));
        }
        entries
    }

    /// Takes them out of a record's map.
    pub fn take(what: &'static str, fields: &mut Fields) -> Result<Carried, DecodeError> {
        let list = fields.take("approvals")?;
        let mut list = Items::new(what, "approvals", list, 0..=super::MAX_APPROVERS)?;
        let mut carried = Carried::default();
        while list.left() > 0 {
            let approval = Approval::decode(&list.bytes("an approval", 16_384)?)?;
            if approval.request.is_some() {
                let expected = "without its request";
                return Err(DecodeError::field(what, "an approval", expected, "with it"));
            }
            carried.approvals.push(approval);
        }
        if !carried.approvals.is_empty() {
            let mut place = Items::new(what, "approved", fields.take("approved")?, 2..=2)?;
            carried.index = place.uint("approved")?;
            carried.path = place.hashes("approved", MAX_PATH)?;
        }
        Ok(carried)
    }
}
