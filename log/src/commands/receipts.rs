//! `log receipts` and `log prove`.

use crate::commands::manage;
use crate::keys::LogKeys;
use crate::pipeline;
use crate::place::Place;
use anyhow::Context;
use coldlog_kit::batches;
use coldlog_kit::exit::{OrNo, Outcome, no};
use coldlog_kit::files::{self, Existing, Mode};
use coldlog_kit::optical::{Kind, Outlet, Show};
use coldlog_kit::progress::Progress;
use coldlog_kit::published::{Bundles, Inclusions, Tree};
use coldlog_kit::secret::Source;
use coldlog_kit::sequence::{Reader, Writer};
use coldlog_kit::terminal::say;
use coldlog_spec::batch::{self, SignedTail};
use coldlog_spec::cose::Claims;
use coldlog_spec::receipt::{Consistency, Inclusion, ReceiptSigner};
use coldlog_spec::receipts::{Header, Item};
use coldlog_spec::statement::Statement;
use coldlog_spec::tile::entries_path;
use std::fs::File;
use std::path::{Path, PathBuf};

/// What `log receipts` is asked.
pub struct Options {
    /// The batch whose receipts are wanted.
    pub batch: PathBuf,
    /// Where they go; what is shown needs no file.
    pub output: Option<PathBuf>,
    /// The head must meet this policy's quorum.
    pub policy: Option<PathBuf>,
    /// The size from which consistency is proven, if not the batch's.
    pub old: Option<u64>,
    /// Replace the file.
    pub force: bool,
    /// How they are shown as QR codes.
    pub show: Show,
    /// The passphrase's source.
    pub secret: Source,
}

/// `log receipts`
pub fn run(home: &Path, options: &Options) -> Outcome {
    let outlet = Outlet::new(options.output.as_deref(), &options.show, options.force)?;
    let place = Place::open(home)?;
    if let Some(policy) = &options.policy {
        let policy = coldlog_kit::policy::read("log", policy)?;
        policy
            .verify_head(&place.head)
            .context("the newest head is not ready for receipts: run `log witness-request`, and `log add-cosignatures` with the answers")
            .or_no()?;
    }
    let keys = manage::keys(&place, &options.secret)?;
    let existing = Existing::from_force(options.force);
    let mut logged = Logged::open(&options.batch)?;
    logged.remembered = options.old.unwrap_or(logged.remembered);
    let bytes = std::fs::metadata(&options.batch).map_or(0, |meta| meta.len());
    files::need_space(&files::folder_of(outlet.path()), bytes / 2 + (1 << 16))?;
    let told = write(&place, &keys, logged, outlet.path(), existing)?;
    drop(place);
    say(format!("{told} in {}", outlet.name()));
    outlet.deliver(Kind::Receipts)
}

/// The records of a batch, for which receipts are made.
pub(crate) struct Logged {
    /// Whose they are.
    pub(crate) claims: Claims,
    /// The sequence number of the first.
    pub(crate) first: u64,
    /// The size from which consistency is proven.
    pub(crate) remembered: u64,
    pub(crate) records: Records,
}

/// What is known of them.
pub(crate) enum Records {
    /// They were just appended, or found to be in the log.
    Logged {
        /// How many there are still.
        left: u64,
        /// The journal's tail.
        tail: Box<SignedTail>,
    },
    /// They stand in a file, which is held against the log.
    File(Box<Reader<File>>),
}

/// The next of them.
enum Next {
    Logged,
    InFile(Vec<u8>),
    End(Option<Box<SignedTail>>),
}

impl Records {
    fn next(&mut self) -> anyhow::Result<Next> {
        match self {
            Records::Logged { left: 0, tail } => Ok(Next::End(Some(tail.clone()))),
            Records::Logged { left, .. } => {
                *left -= 1;
                Ok(Next::Logged)
            }
            Records::File(reader) => {
                let Some(item) = reader.next()? else { return Ok(Next::End(None)) };
                if batch::plain_record(&item).is_some() {
                    return Ok(Next::InFile(item));
                }
                match batch::Item::decode(&item)? {
                    batch::Item::Trailer { tail, .. } => Ok(Next::End(Some(Box::new(tail)))),
                    batch::Item::Record { .. } => Ok(Next::InFile(item)),
                }
            }
        }
    }
}

impl Logged {
    fn open(path: &Path) -> anyhow::Result<Logged> {
        let reader = Reader::open(path, "coldlog-batch", batch::MAX_ITEM)?;
        let mut reader = reader.without_digest();
        let header = reader.next()?.context("the batch is empty")?;
        let batch::Header { claims, first, remembered } = batch::Header::decode(&header)?;
        Ok(Logged { claims, first, remembered, records: Records::File(Box::new(reader)) })
    }
}

/// Writes the receipts of a batch under the newest head; returns how many, for people.
pub(crate) fn write(
    place: &Place,
    keys: &LogKeys,
    logged: Logged,
    output: &Path,
    existing: Existing,
) -> Outcome<String> {
    let Logged { claims, first, remembered: old_size, records } = logged;
    let head = &place.head.checkpoint;
    if old_size > head.size {
        return no(format!(
            "the signer remembers a head of size {old_size}, this log has {} entries: it is not that log, or it was restored from an old copy",
            head.size
        ));
    }
    if let Records::Logged { left, .. } = &records {
        // A receipt takes less than a kibibyte.
        files::need_space(&files::folder_of(output), (left << 10) + (1 << 16))?;
    }
    let mut tree = Tree::new(place.store.as_ref(), head.size);
    let receipts_header = Header {
        claims: claims.clone(),
        checkpoint: place.head.encode(),
        old_size,
        consistency: tree.consistency(old_size)?,
    };
    let signer = ReceiptSigner::new(&keys.receipt_key(), &head.origin, &claims.subject, head.root)?;
    let mut writer = Writer::create(output, existing)?;
    writer.item(&receipts_header.encode())?;
    let progress = Progress::new("writing receipts", None);
    let mut paths = Paths {
        place,
        claims: &claims,
        next: first,
        records,
        inclusions: Inclusions::new(tree),
        entries: Bundles::new(place.store.as_ref(), head.size, entries_path),
        end: None,
    };
    let mut count = 0;
    // The paths come from the tiles in one pass; receipts are made of them on all cores.
    pipeline::ordered(
        || paths.chunk(),
        |proofs| {
            let item = |(sequence, proof)| {
                Item::Receipt(sequence, Box::new(signer.inclusion(proof))).encode()
            };
            proofs.into_iter().map(item).collect::<Vec<Vec<u8>>>()
        },
        |items| {
            count += items.len() as u64;
            progress.add(items.len() as u64);
            Ok(items.iter().try_for_each(|item| writer.item(item))?)
        },
    )?;
    drop(progress);
    if count == 0 {
        return no("the batch holds 0 records: there is nothing to answer");
    }
    let Some(tail) = paths.end else {
        return no("the batch has no trailer: it was cut short, copy it again");
    };
    let digest = writer.digest();
    writer.item(&Item::Trailer { count, digest, tail }.encode())?;
    writer.finish()?;
    Ok(format!("{count} receipts under the head of size {}", head.size))
}

/// Records whose paths are looked up at a time.
const CHUNK: u64 = 256;

// Finds the records of a batch in the log and the paths that lead from them to the head.
struct Paths<'a> {
    place: &'a Place,
    claims: &'a Claims,
    /// The sequence number of the next record.
    next: u64,
    records: Records,
    inclusions: Inclusions<'a>,
    entries: Bundles<'a>,
    /// The batch's tail, once it is read.
    end: Option<Box<SignedTail>>,
}

impl Paths<'_> {
    fn chunk(&mut self) -> Outcome<Option<Vec<(u64, Inclusion)>>> {
        if self.end.is_some() {
            return Ok(None);
        }
        let places = self.place.index.places(self.claims, self.next, CHUNK)?;
        let size = self.place.head.checkpoint.size;
        let mut proofs = Vec::with_capacity(places.len());
        while (proofs.len() as u64) < CHUNK {
            let next = self.records.next()?;
            if let Next::End(tail) = next {
                self.end = tail;
                break;
            }
            let sequence = self.next;
            let Some(&index) = places.get(proofs.len()) else {
                return no(format!("record {sequence} is not in the log; append the batch first"));
            };
            if let Next::InFile(item) = &next
                && !batches::record(item)?.0.eq(self.entries.get(index)?)
            {
                return no(format!("record {sequence} of the batch is not the one in the log"));
            }
            proofs.push((sequence, Inclusion { size, index, path: self.inclusions.path(index)? }));
            self.next += 1;
        }
        Ok(Some(proofs).filter(|proofs| !proofs.is_empty()))
    }
}

/// What `log prove` is asked.
pub struct Prove {
    /// An entry's index, for inclusion.
    pub index: Option<u64>,
    /// An older size, for consistency.
    pub consistency: Option<u64>,
    /// The receipt file.
    pub output: PathBuf,
    /// Replace it.
    pub force: bool,
    /// The passphrase's source.
    pub secret: Source,
}

/// `log prove`
pub fn prove(home: &Path, options: &Prove) -> Outcome {
    let place = Place::open(home)?;
    let keys = manage::keys(&place, &options.secret)?;
    let head = &place.head.checkpoint;
    let mut tree = Tree::new(place.store.as_ref(), head.size);
    let key = keys.receipt_key();
    let receipt = match (options.index, options.consistency) {
        (Some(index), None) => {
            let path = tree.inclusion(index)?;
            let statement = Statement::decode(&tree.entry(index, entries_path)?)?;
            let subject = &statement.claims().subject;
            let signer = ReceiptSigner::new(&key, &head.origin, subject, head.root)?;
            signer.inclusion(Inclusion { size: head.size, index, path })
        }
        (None, Some(old)) => {
            let path = tree.consistency(old)?;
            let signer = ReceiptSigner::new(&key, &head.origin, "consistency", head.root)?;
            signer.consistency(Consistency { old, new: head.size, path })
        }
        _ => return coldlog_kit::exit::trouble("say either --index N or --consistency OLD-SIZE"),
    };
    let receipt = receipt.with_checkpoint(&place.head.encode()).encode();
    files::write(&options.output, &receipt, Existing::from_force(options.force), Mode::Public)?;
    say(format!("proof under the head of size {} in {}", head.size, options.output.display()));
    Ok(())
}
