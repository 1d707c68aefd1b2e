//! Tree heads as C2SP checkpoints (tlog-checkpoint), and their signatures and cosignatures
//! (tlog-cosignature).
//!
//! ```text
//! <origin>\n<size>\n<base64 root>\n[<extension line>\n...]
//! ```

use crate::ed25519::{self, NotSigned};
use crate::hash::Hash;
use crate::mldsa;
use crate::note::{KeyMaterial, Note, NoteError, SignatureLine, VerifierKey, is_key_name};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// What a tree head says.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Checkpoint {
    /// The log.
    pub origin: String,
    /// How many entries.
    pub size: u64,
    /// The root of the tree of these entries.
    pub root: Hash,
}

/// A checkpoint within its note, of which no signature is verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedCheckpoint {
    /// What it says.
    pub checkpoint: Checkpoint,
    /// The note that says it.
    pub note: Note,
}

/// Why a note is not a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// Not a note.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// A note, not a checkpoint.
    #[error("not a checkpoint (C2SP tlog-checkpoint): {0}")]
    Malformed(String),
}

impl Checkpoint {
    /// The note's text.
    pub fn text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, STANDARD.encode(self.root.0))
    }

    /// Reads a note's text. Extension lines must not be empty; we ignore them.
    pub fn from_text(text: &str) -> Result<Checkpoint, CheckpointError> {
        let malformed = |why: &str| CheckpointError::Malformed(why.into());
        let body = text.strip_suffix('\n').ok_or_else(|| malformed("no final newline"))?;
        let mut lines = body.split('\n');
        let origin = lines.next().filter(|origin| is_key_name(origin));
        let origin = origin.ok_or_else(|| malformed("the origin is no key name"))?;
        let size = lines.next().and_then(parse_decimal);
        let size = size.ok_or_else(|| malformed("the size is not a decimal number"))?;
        let root = lines.next().and_then(|line| STANDARD.decode(line).ok());
        let root = root.and_then(|root| Hash::from_slice(&root));
        let root = root.ok_or_else(|| malformed("the root is not base64 of 32 bytes"))?;
        if lines.any(str::is_empty) {
            return Err(malformed("an extension line is empty"));
        }
        Ok(Checkpoint { origin: origin.into(), size, root })
    }
}

/// A decimal number without sign or leading zeros.
pub fn parse_decimal(text: &str) -> Option<u64> {
    let number: u64 = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}

impl SignedCheckpoint {
    /// Reads a note that holds a checkpoint.
    pub fn decode(bytes: &[u8]) -> Result<SignedCheckpoint, CheckpointError> {
        let note = Note::decode(bytes)?;
        Ok(SignedCheckpoint { checkpoint: Checkpoint::from_text(&note.text)?, note })
    }

    /// The note's bytes.
    pub fn encode(&self) -> Vec<u8> {
        self.note.encode()
    }

    /// Looks for lines by `keys` and verifies each: all that match must hold.
    ///
    /// Returns, for each key that signed, its place in `keys` and the time, if the signature has one.
    pub fn verified_by(&self, keys: &[&VerifierKey]) -> Result<Vec<Vouched>, NoteError> {
        let mut vouched: Vec<Vouched> = Vec::new();
        for line in &self.note.signatures {
            for (place, key) in keys.iter().enumerate() {
                if key.id() != line.id || key.name != line.name {
                    continue;
                }
                let time = self.verify_line(key, line).ok_or_else(|| NoteError::BadSignature {
                    name: line.name.clone(),
                    id: line.id,
                })?;
                vouched.push(Vouched { key: place, time });
            }
        }
        Ok(vouched)
    }

    /// The lines by these keys, one a key, verified or not: what is worth keeping of a note that others wrote on.
    pub fn lines_by(&self, keys: &[VerifierKey]) -> Vec<SignatureLine> {
        let lines = &self.note.signatures;
        let line = |key: &VerifierKey| {
            lines.iter().find(|line| line.id == key.id() && line.name == key.name).cloned()
        };
        keys.iter().filter_map(line).collect()
    }

    /// Whether one of a log's keys signed it.
    pub fn must_be_by(&self, keys: &[VerifierKey]) -> Result<(), NoteError> {
        let keys: Vec<&VerifierKey> = keys.iter().collect();
        match self.verified_by(&keys)?.is_empty() {
            true => Err(NoteError::NoKnownSignature { found: self.signer_names() }),
            false => Ok(()),
        }
    }

    // The time of a line that verifies; 0 for a signature without one.
    fn verify_line(&self, key: &VerifierKey, line: &SignatureLine) -> Option<u64> {
        let timed = || {
            let (time, signature) = line.signature.split_first_chunk::<8>()?;
            // 0 says that none is known, and it MUST NOT exceed 2^63 - 1 (C2SP tlog-cosignature).
            Some((u64::from_be_bytes(*time), signature))
                .filter(|(time, _)| (1..1 << 63).contains(time))
        };
        match &key.material {
            KeyMaterial::Ed25519(key) => {
                key.verify(self.note.text.as_bytes(), &line.signature).then_some(0)
            }
            KeyMaterial::Ed25519Cosigner(key) => {
                let (time, signature) = timed()?;
                key.verify(&ed25519_message(time, &self.note.text), signature).then_some(time)
            }
            KeyMaterial::MlDsa44Cosigner(public) => {
                let (time, signature) = timed()?;
                let message = mldsa_message(&key.name, time, &self.checkpoint.whole())?;
                public.verify(&message, signature).then_some(time)
            }
        }
    }

    /// The names and key ids on its lines, for an error text.
    pub fn signer_names(&self) -> String {
        let lines = self.note.signatures.iter();
        lines
            .map(|line| format!("{} (key id {:08x})", line.name, line.id))
            .collect::<Vec<_>>()
            .join(", ")
    }
}

/// A key whose signature on a checkpoint was verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Vouched {
    /// Its place in the list of keys that was asked.
    pub key: usize,
    /// POSIX seconds; 0 for a signature type without a time.
    pub time: u64,
}

// cosignature/v1: "cosignature/v1\n" "time <seconds>\n" then the note's text.
fn ed25519_message(time: u64, text: &str) -> Vec<u8> {
    format!("cosignature/v1\ntime {time}\n{text}").into_bytes()
}

// TLS presentation language: label[12], name<1..255>, u64 time, origin<1..255>, u64 start, u64 end,
// hash[32]. `None` when a name is longer than a byte can say.
fn mldsa_message(cosigner: &str, time: u64, subtree: &Subtree) -> Option<Vec<u8>> {
    let mut message = b"subtree/v1\n\0".to_vec();
    message.push(u8::try_from(cosigner.len()).ok()?);
    message.extend_from_slice(cosigner.as_bytes());
    message.extend_from_slice(&time.to_be_bytes());
    message.push(u8::try_from(subtree.origin.len()).ok()?);
    message.extend_from_slice(subtree.origin.as_bytes());
    message.extend_from_slice(&subtree.start.to_be_bytes());
    message.extend_from_slice(&subtree.end.to_be_bytes());
    message.extend_from_slice(&subtree.root.0);
    Some(message)
}

/// A part of a log's tree, from one entry to before another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subtree {
    /// The log.
    pub origin: String,
    /// The first entry.
    pub start: u64,
    /// After the last entry.
    pub end: u64,
    /// The hash of this part.
    pub root: Hash,
}

impl Subtree {
    /// Whether a line is this cosigner's over the part of the tree, without a time (C2SP tlog-witness,
    /// `sign-subtree`). Only ML-DSA-44 cosigns parts.
    pub fn verified_by(&self, key: &VerifierKey, line: &SignatureLine) -> bool {
        let KeyMaterial::MlDsa44Cosigner(public) = &key.material else { return false };
        let Some((time, signature)) = line.signature.split_first_chunk::<8>() else { return false };
        let message = mldsa_message(&key.name, 0, self);
        line.name == key.name
            && line.id == key.id()
            && u64::from_be_bytes(*time) == 0
            && message.is_some_and(|message| public.verify(&message, signature))
    }
}

impl Checkpoint {
    /// The whole tree.
    fn whole(&self) -> Subtree {
        Subtree { origin: self.origin.clone(), start: 0, end: self.size, root: self.root }
    }
}

/// The keys of a log or a witness: Ed25519 and ML-DSA-44 under one name.
#[derive(Debug)]
pub struct HeadKeys {
    /// The log's origin or the witness's name.
    pub name: String,
    /// The Ed25519 key.
    pub ed25519: ed25519::SecretKey,
    /// The ML-DSA-44 key.
    pub mldsa: mldsa::SecretKey,
}

/// Why a head is not signed. The time 0 would say that no time is known: a cosignature never carries it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CannotSign {
    /// No time, or no name, that a cosignature may have.
    #[error("the time must not be zero, and names at most 255 bytes: set the machine's clock")]
    TimeOrName,
    /// What holds the key did not sign.
    #[error(transparent)]
    Key(#[from] NotSigned),
}

impl HeadKeys {
    /// The verifier keys of a log: Ed25519 (0x01), then ML-DSA-44 (0x06).
    pub fn log_verifiers(&self) -> [VerifierKey; 2] {
        self.verifiers(KeyMaterial::Ed25519(self.ed25519.public()))
    }

    /// The verifier keys of a witness: Ed25519 cosignature (0x04), then ML-DSA-44 (0x06).
    pub fn witness_verifiers(&self) -> [VerifierKey; 2] {
        self.verifiers(KeyMaterial::Ed25519Cosigner(self.ed25519.public()))
    }

    fn verifiers(&self, ed25519: KeyMaterial) -> [VerifierKey; 2] {
        let key = |material| VerifierKey::new(self.name.clone(), material);
        [key(ed25519), key(KeyMaterial::MlDsa44Cosigner(self.mldsa.public()))]
    }

    /// A head signed as its log. The name must be the checkpoint's origin.
    pub fn sign_head(
        &self,
        checkpoint: &Checkpoint,
        time: u64,
    ) -> Result<SignedCheckpoint, CannotSign> {
        let text = checkpoint.text();
        let signature = self.ed25519.sign(text.as_bytes())?.to_vec();
        let [ed25519, mldsa] = self.log_verifiers();
        let line = SignatureLine { name: self.name.clone(), id: ed25519.id(), signature };
        let signatures = vec![line, self.mldsa_line(mldsa.id(), checkpoint, time)?];
        Ok(SignedCheckpoint { checkpoint: checkpoint.clone(), note: Note { text, signatures } })
    }

    /// A witness's two cosignature lines on a head.
    pub fn cosign(
        &self,
        head: &SignedCheckpoint,
        time: u64,
    ) -> Result<Vec<SignatureLine>, CannotSign> {
        let [ed25519, mldsa] = self.witness_verifiers();
        let mut signature = time.to_be_bytes().to_vec();
        let message = ed25519_message(time, &head.note.text);
        signature.extend_from_slice(&self.ed25519.sign(&message)?);
        let line = SignatureLine { name: self.name.clone(), id: ed25519.id(), signature };
        Ok(vec![line, self.mldsa_line(mldsa.id(), &head.checkpoint, time)?])
    }

    fn mldsa_line(
        &self,
        id: u32,
        checkpoint: &Checkpoint,
        time: u64,
    ) -> Result<SignatureLine, CannotSign> {
        self.subtree_line(id, &checkpoint.whole(), time)
            .filter(|_| time != 0)
            .ok_or(CannotSign::TimeOrName)
    }

    /// A witness's cosignature line on a part of a tree: by ML-DSA-44, without a time.
    pub fn cosign_subtree(&self, subtree: &Subtree) -> Result<SignatureLine, CannotSign> {
        let [_, mldsa] = self.witness_verifiers();
        self.subtree_line(mldsa.id(), subtree, 0).ok_or(CannotSign::TimeOrName)
    }

    fn subtree_line(&self, id: u32, subtree: &Subtree, time: u64) -> Option<SignatureLine> {
        let signed = self.mldsa.sign(&mldsa_message(&self.name, time, subtree)?)?;
        let mut signature = time.to_be_bytes().to_vec();
        signature.extend_from_slice(&signed);
        Some(SignatureLine { name: self.name.clone(), id, signature })
    }
}
