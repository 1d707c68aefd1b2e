//! A reader of tiled logs that is not ours (crate `tlog_tiles`, a port of Go's `sumdb/tlog`) reads our
//! published folder, and what it proves from our tiles fits our checkpoints.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use coldlog_spec::tile::{WIDTH, decode_bundle, entries_path, width_at};
use coldlog_tests::run;
use coldlog_tests::story::Story;
use std::path::Path;
use tlog_tiles::{
    Checkpoint, Error, Hash, Tile, TileHashReader, TileReader, check_record, check_tree,
    prove_record, prove_tree, record_hash, tree_hash,
};

struct Published<'a>(&'a Path);

impl TileReader for Published<'_> {
    fn height(&self) -> u8 {
        8
    }
    fn read_tiles(&self, tiles: &[Tile]) -> Result<Vec<Vec<u8>>, Error> {
        let read = |tile: &Tile| {
            // Go's names have the height in them, C2SP's have not.
            let name = tile.path().replacen("tile/8/", "tile/", 1);
            let full = name.split(".p/").next().unwrap_or_default();
            let found = std::fs::read(self.0.join(&name));
            let mut bytes = found
                .or_else(|_| std::fs::read(self.0.join(full)))
                .map_err(|_| Error::InvalidTile)?;
            bytes.truncate(tile.width() as usize * 32);
            Ok(bytes)
        };
        tiles.iter().map(read).collect()
    }
    fn save_tiles(&self, _: &[Tile], _: &[Vec<u8>]) {}
}

fn entries(public: &Path, size: u64) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for bundle in 0..size.div_ceil(WIDTH) {
        let width = width_at(0, bundle, size);
        let bytes = std::fs::read(public.join(entries_path(bundle, width))).unwrap();
        all.extend(decode_bundle(&bytes, width).unwrap().into_iter().map(<[u8]>::to_vec));
    }
    all
}

#[test]
fn another_implementation_proves_every_entry_and_every_older_head_from_our_tiles() {
    let stage = tempfile::tempdir().unwrap();
    let story = Story::of_two_rounds(stage.path(), |_| {}).unwrap();
    let public = story.at("log").join("coldlog-log/public");
    for collected in [false, true] {
        if collected {
            assert_eq!(run(&story.at("log"), "log gc").unwrap().code, 0);
        }
        let note = std::fs::read(public.join("checkpoint")).unwrap();
        let head = Checkpoint::from_reader(&mut note.as_slice(), false).unwrap();
        assert_eq!((head.origin(), head.size()), ("log.example/releases", 302));
        let (size, root): (u64, Hash) = (head.size(), *head.hash());
        let published = Published(&public);
        let reader = TileHashReader::new(size, root, &published);
        assert!(tree_hash(size, &reader).unwrap() == root);
        for (index, entry) in (0..).zip(entries(&public, size)) {
            let proof = prove_record(size, index, &reader).unwrap();
            check_record(&proof, size, root, index, record_hash(&entry)).unwrap();
        }
        for name in ["heads/1", "heads/152", "heads/302"] {
            let Ok(note) = std::fs::read(public.join(name)) else {
                assert_eq!(name, "heads/1", "only the two rounds made heads");
                continue;
            };
            let old = Checkpoint::from_reader(&mut note.as_slice(), false).unwrap();
            let proof = prove_tree(size, old.size(), &reader).unwrap();
            check_tree(&proof, size, root, old.size(), *old.hash()).unwrap();
        }
    }
    // It would have noticed.
    let tile = public.join("tile/0/000");
    let mut bytes = std::fs::read(&tile).unwrap();
    bytes[70] ^= 1;
    std::fs::write(&tile, bytes).unwrap();
    let note = std::fs::read(public.join("checkpoint")).unwrap();
    let head = Checkpoint::from_reader(&mut note.as_slice(), false).unwrap();
    let published = Published(&public);
    let reader = TileHashReader::new(head.size(), *head.hash(), &published);
    let entry = entries(&public, head.size()).swap_remove(3);
    let proof = prove_record(head.size(), 3, &reader);
    let checked = proof
        .and_then(|proof| check_record(&proof, head.size(), *head.hash(), 3, record_hash(&entry)));
    assert!(checked.is_err());
}
