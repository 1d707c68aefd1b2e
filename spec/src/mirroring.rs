//! What a mirror is sent over HTTP (C2SP tlog-mirror, `add-entries`), and what it answers.
//!
//! ```text
//! uint16 length, origin; uint64 start; uint64 end; uint16 length, ticket
//! then for each bundle of 256 that [start, end) touches:
//! uint16 length, entry (each one of the bundle that is in the range); uint8 count, 32 bytes each: the path
//! ```

use crate::checkpoint::{Checkpoint, parse_decimal};
use crate::hash::Hash;
use crate::merkle::{self, Frontier, MAX_PATH, ProofError};
use crate::note::is_key_name;
use crate::tile::{self, WIDTH};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// Packages that one request should hold at most.
pub const TOGETHER: u64 = 32;
/// The media type of [`Info`].
pub const INFO: &str = "text/x.tlog.mirror-info";
/// The largest package: 256 entries, and a path.
pub const MAX_PACKAGE: usize = tile::MAX_BUNDLE + 1 + MAX_PATH * 32;

/// The beginning of a request: which entries of which log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upload {
    /// The log.
    pub origin: String,
    /// The first entry.
    pub start: u64,
    /// After the last: the size of the head that the paths lead to.
    pub end: u64,
    /// What the mirror gave along with an earlier answer.
    pub ticket: Vec<u8>,
}

/// The entries of one bundle that are uploaded, and the path from this part of the tree to the head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Package {
    /// In their order.
    pub entries: Vec<Vec<u8>>,
    /// The subtree consistency path.
    pub path: Vec<Hash>,
}

/// Where a mirror stands: the answer to a request that it does not take, or not to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Info {
    /// The size of a head that it waits for the entries of.
    pub size: u64,
    /// The first entry that it does not have.
    pub next: u64,
    /// To be given along with the next request.
    pub ticket: Vec<u8>,
}

/// An upload that is none: answer 400.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an add-entries request (C2SP tlog-mirror): {0}")]
pub struct UploadError(pub String);

fn malformed<T>(why: impl Into<String>) -> Result<T, UploadError> {
    Err(UploadError(why.into()))
}

// Takes a string with its 16-bit length from the front; `None` where it is not all there.
fn framed(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<2>()?;
    rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))
}

fn number(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (number, rest) = bytes.split_first_chunk::<8>()?;
    Some((u64::from_be_bytes(*number), rest))
}

fn push_framed(bytes: &mut Vec<u8>, string: &[u8]) -> Result<(), UploadError> {
    match tile::push_entry(bytes, string) {
        true => Ok(()),
        false => malformed(format!("a string of {} bytes, at most 65535 fit", string.len())),
    }
}

impl Upload {
    /// The beginning of the body.
    pub fn encode(&self) -> Result<Vec<u8>, UploadError> {
        let mut bytes = Vec::new();
        push_framed(&mut bytes, self.origin.as_bytes())?;
        bytes.extend_from_slice(&self.start.to_be_bytes());
        bytes.extend_from_slice(&self.end.to_be_bytes());
        push_framed(&mut bytes, &self.ticket)?;
        Ok(bytes)
    }

    /// Reads the beginning of a body, and says how long it is; `None` where it is not all there.
    pub fn decode(bytes: &[u8]) -> Result<Option<(Upload, usize)>, UploadError> {
        let read = || {
            let (origin, rest) = framed(bytes)?;
            let (start, rest) = number(rest)?;
            let (end, rest) = number(rest)?;
            let (ticket, rest) = framed(rest)?;
            Some((origin, start, end, ticket, bytes.len() - rest.len()))
        };
        let Some((origin, start, end, ticket, used)) = read() else { return Ok(None) };
        let origin = std::str::from_utf8(origin).ok().filter(|origin| is_key_name(origin));
        let Some(origin) = origin else { return malformed("the origin is no key name") };
        if start > end {
            return malformed(format!("it begins at {start}, after its end {end}"));
        }
        let upload = Upload { origin: origin.into(), start, end, ticket: ticket.into() };
        Ok(Some((upload, used)))
    }

    /// The entries of each package.
    pub fn packages(&self) -> impl Iterator<Item = std::ops::Range<u64>> {
        let (start, end) = (self.start, self.end);
        let bundles = if start < end { start / WIDTH..end.div_ceil(WIDTH) } else { 0..0 };
        bundles.map(move |bundle| {
            start.max(bundle * WIDTH)..end.min(bundle.saturating_add(1).saturating_mul(WIDTH))
        })
    }
}

impl Package {
    /// Its part of the body.
    pub fn encode(&self) -> Result<Vec<u8>, UploadError> {
        let mut bytes = Vec::new();
        for entry in &self.entries {
            push_framed(&mut bytes, entry)?;
        }
        let Some(count) =
            u8::try_from(self.path.len()).ok().filter(|_| self.path.len() <= MAX_PATH)
        else {
            return malformed(format!("a path of {} hashes", self.path.len()));
        };
        bytes.push(count);
        self.path.iter().for_each(|hash| bytes.extend_from_slice(&hash.0));
        Ok(bytes)
    }

    /// Reads a package of so many entries from the front, and says how long it is; `None` where it is not
    /// all there.
    pub fn decode(bytes: &[u8], count: u64) -> Result<Option<(Package, usize)>, UploadError> {
        let mut rest = bytes;
        let mut entries = Vec::new();
        for _ in 0..count {
            let Some((entry, after)) = framed(rest) else { return Ok(None) };
            entries.push(entry.to_vec());
            rest = after;
        }
        let Some((hashes, after)) = rest.split_first() else { return Ok(None) };
        if usize::from(*hashes) > MAX_PATH {
            return malformed(format!("a path of {hashes} hashes, at most {MAX_PATH} are one"));
        }
        let Some((path, after)) = after.split_at_checked(usize::from(*hashes) * 32) else {
            return Ok(None);
        };
        let path = path.chunks_exact(32).filter_map(Hash::from_slice).collect();
        Ok(Some((Package { entries, path }, bytes.len() - after.len())))
    }
}

/// Whether the leaves of one bundle, from its first on, are those of the head's tree: the one reason for
/// which a mirror keeps anything.
pub fn verify_bundle(
    bundle: u64,
    leaves: &[Hash],
    path: &[Hash],
    head: &Checkpoint,
) -> Result<(), ProofError> {
    let start = bundle.saturating_mul(WIDTH);
    let end = start.saturating_add(leaves.len() as u64);
    let mut root = Frontier::default();
    leaves.iter().for_each(|leaf| root.push(*leaf));
    merkle::verify_subtree_consistency(start, end, head.size, path, root.root(), head.root)
}

impl Info {
    /// The body.
    pub fn encode(&self) -> String {
        format!("{}\n{}\n{}\n", self.size, self.next, STANDARD.encode(&self.ticket))
    }

    /// Reads a body.
    pub fn decode(text: &str) -> Result<Info, UploadError> {
        let read = || {
            let mut lines = text.strip_suffix('\n')?.split('\n');
            let size = parse_decimal(lines.next()?)?;
            let next = parse_decimal(lines.next()?)?;
            let ticket = STANDARD.decode(lines.next()?).ok()?;
            lines.next().is_none().then_some(Info { size, next, ticket })
        };
        read().ok_or_else(|| UploadError("the answer is not a size, an index and a ticket".into()))
    }
}

/// What a mirror has of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// The sizes of the heads that it waits for the entries of, or has waited for: newest last.
    pub pending: Vec<u64>,
    /// The size of the head that it serves.
    pub size: u64,
    /// The first entry that it does not have.
    pub next: u64,
}

/// Why an upload is not taken, with the protocol's status.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UploadRefusal {
    /// 404: not a log that it mirrors.
    #[error("this mirror does not follow the log {origin:?}; add it with `mirror add-log`")]
    UnknownLog {
        /// The log.
        origin: String,
    },
    /// 422: it was shown no head of the log yet.
    #[error("this mirror was given no head of that log yet: send one with add-checkpoint first")]
    NoHead,
    /// 409: it waits for other entries.
    #[error(
        "entries [{start}, {end}) are not what this mirror waits for: it has {} of {}", standing.next, standing.size_wanted()
    )]
    Elsewhere {
        /// The first entry uploaded.
        start: u64,
        /// After the last.
        end: u64,
        /// What it has.
        standing: Standing,
    },
    /// 422: entries of another tree.
    #[error("the entries from {start} on are not those of the head of size {size}: {why}")]
    OtherEntries {
        /// The first of them.
        start: u64,
        /// The head's.
        size: u64,
        /// What the path says.
        why: ProofError,
    },
}

impl Standing {
    /// The size that it waits for.
    pub fn size_wanted(&self) -> u64 {
        self.pending.last().copied().unwrap_or(self.size)
    }
}

impl UploadRefusal {
    /// The HTTP status of the protocol.
    pub fn status(&self) -> u16 {
        match self {
            UploadRefusal::UnknownLog { .. } => 404,
            UploadRefusal::NoHead | UploadRefusal::OtherEntries { .. } => 422,
            UploadRefusal::Elsewhere { .. } => 409,
        }
    }
}

/// Whether a mirror takes an upload; `standing` is `None` where it does not mirror the log.
pub fn decide_upload(upload: &Upload, standing: Option<&Standing>) -> Result<(), UploadRefusal> {
    let Some(standing) = standing else {
        return Err(UploadRefusal::UnknownLog { origin: upload.origin.clone() });
    };
    if standing.pending.is_empty() {
        return Err(UploadRefusal::NoHead);
    }
    let (start, end) = (upload.start, upload.end);
    let known = standing.pending.contains(&end) || (end == standing.size && end > 0);
    let again = end.min(standing.next).saturating_sub(start);
    // What is there already is not worth more than one request's entries.
    let sound =
        known && end >= standing.size && start <= standing.next && again <= TOGETHER * WIDTH;
    match sound {
        true => Ok(()),
        false => Err(UploadRefusal::Elsewhere { start, end, standing: standing.clone() }),
    }
}
