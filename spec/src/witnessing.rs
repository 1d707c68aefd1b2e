//! The witness's request and response as files: twins of `add-checkpoint` (C2SP tlog-witness).

use crate::cbor::{self, DecodeError, Value};
use crate::checkpoint::{CheckpointError, SignedCheckpoint, parse_decimal};
use crate::hash::Hash;
use crate::kind::Kind;
use crate::merkle::MAX_PATH;
use crate::note::{MAX_NOTE, NoteError, SignatureLine};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// What a log asks of a witness.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The size that the witness saw last, as the log believes.
    pub old: u64,
    /// The consistency path from there.
    pub path: Vec<Hash>,
    /// The head to cosign.
    pub head: SignedCheckpoint,
}

/// What is asked of `sign-subtree`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubtreeRequest {
    /// The part of the tree.
    pub start: u64,
    /// After its last entry.
    pub end: u64,
    /// Its hash.
    pub root: Hash,
    /// The consistency path of the part.
    pub path: Vec<Hash>,
    /// A head that this witness has cosigned.
    pub head: SignedCheckpoint,
}

/// The request is malformed: answer 400.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// The body is not the protocol's.
    #[error("not an add-checkpoint request (C2SP tlog-witness): {0}")]
    Malformed(String),
    /// The checkpoint is none.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
}

fn malformed(why: &str) -> RequestError {
    RequestError::Malformed(why.into())
}

// What stands before the empty line, and the head behind it.
fn split(body: &[u8]) -> Result<(&str, SignedCheckpoint), RequestError> {
    let split = body.windows(2).position(|pair| pair == b"\n\n");
    let split = split.ok_or_else(|| malformed("no empty line before the checkpoint"))?;
    let text = std::str::from_utf8(&body[..split]).map_err(|_| malformed("not UTF-8"))?;
    Ok((text, SignedCheckpoint::decode(&body[split + 2..])?))
}

fn hash(line: &str) -> Option<Hash> {
    STANDARD.decode(line).ok().and_then(|hash| Hash::from_slice(&hash))
}

fn path<'a>(lines: impl Iterator<Item = &'a str>) -> Result<Vec<Hash>, RequestError> {
    let path: Option<Vec<Hash>> = lines.map(hash).collect();
    let path = path.filter(|path| path.len() <= MAX_PATH);
    path.ok_or_else(|| malformed("the proof is not up to 63 base64 hashes"))
}

impl SubtreeRequest {
    /// Reads the body of `sign-subtree`.
    pub fn from_body(body: &[u8]) -> Result<SubtreeRequest, RequestError> {
        let (text, head) = split(body)?;
        let mut lines = text.split('\n');
        let range = lines.next().and_then(|line| line.strip_prefix("subtree "));
        let range = range.and_then(|range| range.split_once(' '));
        let range = range.and_then(|(a, b)| Some((parse_decimal(a)?, parse_decimal(b)?)));
        let (start, end) =
            range.ok_or_else(|| malformed("the first line is not `subtree <start> <end>`"))?;
        let root = lines.next().and_then(hash);
        let root = root.ok_or_else(|| malformed("the second line is no base64 hash"))?;
        Ok(SubtreeRequest { start, end, root, path: path(lines)?, head })
    }
}

impl Request {
    /// The body of `add-checkpoint`.
    pub fn body(&self) -> Vec<u8> {
        let mut body = format!("old {}\n", self.old);
        for hash in &self.path {
            body.push_str(&STANDARD.encode(hash.0));
            body.push('\n');
        }
        body.push('\n');
        let mut body = body.into_bytes();
        body.extend_from_slice(&self.head.encode());
        body
    }

    /// Reads a body.
    pub fn from_body(body: &[u8]) -> Result<Request, RequestError> {
        let (text, head) = split(body)?;
        let mut lines = text.split('\n');
        let old = lines.next().and_then(|line| line.strip_prefix("old ")).and_then(parse_decimal);
        let old = old.ok_or_else(|| malformed("the first line is not `old <size>`"))?;
        Ok(Request { old, path: path(lines)?, head })
    }

    /// The file.
    pub fn encode(&self) -> Vec<u8> {
        let mut items = Kind::WitnessRequest.head();
        items.push(cbor::bytes(self.body()));
        cbor::to_bytes(&Value::Array(items))
    }

    /// The body in a file.
    pub fn body_of_file(bytes: &[u8]) -> Result<Vec<u8>, DecodeError> {
        let tag = Kind::WitnessRequest.tag();
        let value = cbor::decode(tag, bytes, MAX_NOTE + 8192)?;
        Kind::WitnessRequest.open(value, 1)?.bytes("body", MAX_NOTE + 4096)
    }
}

/// A witness's answer: HTTP status and body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// The witness's name.
    pub witness: String,
    /// 200, 400, 403, 404, 409 or 422.
    pub status: u64,
    /// Cosignature lines for 200, the witness's size for 409, a reason otherwise.
    pub body: String,
}

impl Response {
    /// The file.
    pub fn encode(&self) -> Vec<u8> {
        let mut items = Kind::WitnessResponse.head();
        items.push(self.witness.as_str().into());
        items.push(self.status.into());
        items.push(self.body.as_str().into());
        cbor::to_bytes(&Value::Array(items))
    }

    /// Reads a file.
    pub fn decode(bytes: &[u8]) -> Result<Response, DecodeError> {
        let tag = Kind::WitnessResponse.tag();
        let mut items = Kind::WitnessResponse.open(cbor::decode(tag, bytes, MAX_NOTE)?, 3)?;
        let (witness, status) = (items.text("witness", 255)?, items.uint("status")?);
        Ok(Response { witness, status, body: items.text("body", MAX_NOTE)? })
    }

    /// The cosignature lines of a 200.
    pub fn lines(&self) -> Result<Vec<SignatureLine>, NoteError> {
        self.body.lines().map(SignatureLine::decode).collect()
    }
}
