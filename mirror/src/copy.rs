//! Fetching what a head stands for, and cosigning the head once all of it is here, durable and read back.
//!
//! Nothing is kept that does not lead to the head: each bundle of entries is held against it by a path of
//! hashes (`spec::mirroring::verify_bundle`) before it is written. A run that was interrupted finds the
//! bundles that it has, verifies them in the same way, and asks for the others only.

use crate::lock::Mirror;
use crate::place::{Copy, Held};
use anyhow::{Context, Result, bail};
use coldlog_kit::exit::{Failure, OrNo, Outcome, no};
use coldlog_kit::files::{self, Existing, Mode};
use coldlog_kit::progress::Progress;
use coldlog_kit::published::{self, Source, Tree};
use coldlog_kit::time;
use coldlog_log::commands::recover::copy_heads_of;
use coldlog_log::commands::reseal::remove_stale;
use coldlog_log::own::reseal_of;
use coldlog_log::pipeline;
use coldlog_log::place::{Opened, open_source};
use coldlog_log::sequencer::Edge;
use coldlog_log::store::{FolderStore, Store, Swapped};
use coldlog_spec::checkpoint::{Checkpoint, SignedCheckpoint};
use coldlog_spec::evidence::Evidence;
use coldlog_spec::hash::Hash;
use coldlog_spec::merkle::{empty_root, leaf_hash};
use coldlog_spec::mirroring::verify_bundle;
use coldlog_spec::note::{SignatureLine, VerifierKey};
use coldlog_spec::reseal::Reseal;
use coldlog_spec::tile::{self, MAX_BUNDLE, Tile, WIDTH, entries_path, sealed_path};
use coldlog_spec::verify::cosigned::put;
use coldlog_spec::witnessing::Request;
use coldlog_witness::place::{Held as Memory, Known};
use std::sync::atomic::{AtomicU64, Ordering};

/// Seconds after which what was sealed anew is fetched once more: a log replaces its bundles one by one.
const AGAIN: u64 = 3600;

/// The most that is to be fetched anew: a million reseals.
const MAX_DUE: u64 = 1 << 26;
/// Bundles that are made durable together while a copy is fetched.
const TOGETHER: u64 = 64;

/// What a run did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copied {
    /// The size before.
    pub from: u64,
    /// The size that is served and cosigned now.
    pub size: u64,
    /// Bytes that were asked for and came.
    pub fetched: u64,
    /// Bytes of entries and sealed records that are new here.
    pub kept: u64,
    /// The head, cosigned.
    pub head: Option<SignedCheckpoint>,
}

/// A bundle of 256, or the newest.
struct Bundle {
    entries: Vec<u8>,
    leaves: Vec<Hash>,
    sealed: Option<Vec<u8>>,
}

/// Counts what comes from elsewhere.
struct Counted<'a> {
    source: &'a dyn Source,
    bytes: AtomicU64,
}

impl Source for Counted<'_> {
    fn get(&self, path: &str, limit: usize) -> Result<Option<Vec<u8>>> {
        let found = self.source.get(path, limit)?;
        let length = found.as_ref().map_or(0, Vec::len);
        self.bytes.fetch_add(length as u64, Ordering::Relaxed);
        Ok(found)
    }
}

fn leaves(bundle: &[u8], width: u64) -> Result<Vec<Hash>> {
    Ok(tile::decode_bundle(bundle, width)?.into_iter().map(leaf_hash).collect())
}

// A record of the log's own journal is sealed to nobody; all others are age files.
fn are_sealed(bundle: &[u8], width: u64) -> bool {
    let sealed =
        |record: &[u8]| record.is_empty() || record.starts_with(b"age-encryption.org/v1\n");
    tile::decode_bundle(bundle, width).is_ok_and(|records| records.into_iter().all(sealed))
}

impl Mirror {
    /// Follows a log: locks on the newest head that its source shows, and catches up with it.
    pub fn follow(&self, known: &Known) -> Outcome<Copied> {
        let origin = &known.log.origin;
        let source = self.source_of(known)?;
        let head = published::head(source.source())
            .with_context(|| format!("reading the head at {}", source.place()))?;
        if head.checkpoint.origin != *origin {
            return no(format!(
                "{} is a copy of {}, expected {origin}: name another source with `mirror add-log --replace --from`",
                source.place(),
                head.checkpoint.origin
            ));
        }
        head.must_be_by(&known.log.keys)
            .with_context(|| format!("the head at {}", source.place()))
            .or_no()?;
        let last = known.last.as_ref().map_or(0, |last| last.checkpoint.size);
        if head.checkpoint.size < last {
            self.must_fit(known, &head)?;
            return self.catch_up(origin, Some(&source));
        }
        self.must_remember(known, &head)?;
        let path = Tree::new(source.source(), head.checkpoint.size).consistency(last)?;
        let request = Request { old: last, path, head };
        let answer = self.lock_on(&request)?;
        match answer.refused {
            // Somebody else has shown it a newer one meanwhile.
            Some(_) if answer.status == 409 => {}
            Some((why, None)) => return no(why),
            Some((why, Some(evidence))) => {
                return no(format!("{why}; the evidence is in {}", evidence.display()));
            }
            None => {}
        }
        self.catch_up(origin, Some(&source))
    }

    fn source_of(&self, known: &Known) -> Result<Opened> {
        let Some(url) = &known.log.url else {
            bail!(
                "this mirror knows no place to fetch {} from: `mirror add-log --from`",
                known.log.origin
            );
        };
        open_source(url, Copy::of(&self.home, &known.log.origin).token()?.as_deref())
    }

    /// A head that this mirror has cosigned and does not remember: its folder was put back.
    pub(crate) fn must_remember(&self, known: &Known, head: &SignedCheckpoint) -> Outcome {
        let own: Vec<&VerifierKey> = self.own().iter().collect();
        let ours = head.verified_by(&own).is_ok_and(|ours| !ours.is_empty());
        let last = known.last.as_ref().map(|last| &last.checkpoint);
        let (size, seen) = (head.checkpoint.size, last.map_or(0, |last| last.size));
        if ours
            && (size > seen
                || last.is_some_and(|last| last.size == size && *last != head.checkpoint))
        {
            return no(format!(
                "a head of {} at size {size} carries this mirror's cosignature, this mirror remembers size {seen}: its memory was restored from an older copy; run `mirror recover --newest HEAD` with that head",
                known.log.origin
            ));
        }
        Ok(())
    }

    // An older head than the one that the mirror is locked on is one of the same tree, or it convicts.
    fn must_fit(&self, known: &Known, older: &SignedCheckpoint) -> Outcome {
        let copy = Copy::of(&self.home, &known.log.origin);
        let Some(ours) = copy.served(self.own())? else { return Ok(()) };
        let (size, at) = (ours.checkpoint.size, older.checkpoint.size);
        if at == 0 || at > size {
            return Ok(());
        }
        let store = copy.store();
        let mut tree = Tree::new(&store, size);
        let root = tree.root_at(at)?;
        if root == older.checkpoint.root {
            return Ok(());
        }
        let mut path = tree.consistency(at)?;
        if at.is_power_of_two() && at < size {
            // Such a path does not hold the older root; evidence shows it.
            path.insert(0, root);
        }
        let shown = Evidence::SplitView { first: older.encode(), second: ours.encode(), path };
        let named = Hash::of(known.log.origin.as_bytes()).to_hex();
        let place = self.home.join("evidence").join(format!("{named}.evidence.cbor"));
        files::create_folder(&files::folder_of(&place))?;
        let place = files::write_evidence(&place, &shown.encode())?;
        no(format!(
            "the head of size {at} is none of the tree that this mirror holds: the log shows two histories; the evidence is in {}",
            place.display()
        ))
    }

    /// Fetches what the head that the mirror is locked on stands for, and cosigns it.
    pub fn catch_up(&self, origin: &str, source: Option<&Opened>) -> Outcome<Copied> {
        self.must_be_settled()?;
        let held = Copy::hold(&self.home, origin)?;
        let known = {
            let Some(memory) = Memory::open(&self.home, origin)? else {
                return no(format!("{origin} is not mirrored; add it with `mirror add-log`"));
            };
            memory.known()?
        };
        let opened = match source {
            Some(_) => None,
            None => Some(self.source_of(&known)?),
        };
        let source = source.or(opened.as_ref()).context("a source")?;
        let ours = held.copy.served(self.own())?;
        let from = ours.as_ref().map_or(0, |head| head.checkpoint.size);
        let last = known.last.as_ref().map(|last| &last.checkpoint);
        if let Some(ours) = &ours
            && last.is_none_or(|last| {
                last.size < from || (last.size == from && *last != ours.checkpoint)
            })
        {
            return Err(Failure::Trouble(anyhow::anyhow!(
                "this mirror serves {origin} at size {from}, its memory says otherwise: one of the two was altered or restored; settle it with `mirror recover --newest HEAD`"
            )));
        }
        let Some(head) = known.last.as_ref().filter(|head| head.checkpoint.size > 0) else {
            return Ok(Copied { from, size: from, fetched: 0, kept: 0, head: ours });
        };
        let counted = Counted { source: source.source(), bytes: AtomicU64::new(0) };
        let mut kept = 0;
        if head.checkpoint.size > from {
            kept = self.fetch(&held, &known, ours.as_ref(), head, &counted)?;
        }
        let theirs = published::head(source.source()).ok();
        let theirs = theirs.filter(|theirs| theirs.checkpoint == head.checkpoint);
        let lines = theirs.map(|theirs| theirs.note.signatures).unwrap_or_default();
        let store = held.copy.store();
        let sizes = (from, head.checkpoint.size);
        copy_heads_of(source, &store, sizes, &known.log.keys)?;
        let cosigned = self.publish(&store, &known, ours.as_ref(), head, lines)?;
        tidy(&store, from, head.checkpoint.size)?;
        // Last: what is wrong with older records at the source keeps no new head from being cosigned.
        if held.copy.keeps_sealed()? {
            fetch_due(&held.copy, &counted, head.checkpoint.size)?;
        }
        let fetched = counted.bytes.load(Ordering::Relaxed);
        let size = head.checkpoint.size;
        Ok(Copied { from, size, fetched, kept, head: Some(cosigned) })
    }

    // Brings the copy to the head from a source.
    fn fetch(
        &self,
        held: &Held,
        known: &Known,
        ours: Option<&SignedCheckpoint>,
        head: &SignedCheckpoint,
        source: &Counted,
    ) -> Outcome<u64> {
        let to = &head.checkpoint;
        let (mut theirs, files) = (Tree::new(source, to.size), Tree::new(source, to.size));
        let root = theirs.root().with_context(|| {
            format!("the source does not have all of the head of size {} yet", to.size)
        })?;
        if root != to.root {
            return no(format!(
                "the source's tiles give the root {root} for the head of size {}, expected {}: it is damaged, or of another history",
                to.size, to.root
            ));
        }
        let store = held.copy.store();
        let keeps_sealed = held.copy.keeps_sealed()?;
        // Entries are held against the head; sealed records only say that they are some. What a power cut may
        // have torn is not believed.
        let durable = held.copy.fetched()?;
        let path_of = |bundle: u64, width: u64| {
            let start = bundle * WIDTH;
            Ok(Some(theirs.subtree_consistency(start, start + width)?))
        };
        let fetch = |bundle: u64, width: u64, path: Option<&[Hash]>| {
            let path = path.unwrap_or_default();
            let sound = |bytes: &[u8]| -> Result<Vec<Hash>> {
                let leaves = leaves(bytes, width)?;
                verify_bundle(bundle, &leaves, path, to)?;
                Ok(leaves)
            };
            // What an interrupted run, or an upload, has left here.
            let here = |path: String| -> Result<Option<Vec<u8>>> {
                if width < WIDTH { Ok(None) } else { store.get(&path, MAX_BUNDLE) }
            };
            let there = here(entries_path(bundle, width)).ok().flatten();
            let there = there.and_then(|bytes| sound(&bytes).ok().map(|leaves| (bytes, leaves)));
            let (entries, leaves) = match there {
                Some(there) => there,
                None => {
                    let bytes = files.bundle(bundle, entries_path)?;
                    let leaves = sound(&bytes).with_context(|| {
                        format!("{} at the source", entries_path(bundle, width))
                    })?;
                    (bytes, leaves)
                }
            };
            let sealed = match keeps_sealed {
                false => None,
                true => {
                    let there = match bundle < durable {
                        true => here(sealed_path(bundle, width)).ok().flatten(),
                        false => None,
                    };
                    Some(match there.filter(|bytes| are_sealed(bytes, width)) {
                        Some(there) => there,
                        None => fetch_sealed(&files, bundle, width)?,
                    })
                }
            };
            Ok(Bundle { entries, leaves, sealed })
        };
        self.advance(held, known, ours, to, path_of, fetch)
    }

    /// Brings the copy to a head whose entries were uploaded; sealed records come from the source.
    pub(crate) fn take_uploaded(
        &self,
        held: &Held,
        known: &Known,
        ours: Option<&SignedCheckpoint>,
        head: &SignedCheckpoint,
    ) -> Outcome<SignedCheckpoint> {
        let store = held.copy.store();
        let size = head.checkpoint.size;
        let here = Tree::new(&store, size);
        let opened = match held.copy.keeps_sealed()? {
            true => Some(self.source_of(known)?),
            false => None,
        };
        let there = opened.as_ref().map(|opened| Tree::new(opened.source(), size));
        let fetch = |bundle: u64, width: u64, _: Option<&[Hash]>| {
            let entries = here.bundle(bundle, entries_path)?;
            let leaves = leaves(&entries, width)?;
            let sealed = match &there {
                Some(there) => Some(fetch_sealed(there, bundle, width)?),
                None => None,
            };
            Ok(Bundle { entries, leaves, sealed })
        };
        self.advance(held, known, ours, &head.checkpoint, |_, _| Ok(None), fetch)?;
        let cosigned = self.publish(&store, known, ours, head, Vec::new())?;
        tidy(&store, ours.map_or(0, |ours| ours.checkpoint.size), size)?;
        Ok(cosigned)
    }

    // Cosigns a head of which all is here, and serves it. One that is served already gets what is new: lines
    // of others, and after a while a new time.
    pub(crate) fn publish(
        &self,
        store: &FolderStore,
        known: &Known,
        ours: Option<&SignedCheckpoint>,
        head: &SignedCheckpoint,
        others: Vec<SignatureLine>,
    ) -> Outcome<SignedCheckpoint> {
        let now = time::now();
        let same = ours.filter(|ours| ours.checkpoint == head.checkpoint);
        let mut new = same.unwrap_or(head).clone();
        // Nobody else speaks for this mirror or for the log.
        let speaks = |line: &SignatureLine| {
            self.own().iter().chain(&known.log.keys).any(|key| key.name == line.name)
        };
        put(&mut new, others.into_iter().filter(|line| !speaks(line)).collect());
        let last = same.map(|same| self.time_on(same)).transpose()?.unwrap_or(0);
        if last > now.saturating_add(60) {
            bail_trouble(last - now)?;
        }
        if same.is_none() || now >= last.saturating_add(self.heartbeat) {
            if same.is_some() {
                // It is still here: what is cosigned anew can be served.
                let Checkpoint { size, root, .. } = head.checkpoint;
                Edge::load_entries_only(store, size, root)?;
            }
            let lines = self.keys.cosign(head, now.max(last))?;
            put(&mut new, lines);
        }
        if SignedCheckpoint::decode(&new.encode()).is_err() {
            // Too many lines of others: they are left out rather than ours.
            let known: Vec<_> = self.own().iter().chain(&known.log.keys).collect();
            new.note.signatures.retain(|line| {
                known.iter().any(|key| key.id() == line.id && key.name == line.name)
            });
        }
        if ours != Some(&new) && store.swap_head(ours, &new)? == Swapped::Lost {
            return no("another process moved this copy's head meanwhile: run the command again");
        }
        Ok(new)
    }
}

impl Mirror {
    // Builds the tree of a larger head from bundles, and makes all of it durable. Returns how many bytes are new.
    fn advance(
        &self,
        held: &Held,
        known: &Known,
        ours: Option<&SignedCheckpoint>,
        to: &Checkpoint,
        mut path_of: impl FnMut(u64, u64) -> Result<Option<Vec<Hash>>>,
        fetch: impl Fn(u64, u64, Option<&[Hash]>) -> Result<Bundle> + Sync,
    ) -> Outcome<u64> {
        let store = held.copy.store();
        let (from, root) = match ours {
            Some(ours) => (ours.checkpoint.size, ours.checkpoint.root),
            None => (0, empty_root()),
        };
        let mut edge = match held.copy.keeps_sealed()? {
            true => Edge::load(&store, from, root)?,
            false => Edge::load_entries_only(&store, from, root)?,
        };
        let progress = Progress::new("mirroring", Some(to.size - from));
        let (mut bundle, mut kept, mut reseals) = (from / WIDTH, 0, Vec::new());
        let mut since = bundle;
        let done = pipeline::ordered(
            || {
                if self.stopping.load(Ordering::Relaxed) {
                    return no("the mirror is asked to stop; the next run goes on from here");
                }
                if bundle >= to.size.div_ceil(WIDTH) {
                    return Ok(None);
                }
                let width = tile::width_at(0, bundle, to.size);
                let job = (bundle, width, path_of(bundle, width)?);
                bundle += 1;
                Ok(Some(job))
            },
            |(bundle, width, path)| Ok((bundle, width, fetch(bundle, width, path.as_deref())?)),
            |fetched: Result<(u64, u64, Bundle)>| {
                let (bundle, width, Bundle { entries, leaves, sealed }) = fetched?;
                let entries = tile::decode_bundle(&entries, width)?;
                let sealed = match &sealed {
                    Some(sealed) => tile::decode_bundle(sealed, width)?,
                    None => vec![&b""[..]; entries.len()],
                };
                let there = (edge.size() - bundle * WIDTH) as usize;
                let all = leaves.iter().zip(entries).zip(sealed).skip(there);
                for ((leaf, entry), sealed) in all {
                    let index = edge.push(*leaf, entry, sealed)?;
                    kept += (entry.len() + sealed.len()) as u64;
                    if let Some(reseal) = reseal_of(entry, &known.log.origin) {
                        reseals.push((index, reseal));
                    }
                    progress.add(1);
                }
                if bundle - since >= TOGETHER {
                    store.settle()?;
                    held.copy.set_fetched(bundle)?;
                    since = bundle;
                }
                Ok(())
            },
        );
        if let Err(failure) = done {
            // What came before it is not asked for again.
            store.settle()?;
            held.copy.set_fetched(edge.size() / WIDTH)?;
            return Err(failure);
        }
        let (_, root) = edge.finish()?;
        if root != to.root {
            return no(format!(
                "the entries give the root {root} for the head of size {}, expected {}",
                to.size, to.root
            ));
        }
        note_reseals(&held.copy, &reseals)?;
        Ok(kept)
    }
}

fn bail_trouble(behind: u64) -> Result<()> {
    bail!("this machine's clock is {behind} s behind the newest cosignature: set it")
}

// The partial tiles and bundles of an edge that has moved on: their full ones are there.
fn tidy(store: &FolderStore, from: u64, size: u64) -> Result<()> {
    let moved = |level: u8| {
        let index = (from >> (8 * u32::from(level))) / WIDTH;
        let full = tile::width_at(level, index, size) == WIDTH;
        (full && tile::width_at(level, index, from) < WIDTH).then_some(index)
    };
    let mut full = Vec::new();
    for level in 0..tile::HEIGHT {
        full.extend(moved(level).map(|index| Tile { level, index, width: WIDTH }.path()));
    }
    full.extend(moved(0).into_iter().flat_map(|i| [entries_path(i, WIDTH), sealed_path(i, WIDTH)]));
    for path in full {
        let (folder, mut parts) = (format!("{path}.p"), Vec::new());
        store.list(&folder, &mut |name| {
            parts.push(format!("{folder}/{name}"));
            Ok(())
        })?;
        parts.iter().try_for_each(|part| store.remove(part))?;
    }
    Ok(())
}

fn fetch_sealed(files: &Tree, bundle: u64, width: u64) -> Result<Vec<u8>> {
    let bytes = files.bundle(bundle, sealed_path)?;
    if !are_sealed(&bytes, width) {
        bail!(
            "{} at the source holds something else than sealed records (age files)",
            sealed_path(bundle, width)
        );
    }
    Ok(bytes)
}

// What was sealed anew is fetched now, and once more after a while: also what has just come, for a log
// replaces its bundles after the entry that says so.
fn note_reseals(copy: &Copy, reseals: &[(u64, Reseal)]) -> Result<()> {
    let mut due = read_due(copy)?;
    let before = due.len();
    for (at, reseal) in reseals {
        if !due.iter().any(|(known, ..)| known == at) {
            due.push((*at, reseal.from, reseal.to, 0));
        }
    }
    if due.len() == before {
        return Ok(());
    }
    let path = copy.folder().join("resealed");
    files::write(&path, due_text(&due).as_bytes(), Existing::Replace, Mode::Public)
}

type Due = (u64, u64, u64, u64);

fn due_text(due: &[Due]) -> String {
    due.iter().map(|(at, from, to, when)| format!("{at} {from} {to} {when}\n")).collect()
}

fn read_due(copy: &Copy) -> Result<Vec<Due>> {
    let path = copy.folder().join("resealed");
    if !files::is_there(&path)? {
        return Ok(Vec::new());
    }
    let text = String::from_utf8(files::read(&path, MAX_DUE)?)?;
    let line = |line: &str| {
        let numbers: Option<Vec<u64>> = line.split(' ').map(|word| word.parse().ok()).collect();
        match numbers.as_deref() {
            Some([at, from, to, when]) => Ok((*at, *from, *to, *when)),
            _ => bail!("{} is damaged: remove it", path.display()),
        }
    };
    text.lines().map(line).collect()
}

// Fetches the bundles that were sealed anew and are due, and removes older, partial copies of them.
fn fetch_due(copy: &Copy, source: &Counted, size: u64) -> Outcome {
    let (now, due) = (time::now(), read_due(copy)?);
    if due.is_empty() {
        return Ok(());
    }
    let (tree, store, mut left) = (Tree::new(source, size), copy.store(), Vec::new());
    for (at, from, to, when) in due {
        if when > now {
            left.push((at, from, to, when));
            continue;
        }
        for bundle in from / WIDTH..to.div_ceil(WIDTH) {
            let width = tile::width_at(0, bundle, size);
            let bytes = fetch_sealed(&tree, bundle, width)?;
            // Durable before it takes the place of one that is.
            let path = sealed_path(bundle, width);
            if store.get(&path, MAX_BUNDLE).ok().flatten().as_ref() != Some(&bytes) {
                store.put(&path, &bytes)?;
            }
        }
        remove_stale(&store, from..to, at, size)?;
        if when == 0 {
            left.push((at, from, to, now + AGAIN));
        }
    }
    let path = copy.folder().join("resealed");
    files::write(&path, due_text(&left).as_bytes(), Existing::Replace, Mode::Public)?;
    Ok(())
}
