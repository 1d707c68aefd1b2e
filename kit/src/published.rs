//! Reading a published log: a C2SP tlog-tiles tree in a folder.

use anyhow::{Context, Result, bail};
use coldlog_spec::checkpoint::{Checkpoint, SignedCheckpoint};
use coldlog_spec::hash::Hash;
use coldlog_spec::merkle::{self, Node};
use coldlog_spec::note::MAX_NOTE;
use coldlog_spec::tile::{self, Tile};
use std::collections::HashMap;
use std::path::PathBuf;

/// Where a published log's files are read from: the one thing that varies.
pub trait Source: Sync {
    /// The file at `path`, of at most `limit` bytes; `None` when it is not there.
    fn get(&self, path: &str, limit: usize) -> Result<Option<Vec<u8>>>;

    /// The paths of all cosigned heads that are published; `None` where that cannot be asked.
    fn heads(&self) -> Result<Option<Vec<String>>> {
        Ok(None)
    }
}

/// A folder.
#[derive(Debug, Clone)]
pub struct Folder(pub PathBuf);

impl Source for Folder {
    fn get(&self, path: &str, limit: usize) -> Result<Option<Vec<u8>>> {
        let path = self.0.join(path);
        match std::fs::symlink_metadata(&path) {
            Err(e) if matches!(e.kind(), std::io::ErrorKind::NotFound) => Ok(None),
            Err(e) => Err(e).with_context(|| format!("cannot read {}", path.display())),
            Ok(_) => crate::files::read(&path, limit as u64).map(Some),
        }
    }

    fn heads(&self) -> Result<Option<Vec<String>>> {
        let mut found = Vec::new();
        for entry in walkdir::WalkDir::new(self.0.join("heads")) {
            let entry = match entry {
                Ok(entry) => entry,
                Err(why) if why.depth() == 0 => break,
                Err(why) => return Err(why.into()),
            };
            let path = entry.path().strip_prefix(&self.0).ok().and_then(|path| path.to_str());
            if entry.file_type().is_file()
                && let Some(path) = path
            {
                found.push(path.to_owned());
            }
        }
        Ok(Some(found))
    }
}

/// A tile or a bundle of at least `width`: its width, and its bytes. A partial one that is gone has a wider one
/// in its place, most often.
pub fn first(
    source: &dyn Source,
    width: u64,
    limit: usize,
    path: impl Fn(u64) -> String,
) -> Result<Option<(u64, Vec<u8>)>> {
    for wider in widths(width) {
        if let Some(bytes) = source.get(&path(wider), limit)? {
            return Ok(Some((wider, bytes)));
        }
    }
    Ok(None)
}

/// A tree of one size in a source, with the tiles read so far.
pub struct Tree<'a> {
    source: &'a dyn Source,
    size: u64,
    tiles: HashMap<Tile, Rows>,
}

// Where to look for the first `width` of a tile or a bundle: a partial one that is gone has a full one in
// its place, most often.
fn widths(width: u64) -> impl Iterator<Item = u64> {
    [width, tile::WIDTH].into_iter().chain(width + 1..tile::WIDTH)
}

/// Tiles kept in memory before all are forgotten: 16 KiB each, 4 MiB.
const CACHE: usize = 256;

/// A tile's hashes, and above them the roots of their complete subtrees, row by row: the tile is folded
/// once, however many proofs lead through it.
struct Rows(Vec<Vec<Hash>>);

impl Rows {
    fn of(hashes: Vec<Hash>) -> Rows {
        let mut rows = vec![hashes];
        while let Some(row) = rows.last().filter(|row| row.len() > 1) {
            let pairs = row.chunks_exact(2);
            rows.push(pairs.map(|pair| merkle::node_hash(&pair[0], &pair[1])).collect());
        }
        Rows(rows)
    }

    fn hashes(&self) -> &[Hash] {
        self.0.first().map(Vec::as_slice).unwrap_or_default()
    }

    /// The root of a complete subtree's hashes.
    fn fold(&self, range: &std::ops::Range<usize>) -> Option<Hash> {
        let level = range.len().trailing_zeros() as usize;
        self.0.get(level)?.get(range.start >> level).copied()
    }
}

impl<'a> Tree<'a> {
    /// The tree of the first `size` entries.
    pub fn new(source: &'a dyn Source, size: u64) -> Tree<'a> {
        Tree { source, size, tiles: HashMap::new() }
    }

    /// A tile's hashes. Where a partial tile is gone, a wider one serves.
    pub fn tile(&mut self, tile: Tile) -> Result<&[Hash]> {
        self.rows(tile).map(Rows::hashes)
    }

    fn rows(&mut self, tile: Tile) -> Result<&Rows> {
        if !self.tiles.contains_key(&tile) {
            let mut found = None;
            for width in widths(tile.width) {
                let wider = Tile { width, ..tile };
                if let Some(bytes) = self.source.get(&wider.path(), 32 * 256)? {
                    let mut hashes = tile::decode_tile(&bytes, width)
                        .with_context(|| format!("{} is damaged", wider.path()))?;
                    hashes.truncate(tile.width as usize);
                    found = Some(hashes);
                    break;
                }
            }
            let Some(hashes) = found else {
                bail!(
                    "{} is missing; run `log fsck`, or read a whole copy of the log",
                    tile.path()
                );
            };
            if self.tiles.len() >= CACHE {
                self.tiles.clear();
            }
            self.tiles.insert(tile, Rows::of(hashes));
        }
        self.tiles.get(&tile).context("the tile was just read")
    }

    fn node(&mut self, node: Node) -> Result<Hash> {
        let Some((tile, range)) = Tile::holding(node, self.size) else {
            bail!("the log has no node {node:?} at size {}", self.size);
        };
        let rows = self.rows(tile)?;
        rows.fold(&range).with_context(|| format!("{} is too short", tile.path()))
    }

    /// The root.
    pub fn root(&mut self) -> Result<Hash> {
        merkle::root(self.size, &mut |node| self.node(node))
    }

    /// The root of the first `size` entries.
    pub fn root_at(&mut self, size: u64) -> Result<Hash> {
        if size > self.size {
            bail!("the log has {} entries, {size} were asked for", self.size);
        }
        merkle::root(size, &mut |node| self.node(node))
    }

    /// Whether a head, of this size or a smaller one, is one of this tree.
    pub fn holds(&mut self, head: &Checkpoint) -> Result<bool> {
        Ok(head.size <= self.size && self.root_at(head.size)? == head.root)
    }

    /// The inclusion path of an entry.
    pub fn inclusion(&mut self, index: u64) -> Result<Vec<Hash>> {
        if index >= self.size {
            bail!("the log has {} entries, there is no entry {index}", self.size);
        }
        merkle::inclusion_path(index, self.size, &mut |node| self.node(node))
    }

    /// The consistency path from an older size.
    pub fn consistency(&mut self, old: u64) -> Result<Vec<Hash>> {
        if old > self.size {
            bail!("the log has {} entries, size {old} is beyond it", self.size);
        }
        merkle::consistency_path(old, self.size, &mut |node| self.node(node))
    }

    /// The path by which this tree shows that it extends an older head; where the older tree is a complete part
    /// of this one and has another root, that root stands in front of it, as evidence has it.
    pub fn path_from(&mut self, older: &Checkpoint) -> Result<Vec<Hash>> {
        let mut path = self.consistency(older.size)?;
        let shown = self.root_at(older.size)?;
        if older.size.is_power_of_two() && older.size < self.size && shown != older.root {
            path.insert(0, shown);
        }
        Ok(path)
    }

    /// The consistency path of the part `[start, end)`, which must be a subtree.
    pub fn subtree_consistency(&mut self, start: u64, end: u64) -> Result<Vec<Hash>> {
        if !merkle::is_subtree(start, end) || end > self.size {
            bail!("[{start}, {end}) is no subtree of the log's {} entries", self.size);
        }
        merkle::subtree_consistency_path(start, end, self.size, &mut |node| self.node(node))
    }

    /// A bundle of entries or sealed records as its bytes, by a path function of `tile`.
    pub fn bundle(&self, index: u64, path: fn(u64, u64) -> String) -> Result<Vec<u8>> {
        let width = tile::width_at(0, index, self.size);
        for wider in widths(width) {
            if let Some(mut bytes) = self.source.get(&path(index, wider), tile::MAX_BUNDLE)? {
                let entries = tile::decode_bundle(&bytes, wider)
                    .with_context(|| format!("{} is damaged", path(index, wider)))?;
                let kept: usize = entries.iter().take(width as usize).map(|e| e.len() + 2).sum();
                bytes.truncate(kept);
                return Ok(bytes);
            }
        }
        bail!("{} is missing; run `log fsck`, or read a whole copy of the log", path(index, width))
    }

    /// One entry or sealed record.
    pub fn entry(&self, index: u64, path: fn(u64, u64) -> String) -> Result<Vec<u8>> {
        let bundle = self.bundle(index / tile::WIDTH, path)?;
        let width = tile::width_at(0, index / tile::WIDTH, self.size);
        let entries = tile::decode_bundle(&bundle, width)?;
        let entry = entries.get((index % tile::WIDTH) as usize).context("no such entry")?;
        Ok(entry.to_vec())
    }
}

/// Inclusion paths of entries that follow each other: what lies above a full tile of leaves is looked up
/// once for all of them.
pub struct Inclusions<'a> {
    tree: Tree<'a>,
    above: Option<(u64, Vec<Hash>)>,
}

impl<'a> Inclusions<'a> {
    /// In a tree.
    pub fn new(tree: Tree<'a>) -> Inclusions<'a> {
        Inclusions { tree, above: None }
    }

    /// The inclusion path of an entry.
    pub fn path(&mut self, index: u64) -> Result<Vec<Hash>> {
        let (number, levels) = (index / tile::WIDTH, tile::WIDTH.trailing_zeros() as usize);
        if tile::width_at(0, number, self.tree.size) < tile::WIDTH || index >= self.tree.size {
            return self.tree.inclusion(index);
        }
        if self.above.as_ref().is_none_or(|(held, _)| *held != number) {
            let above = self.tree.inclusion(index)?.split_off(levels);
            self.above = Some((number, above));
        }
        let above = self.above.as_ref().map(|(_, above)| above.as_slice()).unwrap_or_default();
        let mut path = Vec::with_capacity(levels + above.len());
        let rows = self.tree.rows(Tile { level: 0, index: number, width: tile::WIDTH })?;
        for (level, row) in rows.0.iter().take(levels).enumerate() {
            let sibling = ((index % tile::WIDTH) >> level) ^ 1;
            path.push(*row.get(sibling as usize).context("a full tile has all its rows")?);
        }
        path.extend_from_slice(above);
        Ok(path)
    }
}

/// The entries, or the sealed records, of a tree in order: each bundle is read once while it is asked for.
pub struct Bundles<'a> {
    tree: Tree<'a>,
    path: fn(u64, u64) -> String,
    held: Option<(u64, Vec<Vec<u8>>)>,
}

impl<'a> Bundles<'a> {
    /// Of the first `size` entries; `path` says which.
    pub fn new(source: &'a dyn Source, size: u64, path: fn(u64, u64) -> String) -> Bundles<'a> {
        Bundles { tree: Tree::new(source, size), path, held: None }
    }

    /// One of them.
    pub fn get(&mut self, index: u64) -> Result<&[u8]> {
        let bundle = index / tile::WIDTH;
        if self.held.as_ref().is_none_or(|(held, _)| *held != bundle) {
            let bytes = self.tree.bundle(bundle, self.path)?;
            let width = tile::width_at(0, bundle, self.tree.size);
            let entries = tile::decode_bundle(&bytes, width)?;
            self.held = Some((bundle, entries.into_iter().map(<[u8]>::to_vec).collect()));
        }
        let entries = self.held.as_ref().map(|(_, entries)| entries.as_slice()).unwrap_or_default();
        let entry = entries.get((index % tile::WIDTH) as usize).context("no such entry")?;
        Ok(entry)
    }
}

/// The log's newest head, as published.
pub fn head(source: &dyn Source) -> Result<SignedCheckpoint> {
    let Some(bytes) = source.get("checkpoint", MAX_NOTE)? else {
        bail!(
            "no `checkpoint` there: name the published folder of a log (its `public/`, or a copy)"
        );
    };
    SignedCheckpoint::decode(&bytes).context("the log's checkpoint is damaged")
}
