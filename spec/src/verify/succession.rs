//! "Is this log the successor of that one?" — asked by whoever knew the old one.
//!
//! A successor's first entry is the first statement of its own journal ([`super::own`]), whose position
//! names the predecessor's last head; the predecessor's end marker says that it is the last.

use crate::checkpoint::{Checkpoint, SignedCheckpoint};
use crate::end::{End, EndError};
use crate::policy::Policy;
use crate::statement::Position;
use crate::verify::own::{self, NotOwn};

/// Why a log does not succeed another.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotSuccessor {
    /// Its first entry is not its own.
    #[error(
        "the first entry of {successor:?} does not say whom it succeeds: {why}; only `log migrate` makes a successor"
    )]
    NotOwn {
        /// The log.
        successor: String,
        /// What is wrong.
        why: Box<NotOwn>,
    },
    /// It is a later one.
    #[error(
        "the first entry of {successor:?} is number {found} of its own journal, expected number 0: earlier ones were left out"
    )]
    NotFirst {
        /// The log.
        successor: String,
        /// Its number.
        found: u64,
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
    let first = match own::verify(entry, b"", &successor, policy.receipt_keys(&successor)) {
        Ok(first) => first,
        Err(why) => return Err(NotSuccessor::NotOwn { successor, why: Box::new(why) }),
    };
    if first.position.sequence != 0 {
        return Err(NotSuccessor::NotFirst { successor, found: first.position.sequence });
    }
    let found = named(&first.position);
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
