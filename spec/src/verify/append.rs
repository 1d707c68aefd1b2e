//! "May this statement be appended?" — asked by the log for each record of a batch.

use crate::batch::SignedTail;
use crate::cbor::DecodeError;
use crate::cose::Claims;
use crate::ed25519::{KeyError, PublicKey, Signed, Verifier};
use crate::evidence::Evidence;
use crate::hash::Hash;
use crate::rules::{NotAdmitted, Rules};
use crate::statement::{KnownHead, Payload, Statement, StatementError};
use crate::verify::admission::EventError;
pub use crate::verify::admission::{Admission, verify_genesis};

/// How far a journal is in the log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Progress {
    /// The next sequence number.
    pub next: u64,
    /// The leaf hash of the newest statement.
    pub head: Option<Hash>,
}

/// Why a record is refused. The caller adds which one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Not a statement of ours.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// Not by the key in force.
    #[error(transparent)]
    Statement(#[from] StatementError),
    /// The genesis names no key.
    #[error("the genesis names no sound key: {0}")]
    Key(#[from] KeyError),
    /// The log's rules refuse it.
    #[error(transparent)]
    Rules(#[from] NotAdmitted),
    /// What only a log says of itself.
    #[error("it is {found}, which only a log itself writes, into its own journal")]
    NotASigners {
        /// What it is.
        found: &'static str,
    },
    /// Not a genesis.
    #[error("expected a genesis (sequence number 0, a key event), found {found}")]
    NotGenesis {
        /// What it is.
        found: String,
    },
    /// Another journal's statement.
    #[error(
        "the statement is of {found}, the batch is of {expected}: batches were glued together; export each journal by itself"
    )]
    OtherJournal {
        /// The batch's issuer and subject.
        expected: String,
        /// The statement's.
        found: String,
    },
    /// A gap.
    #[error(
        "the sequence number is {found}, expected {expected}: records are missing; export again and append the batch that holds number {expected}"
    )]
    Gap {
        /// The next number.
        expected: u64,
        /// The number found.
        found: u64,
    },
    /// A logged number with other content.
    #[error(
        "the sequence number {sequence} is logged already with other content: the journal was forked (a restored backup or a cloned stick signed too); both branches are kept as evidence"
    )]
    Forked {
        /// The number used twice.
        sequence: u64,
        /// Both statements.
        evidence: Box<Evidence>,
    },
    /// The chain is broken.
    #[error(
        "the statement follows {found}, expected {expected}: the chain is broken, or the journal forked; run `signer verify-journal`, and keep the batch"
    )]
    Chain {
        /// The newest logged statement.
        expected: String,
        /// The hash in the statement.
        found: String,
    },
    /// No sealed record, or no age file.
    #[error(
        "the sealed record is {found}, expected an age file of up to 65535 bytes; export the batch again"
    )]
    Sealed {
        /// What it is.
        found: String,
    },
    /// A head that is not this log's.
    #[error(
        "the statement names a head of {origin:?}, size {size}, root {root}, which is not in this log's history: it is of another log, or this log was restored from an older copy; run `log fsck`, and compare heads (`verifier cross-check`)"
    )]
    ForeignHead {
        /// The origin named.
        origin: String,
        /// Its size.
        size: u64,
        /// Its root.
        root: Hash,
    },
    /// A key event that changes nothing.
    #[error(transparent)]
    Event(#[from] EventError),
    /// After the end.
    #[error(
        "the journal ended with its {event}, record {at}: record {sequence} cannot follow; begin a new journal (`signer init`), and let the log's operator allow it"
    )]
    Ended {
        /// The statement's number.
        sequence: u64,
        /// The number of the event that ended the journal.
        at: u64,
        /// `retirement` or `revocation`.
        event: &'static str,
    },
    /// After a revocation that stands outside of the journal.
    #[error(
        "the key in force was revoked by an entry outside of the journal: record {sequence} cannot follow; begin a new journal (`signer init`), and let the log's operator allow it"
    )]
    RevokedOutside {
        /// The statement's number.
        sequence: u64,
    },
    /// More key events than a reader replays.
    #[error(
        "record {sequence} is one key event more than the 1024 that a journal may have: begin a new journal (`signer init`)"
    )]
    TooManyEvents {
        /// The statement's number.
        sequence: u64,
    },
    /// A genesis within a journal.
    #[error(
        "a genesis stands at sequence number {sequence}, expected only at 0: a new journal starts in a folder of its own"
    )]
    LateGenesis {
        /// Where.
        sequence: u64,
    },
    /// The trailer's count is not the batch's.
    #[error("the trailer counts {claimed} records, the batch has {found}: it was cut or altered")]
    Count {
        /// In the trailer.
        claimed: u64,
        /// In the file.
        found: u64,
    },
    /// The trailer's digest is not the batch's.
    #[error(
        "the batch's digest is {found}, its trailer says {claimed}: it was altered on the way, copy it again"
    )]
    Digest {
        /// In the trailer.
        claimed: Hash,
        /// Of the file.
        found: Hash,
    },
    /// The tail's signature.
    #[error(
        "the journal's tail is not signed by the signer's key: the batch was altered or put together by hand; export it again"
    )]
    TailSignature,
    /// The tail is beyond, or before, the batch.
    #[error(
        "the signed tail says {claimed}, the batch ends at {found}: the end of the journal was cut off; export the whole journal"
    )]
    Tail {
        /// The signed tail, short.
        claimed: String,
        /// The end of the batch, short.
        found: String,
    },
}

impl Refusal {
    /// A statement of another journal than the batch says.
    pub fn other_journal(expected: &Claims, found: &Claims) -> Refusal {
        let show = |claims: &Claims| format!("{} / {}", claims.issuer, claims.subject);
        Refusal::OtherJournal { expected: show(expected), found: show(found) }
    }
}

/// The part that needs no order: canonical bytes, journal, key, sealed record, signature. Runs on any
/// core. A statement may be by any key that the journal has had, or that is `introduced` in the same
/// batch: whether it is the one in force, the order says ([`follows`]). `verifier` is asked for the
/// statements by its key.
pub fn verify_records<B: AsRef<[u8]>>(
    records: &[(B, B)],
    admission: &Admission,
    introduced: &[PublicKey],
    verifier: &Verifier,
) -> Vec<Result<Statement, Refusal>> {
    let own =
        (*verifier.key() != admission.key).then(|| Verifier::new(&admission.key, records.len()));
    let verifier = own.as_ref().unwrap_or(verifier);
    let kid = verifier.key().thumbprint();
    let others = admission.keys().iter().chain(introduced);
    let others: Vec<(Hash, &PublicKey)> =
        others.filter(|key| *key != verifier.key()).map(|key| (key.thumbprint(), key)).collect();
    let judged = records.iter().map(|(statement, sealed)| {
        let statement = decode_record(statement.as_ref(), sealed.as_ref(), admission)?;
        match others.iter().find(|(kid, _)| statement.names(kid).is_ok()) {
            // Few are by a key before, or after, the one in force.
            Some((_, key)) => statement.verify(key)?,
            None => statement.names(&kid)?,
        }
        Ok(statement)
    });
    let judged: Vec<Result<Statement, Refusal>> = judged.collect();
    let asked = |statement: &&Statement| statement.names(&kid).is_ok();
    let messages: Vec<Vec<u8>> =
        judged.iter().flatten().filter(asked).map(Statement::signed_bytes).collect();
    let signed: Vec<Signed> = messages
        .iter()
        .zip(judged.iter().flatten().filter(asked))
        .map(|(message, statement)| (&message[..], statement.signature()))
        .collect();
    let mut verdicts = verifier.verify_all(&signed).into_iter();
    let mut judge = |statement: Statement| match asked(&&statement) {
        true if verdicts.next() != Some(true) => {
            Err(StatementError::BadSignature { key: kid.to_hex() }.into())
        }
        _ => Ok(statement),
    };
    judged.into_iter().map(|record| record.and_then(&mut judge)).collect()
}

/// One record: see [`verify_records`].
pub fn verify_record(
    statement: &[u8],
    sealed: &[u8],
    admission: &Admission,
) -> Result<Statement, Refusal> {
    let statement = decode_record(statement, sealed, admission)?;
    statement.verify(admission.named_by(&statement).unwrap_or(&admission.key))?;
    Ok(statement)
}

// All but the signature.
fn decode_record(
    statement: &[u8],
    sealed: &[u8],
    admission: &Admission,
) -> Result<Statement, Refusal> {
    let statement = Statement::decode(statement)?;
    let expected = admission.genesis.claims();
    if statement.claims() != expected {
        return Err(Refusal::other_journal(expected, statement.claims()));
    }
    match statement.payload {
        Payload::Commitment(_) | Payload::KeyEvent(_) => {}
        Payload::Rules(_) => return Err(Refusal::NotASigners { found: "a version of the rules" }),
        Payload::Reseal(_) => return Err(Refusal::NotASigners { found: "a note of a reseal" }),
    }
    must_be_sealed(sealed)?;
    Ok(statement)
}

/// Whether a sealed record can be one.
pub(super) fn must_be_sealed(sealed: &[u8]) -> Result<(), Refusal> {
    if sealed.len() > crate::tile::MAX_ENTRY || !sealed.starts_with(b"age-encryption.org/v1\n") {
        let found = match sealed.len() {
            0 => "missing".into(),
            length => format!("{length} bytes of something else"),
        };
        return Err(Refusal::Sealed { found });
    }
    Ok(())
}

/// The part that needs order: the next number, the chain, the genesis, the key in force, the known head.
/// Returns the progress after it; a key event is then for [`Admission::take`].
pub fn follows(
    statement: &Statement,
    admission: &Admission,
    progress: &Progress,
    mut own_history: impl FnMut(&KnownHead) -> bool,
) -> Result<Progress, Refusal> {
    let position = &statement.position;
    has_next_number(position.sequence, progress)?;
    if position.sequence == 0 && statement.leaf() != admission.genesis.leaf() {
        let (expected, found) = (admission.genesis.leaf(), statement.leaf());
        return Err(NotAdmitted::OtherGenesis { expected, found }.into());
    }
    names_the_one_before(position.previous, progress)?;
    // By the key in force; and a key event must be one that can be taken.
    admission.after(statement)?;
    if let Some(head) = &position.head
        && !own_history(head)
    {
        let KnownHead { origin, size, root, .. } = head.clone();
        return Err(Refusal::ForeignHead { origin, size, root });
    }
    Ok(Progress { next: position.sequence.saturating_add(1), head: Some(statement.leaf()) })
}

/// Whether this is the next number of a journal that has come so far.
pub(super) fn has_next_number(sequence: u64, progress: &Progress) -> Result<(), Refusal> {
    match sequence == progress.next {
        true => Ok(()),
        false => Err(Refusal::Gap { expected: progress.next, found: sequence }),
    }
}

/// Whether a statement that names this one before itself follows what a journal has.
pub(super) fn names_the_one_before(
    previous: Option<Hash>,
    progress: &Progress,
) -> Result<(), Refusal> {
    if previous == progress.head {
        return Ok(());
    }
    let show = |hash: Option<Hash>| hash.map_or("nothing".into(), |hash| hash.to_hex());
    Err(Refusal::Chain { expected: show(progress.head), found: show(previous) })
}

/// All that is asked of a verified statement (with the length of its sealed record) of a journal that has
/// come so far: the next one follows, and the rules let it in; one that is logged already must be the same.
/// Returns the progress after it; `None` where it is logged already, as the entry `logged`.
pub fn judge(
    (statement, sealed): (&Statement, usize),
    (admission, rules): (&Admission, &Rules),
    progress: &Progress,
    logged: Option<&[u8]>,
    own_history: impl FnMut(&KnownHead) -> bool,
) -> Result<Option<Progress>, Refusal> {
    if let Some(logged) = logged {
        return repeats(statement, logged, admission).map(|()| None);
    }
    let next = follows(statement, admission, progress, own_history)?;
    rules.admit(statement, sealed, admission.recipients())?;
    Ok(Some(next))
}

/// A record that is logged already must be the same; otherwise the journal was forked.
pub fn repeats(statement: &Statement, logged: &[u8], admission: &Admission) -> Result<(), Refusal> {
    if statement.bytes() == logged {
        return Ok(());
    }
    // Two keys convict nobody of anything: the one in force then has signed the logged one.
    let first = Statement::decode(logged)?;
    let Some(key) = admission.named_by(&first) else {
        return Err(StatementError::OtherKey {
            expected: crate::hash::to_hex(first.kid()),
            found: crate::hash::to_hex(statement.kid()),
        }
        .into());
    };
    statement.names(&key.thumbprint())?;
    let evidence = Evidence::Fork {
        key: *key.as_bytes(),
        first: logged.to_vec(),
        second: statement.bytes().to_vec(),
    };
    let sequence = statement.position.sequence;
    Err(Refusal::Forked { sequence, evidence: Box::new(evidence) })
}

/// What a batch's trailer says, against what was read.
pub fn verify_trailer(
    claimed: (u64, Hash, &SignedTail),
    found: (u64, Hash),
    admission: &Admission,
    progress: &Progress,
) -> Result<(), Refusal> {
    let (count, digest, tail) = claimed;
    if count != found.0 {
        return Err(Refusal::Count { claimed: count, found: found.0 });
    }
    if digest != found.1 {
        return Err(Refusal::Digest { claimed: digest, found: found.1 });
    }
    if tail.claims != *admission.genesis.claims() || !tail.verify(admission.key_at(tail.tail.count))
    {
        return Err(Refusal::TailSignature);
    }
    if tail.tail.count != progress.next || Some(tail.tail.head) != progress.head {
        let head = progress.head.unwrap_or(Hash([0; 32]));
        let found = crate::batch::Tail { count: progress.next, head }.short();
        return Err(Refusal::Tail { claimed: tail.tail.short(), found });
    }
    Ok(())
}
