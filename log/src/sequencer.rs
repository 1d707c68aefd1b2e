//! Builds the right edge of the tree: entries, sealed records and tiles, then the root. Nothing that
//! it writes counts before the head is swapped; a crash leaves the old head and harmless orphans.

use crate::store::Store;
use anyhow::{Context, Result, bail};
use coldlog_kit::published::Tree;
use coldlog_spec::hash::Hash;
use coldlog_spec::merkle::{self, leaf_hash};
use coldlog_spec::tile::{self, Tile, WIDTH, entries_path, sealed_path};

/// A tree under way from one size to a larger one. Memory: one bundle and one tile a row.
pub struct Edge<'a> {
    store: &'a dyn Store,
    size: u64,
    rows: Vec<Vec<Hash>>,
    entries: Vec<u8>,
    sealed: Vec<u8>,
    keeps_sealed: bool,
}

impl<'a> Edge<'a> {
    /// The edge of the published tree of `size` entries, which must have this root: to go on from a bit
    /// that flipped on the disk would be to sign another history.
    pub fn load(store: &'a dyn Store, size: u64, root: Hash) -> Result<Edge<'a>> {
        Edge::load_kept(store, size, root, true)
    }

    /// The same of a store that keeps no sealed records: a copy of a log that has none.
    pub fn load_entries_only(store: &'a dyn Store, size: u64, root: Hash) -> Result<Edge<'a>> {
        Edge::load_kept(store, size, root, false)
    }

    fn load_kept(
        store: &'a dyn Store,
        size: u64,
        root: Hash,
        keeps_sealed: bool,
    ) -> Result<Edge<'a>> {
        store.begin();
        let mut tree = Tree::new(store, size);
        let mut rows = Vec::new();
        for level in 0..tile::HEIGHT {
            let index = (size >> (8 * u32::from(level))) / WIDTH;
            let width = tile::width_at(level, index, size);
            rows.push(match width {
                0 => Vec::new(),
                _ => tree.tile(Tile { level, index, width })?.to_vec(),
            });
        }
        // From the same bytes that the rows are: the tree keeps what it has read.
        if tree.root()? != root {
            bail!("the newest tiles do not give the root that the head says: run `log fsck`");
        }
        let (entries, sealed) = (Vec::new(), Vec::new());
        let mut edge = Edge { store, size, rows, entries, sealed, keeps_sealed };
        if !size.is_multiple_of(WIDTH) {
            edge.entries = tree.bundle(size / WIDTH, entries_path)?;
            let entries = tile::decode_bundle(&edge.entries, size % WIDTH)?;
            if !entries.into_iter().map(leaf_hash).eq(edge.rows.iter().take(1).flatten().copied()) {
                bail!("the newest entries are not those of their tile: run `log fsck`");
            }
            if keeps_sealed {
                edge.sealed = tree.bundle(size / WIDTH, sealed_path)?;
            }
        }
        Ok(edge)
    }

    /// How many entries there are.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The root of the first `size` entries, those that were pushed included.
    pub(crate) fn root_at(&self, size: u64) -> Result<Hash> {
        merkle::root(size, &mut |node| {
            let (tile, range) = Tile::holding(node, size).context("no such node in the tree")?;
            let under_way = (self.size >> (8 * u32::from(tile.level))) / WIDTH;
            let row = match tile.index == under_way {
                true => self.rows.get(usize::from(tile.level)).cloned().unwrap_or_default(),
                // All that comes before the row under way is full.
                false => {
                    let full = Tile { width: WIDTH, ..tile };
                    Tree::new(self.store, self.size).tile(full)?.to_vec()
                }
            };
            row.get(range).and_then(tile::fold).context("a tile is too short")
        })
    }

    /// Changes the sealed records of the newest bundle, which is not full; `again` is given the place in
    /// the bundle, the entry and its sealed record.
    pub(crate) fn reseal(
        &mut self,
        mut again: impl FnMut(u64, &[u8], &[u8]) -> Result<Vec<u8>>,
    ) -> Result<()> {
        let width = self.size % WIDTH;
        let entries = tile::decode_bundle(&self.entries, width)?;
        let mut resealed = Vec::with_capacity(self.sealed.len());
        let sealed = tile::decode_bundle(&self.sealed, width)?;
        for (at, (entry, sealed)) in entries.into_iter().zip(sealed).enumerate() {
            if !tile::push_entry(&mut resealed, &again(at as u64, entry, sealed)?) {
                bail!("a sealed record is larger than {} bytes", tile::MAX_ENTRY);
            }
        }
        self.sealed = resealed;
        Ok(())
    }

    /// Appends an entry; returns its index. Its sealed record counts where such are kept.
    pub fn push(&mut self, leaf: Hash, entry: &[u8], sealed: &[u8]) -> Result<u64> {
        if !tile::push_entry(&mut self.entries, entry)
            || !tile::push_entry(&mut self.sealed, sealed)
        {
            bail!("an entry is larger than {} bytes", tile::MAX_ENTRY);
        }
        let index = self.size;
        self.size += 1;
        if self.size.is_multiple_of(WIDTH) {
            self.put_bundles(index / WIDTH, WIDTH)?;
            self.entries.clear();
            self.sealed.clear();
        }
        let mut hash = leaf;
        for level in 0..tile::HEIGHT {
            let row = self.rows.get_mut(usize::from(level)).context("a row of tiles")?;
            row.push(hash);
            if (row.len() as u64) < WIDTH {
                break;
            }
            let full = std::mem::take(row);
            let position = (self.size >> (8 * u32::from(level))) / WIDTH - 1;
            let tile = Tile { level, index: position, width: WIDTH };
            self.store.stage(&tile.path(), &tile::encode_tile(&full))?;
            hash = tile::fold(&full).context("a full tile has a root")?;
        }
        Ok(index)
    }

    fn put_bundles(&self, index: u64, width: u64) -> Result<()> {
        self.store.stage(&entries_path(index, width), &self.entries)?;
        match self.keeps_sealed {
            true => self.store.stage(&sealed_path(index, width), &self.sealed),
            false => Ok(()),
        }
    }

    /// Writes the partial tiles and bundles, makes all durable, and computes the root from what is
    /// stored.
    pub fn finish(self) -> Result<(u64, Hash)> {
        if !self.size.is_multiple_of(WIDTH) {
            self.put_bundles(self.size / WIDTH, self.size % WIDTH)?;
        }
        for (level, row) in self.rows.iter().enumerate().filter(|(_, row)| !row.is_empty()) {
            let level = level as u8;
            let index = (self.size >> (8 * u32::from(level))) / WIDTH;
            let tile = Tile { level, index, width: row.len() as u64 };
            self.store.stage(&tile.path(), &tile::encode_tile(row))?;
        }
        self.store.settle()?;
        Ok((self.size, Tree::new(self.store, self.size).root()?))
    }
}
