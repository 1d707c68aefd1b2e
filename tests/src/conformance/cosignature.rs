//! What the keys of logs and witnesses sign (C2SP tlog-cosignature), written here a second time so that
//! the suite does not take the word of the code that it tests.

use coldlog_spec::hash::Hash;
use coldlog_spec::note::{KeyMaterial, SignatureLine, VerifierKey};

/// What a signature is about: a head, or a subtree, of which there is no text.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The checkpoint's text with all its lines; `None` for a subtree.
    pub text: Option<&'a str>,
    /// The log.
    pub origin: &'a str,
    /// The first leaf.
    pub start: u64,
    /// One past the last leaf.
    pub end: u64,
    /// The root of these leaves.
    pub root: Hash,
}

/// The bytes that a key signs; `None` where its kind cannot sign such a thing.
pub fn message(key: &VerifierKey, time: u64, subject: &Subject) -> Option<Vec<u8>> {
    match key.material {
        KeyMaterial::Ed25519(_) => Some(subject.text?.as_bytes().to_vec()),
        KeyMaterial::Ed25519Cosigner(_) => {
            Some(format!("cosignature/v1\ntime {time}\n{}", subject.text?).into_bytes())
        }
        KeyMaterial::MlDsa44Cosigner(_) => {
            // label[12] || u8 length, name || u64 time || u8 length, origin || u64 start || u64 end || hash
            let mut bytes = b"subtree/v1\n\0".to_vec();
            bytes.push(u8::try_from(key.name.len()).ok()?);
            bytes.extend_from_slice(key.name.as_bytes());
            bytes.extend_from_slice(&time.to_be_bytes());
            bytes.push(u8::try_from(subject.origin.len()).ok()?);
            bytes.extend_from_slice(subject.origin.as_bytes());
            bytes.extend_from_slice(&subject.start.to_be_bytes());
            bytes.extend_from_slice(&subject.end.to_be_bytes());
            bytes.extend_from_slice(&subject.root.0);
            Some(bytes)
        }
    }
}

/// Whether a line names a key: by name and id.
pub fn is_by(line: &SignatureLine, key: &VerifierKey) -> bool {
    line.name == key.name && line.id == key.id()
}

/// The time of a line that verifies under a key, which is 0 for a kind of key that says none.
pub fn verify(key: &VerifierKey, line: &SignatureLine, subject: &Subject) -> Option<u64> {
    if !is_by(line, key) {
        return None;
    }
    if let KeyMaterial::Ed25519(public) = &key.material {
        return public.verify(&message(key, 0, subject)?, &line.signature).then_some(0);
    }
    let (time, signature) = line.signature.split_first_chunk::<8>()?;
    let time = u64::from_be_bytes(*time);
    let message = message(key, time, subject)?;
    let holds = match &key.material {
        KeyMaterial::Ed25519(public) | KeyMaterial::Ed25519Cosigner(public) => {
            public.verify(&message, signature)
        }
        KeyMaterial::MlDsa44Cosigner(public) => public.verify(&message, signature),
    };
    // It MUST NOT exceed 2^63 - 1.
    (holds && i64::try_from(time).is_ok()).then_some(time)
}
