//! Trees as the log stores them, against `ct-merkle` in memory: every size to 1,100, which crosses
//! tiles and rows, and larger ones at random.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use anyhow::Result;
use coldlog_kit::published::{Inclusions, Source, Tree};
use coldlog_log::sequencer::Edge;
use coldlog_log::store::{Store, Swapped};
use coldlog_spec::checkpoint::SignedCheckpoint;
use coldlog_spec::hash::Hash;
use coldlog_spec::merkle::{leaf_hash, verify_consistency, verify_inclusion};
use coldlog_spec::tile::{entries_path, sealed_path};
use ct_merkle::mem_backed_tree::MemoryBackedTree;
use sha2::Sha256;
use std::collections::HashMap;
use std::sync::Mutex;

/// Files in memory; a head is none of its business.
#[derive(Default)]
struct Memory(Mutex<HashMap<String, Vec<u8>>>);

impl Source for Memory {
    fn get(&self, path: &str, _: usize) -> Result<Option<Vec<u8>>> {
        Ok(self.0.lock().unwrap().get(path).cloned())
    }
}

impl Store for Memory {
    fn refresh(&self) -> Result<SignedCheckpoint> {
        anyhow::bail!("no head here")
    }
    fn put(&self, path: &str, bytes: &[u8]) -> Result<()> {
        self.0.lock().unwrap().insert(path.into(), bytes.into());
        Ok(())
    }
    fn put_many(&self, files: Vec<(String, Vec<u8>)>) -> Result<u64> {
        files.iter().try_for_each(|(path, bytes)| self.put(path, bytes)).map(|()| 0)
    }
    fn collect(&self) -> Result<u64> {
        Ok(0)
    }
    fn begin(&self) {}
    fn stage(&self, path: &str, bytes: &[u8]) -> Result<()> {
        self.put(path, bytes)
    }
    fn settle(&self) -> Result<()> {
        Ok(())
    }
    fn swap_head(&self, _: Option<&SignedCheckpoint>, _: &SignedCheckpoint) -> Result<Swapped> {
        anyhow::bail!("no head here")
    }
    fn list(&self, _: &str, _: &mut dyn FnMut(&str) -> Result<()>) -> Result<()> {
        Ok(())
    }
    fn remove(&self, path: &str) -> Result<()> {
        self.0.lock().unwrap().remove(path);
        Ok(())
    }
    fn place(&self) -> String {
        "memory".into()
    }
}

fn entry(index: u64) -> Vec<u8> {
    format!("entry {index}").into_bytes()
}

fn sealed(index: u64) -> Vec<u8> {
    format!("sealed {index}").into_bytes()
}

// Grows the stored tree to `size` by one append.
fn grow(store: &dyn Store, from: u64, size: u64) -> Hash {
    let mut edge = Edge::load(store, from, Tree::new(store, from).root().unwrap()).unwrap();
    for index in from..size {
        let bytes = entry(index);
        assert_eq!(edge.push(leaf_hash(&bytes), &bytes, &sealed(index)).unwrap(), index);
    }
    let (reached, root) = edge.finish().unwrap();
    assert_eq!(reached, size);
    root
}

fn hashes(bytes: &[u8]) -> Vec<Hash> {
    bytes.chunks(32).map(|chunk| Hash::from_slice(chunk).unwrap()).collect()
}

// Everything that the stored tree says about some entries and some older sizes is what ct-merkle says.
fn agree(store: &dyn Store, theirs: &MemoryBackedTree<Sha256, Vec<u8>>, size: u64, some: &[u64]) {
    let root = Hash(theirs.root().as_bytes()[..].try_into().unwrap());
    let mut tree = Tree::new(store, size);
    let mut inclusions = Inclusions::new(Tree::new(store, size));
    assert_eq!(tree.root().unwrap(), root, "root at {size}");
    for &index in some {
        let path = tree.inclusion(index).unwrap();
        assert_eq!(
            path,
            hashes(theirs.prove_inclusion(index as usize).as_bytes()),
            "{index} in {size}"
        );
        for near in [index, index ^ 1, index ^ 255].into_iter().filter(|near| *near < size) {
            let expected = tree.inclusion(near).unwrap();
            assert_eq!(inclusions.path(near).unwrap(), expected, "{near} in {size}");
        }
        assert_eq!(tree.entry(index, entries_path).unwrap(), entry(index));
        assert_eq!(tree.entry(index, sealed_path).unwrap(), sealed(index));
        assert!(verify_inclusion(leaf_hash(&entry(index)), index, size, &path, root).is_ok());
        let old = index + 1;
        let older = tree.root_at(old).unwrap();
        let path = tree.consistency(old).unwrap();
        assert!(verify_consistency(old, size, &path, older, root).is_ok(), "{old} to {size}");
        if old < size {
            let proof = theirs.prove_consistency((size - old) as usize);
            assert_eq!(path, hashes(proof.as_bytes()), "{old} to {size}");
        }
    }
}

// A few numbers below `size` that change with it, the first and the last among them.
fn some(size: u64) -> Vec<u64> {
    let spread = (1..=6u64).map(|n| (size.wrapping_mul(2_654_435_761).wrapping_mul(n) >> 7) % size);
    spread.chain([0, size - 1, size / 2]).collect()
}

#[test]
fn every_stored_tree_to_1100_gives_the_proofs_of_ct_merkle() {
    let store = Memory::default();
    let mut theirs = MemoryBackedTree::<Sha256, Vec<u8>>::new();
    for size in 1..=1100 {
        theirs.push(entry(size - 1));
        grow(&store, size - 1, size);
        agree(&store, &theirs, size, &some(size));
    }
    // Every index once, where the second row of tiles has several hashes.
    agree(&store, &theirs, 1100, &(0..1100).collect::<Vec<u64>>());
}

#[test]
fn larger_stored_trees_grown_in_random_steps_agree_too() {
    let store = Memory::default();
    let mut theirs = MemoryBackedTree::<Sha256, Vec<u8>>::new();
    let mut size = 0;
    for step in [1u64, 255, 256, 257, 3000, 60_000, 2048, 767, 4000] {
        for index in size..size + step {
            theirs.push(entry(index));
        }
        let root = grow(&store, size, size + step);
        size += step;
        assert_eq!(root.0, theirs.root().as_bytes()[..]);
        agree(&store, &theirs, size, &some(size));
    }
    // More than 65,536 entries: a third row of tiles, and names beyond 999 would be at 256,000.
    assert!(store.get("tile/2/000.p/1", 0).unwrap().is_some());
    // A crash leaves orphans beyond the head; growing again from the head gives the same tree.
    grow(&store, size, size + 700);
    let root = grow(&store, size, size + 1);
    theirs.push(entry(size));
    assert_eq!(root.0, theirs.root().as_bytes()[..]);
}
