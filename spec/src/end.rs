//! The end of a log: a signed note that says which head is its last (`formats/rotation.md`).
//!
//! ```text
//! coldlog-end/v1\n<origin>\n<size>\n<base64 root>\n
//! ```

use crate::checkpoint::{Checkpoint, CheckpointError, HeadKeys, SignedCheckpoint};
use crate::ed25519::NotSigned;
use crate::note::{KeyMaterial, Note, NoteError, SignatureLine, VerifierKey};
use crate::policy::{CosignedCheckpoint, HeadError, Policy};

const FIRST_LINE: &str = "coldlog-end/v1";
/// Where a log publishes it.
pub const PATH: &str = "heads/end";

/// An end marker, decoded; nothing is verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct End {
    /// The last head.
    pub last: Checkpoint,
    note: Note,
}

/// Why an end marker does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EndError {
    /// Not a note.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// A note of another kind.
    #[error("expected a log's end marker, found {0}; `log freeze` writes one as {PATH}")]
    Malformed(String),
    /// It names another head than the one at hand.
    #[error(
        "the end marker names the head of size {expected}, at hand is one of size {found}: take the one of heads/ beside the marker"
    )]
    OtherHead {
        /// The marker's.
        expected: u64,
        /// At hand.
        found: u64,
    },
    /// The head does not hold.
    #[error(transparent)]
    Head(#[from] HeadError),
    /// No key of the log signed it.
    #[error("no Ed25519 key of {origin:?} that the policy names has signed the end marker")]
    NotByTheLog {
        /// The log.
        origin: String,
    },
}

impl End {
    /// The end at a cosigned head.
    pub fn sign(keys: &HeadKeys, head: &SignedCheckpoint) -> Result<End, NotSigned> {
        let text = format!("{FIRST_LINE}\n{}", head.checkpoint.text());
        let signature = keys.ed25519.sign(text.as_bytes())?.to_vec();
        let id = keys.log_verifiers()[0].id();
        let signatures = vec![SignatureLine { name: keys.name.clone(), id, signature }];
        Ok(End { last: head.checkpoint.clone(), note: Note { text, signatures } })
    }

    /// The note.
    pub fn encode(&self) -> Vec<u8> {
        self.note.encode()
    }

    /// Reads a marker.
    pub fn decode(bytes: &[u8]) -> Result<End, EndError> {
        let note = Note::decode(bytes)?;
        let malformed = |found: &str| EndError::Malformed(found.into());
        let body = note.text.strip_prefix(FIRST_LINE).and_then(|rest| rest.strip_prefix('\n'));
        let body = body.ok_or_else(|| malformed("a note that begins otherwise"))?;
        let last = Checkpoint::from_text(body).map_err(|why| match why {
            CheckpointError::Note(why) => EndError::Note(why),
            CheckpointError::Malformed(why) => EndError::Malformed(why),
        })?;
        if last.text() != body {
            return Err(malformed("further lines"));
        }
        Ok(End { last, note })
    }

    /// Whether one of a log's keys signed it.
    pub fn must_be_by(&self, keys: &[VerifierKey]) -> Result<(), EndError> {
        let origin = &self.last.origin;
        for key in keys.iter().filter(|key| key.name == *origin) {
            let KeyMaterial::Ed25519(public) = &key.material else { continue };
            let mut lines = self.note.signatures.iter();
            if let Some(line) = lines.find(|line| line.id == key.id() && line.name == key.name) {
                return match public.verify(self.note.text.as_bytes(), &line.signature) {
                    true => Ok(()),
                    false => {
                        Err(NoteError::BadSignature { name: line.name.clone(), id: line.id }.into())
                    }
                };
            }
        }
        Err(EndError::NotByTheLog { origin: origin.clone() })
    }

    /// Whether a key that the policy names for this log says that `head`, cosigned by the quorum, is the
    /// last.
    pub fn verify(
        &self,
        head: &SignedCheckpoint,
        policy: &Policy,
    ) -> Result<CosignedCheckpoint, EndError> {
        if head.checkpoint != self.last {
            let (expected, found) = (self.last.size, head.checkpoint.size);
            return Err(EndError::OtherHead { expected, found });
        }
        self.must_be_by(&policy.logs)?;
        Ok(policy.verify_head(head)?)
    }
}
