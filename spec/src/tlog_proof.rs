//! The offline proof of C2SP tlog-proof, as an export.

use crate::hash::Hash;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// `c2sp.org/tlog-proof@v1`: index, path and the cosigned checkpoint verbatim.
pub fn encode(index: u64, path: &[Hash], checkpoint: &[u8]) -> Vec<u8> {
    let mut text = format!("c2sp.org/tlog-proof@v1\nindex {index}\n");
    for hash in path {
        text.push_str(&STANDARD.encode(hash.0));
        text.push('\n');
    }
    text.push('\n');
    let mut bytes = text.into_bytes();
    bytes.extend_from_slice(checkpoint);
    bytes
}
