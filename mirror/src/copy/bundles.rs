//! Bundles: what comes from a source, what a copy is built of, and what is left over.

use super::resealed::note_reseals;
use crate::lock::Mirror;
use crate::place::Held;
use anyhow::{Result, bail};
use coldlog_kit::exit::{Outcome, no};
use coldlog_kit::progress::Progress;
use coldlog_kit::published::{Source, Tree};
use coldlog_log::own::reseal_of;
use coldlog_log::pipeline;
use coldlog_log::sequencer::Edge;
use coldlog_log::store::{FolderStore, Store};
use coldlog_spec::checkpoint::{Checkpoint, SignedCheckpoint};
use coldlog_spec::hash::Hash;
use coldlog_spec::merkle::{empty_root, leaf_hash};
use coldlog_spec::tile::{self, Tile, WIDTH, entries_path, sealed_path};
use coldlog_witness::place::Known;
use std::sync::atomic::{AtomicU64, Ordering};

/// Bundles that are made durable together while a copy is fetched.
const TOGETHER: u64 = 64;

/// A bundle of 256, or the newest.
pub(super) struct Bundle {
    pub(super) entries: Vec<u8>,
    pub(super) leaves: Vec<Hash>,
    pub(super) sealed: Option<Vec<u8>>,
}

/// Counts what comes from elsewhere.
pub(super) struct Counted<'a> {
    pub(super) source: &'a dyn Source,
    pub(super) bytes: AtomicU64,
}

impl Source for Counted<'_> {
    fn get(&self, path: &str, limit: usize) -> Result<Option<Vec<u8>>> {
        let found = self.source.get(path, limit)?;
        let length = found.as_ref().map_or(0, Vec::len);
        self.bytes.fetch_add(length as u64, Ordering::Relaxed);
        Ok(found)
    }
}

pub(super) fn leaves(bundle: &[u8], width: u64) -> Result<Vec<Hash>> {
    Ok(tile::decode_bundle(bundle, width)?.into_iter().map(leaf_hash).collect())
}

// A record of the log's own journal is sealed to nobody; all others are age files.
pub(super) fn are_sealed(bundle: &[u8], width: u64) -> bool {
    let sealed =
        |record: &[u8]| record.is_empty() || record.starts_with(b"age-encryption.org/v1\n");
    tile::decode_bundle(bundle, width).is_ok_and(|records| records.into_iter().all(sealed))
}

impl Mirror {
    // Builds the tree of a larger head from bundles, and makes all of it durable. Returns how many bytes are new.
    pub(super) fn advance(
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

// The partial tiles and bundles of an edge that has moved on: their full ones are there.
pub(super) fn tidy(store: &FolderStore, from: u64, size: u64) -> Result<()> {
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

pub(super) fn fetch_sealed(files: &Tree, bundle: u64, width: u64) -> Result<Vec<u8>> {
    let bytes = files.bundle(bundle, sealed_path)?;
    if !are_sealed(&bytes, width) {
        bail!(
            "{} at the source holds something else than sealed records (age files)",
            sealed_path(bundle, width)
        );
    }
    Ok(bytes)
}
