//! Ed25519 (RFC 8032) with one rule for the whole project: [`PublicKey::verify`].
//!
//! Of the flags in C2SP's CCTV vectors a signature is refused when it has any of `low_order_A`,
//! `low_order_R`, `non_canonical_A`, `non_canonical_R`, `low_order_residue` (the cofactorless
//! equation fails) or `reencoded_k`. Low-order *components* in an otherwise sound key or nonce are
//! accepted where the cofactorless equation holds, as in RFC 8032. There is no batch verification:
//! for a nonce with a torsion component the batch equation accepts by chance what the single one
//! refuses, so that two auditors could be brought to two opinions. Many signatures by one key are
//! judged faster, and alike, by [`Verifier`].

mod verifier;
mod verifiers;

pub use verifier::{Signed, Verifier, WORTH_A_TABLE};
pub use verifiers::Verifiers;

use crate::cbor;
use crate::hash::Hash;
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use std::sync::Arc;

/// A public key that is a canonical encoding of a point that is not of small order.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey(VerifyingKey);

/// The key is not one that a strict verifier accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not 32 bytes.
    #[error("an Ed25519 public key has 32 bytes, found {0}")]
    Length(usize),
    /// Not a point, not canonical, or of small order.
    #[error(
        "these 32 bytes are no sound Ed25519 public key (RFC 8032: no point, not canonical, or of small order)"
    )]
    Unsound,
}

impl PublicKey {
    /// Decodes and checks a key.
    pub fn from_bytes(bytes: &[u8]) -> Result<PublicKey, KeyError> {
        let bytes: &[u8; 32] = bytes.try_into().map_err(|_| KeyError::Length(bytes.len()))?;
        let key = VerifyingKey::from_bytes(bytes).map_err(|_| KeyError::Unsound)?;
        // dalek reduces a y that is not below the prime 2^255-19; RFC 8032, section 5.1.3 refuses
        // it. (The other odd encoding, x = 0 with its sign set, is of small order.)
        let beyond_prime = bytes[0] >= 0xed
            && bytes[1..31].iter().all(|byte| *byte == 0xff)
            && bytes[31] & 0x7f == 0x7f;
        if key.is_weak() || beyond_prime {
            return Err(KeyError::Unsound);
        }
        Ok(PublicKey(key))
    }

    /// The 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }

    /// Strict verification; the one place where an Ed25519 signature is judged.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        match Signature::from_slice(signature) {
            Ok(signature) => self.0.verify_strict(message, &signature).is_ok(),
            Err(_) => false,
        }
    }

    fn point(&self) -> curve25519_dalek::edwards::EdwardsPoint {
        self.0.to_edwards()
    }

    /// The COSE key thumbprint (RFC 9679) with SHA-256: our `kid`.
    pub fn thumbprint(&self) -> Hash {
        Hash::of(&cbor::to_bytes(&cbor::map(self.required_parameters())))
    }

    /// The key as a COSE_Key (RFC 9052, section 7): OKP, Ed25519, with its kid and for EdDSA.
    pub fn cose_key(&self) -> cbor::Value {
        let mut parameters = self.required_parameters();
        parameters.push((2.into(), cbor::bytes(self.thumbprint().0)));
        parameters.push((3.into(), crate::cose::ALG_EDDSA.into()));
        cbor::map(parameters)
    }

    // What a thumbprint covers (RFC 9679, section 3.1).
    fn required_parameters(&self) -> Vec<(cbor::Value, cbor::Value)> {
        vec![
            (1.into(), 1.into()),
            ((-1).into(), 6.into()),
            ((-2).into(), cbor::bytes(self.as_bytes())),
        ]
    }
}

impl std::fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ed25519:{}", crate::hash::to_hex(self.as_bytes()))
    }
}

/// Where a key lives that never leaves its place: a token, an agent.
pub trait Holder: Send + Sync {
    /// The key's plain Ed25519 signature (RFC 8032, without context or prehash) over these bytes.
    fn sign(&self, message: &[u8]) -> Result<[u8; 64], NotSigned>;
}

/// A key that is held elsewhere did not sign. The text names the token and the key, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NotSigned(pub String);

/// A signing key: one in memory, whose bytes are wiped on drop and never shown, or one that is held
/// elsewhere.
pub struct SecretKey(Inner);

enum Inner {
    Seed(SigningKey),
    Held(PublicKey, Arc<dyn Holder>),
}

impl SecretKey {
    /// The key of a 32-byte seed.
    pub fn from_seed(seed: &[u8; 32]) -> SecretKey {
        SecretKey(Inner::Seed(SigningKey::from_bytes(seed)))
    }

    /// A key that is held elsewhere.
    pub fn held(public: PublicKey, holder: Arc<dyn Holder>) -> SecretKey {
        SecretKey(Inner::Held(public, holder))
    }

    /// Its public key.
    pub fn public(&self) -> PublicKey {
        match &self.0 {
            Inner::Seed(key) => PublicKey(key.verifying_key()),
            Inner::Held(public, _) => public.clone(),
        }
    }

    /// A deterministic signature (RFC 8032, section 5.1.6). Private to `spec`: only the functions
    /// that build a domain-separated message may sign. What a holder answers is verified before it is
    /// believed: it may hold another key by now.
    pub(crate) fn sign(&self, message: &[u8]) -> Result<[u8; 64], NotSigned> {
        match &self.0 {
            Inner::Seed(key) => Ok(key.sign(message).to_bytes()),
            Inner::Held(public, holder) => {
                let signature = holder.sign(message)?;
                match public.verify(message, &signature) {
                    true => Ok(signature),
                    false => Err(NotSigned(format!(
                        "what holds the key {public:?} answered with a signature that does not verify: it signs with another key, or not plain Ed25519"
                    ))),
                }
            }
        }
    }
}

impl std::fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretKey(..)")
    }
}
