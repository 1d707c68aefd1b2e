//! `log reseal`: encrypts sealed records anew, by someone who may open them. Entries and proofs stay; what
//! was done is an entry of the log's own journal.
//!
//! The newest bundle, which appends still copy, changes together with the head that records the reseal; the
//! full ones below it follow one by one. How far that is, `reseal/state` says: `SEQUENCE BUNDLE DIGEST`, the
//! number of the log's own statement, the bundle that is being replaced, and the SHA-256 of what replaces it.
//! An interrupted run goes on from there: by the digest it knows whether that bundle is done.

use crate::commands::{append, manage};
use crate::keys::LogKeys;
use crate::own;
use crate::pipeline;
use crate::place::{self, Place};
use crate::store::Store;
use anyhow::{Context, Result, bail};
use coldlog_kit::exit::{Outcome, no};
use coldlog_kit::files::{self, Existing, Mode};
use coldlog_kit::progress::Progress;
use coldlog_kit::published::{Bundles, Tree};
use coldlog_kit::seal::{self, Identity, Recipient};
use coldlog_kit::secret::Source;
use coldlog_kit::terminal::say;
use coldlog_spec::checkpoint::parse_decimal;
use coldlog_spec::hash::Hash;
use coldlog_spec::reseal::Reseal;
use coldlog_spec::statement::{Payload, Statement};
use coldlog_spec::tile::{self, WIDTH, entries_path, sealed_path};
use std::path::{Path, PathBuf};

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
    /// The log's own statement that records it.
    sequence: u64,
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
        let text = String::from_utf8(files::read(&path, 128)?).unwrap_or_default();
        let parsed = text.strip_suffix('\n').and_then(|line| {
            let (sequence, rest) = line.split_once(' ')?;
            let (bundle, digest) = rest.split_once(' ')?;
            Some((parse_decimal(sequence)?, parse_decimal(bundle)?, Hash::from_hex(digest)?))
        });
        let (sequence, bundle, digest) = parsed.with_context(|| {
            format!("{} is damaged: remove it, and reseal anew", path.display())
        })?;
        Ok(Some(State { path, sequence, bundle, digest }))
    }

    fn write(&self) -> Result<()> {
        files::create_folder(&files::folder_of(&self.path))?;
        let text = format!("{} {} {}\n", self.sequence, self.bundle, self.digest);
        files::write(&self.path, text.as_bytes(), Existing::Replace, Mode::Public)
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
    let mut state = State::read(home)?;
    // One that never came to its entry has changed nothing.
    let mut begun = match &state {
        Some(state) => own::reseal_at(&place, state.sequence)?,
        None => None,
    };
    if begun.is_none() {
        let keys = manage::keys(&place, &options.secret)?;
        let open = Open { identities: &identities, recipients: &recipients };
        let at = record(home, &mut place, &keys, options, &wanted, &open);
        // What was not recorded was not begun.
        if at.is_err()
            && let Some(state) = State::read(home)?
        {
            state.done()?;
        }
        let at = at?;
        state = State::read(home)?;
        begun = match &state {
            Some(state) => {
                own::reseal_at(&place, state.sequence)?.filter(|(found, _)| *found == at)
            }
            None => None,
        };
    }
    let (Some(mut state), Some((at, reseal))) = (state, begun) else {
        return Err(
            anyhow::anyhow!("the reseal was recorded, and is not there: run `log fsck`").into()
        );
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
    let open = Open { identities: &identities, recipients: &recipients };
    full_bundles(store.as_ref(), &open, &reseal, (at, size), &mut state)?;
    remove_stale(store.as_ref(), &reseal, at, size)?;
    // Staged copies, too.
    store.collect().context("removing what was staged")?;
    state.done()?;
    say(format!(
        "the records of entries {} to {} are sealed to {} recipients, each held against its commitment; entry {at} says so",
        reseal.from,
        reseal.to - 1,
        wanted.len()
    ));
    Ok(())
}

// Appends the log's own statement, and with it the newest bundle, sealed anew as far as it is in range.
fn record(
    home: &Path,
    place: &mut Place,
    keys: &LogKeys,
    options: &Options,
    wanted: &[String],
    open: &Open,
) -> Outcome<u64> {
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
        let claims = coldlog_spec::verify::own::claims(keys.origin());
        let sequence = place.index.progress(&claims)?.next;
        open.must_open(place.store.as_ref(), &reseal, size)?;
        let first = size / WIDTH * WIDTH;
        edge.reseal(|at, entry, sealed| open.again(&reseal, first + at, entry, sealed))?;
        // Before the entry: one that is recorded is always finished.
        let (bundle, digest) = (reseal.from / WIDTH, Hash([0; 32]));
        State { path: state_file(home), sequence, bundle, digest }.write()?;
        Ok(own::push(place, keys, None, Payload::Reseal(reseal), edge)?)
    })
}

/// Who opens, and for whom it is sealed.
struct Open<'a> {
    identities: &'a [Identity],
    recipients: &'a [Recipient],
}

impl Open<'_> {
    // Before anything is recorded: the first record in range opens.
    fn must_open(&self, store: &dyn Store, reseal: &Reseal, size: u64) -> Result<()> {
        let mut entries = Bundles::new(store, size, entries_path);
        let mut sealed = Bundles::new(store, size, sealed_path);
        for index in reseal.from..reseal.to {
            let entry = entries.get(index)?;
            let is_record = Statement::decode(entry)?.commitment().is_some();
            if is_record {
                return self.again(reseal, index, entry, sealed.get(index)?).map(|_| ());
            }
        }
        bail!("entries {} to {} have no sealed records", reseal.from, reseal.to - 1)
    }

    /// A record, sealed anew where it is in range; one that is not what its statement commits to is
    /// sealed to nobody.
    fn again(&self, reseal: &Reseal, index: u64, entry: &[u8], sealed: &[u8]) -> Result<Vec<u8>> {
        if !(reseal.from..reseal.to).contains(&index) {
            return Ok(sealed.to_vec());
        }
        let statement = Statement::decode(entry).with_context(|| format!("entry {index}"))?;
        let Some(commitment) = statement.commitment() else { return Ok(sealed.to_vec()) };
        let bytes = seal::open(sealed, self.identities)
            .with_context(|| format!("the sealed record of entry {index}"))?;
        if Hash::of(&bytes) != commitment {
            bail!(
                "the sealed record of entry {index} is not what its statement commits to: keep it, and run `verifier open`"
            );
        }
        seal::seal(&bytes, self.recipients).with_context(|| format!("entry {index}"))
    }
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
pub(crate) fn remove_stale(store: &dyn Store, reseal: &Reseal, at: u64, size: u64) -> Outcome {
    let mut stale = Vec::new();
    store.list("sealed", &mut |path| {
        let path = format!("sealed/{path}");
        let Some((_, bundle, width)) = tile::parse_path(&path) else { return Ok(()) };
        let first = bundle * WIDTH;
        let touched = first < reseal.to && first + WIDTH > reseal.from;
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
