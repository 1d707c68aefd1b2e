//! ML-DSA-44 (FIPS 204) with an empty context, for cosignatures of type 0x06.

use std::sync::OnceLock;

use ml_dsa::{EncodedSignature, EncodedVerifyingKey, MlDsa44, Signature, SigningKey, VerifyingKey};

/// Bytes of a public key.
pub const PUBLIC_KEY_BYTES: usize = 1312;
/// Bytes of a signature.
pub const SIGNATURE_BYTES: usize = 2420;

/// A public key by its encoding; it is expanded when it first verifies, for a policy may name many keys
/// of which few sign.
#[derive(Clone)]
pub struct PublicKey {
    bytes: Vec<u8>,
    key: OnceLock<Box<VerifyingKey<MlDsa44>>>,
}

impl PublicKey {
    /// Decodes a key of [`PUBLIC_KEY_BYTES`]; any such string is a key (FIPS 204, section 7.2).
    pub fn from_bytes(bytes: &[u8]) -> Option<PublicKey> {
        EncodedVerifyingKey::<MlDsa44>::try_from(bytes).ok()?;
        Some(PublicKey { bytes: bytes.to_vec(), key: OnceLock::new() })
    }

    /// The encoding.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Whether `signature` is this key's over `message`.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        let Ok(encoded) = EncodedSignature::<MlDsa44>::try_from(signature) else { return false };
        let Some(signature) = Signature::decode(&encoded) else { return false };
        let Ok(key) = EncodedVerifyingKey::<MlDsa44>::try_from(&self.bytes[..]) else {
            return false;
        };
        let key = self.key.get_or_init(|| Box::new(VerifyingKey::decode(&key)));
        key.verify_with_context(message, b"", &signature)
    }
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &PublicKey) -> bool {
        self.bytes == other.bytes
    }
}
impl Eq for PublicKey {}

impl std::fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ml-dsa-44:{}..", crate::hash::to_hex(&self.bytes[..8]))
    }
}

/// A signing key made from a 32-byte seed; wiped on drop and never shown.
pub struct SecretKey(Box<SigningKey<MlDsa44>>);

impl SecretKey {
    /// The key of a seed (FIPS 204, section 6.1).
    pub fn from_seed(seed: &[u8; 32]) -> SecretKey {
        SecretKey(Box::new(SigningKey::from_seed(&(*seed).into())))
    }

    /// Its public key.
    pub fn public(&self) -> PublicKey {
        let key = self.0.expanded_key().verifying_key();
        PublicKey { bytes: key.encode().to_vec(), key: OnceLock::from(Box::new(key)) }
    }

    /// A deterministic signature (FIPS 204, section 3.4); `None` never happens with an empty context.
    pub(crate) fn sign(&self, message: &[u8]) -> Option<Vec<u8>> {
        let signature = self.0.expanded_key().sign_deterministic(message, b"").ok()?;
        Some(signature.encode().to_vec())
    }
}

impl std::fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretKey(..)")
    }
}
