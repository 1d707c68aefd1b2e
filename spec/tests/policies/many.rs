//! Policies of many witnesses.

use coldlog_spec::ed25519::SecretKey;
use coldlog_spec::note::{KeyMaterial, VerifierKey};
use std::fmt::Write;

// Witness lines w0, w1, ... of as many parties, each with an Ed25519 key.
pub(crate) fn many(count: usize) -> String {
    let mut text = String::new();
    for n in 0..count {
        let mut seed = [9; 32];
        seed[..8].copy_from_slice(&(n as u64).to_be_bytes());
        let key = KeyMaterial::Ed25519Cosigner(SecretKey::from_seed(&seed).public());
        let key = VerifierKey::new(format!("n{n}.example"), key);
        writeln!(text, "witness w{n} {}", key.encode()).unwrap();
    }
    text
}
