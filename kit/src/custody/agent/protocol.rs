//! The ssh-agent protocol (draft-ietf-sshm-ssh-agent, section 3): messages with a length in front, and
//! the two requests that we make.
//!
//! ```text
//! uint32 length | byte 11                                        list the keys
//! uint32 length | byte 13 | string key | string data | uint32 0  sign
//! ```

use std::io::{Error, ErrorKind, Read, Write};

/// OpenSSH's own limit.
const MAX_MESSAGE: usize = 256 * 1024;
const MAX_KEYS: u32 = 2048;

const FAILURE: u8 = 5;
const LIST: u8 = 11;
const KEYS: u8 = 12;
const SIGN: u8 = 13;
const SIGNATURE: u8 = 14;

/// What an agent answers.
pub(super) enum Answer {
    Failure,
    Keys(Listed),
    Signature(Box<[u8; 64]>),
}

/// The keys that an agent has.
pub(super) struct Listed {
    pub(super) count: usize,
    pub(super) blobs: Vec<Vec<u8>>,
}

pub(super) fn list_request() -> Vec<u8> {
    vec![LIST]
}

pub(super) fn sign_request(key: &[u8], data: &[u8]) -> Vec<u8> {
    let mut request = vec![SIGN];
    put(&mut request, key);
    put(&mut request, data);
    request.extend(0u32.to_be_bytes());
    request
}

/// A string of SSH (RFC 4251, section 5). What we send is far below 4 GiB.
pub(super) fn put(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend((bytes.len() as u32).to_be_bytes());
    out.extend(bytes);
}

/// Sends a request and reads its answer.
pub(super) fn ask(stream: &mut (impl Read + Write), request: &[u8]) -> Result<Answer, Error> {
    let mut message = Vec::with_capacity(request.len() + 4);
    put(&mut message, request);
    stream.write_all(&message)?;
    stream.flush()?;
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let length = u32::from_be_bytes(length) as usize;
    if length == 0 || length > MAX_MESSAGE {
        return Err(odd());
    }
    let mut answer = vec![0; length];
    stream.read_exact(&mut answer)?;
    parse(&answer).ok_or_else(odd)
}

fn odd() -> Error {
    Error::new(ErrorKind::InvalidData, "its answer is no answer of an ssh-agent")
}

fn parse(answer: &[u8]) -> Option<Answer> {
    let (kind, mut rest) = answer.split_first()?;
    let parsed = match *kind {
        FAILURE => Answer::Failure,
        KEYS => Answer::Keys(keys(&mut rest)?),
        SIGNATURE => Answer::Signature(Box::new(signature(take(&mut rest)?)?)),
        _ => return None,
    };
    rest.is_empty().then_some(parsed)
}

fn keys(rest: &mut &[u8]) -> Option<Listed> {
    let count = number(rest)?;
    if count > MAX_KEYS {
        return None;
    }
    let mut blobs = Vec::new();
    for _ in 0..count {
        blobs.push(take(rest)?.to_vec());
        take(rest)?;
    }
    Some(Listed { count: blobs.len(), blobs })
}

// string "ssh-ed25519" | string of 64 bytes (RFC 8709, section 6)
fn signature(mut blob: &[u8]) -> Option<[u8; 64]> {
    if take(&mut blob)? != b"ssh-ed25519" {
        return None;
    }
    let bytes = take(&mut blob)?.try_into().ok()?;
    blob.is_empty().then_some(bytes)
}

fn number(rest: &mut &[u8]) -> Option<u32> {
    let (number, left) = rest.split_first_chunk::<4>()?;
    *rest = left;
    Some(u32::from_be_bytes(*number))
}

/// The string at the front.
pub(super) fn take<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = number(rest)? as usize;
    let (bytes, left) = rest.split_at_checked(length)?;
    *rest = left;
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(kind: u8, parts: &[&[u8]]) -> Vec<u8> {
        let mut bytes = vec![kind];
        parts.iter().for_each(|part| put(&mut bytes, part));
        bytes
    }

    #[test]
    fn only_a_plain_ed25519_signature_is_taken() {
        let mut inner = Vec::new();
        put(&mut inner, b"ssh-ed25519");
        put(&mut inner, &[7; 64]);
        assert!(
            matches!(parse(&answer(SIGNATURE, &[&inner])), Some(Answer::Signature(s)) if *s == [7; 64])
        );
        // A FIDO key's signature has flags and a counter behind it.
        let mut fido = Vec::new();
        put(&mut fido, b"sk-ssh-ed25519@openssh.com");
        put(&mut fido, &[7; 64]);
        fido.extend([1, 0, 0, 0, 9]);
        assert!(parse(&answer(SIGNATURE, &[&fido])).is_none());
        inner.push(0);
        assert!(parse(&answer(SIGNATURE, &[&inner])).is_none());
    }

    #[test]
    fn every_cut_of_an_answer_is_refused() {
        let mut list = vec![KEYS, 0, 0, 0, 1];
        put(&mut list, b"a key");
        put(&mut list, b"a comment");
        assert!(matches!(parse(&list), Some(Answer::Keys(Listed { count: 1, .. }))));
        for end in 0..list.len() {
            assert!(parse(&list[..end]).is_none(), "{end}");
        }
        assert!(parse(&[KEYS, 0xff, 0xff, 0xff, 0xff]).is_none());
        assert!(parse(&[FAILURE, 0]).is_none());
    }
}
