//! What the sequencers do: append, cosign, freeze; each again from the start when it was killed.

use super::world::{MOST_CALLS, Random, Seen, Shared};
use anyhow::{Result, bail};
use coldlog_kit::published::{Source, Tree};
use coldlog_log::commands::freeze::{self, Stage};
use coldlog_log::sequencer::Edge;
use coldlog_log::store::{Bucket, Store};
use coldlog_objects::Swapped;
use coldlog_spec::checkpoint::{Checkpoint, HeadKeys, SignedCheckpoint};
use coldlog_spec::ed25519::SecretKey;
use coldlog_spec::end::{self, End};
use coldlog_spec::hash::Hash;
use coldlog_spec::merkle::leaf_hash;
use coldlog_spec::mldsa;
use coldlog_spec::note::{Note, SignatureLine};
use coldlog_spec::tile::{self, WIDTH, decode_bundle, entries_path};
use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};

pub(crate) fn signed(checkpoint: Checkpoint, lines: &[u8]) -> SignedCheckpoint {
    let line = |byte: &u8| SignatureLine {
        name: format!("key{byte}"),
        id: u32::from(*byte),
        signature: vec![*byte],
    };
    let note = Note { text: checkpoint.text(), signatures: lines.iter().map(line).collect() };
    SignedCheckpoint { checkpoint, note }
}

pub(crate) fn checkpoint(size: u64, root: Hash) -> Checkpoint {
    Checkpoint { origin: "log.example/simulated".into(), size, root }
}

pub(crate) fn entries(
    source: &dyn Source,
    size: u64,
    path: fn(u64, u64) -> String,
) -> Result<Vec<Vec<u8>>> {
    let tree = Tree::new(source, size);
    let mut all = Vec::new();
    for bundle in 0..size.div_ceil(WIDTH) {
        let bytes = tree.bundle(bundle, path)?;
        let width = tile::width_at(0, bundle, size);
        all.extend(decode_bundle(&bytes, width)?.into_iter().map(<[u8]>::to_vec));
    }
    Ok(all)
}

/// What became of a batch.
#[derive(Debug, PartialEq)]
pub(crate) enum Answer {
    Done,
    Lost,
    Frozen,
}

// What `log append` does with a batch, its verification left out.
pub(crate) fn append(store: &dyn Store, batch: &[String]) -> Result<Answer> {
    let head = store.refresh()?;
    if freeze::stage(store)? != Stage::Open {
        return Ok(Answer::Frozen);
    }
    let size = head.checkpoint.size;
    let there: BTreeSet<Vec<u8>> = entries(store, size, entries_path)?.into_iter().collect();
    let mut edge = Edge::load(store, size, head.checkpoint.root)?;
    for record in batch.iter().filter(|record| !there.contains(record.as_bytes())) {
        edge.push(leaf_hash(record.as_bytes()), record.as_bytes(), b"sealed")?;
    }
    if edge.size() == size {
        return Ok(Answer::Done);
    }
    let (size, root) = edge.finish()?;
    let new = signed(checkpoint(size, root), &[1]);
    Ok(match store.swap_head(Some(&head), &new)? {
        Swapped::Done => Answer::Done,
        Swapped::Lost => Answer::Lost,
    })
}

pub(crate) static KEYS: LazyLock<HeadKeys> = LazyLock::new(|| HeadKeys {
    name: "log.example/simulated".into(),
    ed25519: SecretKey::from_seed(&[1; 32]),
    mldsa: mldsa::SecretKey::from_seed(&[1; 32]),
});

// What `log freeze` does, without the cosignatures.
pub(crate) fn freeze(store: &dyn Store) -> Result<()> {
    let head = store.refresh()?;
    if freeze::stage(store)? == Stage::Ended {
        return Ok(());
    }
    let closed = freeze::close(store, &head)?;
    let now = store.refresh()?;
    if closed == Swapped::Lost || now.checkpoint != head.checkpoint {
        bail!("another writer moved the head");
    }
    store.put(end::PATH, &End::sign(&KEYS, &now).unwrap().encode())
}

pub(crate) fn cosign(store: &dyn Store, line: u8) -> Result<bool> {
    let head = store.refresh()?;
    let mut new = head.clone();
    new.note.signatures.extend(signed(head.checkpoint.clone(), &[line]).note.signatures);
    if new.note.signatures.len() > 3 {
        return Ok(true);
    }
    Ok(store.swap_head(Some(&head), &new)? == Swapped::Done)
}

// A store of a process; its names come from the seed as well.
pub(crate) fn opened(shared: &Arc<Shared>, me: usize) -> Bucket<Seen> {
    let world = shared.clone();
    Bucket::with_names(Seen(shared.clone(), me), move || {
        let mut world = world.world.lock().unwrap();
        world.names += 1;
        // Unlike all others, and in no order that tells who came first.
        Ok(Hash::of(&world.names.to_be_bytes()).to_hex())
    })
}

pub(crate) fn work(shared: &Arc<Shared>, me: usize, freezes: bool, mut random: Random) {
    let mut store = opened(shared, me);
    // The last batch of each is everybody's.
    let mut batches: Vec<Vec<String>> = (0..3)
        .map(|batch| (0..=random.below(3)).map(|n| format!("{me}.{batch}.{n}")).collect())
        .collect();
    batches.push(vec!["shared.1".into(), "shared.2".into()]);
    for (number, batch) in batches.into_iter().enumerate() {
        loop {
            let answer = append(&store, &batch);
            if matches!(answer, Ok(Answer::Frozen)) {
                drop(freeze(&store));
                return;
            }
            let mut world = shared.world.lock().unwrap();
            if world.calls > MOST_CALLS {
                world.wrong(format!("no end: {answer:?}"));
                return;
            }
            if matches!(answer, Ok(Answer::Done)) {
                world.acknowledged.extend(batch);
                break;
            }
            // A process that was killed is started again, and knows nothing.
            if world.killed.remove(&me) || random.below(4) == 0 {
                drop(world);
                store = opened(shared, me);
            }
        }
        match random.below(4) {
            0 => drop(cosign(&store, 10 * me as u8 + number as u8 + 10)),
            1 => drop(store.collect()),
            // In some schedules the log is frozen, by one or by several at once.
            2 if freezes => drop(freeze(&store)),
            _ => {}
        }
        if shared.world.lock().unwrap().killed.remove(&me) {
            store = opened(shared, me);
        }
    }
}
