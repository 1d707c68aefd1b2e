//! "Is this head the one that the receipt leads to, and does it extend what I remember?" — asked by
//! the signer on import, and by the verifier for each receipt of a proof.

use crate::batch::{SignedTail, Tail};
use crate::cbor::DecodeError;
use crate::checkpoint::{Checkpoint, CheckpointError, SignedCheckpoint};
use crate::evidence::Evidence;
use crate::hash::Hash;
use crate::merkle::root_from_inclusion;
use crate::policy::{CosignedCheckpoint, HeadError, Policy};
use crate::receipt::{Receipt, ReceiptError};
use crate::receipts::Header;
use crate::rehearsal::NotMeant;
use crate::statement::Statement;
use crate::verify::append::Admission;
use crate::verify::heads::{Misfit, extends};

/// Why a receipt, or a file of them, is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Not the format.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// The checkpoint is none.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The checkpoint is not to be trusted.
    #[error(transparent)]
    Head(#[from] HeadError),
    /// The receipt does not prove.
    #[error(transparent)]
    Receipt(#[from] ReceiptError),
    /// A rehearsal's, under a real policy, or the other way round.
    #[error(transparent)]
    Rehearsal(#[from] NotMeant),
    /// The policy has no Ed25519 key of the log.
    #[error("the policy has no Ed25519 key of the log {origin:?}, which signs its receipts")]
    NoReceiptKey {
        /// The log.
        origin: String,
    },
    /// The receipt is for another tree than the checkpoint.
    #[error("the receipt leads to {found}, the cosigned head says {expected}")]
    OtherHead {
        /// Size and root of the cosigned head.
        expected: String,
        /// Size and root of the receipt.
        found: String,
    },
    /// The receipt names another journal or another log.
    #[error(
        "the receipt is by {issuer:?} for {subject:?}, expected {expected_issuer:?} for {expected_subject:?}"
    )]
    OtherClaims {
        /// In the receipt.
        issuer: String,
        /// In the receipt.
        subject: String,
        /// The head's origin.
        expected_issuer: String,
        /// The statement's subject.
        expected_subject: String,
    },
    /// The log's history is not the one remembered.
    #[error("the log's head does not extend the head that this machine remembers: {misfit}")]
    History {
        /// How.
        misfit: Misfit,
        /// The two heads, where they convict the log.
        evidence: Option<Box<Evidence>>,
    },
    /// The journal was restored from an older copy.
    #[error(
        "the log had the tail {claimed} of this journal, which ends at {own}: it was restored from an older copy; bring the newest, and keep both"
    )]
    OlderCopy {
        /// The tail in the file, short.
        claimed: String,
        /// The journal's own, short.
        own: String,
    },
    /// Another copy of the journal signed.
    #[error(
        "the log had the tail {claimed} of this journal, which has another record at that place: the journal was forked (a restored backup or a cloned stick signed too); both branches are kept as evidence"
    )]
    Forked {
        /// The tail in the file, short.
        claimed: String,
        /// The own statement and the tail.
        evidence: Box<Evidence>,
    },
    /// Not the signer's tail.
    #[error(
        "the tail in the receipts file is not signed by this journal's key: the file was altered, copy it again"
    )]
    TailSignature,
    /// The file is older than what is known.
    #[error(
        "the receipts are under a head of size {found}, this machine remembers one of size {remembered}: have the log make them anew, with `log receipts`"
    )]
    OlderHead {
        /// The size remembered.
        remembered: u64,
        /// The size in the file.
        found: u64,
    },
    /// The proof starts elsewhere.
    #[error(
        "the file proves consistency from size {found}, this machine remembers size {expected}; ask for `log receipts --old {expected}`"
    )]
    OtherStart {
        /// The size remembered.
        expected: u64,
        /// The size in the file.
        found: u64,
    },
}

/// Checks the head of a receipts file against the policy and the newest head remembered.
pub fn verify_head(
    header: &Header,
    policy: &Policy,
    remembered: Option<&SignedCheckpoint>,
) -> Result<CosignedCheckpoint, Refusal> {
    let head = SignedCheckpoint::decode(&header.checkpoint)?;
    let cosigned = policy.verify_head(&head)?;
    let Some(memory) = remembered else { return Ok(cosigned) };
    let (older, newer) = (&memory.checkpoint, &head.checkpoint);
    let fits = match older.size.cmp(&newer.size) {
        std::cmp::Ordering::Less if header.old_size != older.size => {
            let (expected, found) = (older.size, header.old_size);
            return Err(Refusal::OtherStart { expected, found });
        }
        std::cmp::Ordering::Greater => {
            return Err(Refusal::OlderHead { remembered: older.size, found: newer.size });
        }
        // The file proves from the size of the batch; what is remembered already needs no path.
        std::cmp::Ordering::Equal => extends(older, newer, &[]),
        std::cmp::Ordering::Less => extends(older, newer, &header.consistency),
    };
    fits.map(|()| cosigned).map_err(|misfit| {
        let evidence = misfit.convicts().then(|| {
            Box::new(Evidence::SplitView {
                first: memory.encode(),
                second: header.checkpoint.clone(),
                path: header.consistency.clone(),
            })
        });
        Refusal::History { misfit, evidence }
    })
}

/// Checks one receipt for a statement under a cosigned head; returns the leaf's index.
pub fn verify_receipt(
    receipt: &Receipt,
    statement: &Statement,
    head: &Checkpoint,
    policy: &Policy,
) -> Result<u64, Refusal> {
    policy.may_judge(&statement.claims().issuer)?;
    let key = policy
        .at(head)
        .receipt_key(&head.origin, receipt)
        .ok_or_else(|| Refusal::NoReceiptKey { origin: head.origin.clone() })?;
    let claims = crate::cose::Claims::from_headers("receipt", &receipt.sign1.protected)?;
    if claims.issuer != head.origin || claims.subject != statement.claims().subject {
        return Err(Refusal::OtherClaims {
            issuer: claims.issuer,
            subject: claims.subject,
            expected_issuer: head.origin.clone(),
            expected_subject: statement.claims().subject.clone(),
        });
    }
    receipt.verify_inclusion(key, statement.leaf())?;
    verify_path(receipt, statement, head)
}

/// Checks that a receipt's path leads from a statement to a head, and nothing about signatures: what
/// a journal can ask of itself without a policy. Returns the leaf's index.
pub fn verify_path(
    receipt: &Receipt,
    statement: &Statement,
    head: &Checkpoint,
) -> Result<u64, Refusal> {
    let proof = receipt.inclusion()?;
    let root = root_from_inclusion(statement.leaf(), proof.index, proof.size, &proof.path)
        .map_err(ReceiptError::from)?;
    if root != head.root || proof.size != head.size {
        let show = |size: u64, root: Hash| format!("size {size}, root {root}");
        let (expected, found) = (show(head.size, head.root), show(proof.size, root));
        return Err(Refusal::OtherHead { expected, found });
    }
    Ok(proof.index)
}

/// Is the journal that asked the log the one at hand? `own` is this journal's tail, `newest` its
/// statement at the tail's place, where it has one.
pub fn verify_tail(
    tail: &SignedTail,
    admission: &Admission,
    own: &Tail,
    newest: Option<&Statement>,
) -> Result<(), Refusal> {
    // A batch may have been exported before the key changed.
    let key = admission.key_at(tail.tail.count);
    if tail.claims != *admission.genesis.claims() || !tail.verify(key) {
        return Err(Refusal::TailSignature);
    }
    let claimed = tail.tail.short();
    match newest {
        _ if tail.tail.count > own.count => Err(Refusal::OlderCopy { claimed, own: own.short() }),
        Some(statement) if statement.leaf() != tail.tail.head => {
            let evidence = Box::new(Evidence::ForkedTail {
                key: *key.as_bytes(),
                statement: statement.bytes().to_vec(),
                tail: tail.sign1.encode(),
            });
            Err(Refusal::Forked { claimed, evidence })
        }
        _ => Ok(()),
    }
}
