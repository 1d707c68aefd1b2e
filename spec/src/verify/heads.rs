//! "Do these heads fit?" and "does this evidence convict?"

use crate::batch::SignedTail;
use crate::cbor::DecodeError;
use crate::checkpoint::{Checkpoint, CheckpointError, SignedCheckpoint};
use crate::cose::Claims;
use crate::ed25519::{KeyError, PublicKey};
use crate::evidence::Evidence;
use crate::hash::Hash;
use crate::merkle::{ProofError, empty_root, verify_consistency};
use crate::note::{SignatureLine, VerifierKey};
use crate::policy::{HeadError, Policy};
use crate::receipt::{Receipt, ReceiptError};
use crate::statement::{Statement, StatementError};
use std::collections::BTreeSet;

/// Why two heads do not fit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Misfit {
    /// Two logs.
    #[error("the heads are of two logs, {first:?} and {second:?}; compare heads of one")]
    OtherLog {
        /// One origin.
        first: String,
        /// The other.
        second: String,
    },
    /// One size, two roots: this alone convicts.
    #[error(
        "two heads of size {size} have the roots {first} and {second}: the log shows two histories"
    )]
    SameSizeOtherRoot {
        /// The size.
        size: u64,
        /// One root.
        first: Hash,
        /// The other.
        second: Hash,
    },
    /// The newer head's own proof leads to another older root: this convicts.
    #[error("the head of size {new} does not extend the head of size {old}: {why}")]
    Rewritten {
        /// Older size.
        old: u64,
        /// Newer size.
        new: u64,
        /// What the proof shows.
        why: ProofError,
    },
    /// The proof proves nothing: the log owes a better one.
    #[error(
        "no proof that the head of size {new} extends the head of size {old}: {why}; ask the log for the proof"
    )]
    NotProven {
        /// Older size.
        old: u64,
        /// Newer size.
        new: u64,
        /// What is wrong with the proof.
        why: ProofError,
    },
}

impl Misfit {
    /// Whether the two heads together are proof of misbehaviour, without trust in who shows them.
    pub fn convicts(&self) -> bool {
        matches!(self, Misfit::SameSizeOtherRoot { .. } | Misfit::Rewritten { .. })
    }
}

/// Checks that `newer` extends `older`.
pub fn extends(older: &Checkpoint, newer: &Checkpoint, path: &[Hash]) -> Result<(), Misfit> {
    if older.origin != newer.origin {
        let (first, second) = (older.origin.clone(), newer.origin.clone());
        return Err(Misfit::OtherLog { first, second });
    }
    if older.size == newer.size {
        if older.root != newer.root {
            let (size, first, second) = (older.size, older.root, newer.root);
            return Err(Misfit::SameSizeOtherRoot { size, first, second });
        }
        if !path.is_empty() {
            let why = ProofError::Length { expected: 0, found: path.len() };
            return Err(Misfit::NotProven { old: older.size, new: newer.size, why });
        }
        return Ok(());
    }
    let (old, new) = (older.size, newer.size);
    // A tree without entries has one root, whatever follows: no path could prove another.
    if old == 0 && older.root != empty_root() {
        let why = ProofError::Rewritten { size: 0, expected: older.root, computed: empty_root() };
        return Err(Misfit::Rewritten { old, new, why });
    }
    // Where the older tree is a complete subtree of the newer one, a path does not hold its root. To
    // convict, the other root stands in front of the path that proves it.
    if let Some((shown, rest)) = path.split_first()
        && old.is_power_of_two()
        && *shown != older.root
        && verify_consistency(old, new, rest, *shown, newer.root).is_ok()
    {
        let why = ProofError::Rewritten { size: old, expected: older.root, computed: *shown };
        return Err(Misfit::Rewritten { old, new, why });
    }
    verify_consistency(old, new, path, older.root, newer.root).map_err(|why| match why {
        ProofError::Rewritten { .. } => Misfit::Rewritten { old, new, why },
        why => Misfit::NotProven { old, new, why },
    })
}

/// What evidence proves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Conviction {
    /// A log signed two heads that do not fit.
    SplitView {
        /// The log.
        origin: String,
        /// How they do not fit.
        misfit: Misfit,
    },
    /// Witnesses cosigned two heads that do not fit.
    CosignedTwice {
        /// The log.
        origin: String,
        /// The witnesses, by the names of their keys.
        witnesses: Vec<String>,
        /// How they do not fit.
        misfit: Misfit,
    },
    /// A log gave a receipt for an entry, and signed a head that does not fit it.
    BrokenPromise {
        /// The log.
        origin: String,
        /// The place that it promised.
        index: u64,
        /// How the receipt's tree and the head's do not fit.
        misfit: Misfit,
    },
    /// A signer signed two statements with one sequence number.
    Fork {
        /// The signer's name.
        issuer: String,
        /// The journal.
        subject: String,
        /// The sequence number used twice.
        sequence: u64,
        /// The key, by thumbprint.
        key: Hash,
    },
}

/// Why evidence does not convict.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotConvicted {
    /// Not an evidence file.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// A head is none.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// A head is not signed by the log that the policy names.
    #[error(transparent)]
    Head(#[from] HeadError),
    /// A statement is not by the key.
    #[error(transparent)]
    Statement(#[from] StatementError),
    /// The key is none.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The heads fit after all.
    #[error("the two heads fit: there is nothing to convict")]
    Fits,
    /// The receipt is not the log's for that entry.
    #[error("the receipt promises nothing: {0}")]
    Receipt(#[from] ReceiptError),
    /// The policy has no key for the receipt.
    #[error("the policy has no Ed25519 key of the log {0:?}, which signs its receipts")]
    NoReceiptKey(String),
    /// No witness of the policy cosigned both.
    #[error("no witness of the policy cosigned both heads: nobody is convicted")]
    NotCosigned,
    /// They may fit: the proof is just bad.
    #[error("the evidence is inconclusive: {0}")]
    Inconclusive(Misfit),
    /// The two do not conflict.
    #[error("the two are of {0}: there is no fork")]
    NoFork(&'static str),
    /// The tail is not by the key.
    #[error(
        "the tail is not signed by the key {key} of the statement beside it: it proves nothing"
    )]
    TailSignature {
        /// The key's thumbprint.
        key: String,
    },
}

/// Judges evidence; the policy names the logs' keys. A fork carries its key with it.
pub fn judge(evidence: &Evidence, policy: &Policy) -> Result<Conviction, NotConvicted> {
    match evidence {
        Evidence::SplitView { first, second, path } => {
            let first = SignedCheckpoint::decode(first)?;
            let second = SignedCheckpoint::decode(second)?;
            policy.verify_log(&first)?;
            policy.verify_log(&second)?;
            let misfit = misfit(&first.checkpoint, &second.checkpoint, path)?;
            Ok(Conviction::SplitView { origin: first.checkpoint.origin, misfit })
        }
        Evidence::CosignedTwice { first, second, path } => {
            let first = SignedCheckpoint::decode(first)?;
            let second = SignedCheckpoint::decode(second)?;
            let witnesses = cosigned_both(&first, &second, policy);
            if witnesses.is_empty() {
                return Err(NotConvicted::NotCosigned);
            }
            let misfit = misfit(&first.checkpoint, &second.checkpoint, path)?;
            Ok(Conviction::CosignedTwice { origin: first.checkpoint.origin, witnesses, misfit })
        }
        Evidence::BrokenPromise { statement, receipt, head, path } => {
            let head = SignedCheckpoint::decode(head)?;
            policy.verify_log(&head)?;
            let receipt = Receipt::decode(receipt)?;
            let (statement, origin) = (Statement::decode(statement)?, &head.checkpoint.origin);
            let promised = receipt.inclusion()?;
            let (size, index) = (promised.size, promised.index);
            let claims = Claims::from_headers("receipt", &receipt.sign1.protected)?;
            if claims.issuer != *origin {
                return Err(NotConvicted::NoReceiptKey(claims.issuer));
            }
            let key = policy.receipt_key(origin, &receipt);
            let key = key.ok_or_else(|| NotConvicted::NoReceiptKey(origin.clone()))?;
            let root = receipt.verify_inclusion(key, statement.leaf())?;
            let promised = Checkpoint { origin: origin.clone(), size, root };
            let misfit = misfit(&promised, &head.checkpoint, path)?;
            Ok(Conviction::BrokenPromise { origin: promised.origin, index, misfit })
        }
        Evidence::Fork { key, first, second } => {
            let key = PublicKey::from_bytes(key)?;
            let (first, second) = (Statement::decode(first)?, Statement::decode(second)?);
            first.verify(&key)?;
            second.verify(&key)?;
            if first.claims() != second.claims() {
                return Err(NotConvicted::NoFork("two journals"));
            }
            if first.position.sequence != second.position.sequence {
                return Err(NotConvicted::NoFork("two sequence numbers"));
            }
            forked(&key, &first, second.leaf())
        }
        Evidence::ForkedTail { key, statement, tail } => {
            let key = PublicKey::from_bytes(key)?;
            let (statement, tail) = (Statement::decode(statement)?, SignedTail::decode(tail)?);
            statement.verify(&key)?;
            if !tail.verify(&key) {
                return Err(NotConvicted::TailSignature { key: key.thumbprint().to_hex() });
            }
            if statement.claims() != &tail.claims {
                return Err(NotConvicted::NoFork("two journals"));
            }
            if tail.tail.count.checked_sub(1) != Some(statement.position.sequence) {
                return Err(NotConvicted::NoFork("two sequence numbers"));
            }
            forked(&key, &statement, tail.tail.head)
        }
    }
}

// How two trees do not fit, in either order; only what convicts.
fn misfit(first: &Checkpoint, second: &Checkpoint, path: &[Hash]) -> Result<Misfit, NotConvicted> {
    let (older, newer) = if first.size <= second.size { (first, second) } else { (second, first) };
    match extends(older, newer, path) {
        Ok(()) => Err(NotConvicted::Fits),
        Err(misfit) if misfit.convicts() => Ok(misfit),
        Err(misfit) => Err(NotConvicted::Inconclusive(misfit)),
    }
}

/// The witnesses of a policy that cosigned both of two heads, by the names of their keys.
pub fn cosigned_both(
    first: &SignedCheckpoint,
    second: &SignedCheckpoint,
    policy: &Policy,
) -> Vec<String> {
    let names = |head: &SignedCheckpoint| -> BTreeSet<String> {
        // Each line by itself: what another one says on the same note is no excuse.
        let keys: Vec<&VerifierKey> =
            policy.at(&head.checkpoint).witnesses.iter().map(|(_, key)| key).collect();
        let line = |line: &SignatureLine| {
            let mut alone = head.clone();
            alone.note.signatures = vec![line.clone()];
            let vouched = alone.verified_by(&keys).unwrap_or_default();
            vouched.first().and_then(|vouched| keys.get(vouched.key)).map(|key| key.name.clone())
        };
        head.note.signatures.iter().filter_map(line).collect()
    };
    names(first).intersection(&names(second)).cloned().collect()
}

// A key vouched for `statement` and for the leaf hash `other` at one place of one journal.
fn forked(key: &PublicKey, statement: &Statement, other: Hash) -> Result<Conviction, NotConvicted> {
    if statement.leaf() == other {
        return Err(NotConvicted::NoFork("the same bytes"));
    }
    Ok(Conviction::Fork {
        issuer: statement.claims().issuer.clone(),
        subject: statement.claims().subject.clone(),
        sequence: statement.position.sequence,
        key: key.thumbprint(),
    })
}
