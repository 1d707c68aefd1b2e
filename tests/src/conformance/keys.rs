//! Keys that sign whatever a case needs, sound or not.

use super::cosignature::{Subject, message};
use coldlog_spec::note::{KeyMaterial, SignatureLine, VerifierKey};
use coldlog_spec::{ed25519, mldsa};
use ed25519_dalek::Signer as _;

/// The kinds of keys, by what they sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// 0x01: Ed25519 over a note's text.
    Ed25519,
    /// 0x04: a witness's Ed25519 cosignature.
    Ed25519Cosigner,
    /// 0x06: ML-DSA-44 over a head or a subtree.
    MlDsa44,
}

/// A key that signs.
pub struct Signer {
    /// Its public half under its name.
    pub verifier: VerifierKey,
    secret: Secret,
}

enum Secret {
    Ed25519(Box<ed25519_dalek::SigningKey>),
    MlDsa44(Box<ml_dsa::SigningKey<ml_dsa::MlDsa44>>),
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Signer({} {:08x})", self.verifier.name, self.verifier.id())
    }
}

impl Signer {
    /// The key of a seed.
    pub fn new(name: &str, kind: Kind, seed: &[u8; 32]) -> Signer {
        let public = || ed25519::SecretKey::from_seed(seed).public();
        let material = match kind {
            Kind::Ed25519 => KeyMaterial::Ed25519(public()),
            Kind::Ed25519Cosigner => KeyMaterial::Ed25519Cosigner(public()),
            Kind::MlDsa44 => {
                KeyMaterial::MlDsa44Cosigner(mldsa::SecretKey::from_seed(seed).public())
            }
        };
        let secret = match kind {
            Kind::MlDsa44 => {
                Secret::MlDsa44(Box::new(ml_dsa::SigningKey::from_seed(&(*seed).into())))
            }
            _ => Secret::Ed25519(Box::new(ed25519_dalek::SigningKey::from_bytes(seed))),
        };
        Signer { verifier: VerifierKey::new(name.into(), material), secret }
    }

    /// A key that nobody knows.
    pub fn random(name: &str, kind: Kind) -> Result<Signer, getrandom::Error> {
        Ok(Signer::new(name, kind, &random()?))
    }

    /// The signature line on a head or a subtree; the time is left out where the kind has none.
    pub fn sign(&self, subject: &Subject, time: u64) -> SignatureLine {
        let signed = message(&self.verifier, time, subject).map(|bytes| self.raw(&bytes));
        let mut signature = match self.verifier.material {
            KeyMaterial::Ed25519(_) => Vec::new(),
            _ => time.to_be_bytes().to_vec(),
        };
        signature.extend(signed.unwrap_or_default());
        self.line(signature)
    }

    /// A line under this key's name and id that holds any bytes.
    pub fn line(&self, signature: Vec<u8>) -> SignatureLine {
        SignatureLine { name: self.verifier.name.clone(), id: self.verifier.id(), signature }
    }

    // An ML-DSA signature with an empty context never fails.
    fn raw(&self, message: &[u8]) -> Vec<u8> {
        match &self.secret {
            Secret::Ed25519(key) => key.sign(message).to_bytes().to_vec(),
            Secret::MlDsa44(key) => {
                let signed = key.expanded_key().sign_deterministic(message, b"");
                signed.map(|signature| signature.encode().to_vec()).unwrap_or_default()
            }
        }
    }
}

/// Fresh bytes from the operating system.
pub fn random<const N: usize>() -> Result<[u8; N], getrandom::Error> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)?;
    Ok(bytes)
}
