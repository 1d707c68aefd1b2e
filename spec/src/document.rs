//! Document signatures in formats whose verifiers people already have: SSHSIG and minisign.
//!
//! A document is read once; the hasher keeps SHA-256 for the record and the digest that the format
//! signs. A raw Ed25519 signature over a caller's bytes is never made: SSHSIG signs its own
//! preamble, minisign a BLAKE2b digest, a statement a COSE `Sig_structure`.

use crate::cbor::DecodeError;
use crate::ed25519::{NotSigned, PublicKey, SecretKey};
use crate::hash::Hash;
use crate::record::Scheme;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::Digest;

/// The SSHSIG namespace of a file, as `ssh-keygen -Y` names it.
pub const NAMESPACE: &str = "file";
const MAX_SIGNATURE: usize = 8192;

enum Prehash {
    Sha512(sha2::Sha512),
    Blake2b(Box<blake2::Blake2b512>),
}

/// Hashes a document as it is read.
pub struct DocumentHasher {
    size: u64,
    sha256: sha2::Sha256,
    prehash: Prehash,
}

/// What a document is, for its record and its signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DocumentDigest {
    /// Bytes.
    pub size: u64,
    /// SHA-256.
    pub sha256: Hash,
    /// The format.
    pub scheme: Scheme,
    /// SHA-512 for SSHSIG, BLAKE2b-512 for minisign.
    pub prehash: [u8; 64],
}

impl DocumentHasher {
    /// For a format.
    pub fn new(scheme: Scheme) -> DocumentHasher {
        let prehash = match scheme {
            Scheme::Sshsig => Prehash::Sha512(Default::default()),
            Scheme::Minisign => Prehash::Blake2b(Default::default()),
        };
        DocumentHasher { size: 0, sha256: Default::default(), prehash }
    }

    /// More bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.size += bytes.len() as u64;
        self.sha256.update(bytes);
        match &mut self.prehash {
            Prehash::Sha512(hasher) => hasher.update(bytes),
            Prehash::Blake2b(hasher) => hasher.update(bytes),
        }
    }

    /// The end.
    pub fn finish(self) -> DocumentDigest {
        let (scheme, prehash) = match self.prehash {
            Prehash::Sha512(hasher) => (Scheme::Sshsig, hasher.finalize().into()),
            Prehash::Blake2b(hasher) => (Scheme::Minisign, hasher.finalize().into()),
        };
        DocumentDigest {
            size: self.size,
            sha256: Hash(self.sha256.finalize().into()),
            scheme,
            prehash,
        }
    }

    /// Of bytes that are in memory.
    pub fn digest(scheme: Scheme, bytes: &[u8]) -> DocumentDigest {
        let mut hasher = DocumentHasher::new(scheme);
        hasher.update(bytes);
        hasher.finish()
    }
}

/// A signature file, decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SignatureFile {
    /// SSHSIG.
    Sshsig {
        /// Ed25519 public key.
        key: [u8; 32],
        /// The signature.
        signature: [u8; 64],
    },
    /// minisign.
    Minisign {
        /// The 8 bytes that name the key.
        key_id: [u8; 8],
        /// The untrusted comment.
        untrusted: String,
        /// The signature over the digest.
        signature: [u8; 64],
        /// The trusted comment.
        trusted: String,
        /// The signature over both.
        global: [u8; 64],
    },
}

/// The signature does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// By another key.
    #[error("the document signature is by the key {found}, expected {expected}")]
    OtherKey {
        /// Hex.
        expected: String,
        /// Hex.
        found: String,
    },
    /// Another format than the digest was made for.
    #[error("the signature file is {found}, expected {expected}")]
    OtherScheme {
        /// The record's format.
        expected: &'static str,
        /// The file's format.
        found: &'static str,
    },
    /// Not over this document.
    #[error(
        "the document signature does not verify over this document: the document or the signature was altered"
    )]
    Bad,
}

const BEGIN: &str = "-----BEGIN SSH SIGNATURE-----\n";
const END: &str = "-----END SSH SIGNATURE-----\n";

impl SignatureFile {
    /// Signs a document's digest in its format.
    pub fn sign(
        key: &SecretKey,
        digest: &DocumentDigest,
        trusted: &str,
    ) -> Result<SignatureFile, NotSigned> {
        let public = key.public();
        Ok(match digest.scheme {
            Scheme::Sshsig => SignatureFile::Sshsig {
                key: *public.as_bytes(),
                signature: key.sign(&sshsig_message(&digest.prehash))?,
            },
            Scheme::Minisign => {
                let signature = key.sign(&digest.prehash)?;
                let global = key.sign(&[&signature[..], trusted.as_bytes()].concat())?;
                let untrusted = "signature by Coldlog, verify with minisign".into();
                let trusted = trusted.into();
                let key_id = minisign_key_id(&public);
                SignatureFile::Minisign { key_id, untrusted, signature, trusted, global }
            }
        })
    }

    /// The format.
    pub fn scheme(&self) -> Scheme {
        match self {
            SignatureFile::Sshsig { .. } => Scheme::Sshsig,
            SignatureFile::Minisign { .. } => Scheme::Minisign,
        }
    }

    /// The file's bytes.
    pub fn encode(&self) -> Vec<u8> {
        match self {
            SignatureFile::Sshsig { key, signature } => {
                let mut blob = b"SSHSIG\0\0\0\x01".to_vec();
                push_string(&mut blob, &ssh_pair(key));
                push_string(&mut blob, NAMESPACE.as_bytes());
                push_string(&mut blob, b"");
                push_string(&mut blob, b"sha512");
                push_string(&mut blob, &ssh_pair(signature));
                let text = STANDARD.encode(blob);
                let mut file = BEGIN.as_bytes().to_vec();
                for line in text.as_bytes().chunks(70) {
                    file.extend_from_slice(line);
                    file.push(b'\n');
                }
                file.extend_from_slice(END.as_bytes());
                file
            }
            SignatureFile::Minisign { key_id, untrusted, signature, trusted, global } => {
                let blob = [b"ED", &key_id[..], &signature[..]].concat();
                let (blob, global) = (STANDARD.encode(blob), STANDARD.encode(global));
                format!(
                    "untrusted comment: {untrusted}\n{blob}\ntrusted comment: {trusted}\n{global}\n"
                )
                .into_bytes()
            }
        }
    }

    /// Reads a signature file of either format; its one encoding only.
    pub fn decode(bytes: &[u8]) -> Result<SignatureFile, DecodeError> {
        const WHAT: &str = "signature file";
        if bytes.len() > MAX_SIGNATURE {
            let found = bytes.len();
            return Err(DecodeError::TooLong { what: WHAT, limit: MAX_SIGNATURE, found });
        }
        let file =
            std::str::from_utf8(bytes).ok().and_then(|text| match text.strip_prefix(BEGIN) {
                Some(body) => decode_sshsig(body),
                None => decode_minisign(text),
            });
        let file = file.ok_or_else(|| {
            let expected = "SSHSIG (Ed25519, namespace file, sha512) or prehashed minisign";
            DecodeError::field(WHAT, "its content", expected, "another format")
        })?;
        if file.encode() != bytes {
            let why = "it is not laid out as ssh-keygen or minisign write it".into();
            return Err(DecodeError::NotDeterministic { what: WHAT, why });
        }
        Ok(file)
    }

    /// Verifies over a document by a key.
    pub fn verify(&self, key: &PublicKey, digest: &DocumentDigest) -> Result<(), SignatureError> {
        if self.scheme() != digest.scheme {
            let (expected, found) = (digest.scheme.name(), self.scheme().name());
            return Err(SignatureError::OtherScheme { expected, found });
        }
        let (expected, found, good) = match self {
            SignatureFile::Sshsig { key: found, signature } => (
                key.as_bytes().to_vec(),
                found.to_vec(),
                key.verify(&sshsig_message(&digest.prehash), signature),
            ),
            SignatureFile::Minisign { key_id, signature, trusted, global, .. } => (
                minisign_key_id(key).to_vec(),
                key_id.to_vec(),
                key.verify(&digest.prehash, signature)
                    && key.verify(&[&signature[..], trusted.as_bytes()].concat(), global),
            ),
        };
        if expected != found {
            let (expected, found) = (crate::hash::to_hex(&expected), crate::hash::to_hex(&found));
            return Err(SignatureError::OtherKey { expected, found });
        }
        if good { Ok(()) } else { Err(SignatureError::Bad) }
    }
}

/// The 8 bytes by which minisign names our key: the start of its COSE thumbprint.
pub fn minisign_key_id(key: &PublicKey) -> [u8; 8] {
    let hash = key.thumbprint().0;
    [hash[0], hash[1], hash[2], hash[3], hash[4], hash[5], hash[6], hash[7]]
}

/// A minisign public key file.
pub fn minisign_public_key(key: &PublicKey) -> String {
    let blob = [b"Ed", &minisign_key_id(key)[..], key.as_bytes()].concat();
    format!(
        "untrusted comment: minisign public key of a Coldlog signer\n{}\n",
        STANDARD.encode(blob)
    )
}

/// An OpenSSH public key: `ssh-ed25519 <base64>`.
pub fn ssh_public_key(key: &PublicKey) -> String {
    format!("ssh-ed25519 {}", STANDARD.encode(ssh_pair(key.as_bytes())))
}

/// The key in an OpenSSH public key line, or in 64 hex digits.
pub fn parse_public_key(text: &str) -> Option<PublicKey> {
    let text = text.trim();
    if let Some(hash) = Hash::from_hex(text) {
        return PublicKey::from_bytes(&hash.0).ok();
    }
    let mut words = text.split_whitespace().skip_while(|word| *word != "ssh-ed25519");
    let blob = STANDARD.decode(words.nth(1)?).ok()?;
    let key = blob.strip_prefix(b"\0\0\0\x0bssh-ed25519\0\0\0\x20")?;
    PublicKey::from_bytes(key).ok()
}

fn sshsig_message(sha512: &[u8; 64]) -> Vec<u8> {
    let mut message = b"SSHSIG".to_vec();
    push_string(&mut message, NAMESPACE.as_bytes());
    push_string(&mut message, b"");
    push_string(&mut message, b"sha512");
    push_string(&mut message, sha512);
    message
}

fn push_string(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(&(bytes.len() as u32).to_be_bytes());
    out.extend_from_slice(bytes);
}

fn ssh_pair(bytes: &[u8]) -> Vec<u8> {
    let mut pair = Vec::new();
    push_string(&mut pair, b"ssh-ed25519");
    push_string(&mut pair, bytes);
    pair
}

// The layout is fixed, so the fields lie at fixed places; the caller compares the re-encoding.
fn decode_sshsig(body: &str) -> Option<SignatureFile> {
    let text: String = body.strip_suffix(END)?.split('\n').collect();
    let blob = STANDARD.decode(&text).ok()?;
    let key = blob.get(33..65)?.try_into().ok()?;
    let signature = blob.get(blob.len().checked_sub(64)?..)?.try_into().ok()?;
    Some(SignatureFile::Sshsig { key, signature })
}

fn decode_minisign(text: &str) -> Option<SignatureFile> {
    let lines: Vec<&str> = text.strip_suffix('\n')?.split('\n').collect();
    let [untrusted, blob, trusted, global] = lines.as_slice() else { return None };
    let blob = STANDARD.decode(blob).ok()?;
    Some(SignatureFile::Minisign {
        untrusted: untrusted.strip_prefix("untrusted comment: ")?.into(),
        trusted: trusted.strip_prefix("trusted comment: ")?.into(),
        key_id: blob.strip_prefix(b"ED")?.get(..8)?.try_into().ok()?,
        signature: blob.get(10..74)?.try_into().ok()?,
        global: STANDARD.decode(global).ok()?.try_into().ok()?,
    })
}
