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
        let malformed = |why: &str| RequestError::Malformed(why.into());
        let split = body.windows(2).position(|pair| pair == b"\n\n");
        let split = split.ok_or_else(|| malformed("no empty line before the checkpoint"))?;
        let head = std::str::from_utf8(&body[..split]).map_err(|_| malformed("not UTF-8"))?;
        let mut lines = head.split('\n');
        let old = lines.next().and_then(|line| line.strip_prefix("old ")).and_then(parse_decimal);
        let old = old.ok_or_else(|| malformed("the first line is not `old <size>`"))?;
        let path = lines.map(|line| STANDARD.decode(line).ok().and_then(|h| Hash::from_slice(&h)));
        let path: Option<Vec<Hash>> = path.collect();
        let path = path.filter(|path| path.len() <= MAX_PATH);
        let path = path.ok_or_else(|| malformed("the proof is not up to 63 base64 hashes"))?;
        Ok(Request { old, path, head: SignedCheckpoint::decode(&body[split + 2..])? })
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
