//! `add-entries` (C2SP tlog-mirror): entries that are sent, rather than fetched.

use crate::lock::Mirror;
use crate::place::{self, Copy, Held};
use anyhow::{Context, Result};
use coldlog_kit::exit::{Failure, Outcome, text_of};
use coldlog_kit::published::Tree;
use coldlog_log::store::{FolderStore, Store};
use coldlog_spec::checkpoint::Checkpoint;
use coldlog_spec::hash::Hash;
use coldlog_spec::merkle::leaf_hash;
use coldlog_spec::mirroring::{
    INFO, Info, MAX_PACKAGE, Package, Upload, UploadError, UploadRefusal, decide_upload,
    verify_bundle,
};
use coldlog_spec::tile::{self, WIDTH, entries_path};
use coldlog_witness::place::{Held as Memory, Known};
use std::io::Read;
use std::ops::Range;

/// What is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// 200, 202, 400, 404, 409, 422, or 503 where the copy is being changed.
    pub status: u16,
    /// Its media type.
    pub kind: &'static str,
    /// Cosignature lines for 200, where the mirror stands for 202 and 409, a reason otherwise.
    pub body: String,
}

const TEXT: &str = "text/plain; charset=utf-8";

impl Answer {
    fn refused(why: &UploadRefusal) -> Answer {
        match why {
            UploadRefusal::Elsewhere { end, standing, .. } => {
                let known = standing.pending.contains(end) && *end >= standing.size;
                let size = if known { *end } else { standing.size_wanted() };
                Answer::info(why.status(), size, standing.next)
            }
            _ => Answer { status: why.status(), kind: TEXT, body: format!("{why}\n") },
        }
    }

    fn malformed(why: &UploadError) -> Answer {
        Answer { status: 400, kind: TEXT, body: format!("{why}\n") }
    }

    // No ticket: the heads that this mirror waits for are in its own memory.
    fn info(status: u16, size: u64, next: u64) -> Answer {
        let body = Info { size, next, ticket: Vec::new() }.encode();
        Answer { status, kind: INFO, body }
    }
}

/// A body, read piece by piece in memory that is bounded by its largest piece.
struct Pieces<R> {
    body: R,
    buffer: Vec<u8>,
    at: usize,
}

/// Bytes that are read at a time, at first.
const FIRST: usize = 64 << 10;

impl<R: Read> Pieces<R> {
    // The next piece; `None` where the body ends before it does.
    fn next<T>(
        &mut self,
        decode: impl Fn(&[u8]) -> Result<Option<(T, usize)>, UploadError>,
    ) -> Result<Result<Option<T>, UploadError>> {
        loop {
            match decode(self.buffer.get(self.at..).unwrap_or_default()) {
                Err(why) => return Ok(Err(why)),
                Ok(Some((piece, used))) => {
                    self.at += used;
                    return Ok(Ok(Some(piece)));
                }
                Ok(None) => {}
            }
            self.buffer.drain(..self.at);
            self.at = 0;
            // Twice as much each time: a large piece is not decoded again for every few bytes of it.
            let more = self.buffer.len().clamp(FIRST, MAX_PACKAGE) as u64;
            let read = (&mut self.body).take(more).read_to_end(&mut self.buffer);
            if read.context("reading the upload")? == 0 {
                return Ok(Ok(None));
            }
        }
    }
}

/// How an upload ended before its end.
enum Broken {
    Malformed(UploadError),
    Refused(UploadRefusal),
}

impl Mirror {
    /// The answer to the beginning of an upload, where the rest need not be read.
    pub fn judge_upload(&self, upload: &Upload) -> Outcome<Option<Answer>> {
        let known = Memory::is_watched(&self.home, &upload.origin)?;
        let standing = match known {
            true => Some(Copy::of(&self.home, &upload.origin).standing(self.own())?),
            // Nothing is made for a log that is not mirrored: anybody may ask.
            false => None,
        };
        let refused = decide_upload(upload, standing.as_ref()).err();
        Ok(refused.map(|refusal| Answer::refused(&refusal)))
    }

    /// Answers the body of `add-entries`.
    pub fn add_entries(&self, body: impl Read) -> Outcome<Answer> {
        self.must_be_settled()?;
        let mut pieces = Pieces { body, buffer: Vec::new(), at: 0 };
        let upload = match pieces.next(Upload::decode)? {
            Ok(Some(upload)) => upload,
            Ok(None) => {
                let why = UploadError("it ends within its first fields".into());
                return Ok(Answer::malformed(&why));
            }
            Err(why) => return Ok(Answer::malformed(&why)),
        };
        if let Some(refused) = self.judge_upload(&upload)? {
            return Ok(refused);
        }
        let Some(held) = Copy::try_hold(&self.home, &upload.origin)? else {
            let body = "this copy is being changed: try again in a while\n".into();
            return Ok(Answer { status: 503, kind: TEXT, body });
        };
        let standing = held.copy.standing(self.own())?;
        if let Err(refusal) = decide_upload(&upload, Some(&standing)) {
            return Ok(Answer::refused(&refusal));
        }
        let ours = held.copy.served(self.own())?;
        let head = match ours.as_ref().filter(|ours| ours.checkpoint.size == upload.end) {
            Some(ours) => ours.clone(),
            None => {
                let mut pending = held.copy.pending()?.into_iter();
                pending.find(|head| head.checkpoint.size == upload.end).context("a known head")?
            }
        };
        // Never collected: a head of 2^62 entries would have as many.
        let packages = upload.packages();
        let (next, broken) = keep(&held, &mut pieces, packages, standing.next, &head.checkpoint)?;
        let kept = next.is_some();
        let next = next.unwrap_or(standing.next);
        match broken {
            Some(Broken::Refused(refusal)) => return Ok(Answer::refused(&refusal)),
            Some(Broken::Malformed(why)) if !kept => return Ok(Answer::malformed(&why)),
            Some(Broken::Malformed(_)) => return Ok(Answer::info(202, upload.end, next)),
            None => {}
        }
        if next < upload.end {
            return Ok(Answer::info(202, upload.end, next));
        }
        let known = self.known(&upload.origin)?;
        let cosigned = match ours {
            Some(ours) if ours.checkpoint == head.checkpoint => {
                let store = held.copy.store();
                self.publish(&store, &known, Some(&ours), &head, Vec::new())?
            }
            ours => match self.take_uploaded(&held, &known, ours.as_ref(), &head) {
                Ok(cosigned) => cosigned,
                // What was uploaded is gone or damaged: it is asked for again, from the head on.
                Err(failure) if !self.is_uploaded(&held, standing.size, upload.end) => {
                    let (Failure::No(why) | Failure::Trouble(why)) = failure;
                    tracing::warn!(why = %text_of(&why), "uploaded entries are not there any more");
                    held.copy.set_uploaded(standing.size)?;
                    return Ok(Answer::info(409, upload.end, standing.size));
                }
                Err(failure) => return Err(failure),
            },
        };
        let body = cosigned.lines_by(self.own()).iter().map(|line| line.encode()).collect();
        Ok(Answer { status: 200, kind: TEXT, body })
    }

    // Whether the bundles of entries from one size to another can be read.
    fn is_uploaded(&self, held: &Held, from: u64, to: u64) -> bool {
        let store = held.copy.store();
        let tree = Tree::new(&store, to);
        (from / WIDTH..to.div_ceil(WIDTH)).all(|bundle| {
            let there = tree.bundle(bundle, entries_path);
            let width = tile::width_at(0, bundle, to);
            there.is_ok_and(|bytes| tile::decode_bundle(&bytes, width).is_ok())
        })
    }

    fn known(&self, origin: &str) -> Outcome<Known> {
        let memory = Memory::open(&self.home, origin)?;
        let memory = memory.context("the log is mirrored no longer")?;
        place::must_be_marked(&memory, origin)?;
        Ok(memory.known()?)
    }
}

// Verifies and keeps packages as they come; what was kept is durable at the end. Returns the first entry
// that is missing then, where there was a sound package, and why it ended early.
fn keep<R: Read>(
    held: &Held,
    pieces: &mut Pieces<R>,
    packages: impl Iterator<Item = Range<u64>>,
    mut next: u64,
    head: &Checkpoint,
) -> Outcome<(Option<u64>, Option<Broken>)> {
    let store = held.copy.store();
    let (mut some, mut broken) = (false, None);
    for range in packages {
        let count = range.end - range.start;
        let package = match pieces.next(|bytes| Package::decode(bytes, count))? {
            Ok(Some(package)) => package,
            Ok(None) => {
                let why = format!("it ends within the package of [{}, {})", range.start, range.end);
                broken = Some(Broken::Malformed(UploadError(why)));
                break;
            }
            Err(why) => {
                broken = Some(Broken::Malformed(why));
                break;
            }
        };
        if let Err(refusal) = keep_one(&store, &range, &package, next, head)? {
            broken = Some(Broken::Refused(refusal));
            break;
        }
        some = true;
        next = next.max(range.end);
    }
    // Durable before it counts, and before anybody is told.
    store.settle()?;
    if some {
        held.copy.set_uploaded(next)?;
    }
    Ok((some.then_some(next), broken))
}

fn keep_one(
    store: &FolderStore,
    range: &Range<u64>,
    package: &Package,
    next: u64,
    head: &Checkpoint,
) -> Outcome<Result<(), UploadRefusal>> {
    let bundle = range.start / WIDTH;
    // What stands before it in its bundle is here: it begins at or before the first missing entry.
    let mut bytes = match range.start % WIDTH {
        0 => Vec::new(),
        _ => Tree::new(store, range.start).bundle(bundle, entries_path)?,
    };
    for entry in &package.entries {
        if !tile::push_entry(&mut bytes, entry) {
            return Ok(Ok(()));
        }
    }
    let width = range.end - bundle * WIDTH;
    let leaves: Vec<Hash> =
        tile::decode_bundle(&bytes, width)?.into_iter().map(leaf_hash).collect();
    if let Err(why) = verify_bundle(bundle, &leaves, &package.path, head) {
        let (start, size) = (range.start, head.size);
        return Ok(Err(UploadRefusal::OtherEntries { start, size, why }));
    }
    if range.end > next {
        store.stage(&entries_path(bundle, width), &bytes)?;
    }
    Ok(Ok(()))
}
