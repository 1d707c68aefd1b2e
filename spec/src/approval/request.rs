//! What goes from the signer to its approvers (`formats.cddl`: `approval-request`).

use crate::cbor::{self, DecodeError, Items, Value};
use crate::cose::Claims;
use crate::hash::Hash;
use crate::kind::Kind;
use crate::merkle::{self, Node, leaf_hash};
use crate::record::{Document, MAX_TEXT};
use crate::tile;
use std::convert::Infallible;

const WHAT: &str = "coldlog-approval-request";
/// The largest request.
pub const MAX_REQUEST: usize = 4 << 20;
/// The most documents of a request.
pub const MAX_DOCUMENTS: usize = 16_384;

/// A request to approve.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The signer and the journal.
    pub claims: Claims,
    /// The leaf of the journal's genesis: it is for this journal only.
    pub genesis: Hash,
    /// 32 random bytes: an approval of this request is of no other.
    pub id: Hash,
    /// Who will sign.
    pub operator: String,
    /// Why.
    pub purpose: String,
    /// POSIX seconds, by the signer's clock.
    pub made: u64,
    /// POSIX seconds, by the signer's clock: later, nothing is signed.
    pub expires: u64,
    /// What will be signed: at least one.
    pub documents: Vec<Requested>,
}

/// A document of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requested {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its length in bytes.
    pub size: u64,
    /// SHA-256 of its bytes.
    pub sha256: Hash,
}

impl Requested {
    fn to_value(&self) -> Value {
        Value::Array(vec![
            self.name.as_str().into(),
            self.version.as_str().into(),
            self.size.into(),
            cbor::bytes(self.sha256.0),
        ])
    }

    /// The leaf of the tree whose root is approved: a record carries the path from it.
    pub fn leaf(&self) -> Hash {
        leaf_hash(&cbor::to_bytes(&self.to_value()))
    }
}

impl From<&Document> for Requested {
    fn from(document: &Document) -> Requested {
        Requested {
            name: document.name.clone(),
            version: document.version.clone(),
            size: document.size,
            sha256: document.sha256,
        }
    }
}

impl Request {
    /// The file's bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut items = Kind::ApprovalRequest.head();
        items.extend([
            self.claims.issuer.as_str().into(),
            self.claims.subject.as_str().into(),
            cbor::bytes(self.genesis.0),
            cbor::bytes(self.id.0),
            self.operator.as_str().into(),
            self.purpose.as_str().into(),
            self.made.into(),
            self.expires.into(),
            Value::Array(self.documents.iter().map(Requested::to_value).collect()),
        ]);
        cbor::to_bytes(&Value::Array(items))
    }

    /// Reads a request.
    pub fn decode(bytes: &[u8]) -> Result<Request, DecodeError> {
        // Five items a document: itself and its four fields.
        let most = 5 * MAX_DOCUMENTS as u64 + 16;
        let value = cbor::decode_large(WHAT, bytes, MAX_REQUEST, most)?;
        let mut items = Kind::ApprovalRequest.open(value, 9)?;
        let issuer = items.text("issuer", Claims::LIMIT)?;
        let subject = items.text("subject", Claims::LIMIT)?;
        let (genesis, id) = (items.hash("genesis")?, items.hash("id")?);
        let (operator, purpose) =
            (items.text("operator", MAX_TEXT)?, items.text("purpose", MAX_TEXT)?);
        let (made, expires) = (items.uint("made")?, items.uint("expires")?);
        let list = items.any("documents")?;
        let mut list = Items::new(WHAT, "documents", list, 1..=MAX_DOCUMENTS)?;
        let mut documents = Vec::with_capacity(list.left());
        while list.left() > 0 {
            let mut items = Items::new(WHAT, "a document", list.any("a document")?, 4..=4)?;
            documents.push(Requested {
                name: items.text("name", MAX_TEXT)?,
                version: items.text("version", MAX_TEXT)?,
                size: items.uint("size")?,
                sha256: items.hash("sha256")?,
            });
        }
        let claims = Claims { issuer, subject };
        Ok(Request { claims, genesis, id, operator, purpose, made, expires, documents })
    }

    /// The root over all documents: what is approved.
    pub fn root(&self) -> Hash {
        let leaves = self.leaves();
        let Ok(root) = merkle::root(leaves.len() as u64, &mut reader(&leaves));
        root
    }

    /// The place of a document, and its path to the root.
    pub fn path(&self, index: usize) -> Vec<Hash> {
        let leaves = self.leaves();
        let size = leaves.len() as u64;
        let Ok(path) = merkle::inclusion_path(index as u64, size, &mut reader(&leaves));
        path
    }

    fn leaves(&self) -> Vec<Hash> {
        self.documents.iter().map(Requested::leaf).collect()
    }
}

// The trees are small: each node is folded from its leaves.
fn reader(leaves: &[Hash]) -> impl FnMut(Node) -> Result<Hash, Infallible> + '_ {
    |node| {
        let width = 1usize << node.level;
        let start = node.index as usize * width;
        let under = leaves.get(start..start + width).unwrap_or_default();
        Ok(tile::fold(under).unwrap_or_else(merkle::empty_root))
    }
}
