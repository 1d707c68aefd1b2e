//! The bodies of requests.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use coldlog_spec::checkpoint::Checkpoint;
use coldlog_spec::hash::Hash;
use coldlog_spec::note::Note;

/// What `add-checkpoint` is asked with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submission {
    /// The size that the witness is said to have.
    pub old: u64,
    /// From there to the head.
    pub proof: Vec<Hash>,
    /// What the note says.
    pub head: Checkpoint,
    /// The signed head.
    pub note: Note,
}

impl Submission {
    /// `old <size>`, the proof, an empty line, the checkpoint.
    pub fn body(&self) -> Vec<u8> {
        let mut body = format!("old {}\n{}\n", self.old, lines(&self.proof)).into_bytes();
        body.extend(self.note.encode());
        body
    }
}

/// What `sign-subtree` is asked with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubtreeRequest {
    /// The first leaf.
    pub start: u64,
    /// One past the last leaf.
    pub end: u64,
    /// The root of these leaves.
    pub root: Hash,
    /// From there to the head.
    pub proof: Vec<Hash>,
    /// The head with the witness's cosignatures.
    pub note: Note,
}

impl SubtreeRequest {
    /// `subtree <start> <end>`, the hash, the proof, an empty line, the checkpoint.
    pub fn body(&self) -> Vec<u8> {
        let SubtreeRequest { start, end, root, proof, note } = self;
        let (root, proof) = (lines(std::slice::from_ref(root)), lines(proof));
        let mut body = format!("subtree {start} {end}\n{root}{proof}\n").into_bytes();
        body.extend(note.encode());
        body
    }
}

/// Hashes as base64, one a line.
pub fn lines(hashes: &[Hash]) -> String {
    hashes.iter().map(|hash| format!("{}\n", STANDARD.encode(hash.0))).collect()
}
