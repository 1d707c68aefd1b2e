//! `log append`: verify, assign, write, make durable, sign, swap the head, and only then answer.

use crate::admit::Judge;
use crate::commands::receipts::{self, Logged};
use crate::commands::{freeze, manage, rules};
use crate::keys::LogKeys;
use crate::memory;
use crate::own;
use crate::pipeline;
use crate::place::Place;
use crate::sequencer::Edge;
use crate::store::Swapped;
use anyhow::{Context, Result, bail};
use coldlog_kit::batches::{self, Batch, Judged};
use coldlog_kit::exit::{Failure, OrNo, Outcome, no, text_of, trouble};
use coldlog_kit::files::Existing;
use coldlog_kit::inputs;
use coldlog_kit::optical::{Inlet, Kind};
use coldlog_kit::progress::Progress as Bar;
use coldlog_kit::secret::Source;
use coldlog_kit::terminal::{say, talk};
use coldlog_kit::time;
use coldlog_spec::checkpoint::Checkpoint;
use coldlog_spec::ed25519::Verifier;
use coldlog_spec::statement::Payload;
use coldlog_spec::verify::append::{Progress, Refusal};
use std::path::{Path, PathBuf};

/// How often a batch is checked again while other writers of the same store are faster.
const TRIES: usize = 50;

/// What the command line says.
pub struct Options {
    /// The batches, in order.
    pub batches: Vec<PathBuf>,
    /// The QR codes that show the one batch, which is written.
    pub qr: Option<PathBuf>,
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
    if let (Some(qr), batches) = (&options.qr, options.batches.as_slice()) {
        let [batch] = batches else {
            return trouble("QR codes give one batch: name one file, where it is put");
        };
        Inlet::open(Some(batch), Some(qr), Kind::Batch, options.force)?;
    }
    let existing = Existing::from_force(options.force);
    let (mut refused, mut troubled) = (0, 0);
    for (path, output) in options.batches.iter().zip(outputs) {
        let outcome = append(&mut place, path, &keys).and_then(|Appended { counts, logged }| {
            say(appended_line(&place, path, counts));
            if let Some(output) = output {
                let told = receipts::write(&place, &keys, logged, &output, existing)?;
                say(format!("{told} in {}", output.display()));
            }
            Ok(())
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

/// What was done with a batch.
pub(crate) struct Appended {
    pub(crate) counts: Counts,
    /// Its records, all of which are in the log now.
    pub(crate) logged: Logged,
}

/// Appends a batch, whole or not at all.
pub(crate) fn append(place: &mut Place, path: &Path, keys: &LogKeys) -> Outcome<Appended> {
    // Entries, sealed records and tiles take about what the batch takes; the index a part of it.
    let bytes = std::fs::metadata(path).map_or(0, |meta| meta.len());
    place.need_space(bytes + bytes / 4 + (1 << 20))?;
    sequenced(place, keys, |place, edge| {
        // A signer that remembers a larger head knows of another history, or of a lost one.
        batch(place, path, edge, place.head.checkpoint.size)
    })
}

/// How many records were new, and how many were there already.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) new: u64,
    pub(crate) repeated: u64,
}

impl std::iter::Sum for Counts {
    fn sum<I: Iterator<Item = Counts>>(each: I) -> Counts {
        each.fold(Counts::default(), |all, one| Counts {
            new: all.new + one.new,
            repeated: all.repeated + one.repeated,
        })
    }
}

fn appended_line(place: &Place, path: &Path, counts: Counts) -> String {
    format!(
        "{}: {} records appended, {} were there already; the log has {} entries",
        path.display(),
        counts.new,
        counts.repeated,
        place.head.checkpoint.size
    )
}

type Signed = coldlog_spec::checkpoint::SignedCheckpoint;

/// Appends the records that a head stands for and this log has lost; `newest` is that head.
pub(crate) fn rebuild(
    place: &mut Place,
    batches: &[PathBuf],
    newest: &Signed,
    secret: &Source,
) -> Outcome {
    // The log's own statements come back only by its own key.
    let ruled = batches.iter().map(|path| rules::is_file(path));
    let keys = match ruled.collect::<anyhow::Result<Vec<_>>>()?.contains(&true) {
        true => Some(LogKeys::load(&place.home, secret)?),
        false => None,
    };
    let sign = |checkpoint: &Checkpoint| match *checkpoint == newest.checkpoint {
        true => Ok(newest.clone()),
        false => no(format!(
            "the batches give {} entries with the root {}, the newest head says {} and {}: name all that were appended since, in the order in which they were",
            checkpoint.size, checkpoint.root, newest.checkpoint.size, newest.checkpoint.root
        )),
    };
    let rebuilt = under_one_head(place, sign, |place, edge| {
        let each = batches.iter().map(|path| match &keys {
            Some(keys) if rules::is_file(path)? => {
                let rules = rules::read(path)?;
                own::push(place, keys, None, Payload::Rules(rules), edge)?;
                Ok(Counts { new: 1, repeated: 0 })
            }
            _ => Ok(batch(place, path, edge, newest.checkpoint.size)?.counts),
        });
        each.sum::<Outcome<Counts>>()
    });
    match rebuilt? {
        Some(counts) if counts.new > 0 => Ok(()),
        Some(_) => no("the batches hold nothing that this log has not"),
        None => no("another writer moved the head meanwhile: run the command again"),
    }
}

/// Appends what `fill` pushes under one new head; again, where another writer of the store was faster.
pub(crate) fn sequenced<T>(
    place: &mut Place,
    keys: &LogKeys,
    mut fill: impl FnMut(&Place, &mut Edge) -> Outcome<T>,
) -> Outcome<T> {
    let sign = |checkpoint: &Checkpoint| Ok(keys.sign_head(checkpoint, time::now())?);
    for _ in 0..TRIES {
        if let Some(done) = under_one_head(place, sign, &mut fill)? {
            return Ok(done);
        }
        talk("log: another writer was faster; what is new is checked against its head");
        place.follow()?;
        // What another machine put there is believed no more than what a disk gives back.
        manage::must_be_of(place, keys)?;
        memory::may_sign(place)?;
    }
    trouble("other writers of this log were faster every time: run the command again")
}

// All or nothing; nothing is returned where another writer moved the head meanwhile.
fn under_one_head<T>(
    place: &mut Place,
    sign: impl Fn(&Checkpoint) -> Outcome<Signed>,
    mut fill: impl FnMut(&Place, &mut Edge) -> Outcome<T>,
) -> Outcome<Option<T>> {
    place.index.begin()?;
    place.forget_pushed();
    let filled = filled(place, sign, &mut fill);
    let head = match filled {
        Ok(Some((done, None))) => {
            place.index.commit(&place.head.checkpoint)?;
            return Ok(Some(done));
        }
        Ok(Some((done, Some(head)))) => (done, head),
        other => {
            place.index.rollback()?;
            place.forget_pushed();
            return other.map(|_| None);
        }
    };
    let (done, head) = head;
    memory::remember(&place.home, &head)?;
    place.index.commit(&head.checkpoint)?;
    place.moved_to(head);
    Ok(Some(done))
}

// What was done, and the new head where there is something new; `None` where the swap was lost.
fn filled<T>(
    place: &Place,
    sign: impl Fn(&Checkpoint) -> Outcome<Signed>,
    fill: &mut impl FnMut(&Place, &mut Edge) -> Outcome<T>,
) -> Outcome<Option<(T, Option<Signed>)>> {
    freeze::must_not_be_frozen(place)?;
    let Checkpoint { origin, size: old_size, root } = place.head.checkpoint.clone();
    let mut edge = Edge::load(place.store.as_ref(), old_size, root)?;
    let done = fill(place, &mut edge)?;
    if edge.size() == old_size {
        return Ok(Some((done, None)));
    }
    // finish() reads the edge back from the store to compute the root: what is signed is what is there.
    let (size, root) = edge.finish()?;
    let head = sign(&Checkpoint { origin, size, root })?;
    Ok(match place.store.swap_head(Some(&place.head), &head)? {
        Swapped::Done => Some((done, Some(head))),
        Swapped::Lost => None,
    })
}

// Verifies a batch and stages its new records. `known` is the size of the newest head that there is.
fn batch(place: &Place, path: &Path, edge: &mut Edge, known: u64) -> Outcome<Appended> {
    let mut file = Batch::open(path)?;
    let claims = file.header.claims.clone();
    place.rules()?.allowed(&claims).map_err(Refusal::from).or_no()?;
    let admission = match place.admission(&claims)? {
        Some(admission) => admission,
        None => file.genesis()?,
    };
    let old_size = place.head.checkpoint.size;
    if file.header.remembered > known {
        return no(format!(
            "the signer remembers a head of size {}, this log has {old_size} entries: it is not that log, or it was restored from an older copy; get the newest cosigned head, and run `log recover --newest HEAD`",
            file.header.remembered
        ));
    }
    let verifier = Verifier::new(&admission.key, file.expected);
    let (first, remembered) = (file.header.first, file.header.remembered);
    let mut batch = Records {
        judge: Judge::new(place, &admission, known)?.or_no()?,
        end: Progress { next: first, head: None },
        new: 0,
        repeated: 0,
    };
    let bar = Bar::new("appending", None);
    pipeline::ordered(
        || file.next(),
        |items| batches::verify(items, &admission, &verifier),
        |records| {
            let records = records?;
            bar.add(records.len() as u64);
            records.into_iter().try_for_each(|record| batch.put(record, edge))
        },
    )?;
    let Records { judge, end, new, repeated } = batch;
    let tail = file.finish(new + repeated, judge.admission(), &end)?;
    let records = receipts::Records::Logged { left: new + repeated, tail: Box::new(tail) };
    let logged = Logged { claims, first, remembered, records };
    Ok(Appended { counts: Counts { new, repeated }, logged })
}

// A batch on its way: each record follows the one before.
struct Records<'a> {
    judge: Judge<'a>,
    /// How far this batch is.
    end: Progress,
    new: u64,
    repeated: u64,
}

impl Records<'_> {
    fn put(&mut self, (statement, sealed): Judged, edge: &mut Edge) -> Outcome {
        let number = self.end.next;
        let judged = match &statement {
            Ok(statement) if statement.position.sequence != number => {
                let found = statement.position.sequence;
                Err(Refusal::Gap { expected: number, found })
            }
            Ok(statement) => self.judge.judge(statement, sealed.len(), edge)?,
            Err(refusal) => Err(refusal.clone()),
        };
        match (judged, statement) {
            (Err(refusal), _) | (_, Err(refusal)) => {
                Err(Failure::No(self.judge.refused(number, refusal)?))
            }
            (Ok(there), Ok(statement)) => {
                match there {
                    Some(_) => self.repeated += 1,
                    None => {
                        self.judge.push(&statement, &sealed, edge)?;
                        self.new += 1;
                    }
                }
                self.end = Progress { next: number + 1, head: Some(statement.leaf()) };
                Ok(())
            }
        }
    }
}
