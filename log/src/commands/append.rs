//! `log append`: verify, assign, write, make durable, sign, swap the head, and only then answer.

use crate::commands::{manage, receipts};
use crate::memory;
use crate::pipeline;
use crate::place::Place;
use crate::sequencer::Edge;
use crate::store::Swapped;
use anyhow::{Context, Result, bail};
use coldlog_kit::exit::{Failure, Outcome, no, text_of, trouble};
use coldlog_kit::files::{self, Existing};
use coldlog_kit::inputs;
use coldlog_kit::progress::Progress as Bar;
use coldlog_kit::published::{Bundles, Tree};
use coldlog_kit::secret::Source;
use coldlog_kit::sequence::Reader;
use coldlog_kit::terminal::{say, talk};
use coldlog_kit::time;
use coldlog_spec::batch::{Header, Item, MAX_ITEM, SignedTail};
use coldlog_spec::cbor::DecodeError;
use coldlog_spec::checkpoint::{Checkpoint, HeadKeys};
use coldlog_spec::ed25519::Verifier;
use coldlog_spec::hash::Hash;
use coldlog_spec::statement::{KnownHead, Statement};
use coldlog_spec::tile::entries_path;
use coldlog_spec::verify::append::{
    Admission, Progress, Refusal, follows, repeats, verify_records, verify_trailer,
};
use std::collections::HashMap;
use std::fs::File;
use std::path::{Path, PathBuf};

/// Records that a worker takes at a time.
const CHUNK: usize = 256;
/// How often a batch is checked again while other writers of the same store are faster.
const TRIES: usize = 50;

/// What the command line says.
pub struct Options {
    /// The batches, in order.
    pub batches: Vec<PathBuf>,
    /// Where the receipts go: a file for one batch, a folder for several.
    pub output: Option<PathBuf>,
    /// Replace receipts files.
    pub force: bool,
    /// Go on after a batch that is refused.
    pub keep_going: bool,
    /// The passphrase's source.
    pub secret: Source,
}

/// Runs the command.
pub fn run(home: &Path, options: &Options) -> Outcome {
    let outputs = outputs(options)?;
    inputs::refuse_twice(outputs.iter().flatten())?;
    let mut place = Place::open(home)?;
    let keys = manage::keys(&place, &options.secret)?;
    let head_keys = keys.head_keys();
    let existing = Existing::from_force(options.force);
    let (mut refused, mut troubled) = (0, 0);
    for (path, output) in options.batches.iter().zip(outputs) {
        let outcome = append(&mut place, path, &head_keys).and_then(|line| {
            say(line);
            match output {
                Some(output) => receipts::write(&place, &keys, path, &output, None, existing),
                None => Ok(()),
            }
        });
        match outcome {
            Ok(()) => continue,
            Err(failure) if !options.keep_going => return Err(failure),
            Err(Failure::No(why)) => {
                refused += 1;
                talk(format!("log: {}: {}", path.display(), text_of(&why)));
            }
            Err(Failure::Trouble(why)) => {
                troubled += 1;
                talk(format!("log: {}: {}", path.display(), text_of(&why)));
            }
        }
    }
    let all = options.batches.len();
    match (refused, troubled) {
        (0, 0) => Ok(()),
        (_, 0) => no(format!("{refused} of {all} batches were refused")),
        _ => trouble(format!(
            "{troubled} of {all} batches could not be read, {refused} were refused"
        )),
    }
}

// A receipts file for each batch: the one named, or `NAME.receipts.cbor` in the folder named.
fn outputs(options: &Options) -> Result<Vec<Option<PathBuf>>> {
    let Some(output) = &options.output else { return Ok(vec![None; options.batches.len()]) };
    if !output.is_dir() {
        if options.batches.len() != 1 {
            bail!(
                "{} is no folder: the receipts of several batches go to a folder, one file each",
                output.display()
            );
        }
        return Ok(vec![Some(output.clone())]);
    }
    let each = options.batches.iter().map(|batch| {
        let name = batch.file_name().and_then(|name| name.to_str());
        let name = name.with_context(|| format!("{} has no UTF-8 name", batch.display()))?;
        let stem = name.strip_suffix(".batch.cbor").unwrap_or(name);
        Ok(Some(output.join(format!("{stem}.receipts.cbor"))))
    });
    each.collect()
}

fn append(place: &mut Place, path: &Path, keys: &HeadKeys) -> Outcome<String> {
    // Entries, sealed records and tiles take about what the batch takes; the index a part of it.
    let bytes = std::fs::metadata(path).map_or(0, |meta| meta.len());
    files::need_space(&place.home, bytes + bytes / 4 + (1 << 20))?;
    let sign = |checkpoint: &Checkpoint| Ok(keys.sign_head(checkpoint, time::now())?);
    for _ in 0..TRIES {
        let appended = one(place, &[path.to_path_buf()], place.head.checkpoint.size, sign);
        if !matches!(appended, Ok(Some(_))) {
            place.index.rollback()?;
        }
        if let Some(counts) = appended? {
            return Ok(appended_line(place, path, counts));
        }
        talk("log: another writer was faster; the batch is checked against the new head");
        place.follow()?;
        // What another machine put there is believed no more than what a disk gives back.
        manage::must_be_signed(place, keys)?;
        memory::may_sign(place)?;
    }
    trouble("other writers of this log were faster every time: run the command again")
}

fn appended_line(place: &Place, path: &Path, (new, repeated): (u64, u64)) -> String {
    format!(
        "{}: {new} records appended, {repeated} were there already; the log has {} entries",
        path.display(),
        place.head.checkpoint.size
    )
}

type Signed = coldlog_spec::checkpoint::SignedCheckpoint;

/// Appends the records that a head stands for and this log has lost; `newest` is that head.
pub(crate) fn rebuild(place: &mut Place, batches: &[PathBuf], newest: &Signed) -> Outcome {
    let sign = |checkpoint: &Checkpoint| match *checkpoint == newest.checkpoint {
        true => Ok(newest.clone()),
        false => bail!(
            "the batches give {} entries with the root {}, the newest head says {} and {}: name all that were appended since, in the order in which they were",
            checkpoint.size,
            checkpoint.root,
            newest.checkpoint.size,
            newest.checkpoint.root
        ),
    };
    let rebuilt = one(place, batches, newest.checkpoint.size, sign);
    if !matches!(rebuilt, Ok(Some(_))) {
        place.index.rollback()?;
    }
    match rebuilt? {
        Some((new, _)) if new > 0 => Ok(()),
        Some(_) => no("the batches hold nothing that this log has not"),
        None => no("another writer moved the head meanwhile: run the command again"),
    }
}

// Appends batches under one head, all or nothing; returns how many records were new and how many
// repeated, or nothing where another writer moved the head meanwhile. `known` is the size of the newest
// head that there is: a signer that remembers more knows of another history, or of a lost one.
fn one(
    place: &mut Place,
    paths: &[PathBuf],
    known: u64,
    sign: impl Fn(&Checkpoint) -> Result<Signed>,
) -> Outcome<Option<(u64, u64)>> {
    let old_size = place.head.checkpoint.size;
    let mut edge = Edge::load(place.store.as_ref(), old_size, place.head.checkpoint.root)?;
    place.index.begin()?;
    let (mut new, mut repeated) = (0, 0);
    for path in paths {
        let counts = batch(place, path, &mut edge, known)?;
        (new, repeated) = (new + counts.0, repeated + counts.1);
    }
    if new == 0 {
        place.index.commit(old_size)?;
        return Ok(Some((0, repeated)));
    }
    // finish() reads the edge back from the store to compute the root: what is signed is what is there.
    let (size, root) = edge.finish()?;
    let checkpoint = Checkpoint { origin: place.head.checkpoint.origin.clone(), size, root };
    let head = sign(&checkpoint)?;
    if place.store.swap_head(Some(&place.head), &head)? == Swapped::Lost {
        return Ok(None);
    }
    memory::remember(&place.home, &head)?;
    place.index.commit(size)?;
    place.head = head;
    Ok(Some((new, repeated)))
}

// Verifies a batch and stages its new records.
fn batch(place: &Place, path: &Path, edge: &mut Edge, known: u64) -> Outcome<(u64, u64)> {
    let mut reader = Reader::open(path, "coldlog-batch", MAX_ITEM)?;
    let header = reader.next()?.with_context(|| format!("{} is empty", path.display()))?;
    let header = Header::decode(&header).with_context(|| path.display().to_string())?;
    let Some(admission) = place.admission(&header.claims)? else {
        return no(format!(
            "the signer {} / {} may not write to this log; allow it with `log allow`",
            header.claims.issuer, header.claims.subject
        ));
    };
    let old_size = place.head.checkpoint.size;
    if header.remembered > known {
        return no(format!(
            "the signer remembers a head of size {}, this log has {old_size} entries: it is not that log, or it was restored from an older copy; get the newest cosigned head, and run `log recover --newest HEAD`",
            header.remembered
        ));
    }
    // A record takes 2 KiB or so.
    let bytes = std::fs::metadata(path).map_or(0, |meta| meta.len());
    let verifier = Verifier::new(&admission.key, (bytes >> 11) as usize);
    let mut state = State {
        place,
        admission: &admission,
        progress: place.index.progress(&header.claims)?,
        end: Progress { next: header.first, head: None },
        roots: HashMap::new(),
        entries: Bundles::new(place.store.as_ref(), old_size, entries_path),
        new: 0,
        repeated: 0,
    };
    let bar = Bar::new("appending", None);
    let mut trailer: Option<(u64, Hash, SignedTail)> = None;
    pipeline::ordered(
        || read_chunk(&mut reader, &mut trailer),
        |items| verify_chunk(&items, &admission, &verifier),
        |records| {
            let records = records?;
            bar.add(records.len() as u64);
            records.into_iter().try_for_each(|record| state.put(record, edge))
        },
    )?;
    let Some((count, digest, tail)) = trailer else {
        return no("the batch has no trailer: it was cut short, copy it again");
    };
    let found = state.new + state.repeated;
    if found == 0 {
        return no("the batch holds 0 records: nothing was appended");
    }
    let State { end, new, repeated, .. } = state;
    verify_trailer((count, digest, &tail), (found, digest), &admission, &end)
        .map_err(|refusal| Failure::No(refusal.into()))?;
    Ok((new, repeated))
}

/// A record's statement, verified or refused, and its sealed record.
type Judged = (Result<Statement, Refusal>, Vec<u8>);

// The next items that are records; the trailer, when it comes, is put aside.
fn read_chunk(
    reader: &mut Reader<File>,
    trailer: &mut Option<(u64, Hash, SignedTail)>,
) -> Outcome<Option<Vec<Vec<u8>>>> {
    let mut items = Vec::with_capacity(CHUNK);
    while items.len() < CHUNK {
        let Some(item) = reader.next()? else { break };
        if trailer.is_some() {
            return no("items follow the trailer of the batch");
        }
        // An array of two is a record, and left to the workers.
        if item.first() == Some(&0x82) {
            items.push(item);
            continue;
        }
        if let Item::Trailer { count, digest, tail } = Item::decode(&item)? {
            let found = reader.digest_before();
            if digest != found {
                return Err(Failure::No(Refusal::Digest { claimed: digest, found }.into()));
            }
            *trailer = Some((count, digest, tail));
        }
    }
    Ok(Some(items).filter(|items| !items.is_empty()))
}

fn verify_chunk(
    items: &[Vec<u8>],
    admission: &Admission,
    verifier: &Verifier,
) -> Result<Vec<Judged>, DecodeError> {
    let decode = |item: &Vec<u8>| match Item::decode(item)? {
        Item::Record { statement, sealed } => Ok((statement, sealed)),
        Item::Trailer { .. } => {
            Err(DecodeError::field("coldlog-batch", "an item", "a record", "a trailer"))
        }
    };
    let records = items.iter().map(decode).collect::<Result<Vec<_>, _>>()?;
    let statements = verify_records(&records, admission, verifier);
    Ok(statements.into_iter().zip(records.into_iter().map(|(_, sealed)| sealed)).collect())
}

struct State<'a> {
    place: &'a Place,
    admission: &'a Admission,
    /// How far the journal is in the log, this batch included.
    progress: Progress,
    /// How far this batch is.
    end: Progress,
    roots: HashMap<u64, Hash>,
    entries: Bundles<'a>,
    new: u64,
    repeated: u64,
}

impl State<'_> {
    fn put(&mut self, (statement, sealed): Judged, edge: &mut Edge) -> Outcome {
        let number = self.end.next;
        let result = match statement {
            Ok(statement) => self.record(&statement)?.map(|new| (statement, new)),
            Err(refusal) => Err(refusal),
        };
        let (statement, new) = match result {
            Ok(pair) => pair,
            Err(refusal) => return Err(self.refuse(number, refusal)?),
        };
        if new {
            let index = edge.push(statement.leaf(), statement.bytes(), &sealed)?;
            self.place.index.add(&statement, index)?;
            self.new += 1;
        } else {
            self.repeated += 1;
        }
        self.end = Progress { next: number + 1, head: Some(statement.leaf()) };
        Ok(())
    }

    // Names the record; a fork leaves its evidence.
    fn refuse(&self, number: u64, refusal: Refusal) -> Result<Failure> {
        let Refusal::Forked { sequence, evidence } = &refusal else {
            let refusal = anyhow::Error::from(refusal);
            return Ok(Failure::No(refusal.context(format!("record {number} of the journal"))));
        };
        let name = format!("fork-{}-{sequence}.evidence.cbor", self.admission.kid);
        let folder = self.place.home.join("evidence");
        files::create_folder(&folder)?;
        let path = files::write_evidence(&folder.join(name), &evidence.encode())?;
        Ok(Failure::No(anyhow::anyhow!("record {number}: {refusal}: {}", path.display())))
    }

    // Whether the record is new, or why it is refused. An error in reading is neither.
    fn record(&mut self, statement: &Statement) -> Result<Result<bool, Refusal>> {
        let (expected, found) = (self.end.next, statement.position.sequence);
        if found != expected {
            return Ok(Err(Refusal::Gap { expected, found }));
        }
        if found < self.progress.next {
            let there = self.place.index.find(statement.claims(), found)?;
            let (at, leaf) = there.context("the index has no such record")?;
            // One that another batch of this append brought is in no bundle yet.
            if at >= self.place.head.checkpoint.size {
                return match leaf == statement.leaf() {
                    true => Ok(Ok(false)),
                    false => bail!(
                        "record {found} of the journal has other content in two of the batches"
                    ),
                };
            }
            let logged = self.entries.get(at)?;
            return Ok(repeats(statement, logged, self.admission).map(|()| false));
        }
        if let Some(head) = &statement.position.head {
            self.read_root(head)?;
        }
        let (place, roots) = (self.place, &self.roots);
        let own_history = |head: &KnownHead| {
            head.origin == place.head.checkpoint.origin && roots.get(&head.size) == Some(&head.root)
        };
        let next = follows(statement, self.admission, &self.progress, own_history);
        Ok(next.map(|next| {
            self.progress = next;
            true
        }))
    }

    fn read_root(&mut self, head: &KnownHead) -> Result<()> {
        let newest = &self.place.head.checkpoint;
        if head.size <= newest.size && !self.roots.contains_key(&head.size) {
            let root = Tree::new(self.place.store.as_ref(), newest.size).root_at(head.size)?;
            self.roots.insert(head.size, root);
        }
        Ok(())
    }
}
