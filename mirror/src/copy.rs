//! Fetching what a head stands for, and cosigning the head once all of it is here, durable and read back.
//!
//! Nothing is kept that does not lead to the head: each bundle of entries is held against it by a path of
//! hashes (`spec::mirroring::verify_bundle`) before it is written. A run that was interrupted finds the
//! bundles that it has, verifies them in the same way, and asks for the others only.

mod bundles;
mod resealed;

use crate::lock::Mirror;
use crate::place::{self, Copy, Held};
use anyhow::{Context, Result, bail};
use bundles::{Bundle, Counted, are_sealed, fetch_sealed, leaves, tidy};
use coldlog_kit::exit::{OrNo, Outcome, no};
use coldlog_kit::files;
use coldlog_kit::published::{self, Source, Tree};
use coldlog_kit::time;
use coldlog_log::commands::recover::copy_heads_of;
use coldlog_log::place::{Opened, open_source};
use coldlog_log::sequencer::Edge;
use coldlog_log::store::{FolderStore, Store, Swapped};
use coldlog_spec::checkpoint::{Checkpoint, SignedCheckpoint};
use coldlog_spec::evidence::Evidence;
use coldlog_spec::hash::Hash;
use coldlog_spec::mirroring::verify_bundle;
use coldlog_spec::note::SignatureLine;
use coldlog_spec::tile::{MAX_BUNDLE, WIDTH, entries_path, sealed_path};
use coldlog_spec::verify::cosigned::put;
use coldlog_spec::witnessing::Request;
use coldlog_witness::place::{Held as Memory, Known, forgotten};
use resealed::fetch_due;
use std::sync::atomic::{AtomicU64, Ordering};

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
        if let Some((size, seen)) = forgotten(known, head, self.own()) {
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
        let path = tree.path_from(&older.checkpoint)?;
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
            place::must_be_marked(&memory, origin)?;
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
            return no(format!(
                "this mirror serves {origin} at size {from}, its memory says otherwise: one of the two was altered or restored; settle it with `mirror recover --newest HEAD`"
            ));
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

fn bail_trouble(behind: u64) -> Result<()> {
    bail!("this machine's clock is {behind} s behind the newest cosignature: set it")
}
