//! "Is this document's signature logged?" — the relying party's one question.

use crate::approval::Requested;
use crate::cbor::DecodeError;
use crate::checkpoint::{CheckpointError, SignedCheckpoint};
use crate::document::{DocumentDigest, SignatureError, SignatureFile};
use crate::ed25519::{KeyError, PublicKey};
use crate::hash::Hash;
use crate::policy::{HeadError, OutsideWindow, Policy, Under, WitnessTime};
use crate::proof::Proof;
use crate::record::{Disclosure, Document, Operation, Record, Scheme, Signature};
use crate::statement::{NotCommitted, Payload, StatementError};
use crate::verify::approvals::{self, NotApproved, Signing};
use crate::verify::receipts;

/// What was proven about a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proven {
    /// The record.
    pub record: Record,
    /// The document, as recorded.
    pub document: Document,
    /// The signer's key.
    pub key: PublicKey,
    /// The signer's name.
    pub issuer: String,
    /// The journal's name.
    pub journal: String,
    /// The sequence number.
    pub sequence: u64,
    /// Where it is logged.
    pub logged: Vec<Logged>,
    /// Not signed before: the cosigned head that the statement names. POSIX seconds.
    pub not_before: Option<u64>,
    /// Not signed after: the first quorum over a head that covers it. POSIX seconds.
    pub not_after: Option<u64>,
    /// Whose approvals the record carries, and whether they read the document. Whether they are
    /// enough, only the journal's genesis says.
    pub approved_by: Vec<(PublicKey, bool)>,
    /// Whether the proof was made under this very policy.
    pub same_policy: bool,
}

/// One log's receipt, verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logged {
    /// The log.
    pub origin: String,
    /// The entry's index.
    pub index: u64,
    /// The size of the cosigned head.
    pub size: u64,
    /// The root of the cosigned head.
    pub root: Hash,
    /// Who vouches.
    pub witnesses: Vec<WitnessTime>,
    /// Under which policy.
    pub under: Under,
}

/// The first reason why a document is not proven.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotProven {
    /// The disclosure is not one.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// The record's key is none.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The disclosure is not what the statement commits to.
    #[error(transparent)]
    Commitment(#[from] NotCommitted),
    /// Not a signature record.
    #[error("the record is not of a document signature but of {0}")]
    OtherOperation(&'static str),
    /// The signer found its own signature bad.
    #[error(
        "the record says that the signer's own check of this signature failed: it was never released by the signer"
    )]
    SelfCheckFailed,
    /// The record carries approvals that do not hold.
    #[error("the record's approvals: {0}")]
    NotApproved(#[from] NotApproved),
    /// Another document.
    #[error(
        "tampering: the document has the SHA-256 {found} ({found_size} bytes), the record says {expected} ({expected_size} bytes) for {name:?}"
    )]
    OtherDocument {
        /// The recorded name.
        name: String,
        /// The recorded digest.
        expected: Hash,
        /// The recorded size.
        expected_size: u64,
        /// The digest of the document at hand.
        found: Hash,
        /// The size of the document at hand.
        found_size: u64,
    },
    /// The document's signature.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// The statement's signature.
    #[error(transparent)]
    Statement(#[from] StatementError),
    /// Another signer than the one asked for.
    #[error("signed by {found}, expected the signer {expected}")]
    OtherSigner {
        /// The key asked for.
        expected: String,
        /// The key found.
        found: String,
    },
    /// A receipt without a head.
    #[error("the receipt carries no checkpoint: the tree that it is from is not known")]
    NoCheckpoint,
    /// A head is none.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// A head is not to be trusted.
    #[error(transparent)]
    Head(#[from] HeadError),
    /// A receipt does not prove.
    #[error(transparent)]
    Receipt(#[from] receipts::Refusal),
    /// Two receipts of one log.
    #[error("two receipts are by one log, {0:?}: one is enough")]
    SameLogTwice(String),
    /// In fewer logs than demanded.
    #[error(
        "the signature is proven to be in {found} logs of the policy, {expected} are demanded: ask the signer for a proof with the receipts of more logs"
    )]
    TooFewLogs {
        /// Logs demanded.
        expected: usize,
        /// Logs proven.
        found: usize,
    },
    /// Cosigned outside of the time for which the policy is meant, and that is demanded.
    #[error(
        "the head of {origin} is not shown to be cosigned by a quorum within the time for which the policy is meant: {why}"
    )]
    OutsideValidity {
        /// The log.
        origin: String,
        /// In words, POSIX seconds.
        why: OutsideWindow,
    },
    /// The earlier head is not the one that the statement names.
    #[error("the earlier head in the proof is not the one that the statement names")]
    EarlierHead,
    /// The earlier head is not to be trusted.
    #[error("the earlier head, which bounds the time from below: {0}")]
    UntrustedEarlierHead(HeadError),
}

/// What is checked, in this order; the first that fails is the reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Check {
    /// The disclosed record is the one that the statement commits to.
    Record,
    /// The document is the recorded one.
    Document,
    /// The key is the one that was asked for.
    Signer,
    /// The document's signature.
    Signature,
    /// The statement's signature.
    Statement,
    /// Each head: the log's signature and the quorum of witnesses.
    Head,
    /// Each receipt: the log's signature and the inclusion proof, leading to its head.
    Receipt,
    /// The head that bounds the time from below.
    EarlierHead,
}

impl Check {
    /// All, in order.
    pub const ALL: [Check; 8] = [
        Check::Record,
        Check::Document,
        Check::Signer,
        Check::Signature,
        Check::Statement,
        Check::Head,
        Check::Receipt,
        Check::EarlierHead,
    ];

    /// Its name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Check::Record => "record matches the statement's commitment",
            Check::Document => "document matches the record",
            Check::Signer => "signer is the expected one",
            Check::Signature => "document signature",
            Check::Statement => "statement signature",
            Check::Head => "head signed by the log and cosigned by the quorum",
            Check::Receipt => "receipt proves inclusion in the head",
            Check::EarlierHead => "earlier head bounds the time",
        }
    }
}

impl NotProven {
    /// The check that failed.
    pub fn check(&self) -> Check {
        match self {
            NotProven::Decode(_)
            | NotProven::Commitment(_)
            | NotProven::OtherOperation(_)
            | NotProven::NotApproved(_)
            | NotProven::Key(_) => Check::Record,
            NotProven::OtherDocument { .. } => Check::Document,
            NotProven::OtherSigner { .. } => Check::Signer,
            NotProven::SelfCheckFailed | NotProven::Signature(_) => Check::Signature,
            NotProven::Statement(_) => Check::Statement,
            NotProven::NoCheckpoint
            | NotProven::Checkpoint(_)
            | NotProven::Head(_)
            | NotProven::TooFewLogs { .. }
            | NotProven::OutsideValidity { .. }
            | NotProven::SameLogTwice(_) => Check::Head,
            NotProven::Receipt(_) => Check::Receipt,
            NotProven::EarlierHead | NotProven::UntrustedEarlierHead(_) => Check::EarlierHead,
        }
    }
}

impl Proven {
    /// Refuses a proof of fewer logs than somebody demands.
    pub fn must_be_in(&self, logs: usize) -> Result<(), NotProven> {
        match self.logged.len() {
            found if found < logs => Err(NotProven::TooFewLogs { expected: logs, found }),
            _ => Ok(()),
        }
    }

    /// Refuses a proof by a head that was not cosigned within the time for which its policy is meant: by
    /// default that is no reason, for an expired policy invalidates nothing.
    pub fn must_be_valid(&self) -> Result<(), NotProven> {
        match self.logged.iter().find(|logged| !logged.under.validity.is_given()) {
            None => Ok(()),
            Some(logged) => Err(NotProven::OutsideValidity {
                origin: logged.origin.clone(),
                why: OutsideWindow(logged.under.validity),
            }),
        }
    }
}

/// Decodes a proof's disclosure as far as the caller needs to hash the document: its format.
pub fn expected_scheme(proof: &Proof) -> Result<Scheme, NotProven> {
    open(proof).map(|(_, _, signature)| signature.scheme)
}

fn open(proof: &Proof) -> Result<(Record, Document, Signature), NotProven> {
    proof.statement.must_commit_to(&proof.disclosure)?;
    let record = Disclosure::decode(&proof.disclosure)?.record;
    match record.operation.clone() {
        // A key event's disclosure is a genesis, never a document.
        Operation::Sign { .. } if matches!(proof.statement.payload, Payload::KeyEvent(_)) => {
            Err(NotProven::OtherOperation("a key event"))
        }
        Operation::Sign { document, signature } => Ok((record, document, signature)),
        Operation::Genesis { .. } | Operation::KeyEvent { .. } => {
            Err(NotProven::OtherOperation("a key event"))
        }
    }
}

/// Checks a document against its proof under a policy. `signature` is the signature file at hand,
/// if it shall be checked too; `signer` the key that must have signed, if one is demanded.
pub fn check(
    digest: &DocumentDigest,
    proof: &Proof,
    policy: &Policy,
    signature: Option<&SignatureFile>,
    signer: Option<&PublicKey>,
) -> Result<Proven, NotProven> {
    check_logging(proof, policy).document(digest, signature, signer)
}

/// What a proof says of logs and witnesses, checked under a policy: the part that does not need the
/// document, and can be done while the document is hashed.
pub struct Logging<'a> {
    proof: &'a Proof,
    policy: &'a Policy,
    found: Result<Found, NotProven>,
}

struct Found {
    logged: Vec<Logged>,
    not_before: Option<u64>,
    not_after: Option<u64>,
}

/// Checks each head, each receipt and the earlier head. Says nothing by itself: see
/// [`Logging::document`].
pub fn check_logging<'a>(proof: &'a Proof, policy: &'a Policy) -> Logging<'a> {
    Logging { proof, policy, found: find_logging(proof, policy) }
}

fn find_logging(proof: &Proof, policy: &Policy) -> Result<Found, NotProven> {
    let mut logged: Vec<Logged> = Vec::new();
    let mut not_after = None;
    let mut unknown = None;
    for receipt in &proof.receipts {
        let note = receipt.checkpoint.as_ref().ok_or(NotProven::NoCheckpoint)?;
        let head = SignedCheckpoint::decode(note)?;
        // Logs that the policy does not name prove nothing under it, and are no reason to refuse.
        if !policy.names(&head.checkpoint.origin) {
            unknown = unknown.or(policy.verify_log(&head).err());
            continue;
        }
        let cosigned = policy.verify_head(&head)?;
        let checkpoint = cosigned.checkpoint();
        if logged.iter().any(|other| other.origin == checkpoint.origin) {
            return Err(NotProven::SameLogTwice(checkpoint.origin.clone()));
        }
        let index = receipts::verify_receipt(receipt, &proof.statement, checkpoint, policy)?;
        not_after = not_after.into_iter().chain(cosigned.not_after()).min();
        logged.push(Logged {
            origin: checkpoint.origin.clone(),
            index,
            size: checkpoint.size,
            root: checkpoint.root,
            witnesses: cosigned.witnesses().to_vec(),
            under: cosigned.under().clone(),
        });
    }
    if let (true, Some(unknown)) = (logged.is_empty(), unknown) {
        return Err(unknown.into());
    }
    let not_before = match (&proof.statement.position.head, &proof.earlier_head) {
        (None, None) => None,
        (Some(named), Some(note)) => {
            let head = SignedCheckpoint::decode(note).map_err(|_| NotProven::EarlierHead)?;
            let Some(named) = Some(named).filter(|named| {
                (&named.origin, named.size, named.root, named.note)
                    == (
                        &head.checkpoint.origin,
                        head.checkpoint.size,
                        head.checkpoint.root,
                        Hash::of(note),
                    )
            }) else {
                return Err(NotProven::EarlierHead);
            };
            // Heads of other logs are no bound under this policy, and no reason to refuse.
            match policy.names(&named.origin) {
                true => {
                    let cosigned = policy.verify_head(&head);
                    cosigned.map_err(NotProven::UntrustedEarlierHead)?.not_before()
                }
                false => None,
            }
        }
        _ => return Err(NotProven::EarlierHead),
    };
    Ok(Found { logged, not_before, not_after })
}

impl Logging<'_> {
    /// Checks the document, and only then looks at what was found of its logging: the first check
    /// that fails, in the order of [`Check::ALL`], is the reason.
    pub fn document(
        self,
        digest: &DocumentDigest,
        signature: Option<&SignatureFile>,
        signer: Option<&PublicKey>,
    ) -> Result<Proven, NotProven> {
        let Logging { proof, policy, found } = self;
        let (record, document, recorded) = open(proof)?;
        let key = PublicKey::from_bytes(&recorded.key)?;
        if (digest.sha256, digest.size) != (document.sha256, document.size) {
            return Err(NotProven::OtherDocument {
                name: document.name,
                expected: document.sha256,
                expected_size: document.size,
                found: digest.sha256,
                found_size: digest.size,
            });
        }
        if let Some(expected) = signer
            && *expected != key
        {
            let (expected, found) = (format!("{expected:?}"), format!("{key:?}"));
            return Err(NotProven::OtherSigner { expected, found });
        }
        if !recorded.verified {
            return Err(NotProven::SelfCheckFailed);
        }
        SignatureFile::decode(&recorded.bytes)?.verify(&key, digest)?;
        if let Some(signature) = signature {
            signature.verify(&key, digest)?;
        }
        proof.statement.verify(&key)?;
        let approved_by = approvals::carried_by(
            &Signing {
                claims: proof.statement.claims(),
                genesis: None,
                document: &Requested::from(&document),
                operator: &record.operator,
                purpose: &record.purpose,
                time: record.time,
            },
            &record.approved,
        )?;
        let Found { logged, not_before, not_after } = found?;
        // Under a history, the policy of that time is the very one.
        let same_policy = proof.policy == policy.digest
            || logged.iter().any(|logged| logged.under.policy == proof.policy);
        Ok(Proven {
            document,
            key,
            issuer: proof.statement.claims().issuer.clone(),
            journal: proof.statement.claims().subject.clone(),
            sequence: proof.statement.position.sequence,
            logged,
            not_before,
            not_after,
            same_policy,
            record,
            approved_by,
        })
    }
}
