//! The change of a log's key: a signed note in which the old key names the new ones
//! (`formats/rotation.md`). Whoever trusts the old key may then add the new ones to a policy.
//!
//! ```text
//! coldlog-key-rotation/v1\n<origin>\n<new Ed25519 verifier key>\n<new ML-DSA-44 verifier key>\n
//! ```

use crate::checkpoint::HeadKeys;
use crate::ed25519::NotSigned;
use crate::note::{KeyMaterial, Note, NoteError, SignatureLine, VerifierKey};
use crate::policy::Policy;

const FIRST_LINE: &str = "coldlog-key-rotation/v1";
/// The largest rotation that we read.
pub const MAX_ROTATION: usize = 16 << 10;

/// A rotation, decoded; nothing is verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rotation {
    /// The log.
    pub origin: String,
    /// The new keys: Ed25519, then ML-DSA-44.
    pub keys: [VerifierKey; 2],
    note: Note,
}

/// Why a rotation does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RotationError {
    /// Not a note.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// A note of another kind.
    #[error("expected a key rotation, found {0}; `log rotate-key` writes one")]
    Malformed(String),
    /// The policy does not know the log.
    #[error("the policy names no log {origin:?}: the rotation is of another log")]
    UnknownLog {
        /// The rotation's log.
        origin: String,
    },
    /// No key in force signed it.
    #[error(
        "no Ed25519 key of {origin:?} that the policy names has signed the rotation: it was forged, or an older rotation is missing in the policy; ask those who run the log by another channel"
    )]
    NotByOldKey {
        /// The log.
        origin: String,
    },
    /// The new key did not sign: whoever announces it may not hold it.
    #[error("the new key has not signed the rotation: it was altered, or made without that key")]
    NotByNewKey,
}

impl Rotation {
    /// The old keys name the new ones, which are of the same origin; both Ed25519 keys sign.
    pub fn sign(old: &HeadKeys, new: &HeadKeys) -> Result<Rotation, NotSigned> {
        let keys = new.log_verifiers();
        let origin = old.name.clone();
        let text = format!("{FIRST_LINE}\n{origin}\n{}\n{}\n", keys[0].encode(), keys[1].encode());
        let line = |keys: &HeadKeys| {
            Ok(SignatureLine {
                name: keys.name.clone(),
                id: keys.log_verifiers()[0].id(),
                signature: keys.ed25519.sign(text.as_bytes())?.to_vec(),
            })
        };
        let signatures = vec![line(old)?, line(new)?];
        Ok(Rotation { origin, keys, note: Note { text, signatures } })
    }

    /// The note.
    pub fn encode(&self) -> Vec<u8> {
        self.note.encode()
    }

    /// Reads a rotation.
    pub fn decode(bytes: &[u8]) -> Result<Rotation, RotationError> {
        if bytes.len() > MAX_ROTATION {
            let found = bytes.len();
            return Err(NoteError::TooLarge { unit: "bytes", found, limit: MAX_ROTATION }.into());
        }
        let note = Note::decode(bytes)?;
        let lines: Vec<&str> = note.text.split('\n').collect();
        let [FIRST_LINE, origin, ed25519, mldsa, ""] = lines.as_slice() else {
            let first = lines.first().copied().unwrap_or_default();
            let found = format!("a note of {} lines that begins with {first:?}", lines.len() - 1);
            return Err(RotationError::Malformed(found));
        };
        let keys = [VerifierKey::decode(ed25519)?, VerifierKey::decode(mldsa)?];
        let kinds = matches!(
            (&keys[0].material, &keys[1].material),
            (KeyMaterial::Ed25519(_), KeyMaterial::MlDsa44Cosigner(_))
        );
        if !kinds || keys.iter().any(|key| key.name != *origin) {
            let found = "keys of another name or kind than a log's".into();
            return Err(RotationError::Malformed(found));
        }
        Ok(Rotation { origin: (*origin).into(), keys, note })
    }

    fn is_by(&self, key: &VerifierKey) -> Result<bool, NoteError> {
        let KeyMaterial::Ed25519(public) = &key.material else { return Ok(false) };
        let mut lines = self.note.signatures.iter();
        let Some(line) = lines.find(|line| line.id == key.id() && line.name == key.name) else {
            return Ok(false);
        };
        match public.verify(self.note.text.as_bytes(), &line.signature) {
            true => Ok(true),
            false => Err(NoteError::BadSignature { name: line.name.clone(), id: line.id }),
        }
    }

    /// Whether a key that the policy names for this log hands over to the new one, and the new one
    /// agrees.
    pub fn verify(&self, policy: &Policy) -> Result<(), RotationError> {
        self.verify_by(&policy.logs)
    }

    /// The same, with the keys that are known of any logs.
    pub fn verify_by(&self, known: &[VerifierKey]) -> Result<(), RotationError> {
        let origin = self.origin.clone();
        let known: Vec<&VerifierKey> = known.iter().filter(|key| key.name == origin).collect();
        if known.is_empty() {
            return Err(RotationError::UnknownLog { origin });
        }
        let mut by_old = false;
        for key in known.into_iter().filter(|key| **key != self.keys[0]) {
            by_old |= self.is_by(key)?;
        }
        if !by_old {
            return Err(RotationError::NotByOldKey { origin });
        }
        match self.is_by(&self.keys[0])? {
            true => Ok(()),
            false => Err(RotationError::NotByNewKey),
        }
    }

    /// The lines for a policy.
    pub fn policy_lines(&self) -> String {
        self.keys.iter().map(|key| format!("log {}\n", key.encode())).collect()
    }
}
