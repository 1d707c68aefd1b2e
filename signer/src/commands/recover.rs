//! `signer recover`: a restored journal gets back what the log, or an exported batch, has of it, and signs
//! again. Nothing is taken before all of it holds.

use crate::factors::{self, SecondSource};
use crate::journal::{self, Journal, Recovering};
use crate::keys;
use anyhow::{Context, Result};
use coldlog_kit::exit::{Failure, OrNo, Outcome, no, trouble};
use coldlog_kit::files;
use coldlog_kit::inputs::parse_tail;
use coldlog_kit::keyfile::Keys;
use coldlog_kit::progress::Progress as Bar;
use coldlog_kit::seal;
use coldlog_kit::secret::Source;
use coldlog_kit::sequence::Reader;
use coldlog_kit::terminal::{say, talk};
use coldlog_spec::batch;
use coldlog_spec::batch::Tail;
use coldlog_spec::checkpoint::{Checkpoint, SignedCheckpoint};
use coldlog_spec::cose::Claims;
use coldlog_spec::ed25519::PublicKey;
use coldlog_spec::hash::Hash;
use coldlog_spec::note::MAX_NOTE;
use coldlog_spec::policy::{CosignedCheckpoint, MAX_POLICY, Policy};
use coldlog_spec::record::Disclosure;
use coldlog_spec::statement::Statement;
use coldlog_spec::statements::{self, Item, MAX_ITEM};
use coldlog_spec::verify::append::{Admission, Progress, follows, verify_record, verify_trailer};
use coldlog_spec::verify::receipts::verify_head;
use coldlog_spec::verify::recovery::{Paper, Refusal, logged, reaches, same};
use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

/// What the command line says.
pub struct Options {
    /// What the log has of this journal.
    pub statements: Option<PathBuf>,
    /// The policy for it.
    pub policy: Option<PathBuf>,
    /// A head that somebody else has: the log's must be as new.
    pub newest: Option<PathBuf>,
    /// Batches that were exported, and perhaps never reached the log.
    pub batches: Vec<PathBuf>,
    /// The newest tail from paper.
    pub tail: Option<String>,
    /// The log cannot be asked: the paper alone must do.
    pub without_log: bool,
    /// Where evidence goes.
    pub evidence: PathBuf,
    /// The passphrase's source.
    pub secret: Source,
    /// The second person's.
    pub second: SecondSource,
}

/// Runs the command.
pub fn run(home: &Path, options: &Options) -> Outcome {
    let paper = parse_tail(options.tail.as_deref())?;
    if options.without_log && paper.is_none() {
        return trouble("--without-log leaves only the paper: say --tail TAIL");
    }
    if !options.without_log && options.statements.is_none() {
        return trouble(
            "say --statements FILE, which `log journal-of` writes; or --without-log with --tail TAIL, where the log cannot be asked",
        );
    }
    let _lock = journal::lock(home)?;
    let mut journal = Journal::open(home)?;
    if !journal.is_restored()? {
        return no(
            "this journal did not come out of a backup, or is up to date already: there is nothing to recover",
        );
    }
    let keys = open_key(home, &journal, options)?;
    let key = keys.ed25519();
    let before = journal.tail()?.tail;
    let mut head = None;
    journal.recover(&key, |step| {
        let (in_force, end) = (journal.key().clone(), before.clone());
        let mut recovery = Recovery { journal: &journal, keys: &keys, step, in_force, end };
        if let Some(path) = &options.statements {
            head = Some(recovery.take_log(path, options)?);
        }
        for path in &options.batches {
            recovery.take_batch(path).map_err(|failure| keep_evidence(failure, options))?;
        }
        recovery.hold_against_paper(paper.as_ref(), options)?;
        Journal::must_be_all(keys.place().as_ref(), recovery.end.count)?;
        recovery.must_be_by(&key.public())
    })?;
    journal.begin_counting(keys.place())?;
    journal.leave(home)?;
    tell(&journal, &before, head.as_ref(), paper.is_some())
}

// What was signed after the backup may be by a later key; the file is of one of this journal's in any case.
fn open_key(home: &Path, journal: &Journal, options: &Options) -> Outcome<Keys> {
    let (demanded, identities) =
        (journal.founding()?.second_factor, options.secret.identity.as_deref());
    let mut keys = Keys::read_with(&keys::file(home), "signer", identities, |what| {
        factors::passphrase(what, demanded, &options.secret, &options.second, false)
    })?;
    keys.open(&options.secret)?;
    Ok(keys)
}

struct Recovery<'a, 'b> {
    journal: &'a Journal,
    keys: &'a Keys,
    step: &'a mut Recovering<'b>,
    /// The key in force by now.
    in_force: PublicKey,
    /// How far the journal reaches by now.
    end: Tail,
}

impl Recovery<'_, '_> {
    fn take_log(&mut self, path: &Path, options: &Options) -> Outcome<CosignedCheckpoint> {
        let Some(policy) = &options.policy else {
            return trouble("--statements needs --policy: it says which logs and witnesses count");
        };
        let policy = Policy::parse(&files::read(policy, MAX_POLICY as u64)?)?;
        let mut reader = Reader::open(path, "coldlog-statements", MAX_ITEM)?;
        let header = reader.next()?.context("the statements file is empty")?;
        let header = statements::decode_header(&header)?;
        must_be_mine(&header.claims, self.journal)?;
        let note = SignedCheckpoint::decode(&header.checkpoint)?;
        let remembered = self.journal.newest_head_of(&note.checkpoint.origin)?;
        let remembered = remembered.map(|(head, _)| head);
        let cosigned = verify_head(&header, &policy, remembered.as_ref()).or_no()?;
        if let Some(newest) = &options.newest {
            must_be_as_new(&read_head(newest)?, cosigned.checkpoint())?;
        }
        self.statements(&mut reader, cosigned.checkpoint())
            .map_err(|failure| keep_evidence(failure, options))?;
        self.step.put_head(&note)?;
        cosigned.not_before().map(|time| self.journal.note_witnessed(time)).transpose()?;
        Ok(cosigned)
    }

    fn statements(&mut self, reader: &mut Reader<File>, head: &Checkpoint) -> Outcome {
        let progress = Bar::new("verifying what the log has", None);
        let (mut count, mut at) = (0, None);
        // Notes that came, until the records that name them.
        let mut notes = BTreeMap::new();
        loop {
            let Some(item) = reader.next()? else {
                return no("the statements file has no trailer: it was cut short, copy it again");
            };
            match Item::decode(&item)? {
                Item::Head(note) => {
                    notes.insert(Hash::of(&note).0, SignedCheckpoint::decode(&note)?);
                }
                Item::Logged(found) => {
                    let (mut admission, start) = match at.take() {
                        Some(standing) => standing,
                        None => self.start(&found.statement)?,
                    };
                    let place = || format!("record {}", start.next);
                    let (statement, next) =
                        logged(&found, &mut admission, head, &start).with_context(place).or_no()?;
                    self.take(statement, &found.sealed, &notes, &admission)?;
                    at = Some((admission, next));
                    count += 1;
                    progress.add(1);
                }
                Item::Trailer { count: claimed, digest } => {
                    if claimed != count || digest != reader.digest_before() || count == 0 {
                        return no(format!(
                            "the trailer counts {claimed} statements, the file holds {count} or was altered; copy it again"
                        ));
                    }
                    break;
                }
            }
        }
        match reader.next()? {
            Some(_) => no("items follow the trailer of the statements file"),
            None => Ok(()),
        }
    }

    fn take_batch(&mut self, path: &Path) -> Outcome {
        let mut reader = Reader::open(path, "coldlog-batch", batch::MAX_ITEM)?;
        let header = reader.next()?.context("the batch is empty")?;
        let header = batch::Header::decode(&header)?;
        must_be_mine(&header.claims, self.journal)?;
        let (mut admission, mut progress) = self.before(header.first)?;
        let mut count = 0;
        loop {
            let Some(item) = reader.next()? else {
                return no("the batch has no trailer: it was cut short, copy it again");
            };
            match batch::Item::decode(&item)? {
                batch::Item::Record { statement, sealed } => {
                    let place = || format!("record {}", progress.next);
                    let statement = verify_record(&statement, &sealed, &admission)
                        .with_context(place)
                        .or_no()?;
                    let next = follows(&statement, &admission, &progress, |_| true)
                        .with_context(place)
                        .or_no()?;
                    admission.take(&statement).with_context(place).or_no()?;
                    self.take(statement, &sealed, &BTreeMap::new(), &admission)?;
                    (progress, count) = (next, count + 1);
                }
                batch::Item::Trailer { count: claimed, digest, tail } => {
                    let found = (count, reader.digest_before());
                    verify_trailer((claimed, digest, &tail), found, &admission, &progress)
                        .or_no()?;
                    return Ok(());
                }
            }
        }
    }

    // A file may begin anywhere up to the journal's end.
    fn start(&self, statement: &[u8]) -> Outcome<(Admission, Progress)> {
        self.before(Statement::decode(statement)?.position.sequence)
    }

    fn before(&self, first: u64) -> Outcome<(Admission, Progress)> {
        let admission = self.journal.admission_at(first)?;
        let Some(before) = first.checked_sub(1) else {
            return Ok((admission, Progress::default()));
        };
        match self.journal.row(before)? {
            Some(row) => {
                Ok((admission, Progress { next: first, head: Some(row.statement.leaf()) }))
            }
            None => no(format!(
                "the file begins at number {first}, this journal ends at {}: records between them are missing; ask for all of them, without --from",
                self.end.short()
            )),
        }
    }

    // A verified record: the same as the own one, or the next.
    fn take(
        &mut self,
        statement: Statement,
        sealed: &[u8],
        notes: &BTreeMap<[u8; 32], SignedCheckpoint>,
        admission: &Admission,
    ) -> Outcome {
        let sequence = statement.position.sequence;
        if sequence < self.end.count {
            let own = self.journal.row(sequence)?.context("the journal has this number")?;
            return same(&statement, &own.statement, admission).or_no();
        }
        let place = || format!("record {sequence}");
        let disclosure = seal::open(sealed, &[self.keys.identity()])
            .with_context(|| {
                format!("record {sequence} is not sealed to this signer's key (sealed anew for others?): bring the batch that it was exported in, with --batch")
            })
            .or_no()?;
        statement.must_commit_to(&disclosure).with_context(place).or_no()?;
        let disclosure = Disclosure::decode(&disclosure).with_context(place)?;
        let named = statement.position.head.as_ref();
        if let Some(note) = named.and_then(|head| notes.get(&head.note.0)) {
            self.step.put_head(note)?;
        }
        self.in_force = admission.key.clone();
        self.end = Tail { count: sequence + 1, head: statement.leaf() };
        Ok(self.step.append(statement, sealed, &disclosure)?)
    }

    // A key that took over after the backup is not in it.
    fn must_be_by(&self, key: &PublicKey) -> Outcome {
        match self.in_force == *key {
            true => Ok(()),
            false => no(format!(
                "the key file holds {key:?}, in force is {:?}: the journal was handed over after this backup, or the file is another's; put that key's file in as key.age, or revoke it and start a new journal",
                self.in_force
            )),
        }
    }

    fn hold_against_paper(&self, paper: Option<&(u64, String)>, options: &Options) -> Outcome {
        let Some((count, digits)) = paper else { return Ok(()) };
        let text = options.tail.as_deref().unwrap_or_default().trim();
        let newest = match count.checked_sub(1) {
            Some(newest) => self.journal.row(newest)?,
            None => None,
        };
        let leaf = newest.map(|row| row.statement.leaf());
        let paper = Paper { count: *count, digits, text };
        reaches(&paper, &self.end, leaf, options.without_log).or_no()
    }
}

fn must_be_mine(found: &Claims, journal: &Journal) -> Outcome {
    let expected = journal.claims();
    match found == expected {
        true => Ok(()),
        false => no(format!(
            "the file is of {} / {}, this journal is {} / {}",
            found.issuer, found.subject, expected.issuer, expected.subject
        )),
    }
}

fn read_head(path: &Path) -> Result<SignedCheckpoint> {
    let bytes = files::read(path, MAX_NOTE as u64)?;
    SignedCheckpoint::decode(&bytes).with_context(|| path.display().to_string())
}

// Not trusted: it can only make this command ask for more.
fn must_be_as_new(newest: &SignedCheckpoint, head: &Checkpoint) -> Outcome {
    let found = &newest.checkpoint;
    if found.origin != head.origin {
        return no(format!(
            "--newest is a head of {}, the file's is of {}",
            found.origin, head.origin
        ));
    }
    if found.size > head.size {
        return no(format!(
            "the file is under a head of size {}, a newer one of size {} is out: have the log write it anew, with `log journal-of`",
            head.size, found.size
        ));
    }
    Ok(())
}

fn keep_evidence(failure: Failure, options: &Options) -> Failure {
    let Failure::No(why) = failure else { return failure };
    let Some(Refusal::Forked { evidence, .. }) = why.downcast_ref() else {
        return Failure::No(why);
    };
    match files::write_evidence(&options.evidence, &evidence.encode()) {
        Ok(place) => Failure::No(anyhow::anyhow!("{why}; the evidence is in {}", place.display())),
        Err(trouble) => Failure::Trouble(trouble.context(why.to_string())),
    }
}

fn tell(
    journal: &Journal,
    before: &Tail,
    head: Option<&CosignedCheckpoint>,
    paper: bool,
) -> Outcome {
    let tail = journal.tail()?.tail;
    say(format!(
        "{} records came back; the journal has {} and signs from now on; write down its tail: {}",
        tail.count - before.count,
        tail.count,
        tail.short()
    ));
    if let Some(head) = head {
        let checkpoint = head.checkpoint();
        let time = head
            .not_after()
            .map_or("a time that nobody vouches for".into(), coldlog_kit::time::show);
        say(format!("the log {} had {} entries at {time}", checkpoint.origin, checkpoint.size));
    }
    if !paper {
        talk(
            "signer: no tail from paper was given: records that were signed and never exported are unknown here, and their numbers would be used twice. Export and log at once; a number that was used twice shows there",
        );
    }
    Ok(())
}
