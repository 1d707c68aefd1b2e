//! "Is this log the successor of that one?" — asked by whoever knew the old one.
//!
//! A successor's first entry is the genesis of a journal of the log's own, signed by the log's key, whose
//! position names the predecessor's last head; the predecessor's end marker says that it is the last.

use crate::checkpoint::{Checkpoint, SignedCheckpoint};
use crate::cose::Claims;
use crate::end::{End, EndError};
use crate::policy::Policy;
use crate::statement::Position;
use crate::verify::append::{Refusal, verify_genesis};

/// The name of the journal in which a log says whom it succeeds.
pub const JOURNAL: &str = "succession";

/// Issuer and subject of a log's own journal.
pub fn claims(origin: &str) -> Claims {
    Claims { issuer: origin.into(), subject: JOURNAL.into() }
}

/// Why a log does not succeed another.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotSuccessor {
    /// Its first entry is no genesis.
    #[error("the first entry of {successor:?} does not say whom it succeeds: {why}")]
    NoGenesis {
        /// The log.
        successor: String,
        /// What is wrong.
        why: Box<Refusal>,
    },
    /// It is another journal's.
    #[error(
        "the first entry of {successor:?} is of the journal {found}, expected its own, {successor} / succession: it was made by `log init`, not by `log migrate`"
    )]
    OtherJournal {
        /// The log.
        successor: String,
        /// The journal.
        found: String,
    },
    /// Not by the log's key.
    #[error(
        "the first entry of {successor:?} is not by a key of that log which the policy names: somebody else wrote it"
    )]
    OtherKey {
        /// The log.
        successor: String,
    },
    /// It names another head, or none.
    #[error("the first entry of {successor:?} names {found}, the predecessor ends with {expected}")]
    OtherHead {
        /// The log.
        successor: String,
        /// The predecessor's last head.
        expected: String,
        /// The head that it names.
        found: String,
    },
    /// The predecessor's end does not hold.
    #[error(transparent)]
    End(#[from] EndError),
}

fn named(position: &Position) -> Option<Checkpoint> {
    let head = position.head.as_ref()?;
    Some(Checkpoint { origin: head.origin.clone(), size: head.size, root: head.root })
}

/// Whether the log `successor`, whose first entry is `entry`, succeeds the one that ends with `last`.
/// That the entry is the first of that log is for the caller to prove.
pub fn succeeds(
    entry: &[u8],
    successor: &str,
    end: &End,
    last: &SignedCheckpoint,
    policy: &Policy,
) -> Result<(), NotSuccessor> {
    end.verify(last, policy)?;
    let successor = successor.to_owned();
    let admission = match verify_genesis(entry) {
        Ok(admission) => admission,
        Err(why) => return Err(NotSuccessor::NoGenesis { successor, why: Box::new(why) }),
    };
    let own = claims(&successor);
    let found = admission.genesis.claims();
    if *found != own {
        let found = format!("{} / {}", found.issuer, found.subject);
        return Err(NotSuccessor::OtherJournal { successor, found });
    }
    if !policy.receipt_keys(&successor).any(|key| *key == admission.key) {
        return Err(NotSuccessor::OtherKey { successor });
    }
    let found = named(&admission.genesis.position);
    if found.as_ref() != Some(&last.checkpoint) {
        let show = |head: &Checkpoint| {
            format!("the head of {}, size {}, root {}", head.origin, head.size, head.root)
        };
        let expected = show(&last.checkpoint);
        let found = found.as_ref().map_or("no head".into(), show);
        return Err(NotSuccessor::OtherHead { successor, expected, found });
    }
    Ok(())
}
