//! "Does a witness's answer cosign this head?" — asked by the log, of files and of answers over HTTP.

use crate::checkpoint::SignedCheckpoint;
use crate::note::{NoteError, SignatureLine, VerifierKey};

/// Seconds by which a witness's clock may be ahead of ours.
pub const AHEAD: u64 = 300;
/// Seconds by which an answer that was just made may lie back: witnesses give an unchanged head the
/// cosignature that it has.
pub const BACK: u64 = 3600;

/// Why an answer is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotTaken {
    /// It holds no line by a key that the policy names for that witness.
    #[error(
        "its answer holds no line by a key that the policy names for it; it is signed by {found}"
    )]
    NoKnownKey {
        /// Who signed.
        found: String,
    },
    /// A line by a known key is none over this head.
    #[error(
        "its cosignature does not verify over the head of size {size}: it is over another head, or by another key ({why})"
    )]
    OtherHead {
        /// The head's size.
        size: u64,
        /// The line.
        why: NoteError,
    },
    /// Its time is ahead of ours.
    #[error("its cosignature is of the time {time}, now is {now}: one of the two clocks is wrong")]
    Future {
        /// The witness's time, POSIX seconds.
        time: u64,
        /// Ours.
        now: u64,
    },
    /// It is an older answer.
    #[error(
        "its cosignature is of the time {time}, now is {now}: an older answer was given again, or one of the two clocks is wrong"
    )]
    Old {
        /// The witness's time, POSIX seconds.
        time: u64,
        /// Ours.
        now: u64,
    },
}

/// The lines of an answer that cosign `head` by `keys`, those of the witness that was asked. Lines by
/// other keys are passed over. An answer that was just made has a time near `now`; one that came on a stick
/// may be old.
pub fn taken(
    head: &SignedCheckpoint,
    lines: Vec<SignatureLine>,
    keys: &[&VerifierKey],
    now: u64,
    just_made: bool,
) -> Result<Vec<SignatureLine>, NotTaken> {
    let mut answered = head.clone();
    answered.note.signatures = lines;
    let found = answered.signer_names();
    let is_known =
        |line: &SignatureLine| keys.iter().any(|key| key.id() == line.id && key.name == line.name);
    answered.note.signatures.retain(is_known);
    let size = head.checkpoint.size;
    let vouched = answered.verified_by(keys).map_err(|why| NotTaken::OtherHead { size, why })?;
    if vouched.is_empty() {
        return Err(NotTaken::NoKnownKey { found });
    }
    for time in vouched.iter().map(|vouched| vouched.time) {
        if time > now.saturating_add(AHEAD) {
            return Err(NotTaken::Future { time, now });
        }
        if just_made && time.saturating_add(BACK) < now {
            return Err(NotTaken::Old { time, now });
        }
    }
    Ok(answered.note.signatures)
}

/// Puts lines on a head, in the place of those that the same keys had put there.
pub fn put(head: &mut SignedCheckpoint, lines: Vec<SignatureLine>) {
    for line in lines {
        head.note.signatures.retain(|other| (other.id, &other.name) != (line.id, &line.name));
        head.note.signatures.push(line);
    }
}
