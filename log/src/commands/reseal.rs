//! `log reseal`: encrypts sealed records anew, by someone who may open them. Entries and proofs stay; what
//! was done is an entry of the log's own journal.
//!
//! The newest bundle, which appends still copy, changes together with the head that records the reseal; the
//! full ones below it follow one by one. How far that is, `reseal/state` says: `SEQUENCE PAYLOAD BUNDLE
//! DIGEST`, the number of the log's own statement and the SHA-256 of its payload, the bundle that is being
//! replaced, and the SHA-256 of what replaces it. An interrupted run goes on from there: by the digest it
//! knows whether that bundle is done.
//!
//! A record that does not open, or is not what its statement commits to, stays as it is, and is named.

use crate::commands::{append, manage};
use crate::keys::LogKeys;
use crate::own;
use crate::pipeline;
use crate::place::{self, Place};
use crate::store::Store;
use anyhow::{Context, Result};
use coldlog_kit::exit::{Outcome, no, trouble};
use coldlog_kit::files::{self, Existing, Mode};
use coldlog_kit::progress::Progress;
use coldlog_kit::published::{Bundles, Tree};
use coldlog_kit::seal::{self, Identity, Recipient};
use coldlog_kit::secret::Source;
use coldlog_kit::terminal::{say, talk};
use coldlog_spec::checkpoint::parse_decimal;
use coldlog_spec::hash::Hash;
use coldlog_spec::reseal::Reseal;
use coldlog_spec::statement::{Payload, Statement};
use coldlog_spec::tile::{self, WIDTH, entries_path, sealed_path};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// What the command line says.
pub struct Options {
    /// The age identity that opens the records.
    pub identity: PathBuf,
    /// To whom they are sealed from now on; all of them.
    pub auditors: Vec<String>,
    /// Who does it.
    pub by: String,
    /// Why.
    pub purpose: String,
    /// The index of the first entry.
    pub from: u64,
    /// The index after the last entry.
    pub to: Option<u64>,
    /// The passphrase's source.
    pub secret: Source,
}

/// How far a reseal is.
struct State {
    path: PathBuf,
    /// The number of the log's own statement that records it.
    sequence: u64,
    /// The SHA-256 of its payload: another machine may have taken the number.
    payload: Hash,
    /// The full bundle that is being replaced.
    bundle: u64,
    /// The SHA-256 of what replaces it.
    digest: Hash,
}

impl State {
    fn read(home: &Path) -> Result<Option<State>> {
        let path = state_file(home);
        if !files::is_there(&path)? {
            return Ok(None);
        }
        let text = String::from_utf8(files::read(&path, 256)?).unwrap_or_default();
        let words: Vec<&str> = text.strip_suffix('\n').unwrap_or_default().split(' ').collect();
        let parsed = match words.as_slice() {
            [sequence, payload, bundle, digest] => {
                let numbers = parse_decimal(sequence).zip(parse_decimal(bundle));
                numbers.zip(Hash::from_hex(payload).zip(Hash::from_hex(digest)))
            }
            _ => None,
        };
        let ((sequence, bundle), (payload, digest)) = parsed.with_context(|| {
            format!("{} is damaged: remove it, and reseal anew", path.display())
        })?;
        Ok(Some(State { path, sequence, payload, bundle, digest }))
    }

    fn write(&self) -> Result<()> {
        files::create_folder(&files::folder_of(&self.path))?;
        let State { sequence, payload, bundle, digest, .. } = self;
        let text = format!("{sequence} {payload} {bundle} {digest}\n");
        files::write(&self.path, text.as_bytes(), Existing::Replace, Mode::Public)
    }

    // What it is about, and the index of its entry; none where that was never written. One that others have
    // overtaken is not finished: it would undo theirs.
    fn recorded(&self, place: &Place) -> Outcome<Option<(u64, Reseal)>> {
        let mut later = own::reseals_from(place, self.sequence)?.into_iter();
        let Some((number, at, own)) = later.next() else { return Ok(None) };
        if number != self.sequence || Hash::of(&own.encode()) != self.payload {
            return Ok(None);
        }
        match later.find(|(_, _, other)| other.from < own.to && other.to > own.from) {
            None => Ok(Some((at, own))),
            Some((_, over, _)) => {
                self.done()?;
                no(format!(
                    "the reseal of entry {at} was interrupted here, and the one of entry {over} came after it: the older one is given up; run `verifier open`, and reseal what does not open for those who shall read it"
                ))
            }
        }
    }

    fn done(&self) -> Result<()> {
        std::fs::remove_file(&self.path).with_context(|| self.path.display().to_string())?;
        files::sync_folder(&files::folder_of(&self.path))
    }
}

/// Where an interrupted reseal left how far it is.
pub(crate) fn state_file(home: &Path) -> PathBuf {
    home.join("reseal").join("state")
}

/// Runs the command.
pub fn run(home: &Path, options: &Options) -> Outcome {
    place::must_be_home(home)?;
    let identities = seal::read_identities(&options.identity)?;
    let recipients: Vec<Recipient> =
        options.auditors.iter().map(|text| seal::parse_recipient(text)).collect::<Result<_>>()?;
    let wanted: Vec<String> = recipients.iter().map(ToString::to_string).collect();
    let folder = files::folder_of(&state_file(home));
    files::create_folder(&folder)?;
    let _alone = files::lock(&folder)?;
    let mut place = Place::open(home)?;
    let open = Open { identities: &identities, recipients: &recipients, kept: Mutex::default() };
    let begun = match State::read(home)? {
        // One that never came to its entry has changed nothing.
        Some(state) => state.recorded(&place)?.map(|recorded| (state, recorded)),
        None => None,
    };
    let (mut state, (at, reseal)) = match begun {
        Some(begun) => begun,
        None => begin(home, &mut place, options, &wanted, &open)?,
    };
    if reseal.recipients != wanted {
        return no(format!(
            "a reseal to {} was begun, entry {at}, and interrupted: finish it with those auditors first",
            reseal.recipients.join(", ")
        ));
    }
    // Appends go on meanwhile: nobody writes full bundles any more.
    let (store, size) = (place::store(home)?, place.head.checkpoint.size);
    drop(place);
    full_bundles(store.as_ref(), &open, &reseal, (at, size), &mut state)?;
    remove_stale(store.as_ref(), reseal.from..reseal.to, at, size)?;
    // Staged copies, too.
    store.collect().context("removing what was staged")?;
    state.done()?;
    say(format!(
        "the records of entries {} to {} are sealed to {} recipients, each held against its commitment; entry {at} says so",
        reseal.from,
        reseal.to - 1,
        wanted.len()
    ));
    let kept = open.kept.into_inner().unwrap_or_else(PoisonError::into_inner);
    for (index, why) in kept.iter().take(MOST_NAMED) {
        talk(format!("log: entry {index} stays as it was: {why}"));
    }
    match kept.len() {
        0 => Ok(()),
        count => {
            no(format!("{count} records stay as they were, sealed to whom they were sealed before"))
        }
    }
}

/// Records that are named.
const MOST_NAMED: usize = 20;

fn begin(
    home: &Path,
    place: &mut Place,
    options: &Options,
    wanted: &[String],
    open: &Open,
) -> Outcome<(State, (u64, Reseal))> {
    let keys = manage::keys(place, &options.secret)?;
    let recorded = record(home, place, &keys, options, wanted, open);
    // What was not recorded was not begun; whether it was, the store says, not the error.
    if recorded.is_err()
        && let Some(state) = State::read(home)?
        && place.follow().is_ok()
        && state.recorded(place)?.is_none()
    {
        state.done()?;
    }
    recorded?;
    let state = State::read(home)?.context("the reseal has no state")?;
    match state.recorded(place)? {
        Some(recorded) => Ok((state, recorded)),
        None => trouble("the reseal was recorded, and is not there: run `log fsck`"),
    }
}

// Appends the log's own statement, and with it the newest bundle, sealed anew as far as it is in range.
fn record(
    home: &Path,
    place: &mut Place,
    keys: &LogKeys,
    options: &Options,
    wanted: &[String],
    open: &Open,
) -> Outcome {
    append::sequenced(place, keys, |place, edge| {
        let size = place.head.checkpoint.size;
        let to = options.to.unwrap_or(size);
        if options.from >= to || to > size {
            return no(format!(
                "there are no entries {} to {to}: the log has {size}, numbered from 0",
                options.from
            ));
        }
        let reseal = Reseal {
            from: options.from,
            to,
            by: options.by.clone(),
            purpose: options.purpose.clone(),
            recipients: wanted.to_vec(),
        };
        // Nothing that could not be read again.
        let payload = reseal.encode();
        Reseal::decode(&payload).context("what the log is to say of it")?;
        let claims = coldlog_spec::verify::own::claims(keys.origin());
        let sequence = place.index.progress(&claims)?.next;
        open.must_open(place.store.as_ref(), &reseal, size)?;
        open.forget();
        let first = size / WIDTH * WIDTH;
        edge.reseal(|at, entry, sealed| open.again(&reseal, first + at, entry, sealed))?;
        // Before the entry: one that is recorded is always finished.
        let (bundle, digest) = (reseal.from / WIDTH, Hash([0; 32]));
        let payload = Hash::of(&payload);
        State { path: state_file(home), sequence, payload, bundle, digest }.write()?;
        own::push(place, keys, None, Payload::Reseal(reseal), edge)?;
        Ok(())
    })
}

/// Who opens, and for whom it is sealed.
struct Open<'a> {
    identities: &'a [Identity],
    recipients: &'a [Recipient],
    /// What stays as it was, and why.
    kept: Mutex<Vec<(u64, String)>>,
}

impl Open<'_> {
    // Before anything is recorded: some record in range can be sealed anew.
    fn must_open(&self, store: &dyn Store, reseal: &Reseal, size: u64) -> Outcome {
        let mut entries = Bundles::new(store, size, entries_path);
        let mut sealed = Bundles::new(store, size, sealed_path);
        let mut first = None;
        for index in reseal.from..reseal.to {
            match self.anew(entries.get(index)?, sealed.get(index)?)? {
                Anew::None => {}
                Anew::Sealed(_) => return Ok(()),
                Anew::Kept(why) => {
                    first.get_or_insert(format!("entry {index}: {why}"));
                }
            }
        }
        no(match first {
            Some(why) => format!("no record can be sealed anew by this identity: {why}"),
            None => "these entries have no sealed records".into(),
        })
    }

    fn anew(&self, entry: &[u8], sealed: &[u8]) -> Result<Anew> {
        let statement = Statement::decode(entry)?;
        if statement.commitment().is_none() {
            return Ok(Anew::None);
        }
        let bytes = match seal::open(sealed, self.identities) {
            Ok(bytes) => bytes,
            Err(why) => return Ok(Anew::Kept(format!("{why:#}"))),
        };
        // Who seals something else for others would put it in the record's place.
        if let Err(why) = statement.must_commit_to(&bytes) {
            return Ok(Anew::Kept(why.to_string()));
        }
        Ok(match seal::seal(&bytes, self.recipients) {
            Ok(sealed) => Anew::Sealed(sealed),
            Err(why) => Anew::Kept(format!("{why:#}")),
        })
    }

    /// What stands in a record's place from now on.
    fn again(&self, reseal: &Reseal, index: u64, entry: &[u8], sealed: &[u8]) -> Result<Vec<u8>> {
        if !(reseal.from..reseal.to).contains(&index) {
            return Ok(sealed.to_vec());
        }
        match self.anew(entry, sealed).with_context(|| format!("entry {index}"))? {
            Anew::None => Ok(sealed.to_vec()),
            Anew::Sealed(anew) => Ok(anew),
            Anew::Kept(why) => {
                self.kept.lock().unwrap_or_else(PoisonError::into_inner).push((index, why));
                Ok(sealed.to_vec())
            }
        }
    }

    fn forget(&self) {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

/// A record, sealed anew.
enum Anew {
    /// There is none.
    None,
    Sealed(Vec<u8>),
    /// It stays, and why.
    Kept(String),
}

// Replaces the full bundles, each whole and durably, and reads them back.
fn full_bundles(
    store: &dyn Store,
    open: &Open,
    reseal: &Reseal,
    (at, size): (u64, u64),
    state: &mut State,
) -> Outcome {
    let end = reseal.to.div_ceil(WIDTH).min(at / WIDTH);
    let progress = Progress::new("sealing anew", Some(end.saturating_sub(state.bundle)));
    let begun = store.get(&sealed_path(state.bundle, WIDTH), tile::MAX_BUNDLE)?;
    let is_done = begun.is_some_and(|bytes| Hash::of(&bytes) == state.digest);
    let mut bundles = state.bundle + u64::from(is_done)..end;
    let again = |bundle: u64| -> Result<(u64, Vec<u8>)> {
        let tree = Tree::new(store, size);
        let (entries, sealed) =
            (tree.bundle(bundle, entries_path)?, tree.bundle(bundle, sealed_path)?);
        let entries = tile::decode_bundle(&entries, WIDTH)?;
        let mut written = Vec::with_capacity(sealed.len());
        for (place, sealed) in tile::decode_bundle(&sealed, WIDTH)?.into_iter().enumerate() {
            let entry = entries.get(place).context("an entry")?;
            let anew = open.again(reseal, bundle * WIDTH + place as u64, entry, sealed)?;
            anyhow::ensure!(tile::push_entry(&mut written, &anew), "a sealed record is too large");
        }
        Ok((bundle, written))
    };
    pipeline::ordered(
        || Ok(bundles.next()),
        again,
        |written| {
            let (bundle, bytes) = written?;
            let path = sealed_path(bundle, WIDTH);
            (state.bundle, state.digest) = (bundle, Hash::of(&bytes));
            state.write()?;
            store.put(&path, &bytes)?;
            if store.get(&path, bytes.len())?.is_none_or(|there| there != bytes) {
                return Err(anyhow::anyhow!("{path} does not read back as it was written").into());
            }
            progress.add(1);
            Ok(())
        },
    )
}

/// Removes older, partial copies of the bundles that a reseal, recorded at entry `at`, has replaced: they
/// open for those who may no longer read.
pub fn remove_stale(store: &dyn Store, resealed: Range<u64>, at: u64, size: u64) -> Outcome {
    let mut stale = Vec::new();
    store.list("sealed", &mut |path| {
        let path = format!("sealed/{path}");
        let Some((_, bundle, width)) = tile::parse_path(&path) else { return Ok(()) };
        let first = bundle * WIDTH;
        let touched = first < resealed.end && first + WIDTH > resealed.start;
        // What was written with that entry or after it is sealed anew.
        let older = first + width <= at && width < tile::width_at(0, bundle, size);
        if touched && older {
            stale.push(path);
        }
        Ok(())
    })?;
    stale.iter().try_for_each(|path| store.remove(path))?;
    Ok(())
}
