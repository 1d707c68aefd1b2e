//! Batches from a file, a few records at a time: what whoever judges one reads.

use crate::exit::{OrNo, Outcome, no};
use crate::sequence::Reader;
use anyhow::{Context, Result};
use coldlog_spec::batch::{self, Header, Item, MAX_ITEM, SignedTail};
use coldlog_spec::cbor::DecodeError;
use coldlog_spec::ed25519::{PublicKey, Verifier};
use coldlog_spec::hash::Hash;
use coldlog_spec::statement::Statement;
use coldlog_spec::verify::admission::introduced;
use coldlog_spec::verify::append::{
    Admission, Progress, Refusal, verify_genesis, verify_records, verify_trailer,
};
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

/// Records that are handed out at a time.
const CHUNK: usize = 256;

/// A record's statement, verified or refused, and its sealed record.
pub type Judged = (Result<Statement, Refusal>, Sealed);

/// A sealed record, in the item that it came in.
pub struct Sealed {
    item: Vec<u8>,
    from: usize,
}

impl std::ops::Deref for Sealed {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.item.get(self.from..).unwrap_or_default()
    }
}

/// Items that are records, as they were read.
pub struct Chunk {
    /// Each an item of the batch.
    pub items: Vec<Vec<u8>>,
    introduced: Arc<Vec<PublicKey>>,
}

/// A batch, open.
pub struct Batch {
    reader: Reader<File>,
    /// What it begins with.
    pub header: Header,
    /// About how many records it has: one takes 2 KiB or so.
    pub expected: usize,
    // A record that was looked at, and is still to be handed out.
    first: Option<Vec<u8>>,
    // Keys that rotations in this batch introduced so far.
    introduced: Arc<Vec<PublicKey>>,
    trailer: Option<(u64, Hash, SignedTail)>,
}

impl Batch {
    /// Opens a file and reads its header.
    pub fn open(path: &Path) -> Result<Batch> {
        let mut reader = Reader::open(path, "coldlog-batch", MAX_ITEM)?;
        let header = reader.next()?.with_context(|| format!("{} is empty", path.display()))?;
        let header = Header::decode(&header).with_context(|| path.display().to_string())?;
        let bytes = std::fs::metadata(path).map_or(0, |meta| meta.len());
        Ok(Batch {
            reader,
            header,
            expected: (bytes >> 11) as usize,
            first: None,
            introduced: Arc::default(),
            trailer: None,
        })
    }

    /// The genesis that a journal new to a log begins with: the first record, which stays to be handed out.
    pub fn genesis(&mut self) -> Outcome<Admission> {
        let first = self.header.first;
        if first > 0 {
            let refusal = Refusal::Gap { expected: 0, found: first };
            return Err(refusal).context(format!("record {first} of the journal")).or_no();
        }
        let Some(item) = self.reader.next()? else {
            return no("the batch has no trailer: it was cut short, copy it again");
        };
        let Item::Record { statement, .. } = Item::decode(&item)? else {
            return no("the batch holds 0 records: nothing was appended");
        };
        let admission = verify_genesis(&statement).context("record 0 of the journal").or_no()?;
        let (expected, found) = (&self.header.claims, admission.genesis.claims());
        if expected != found {
            return Err(Refusal::other_journal(expected, found)).or_no();
        }
        self.first = Some(item);
        Ok(admission)
    }

    /// The next items that are records, for [`verify`]; the trailer, when it comes, is put aside.
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> Outcome<Option<Chunk>> {
        let mut items = Vec::with_capacity(CHUNK);
        items.extend(self.first.take());
        while items.len() < CHUNK {
            let Some(item) = self.reader.next()? else { break };
            if self.trailer.is_some() {
                return no("items follow the trailer of the batch");
            }
            // An array of two is a record, and left to the workers.
            if item.first() == Some(&0x82) {
                let key = batch::plain_record(&item).and_then(|(entry, _)| introduced(entry));
                if let Some(key) = key {
                    Arc::make_mut(&mut self.introduced).push(key);
                }
                items.push(item);
                continue;
            }
            if let Item::Trailer { count, digest, tail } = Item::decode(&item)? {
                let found = self.reader.digest_before();
                if digest != found {
                    return Err(Refusal::Digest { claimed: digest, found }).or_no();
                }
                self.trailer = Some((count, digest, tail));
            }
        }
        let introduced = self.introduced.clone();
        Ok(Some(Chunk { items, introduced }).filter(|chunk| !chunk.items.is_empty()))
    }

    /// Holds the trailer against what was read: `count` records, up to `end`. Returns the journal's tail.
    pub fn finish(self, count: u64, admission: &Admission, end: &Progress) -> Outcome<SignedTail> {
        let Some((claimed, digest, tail)) = self.trailer else {
            return no("the batch has no trailer: it was cut short, copy it again");
        };
        if count == 0 {
            return no("the batch holds 0 records: nothing was appended");
        }
        verify_trailer((claimed, digest, &tail), (count, digest), admission, end).or_no()?;
        Ok(tail)
    }
}

/// What needs no order, of the records that [`Batch::next`] gave.
pub fn verify(
    Chunk { items, introduced }: Chunk,
    admission: &Admission,
    verifier: &Verifier,
) -> Result<Vec<Judged>, DecodeError> {
    let records = items.iter().map(|item| record(item)).collect::<Result<Vec<_>, _>>()?;
    let lengths: Vec<usize> = records.iter().map(|(_, sealed)| sealed.len()).collect();
    let statements = verify_records(&records, admission, &introduced, verifier);
    let sealed = items.into_iter().zip(lengths).map(|(item, length)| {
        // It stands at the end of its item.
        let from = item.len() - length;
        Sealed { item, from }
    });
    Ok(statements.into_iter().zip(sealed).collect())
}

/// The statement and the sealed record of an item, where they stand in it.
pub fn record(item: &[u8]) -> Result<(&[u8], &[u8]), DecodeError> {
    batch::plain_record(item).ok_or_else(|| match Item::decode(item) {
        Err(why) => why,
        Ok(_) => DecodeError::field("coldlog-batch", "an item", "a record", "a trailer"),
    })
}
