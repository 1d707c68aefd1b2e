//! COSE Receipts (RFC 9942), vds 1: the log's signature over a root, with the proof that leads to it.

use crate::cbor::{self, DecodeError, Items, KeyOrder, Value, show};
use crate::cose::{ALG_EDDSA, Claims, Headers, Sign1, label};
use crate::ed25519::{NotSigned, PublicKey, SecretKey};
use crate::hash::Hash;
use crate::merkle::{MAX_PATH, ProofError, root_from_inclusion, verify_consistency};
use crate::note::MAX_NOTE;

const WHAT: &str = "receipt";
/// The largest receipt: it may carry a cosigned checkpoint.
pub const MAX_RECEIPT: usize = MAX_NOTE + 8192;
/// The most proofs in one receipt.
pub const MAX_PROOFS: usize = 8;

/// The proofs of a receipt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proofs {
    /// -1: each `[tree size, leaf index, path]`.
    Inclusion(Vec<Inclusion>),
    /// -2: each `[older size, newer size, path]`.
    Consistency(Vec<Consistency>),
}

/// An inclusion proof. Its size is not signed: only the root is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inclusion {
    /// Size of the tree.
    pub size: u64,
    /// Place of the leaf.
    pub index: u64,
    /// From the leaf's sibling upwards.
    pub path: Vec<Hash>,
}

/// A consistency proof.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consistency {
    /// The older size.
    pub old: u64,
    /// The newer size.
    pub new: u64,
    /// The path.
    pub path: Vec<Hash>,
}

/// A receipt, decoded; nothing is verified.
#[derive(Debug, Clone, PartialEq)]
pub struct Receipt {
    /// The envelope.
    pub sign1: Sign1,
    /// What it proves.
    pub proofs: Proofs,
    /// The cosigned checkpoint of its root, where it carries one.
    pub checkpoint: Option<Vec<u8>>,
}

/// Why a receipt does not prove.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReceiptError {
    /// The other kind of proof, or more than one.
    #[error("the receipt holds {found}, expected one inclusion proof")]
    Kind {
        /// What it holds.
        found: &'static str,
    },
    /// The path is wrong.
    #[error(transparent)]
    Proof(#[from] ProofError),
    /// The log did not sign the root that the proof leads to.
    #[error(
        "the log's signature does not cover the root {root} that the receipt's path leads to: the receipt belongs to another entry, or it was altered, or another log signed it"
    )]
    BadSignature {
        /// The root computed.
        root: Hash,
    },
}

impl Receipt {
    /// Reads a receipt.
    pub fn decode(bytes: &[u8]) -> Result<Receipt, DecodeError> {
        Receipt::from_sign1(Sign1::decode(WHAT, bytes, MAX_RECEIPT, KeyOrder::Any)?)
    }

    /// From an envelope.
    pub fn from_sign1(sign1: Sign1) -> Result<Receipt, DecodeError> {
        if sign1.payload.is_some() {
            let expected = "detached: the root is rebuilt from the proof (RFC 9942)";
            return Err(DecodeError::field(WHAT, "the payload", expected, "attached"));
        }
        if sign1.protected.get(label::VDS) != Some(&Value::from(1)) {
            let found = sign1.protected.get(label::VDS).map_or("nothing".into(), show);
            let expected = "1, RFC9162_SHA256, in the protected header";
            return Err(DecodeError::field(WHAT, "vds (label 395)", expected, found));
        }
        if sign1.algorithm().is_none() {
            return Err(DecodeError::field(WHAT, "alg", "in the protected header", "nothing"));
        }
        if let Some(other) = sign1.unprotected.unknown(&[label::VDP, label::CHECKPOINT]) {
            let expected = "396 and -70005 only";
            let found = format!("label {other}");
            return Err(DecodeError::field(WHAT, "the unprotected header", expected, found));
        }
        let vdp = sign1.unprotected.get(label::VDP).cloned();
        let vdp = vdp.ok_or_else(|| DecodeError::field(WHAT, "vdp (396)", "present", "nothing"))?;
        let mut fields = cbor::Fields::new(WHAT, "vdp (396)", vdp)?;
        let (inclusion, consistency) = (fields.optional(-1), fields.optional(-2));
        fields.finish()?;
        let proofs = match (inclusion, consistency) {
            (Some(value), None) => Proofs::Inclusion(proofs(value, |items| {
                let size = items.uint("the tree size")?;
                let index = items.uint("the leaf index")?;
                Ok(Inclusion { size, index, path: items.hashes("the path", MAX_PATH)? })
            })?),
            (None, Some(value)) => Proofs::Consistency(proofs(value, |items| {
                let old = items.uint("the older size")?;
                let new = items.uint("the newer size")?;
                Ok(Consistency { old, new, path: items.hashes("the path", MAX_PATH + 1)? })
            })?),
            _ => {
                let expected = "inclusion (-1) or consistency (-2) proofs";
                return Err(DecodeError::field(WHAT, "vdp (396)", expected, "none or both"));
            }
        };
        let checkpoint = sign1.unprotected.get(label::CHECKPOINT).cloned();
        let checkpoint = checkpoint
            .map(|v| cbor::into_bytes(WHAT, "the checkpoint", v, MAX_NOTE))
            .transpose()?;
        Ok(Receipt { sign1, proofs, checkpoint })
    }

    /// The one inclusion proof.
    pub fn inclusion(&self) -> Result<&Inclusion, ReceiptError> {
        match &self.proofs {
            Proofs::Inclusion(proofs) => match proofs.as_slice() {
                [one] => Ok(one),
                _ => Err(ReceiptError::Kind { found: "several proofs" }),
            },
            Proofs::Consistency(_) => Err(ReceiptError::Kind { found: "a consistency proof" }),
        }
    }

    /// Checks every inclusion proof for a leaf and the log's signature; returns the root.
    pub fn verify_inclusion(&self, key: &PublicKey, leaf: Hash) -> Result<Hash, ReceiptError> {
        let proof = self.inclusion()?;
        let root = root_from_inclusion(leaf, proof.index, proof.size, &proof.path)?;
        self.verify_root(key, root)
    }

    /// Checks a consistency receipt: the log's signature over the newer root, and the path.
    pub fn verify_consistency(
        &self,
        key: &PublicKey,
        root1: Hash,
        root2: Hash,
    ) -> Result<Hash, ReceiptError> {
        let Proofs::Consistency(proofs) = &self.proofs else {
            return Err(ReceiptError::Kind { found: "an inclusion proof" });
        };
        for proof in proofs {
            verify_consistency(proof.old, proof.new, &proof.path, root1, root2)?;
        }
        self.verify_root(key, root2)
    }

    fn verify_root(&self, key: &PublicKey, root: Hash) -> Result<Hash, ReceiptError> {
        match self.sign1.verify(key, &root.0) {
            true => Ok(root),
            false => Err(ReceiptError::BadSignature { root }),
        }
    }

    /// The same receipt with the cosigned checkpoint of its root.
    pub fn with_checkpoint(mut self, note: &[u8]) -> Receipt {
        self.sign1.unprotected.0.retain(|(label, _)| *label != label::CHECKPOINT);
        let mut labels = std::mem::take(&mut self.sign1.unprotected.0);
        labels.push((label::CHECKPOINT, cbor::bytes(note)));
        self.sign1.unprotected = Headers::sorted(labels);
        self.checkpoint = Some(note.to_vec());
        self
    }

    /// The same receipt without our checkpoint: what a plain SCITT tool expects.
    pub fn bare(mut self) -> Receipt {
        self.sign1.unprotected.0.retain(|(label, _)| *label != label::CHECKPOINT);
        self.checkpoint = None;
        self
    }

    /// The encoding.
    pub fn encode(&self) -> Vec<u8> {
        self.sign1.encode()
    }
}

fn proofs<T>(
    value: Value,
    read: impl Fn(&mut Items) -> Result<T, DecodeError>,
) -> Result<Vec<T>, DecodeError> {
    let mut list = Items::new(WHAT, "the proofs", value, 1..=MAX_PROOFS)?;
    let mut proofs = Vec::new();
    while list.left() > 0 {
        let bytes = list.bytes("a proof", 8192)?;
        let value = cbor::decode(WHAT, &bytes, 8192)?;
        proofs.push(read(&mut Items::new(WHAT, "a proof", value, 3..=3)?)?);
    }
    Ok(proofs)
}

/// Signs one root for one subject; every receipt of that root and subject shares the signature.
pub struct ReceiptSigner {
    template: Sign1,
}

impl ReceiptSigner {
    /// Signs the root as the log `origin` for the journal `subject`.
    pub fn new(
        key: &SecretKey,
        origin: &str,
        subject: &str,
        root: Hash,
    ) -> Result<ReceiptSigner, NotSigned> {
        let claims = Claims { issuer: origin.into(), subject: subject.into() };
        let headers = Headers(vec![
            (label::ALG, ALG_EDDSA.into()),
            (label::KID, cbor::bytes(key.public().thumbprint().0)),
            (label::CLAIMS, claims.to_value()),
            (label::VDS, 1.into()),
        ]);
        Ok(ReceiptSigner { template: Sign1::sign(key, headers, &root.0, true)? })
    }

    /// The receipt with an inclusion proof.
    pub fn inclusion(&self, proof: Inclusion) -> Receipt {
        let value = vec![proof.size.into(), proof.index.into(), hashes(&proof.path)];
        self.receipt(-1, Value::Array(value), Proofs::Inclusion(vec![proof]))
    }

    /// The receipt with a consistency proof to the signed root.
    pub fn consistency(&self, proof: Consistency) -> Receipt {
        let value = vec![proof.old.into(), proof.new.into(), hashes(&proof.path)];
        self.receipt(-2, Value::Array(value), Proofs::Consistency(vec![proof]))
    }

    fn receipt(&self, kind: i64, proof: Value, proofs: Proofs) -> Receipt {
        let list = Value::Array(vec![cbor::bytes(cbor::to_bytes(&proof))]);
        let mut sign1 = self.template.clone();
        sign1.unprotected = Headers(vec![(label::VDP, cbor::map(vec![(kind.into(), list)]))]);
        Receipt { sign1, proofs, checkpoint: None }
    }
}

/// A list of digests as CBOR.
pub fn hashes(path: &[Hash]) -> Value {
    Value::Array(path.iter().map(|hash| cbor::bytes(hash.0)).collect())
}
