//! Signed notes (C2SP signed-note): a text, an empty line, and signature lines.
//!
//! ```text
//! <text, ending in a newline>
//!
//! — <key name> <base64(4-byte key id || signature)>
//! ```

use crate::ed25519;
use crate::hash::Hash;
use crate::mldsa;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// The largest note that we read.
pub const MAX_NOTE: usize = 256 * 1024;
/// The most signature lines that we read.
pub const MAX_SIGNATURES: usize = 128;
/// The longest key name, in bytes: a cosignature frames it with one byte.
pub const MAX_NAME: usize = 255;

/// Why bytes are not a note.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// Over [`MAX_NOTE`] bytes or [`MAX_SIGNATURES`] lines.
    #[error("the note is too large: {found} {unit}, at most {limit}")]
    TooLarge {
        /// Bytes or signature lines.
        unit: &'static str,
        /// How many there are.
        found: usize,
        /// How many we read.
        limit: usize,
    },
    /// The shape is wrong.
    #[error("not a signed note: {0}")]
    Malformed(String),
    /// A line by a key that we know does not verify: the whole note is bad.
    #[error(
        "the signature by {name} (key id {id:08x}) does not verify: the note was altered or the signer is not who it says"
    )]
    BadSignature {
        /// The key's name.
        name: String,
        /// The key's id.
        id: u32,
    },
    /// No line is by a key that we know.
    #[error("no signature by a key that the policy names; found {found}")]
    NoKnownSignature {
        /// The names on the lines that are there.
        found: String,
    },
    /// A verifier key is not one.
    #[error("not a verifier key (name+hex id+base64): {0}")]
    VerifierKey(String),
}

/// One signature line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignatureLine {
    /// The key's name.
    pub name: String,
    /// The first 4 bytes of the key's hash.
    pub id: u32,
    /// What follows the id.
    pub signature: Vec<u8>,
}

impl SignatureLine {
    /// The line with its newline.
    pub fn encode(&self) -> String {
        let mut blob = self.id.to_be_bytes().to_vec();
        blob.extend_from_slice(&self.signature);
        format!("\u{2014} {} {}\n", self.name, STANDARD.encode(blob))
    }

    /// Reads one line without its newline.
    pub fn decode(line: &str) -> Result<SignatureLine, NoteError> {
        let malformed = |why: &str| NoteError::Malformed(format!("{why} in a signature line"));
        let rest = line.strip_prefix("\u{2014} ").ok_or_else(|| malformed("no em dash"))?;
        let (name, blob) = rest.split_once(' ').ok_or_else(|| malformed("no space"))?;
        if !is_key_name(name) {
            return Err(malformed("no valid key name"));
        }
        let blob = STANDARD.decode(blob).map_err(|_| malformed("bad base64"))?;
        let (id, signature) =
            blob.split_first_chunk::<4>().ok_or_else(|| malformed("no key id"))?;
        if signature.is_empty() {
            return Err(malformed("an empty signature"));
        }
        Ok(SignatureLine {
            name: name.into(),
            id: u32::from_be_bytes(*id),
            signature: signature.to_vec(),
        })
    }
}

/// A note: its text and its lines, of which nothing is verified yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// The text with its final newline.
    pub text: String,
    /// The signature lines in order.
    pub signatures: Vec<SignatureLine>,
}

impl Note {
    /// Reads a note; its encoding is its only form.
    pub fn decode(bytes: &[u8]) -> Result<Note, NoteError> {
        if bytes.len() > MAX_NOTE {
            let found = bytes.len();
            return Err(NoteError::TooLarge { unit: "bytes", found, limit: MAX_NOTE });
        }
        let malformed = |why: &str| NoteError::Malformed(why.into());
        let note = std::str::from_utf8(bytes).map_err(|_| malformed("it is not UTF-8"))?;
        // By blocks, without a way out in the middle of one: this is on the path of every proof.
        let control = |byte: &u8| byte.is_ascii_control() & (*byte != b'\n');
        if bytes.chunks(256).any(|block| block.iter().fold(false, |found, b| found | control(b))) {
            return Err(malformed("it holds a control character"));
        }
        let (text, lines) =
            split(note).ok_or_else(|| malformed("no empty line before signatures"))?;
        let lines = lines.strip_suffix('\n').ok_or_else(|| malformed("no newline at its end"))?;
        let found = lines.split('\n').count();
        if found > MAX_SIGNATURES {
            return Err(NoteError::TooLarge { unit: "signatures", found, limit: MAX_SIGNATURES });
        }
        let signatures = lines.split('\n').map(SignatureLine::decode).collect::<Result<_, _>>()?;
        Ok(Note { text: text.into(), signatures })
    }

    /// The note's bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut note = self.text.clone();
        note.push('\n');
        for line in &self.signatures {
            note.push_str(&line.encode());
        }
        note.into_bytes()
    }
}

// The text with its final newline, and the signature lines: they are split by the last empty line.
// Searched line by line from the end, as long lines of signatures are most of a note.
fn split(note: &str) -> Option<(&str, &str)> {
    let mut end = note.len();
    while let Some(newline) = note[..end].rfind('\n') {
        if newline + 1 == end && end < note.len() {
            return Some((&note[..end], &note[end + 1..]));
        }
        end = newline;
    }
    None
}

/// Whether a text can be a key's name: not empty, no Unicode space, no plus, no control character.
pub fn is_key_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= MAX_NAME
        && !name.chars().any(|c| c.is_whitespace() || c.is_control() || c == '+')
}

/// What a key of a note signs, by its type byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyMaterial {
    /// 0x01: Ed25519 over the text.
    Ed25519(ed25519::PublicKey),
    /// 0x04: Ed25519 cosignature/v1 with a time.
    Ed25519Cosigner(ed25519::PublicKey),
    /// 0x06: ML-DSA-44 cosignature with a time.
    MlDsa44Cosigner(mldsa::PublicKey),
}

/// A verifier key: `name+hex8(key id)+base64(type || public key)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifierKey {
    /// Who signs.
    pub name: String,
    /// With what.
    pub material: KeyMaterial,
    // Of the two above; kept, for it is asked for with each line of each note.
    id: u32,
}

impl VerifierKey {
    /// The key, where it is an Ed25519 key.
    pub fn ed25519(&self) -> Option<&ed25519::PublicKey> {
        match &self.material {
            KeyMaterial::Ed25519(key) => Some(key),
            _ => None,
        }
    }

    /// The bytes of the public key alone: without its type, so that a key under two types is known.
    pub fn public_key(&self) -> &[u8] {
        parts(&self.material).1
    }

    /// A key under a name.
    pub fn new(name: String, material: KeyMaterial) -> VerifierKey {
        let hash = hash_of(&name, &material);
        let id = u32::from_be_bytes([hash.0[0], hash.0[1], hash.0[2], hash.0[3]]);
        VerifierKey { name, material, id }
    }

    /// Reads a verifier key; the id must be the one that its name and key give.
    pub fn decode(text: &str) -> Result<VerifierKey, NoteError> {
        let bad = |why: String| NoteError::VerifierKey(why);
        let (name, rest) = text.split_once('+').ok_or_else(|| bad("no plus".into()))?;
        let (id, key) = rest.split_once('+').ok_or_else(|| bad("only one plus".into()))?;
        if !is_key_name(name) {
            return Err(bad(format!("{name:?} is no key name")));
        }
        let key = STANDARD.decode(key).map_err(|_| bad("bad base64".into()))?;
        let (kind, key) = key.split_first().ok_or_else(|| bad("no key".into()))?;
        let ed25519 = || ed25519::PublicKey::from_bytes(key).map_err(|e| bad(e.to_string()));
        let material = match kind {
            0x01 => KeyMaterial::Ed25519(ed25519()?),
            0x04 => KeyMaterial::Ed25519Cosigner(ed25519()?),
            0x06 => KeyMaterial::MlDsa44Cosigner(mldsa::PublicKey::from_bytes(key).ok_or_else(
                || bad(format!("an ML-DSA-44 key has 1312 bytes, found {}", key.len())),
            )?),
            other => return Err(bad(format!("signature type {other:#04x} is not known to us"))),
        };
        let verifier = VerifierKey::new(name.into(), material);
        if format!("{:08x}", verifier.id()) != id {
            return Err(bad(format!("the key id is {:08x}, the text says {id:?}", verifier.id())));
        }
        Ok(verifier)
    }

    /// The text form.
    pub fn encode(&self) -> String {
        let (kind, key) = parts(&self.material);
        let mut blob = vec![kind];
        blob.extend_from_slice(key);
        format!("{}+{:08x}+{}", self.name, self.id(), STANDARD.encode(blob))
    }

    /// The first 4 bytes of SHA-256(name || 0x0A || type || key).
    pub fn id(&self) -> u32 {
        self.id
    }

    /// The first 16 bytes of the same hash, in hex: for people to compare. The id alone will not do, a key
    /// with the id of another is found within the hour.
    pub fn fingerprint(&self) -> String {
        let mut digits = hash_of(&self.name, &self.material).to_hex();
        digits.truncate(32);
        digits
    }
}

fn hash_of(name: &str, material: &KeyMaterial) -> Hash {
    let (kind, key) = parts(material);
    Hash::of_parts(&[name.as_bytes(), b"\n", &[kind], key])
}

fn parts(material: &KeyMaterial) -> (u8, &[u8]) {
    match material {
        KeyMaterial::Ed25519(key) => (0x01, key.as_bytes()),
        KeyMaterial::Ed25519Cosigner(key) => (0x04, key.as_bytes()),
        KeyMaterial::MlDsa44Cosigner(key) => (0x06, key.as_bytes()),
    }
}
