//! The rows of tiles above the bundles, as an audit goes along: memory logarithmic in the log.

use crate::hash::Hash;
use crate::merkle::Frontier;
use crate::tile::{HEIGHT, Tile, WIDTH, fold};

/// The roots of full bundles, folded tile by tile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rows {
    /// The next bundle.
    bundle: u64,
    /// Row n holds the hashes of the tiles of level n + 1 that are not full yet. The last row of a part that
    /// begins in the middle of a log holds all that it has.
    rows: Vec<Vec<Hash>>,
    /// How many rows there are at most; none where the part begins with the log.
    most: Option<u8>,
}

/// Rows that are none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the rows of the tree do not fit entries {from} to {to}")]
pub struct NotRows {
    /// The first entry.
    pub from: u64,
    /// Behind the last one.
    pub to: u64,
}

/// How many bundles a unit of a part has, at each level: a part begins and ends at such borders.
pub fn unit(level: u8) -> u64 {
    WIDTH.saturating_pow(u32::from(level).saturating_sub(1))
}

impl Rows {
    /// From the first entry on.
    pub fn new() -> Rows {
        Rows { bundle: 0, rows: Vec::new(), most: None }
    }

    /// Of a part that begins with a bundle, at a border of units of tiles of this level (1: any bundle).
    pub fn part(bundle: u64, level: u8) -> Rows {
        Rows { bundle, rows: Vec::new(), most: Some(level) }
    }

    /// As they were written down.
    pub fn from_parts(
        (from, to): (u64, u64),
        rows: Vec<Vec<Hash>>,
        most: Option<u8>,
    ) -> Result<Rows, NotRows> {
        let (first, bundle) = (from / WIDTH, to / WIDTH);
        let mut left = bundle.checked_sub(first).ok_or(NotRows { from, to })?;
        let expected = |level: usize, left: u64| match most {
            Some(most) if usize::from(most) == level + 1 => left,
            _ => left % WIDTH,
        };
        for (level, row) in rows.iter().enumerate() {
            if row.len() as u64 != expected(level, left) {
                return Err(NotRows { from, to });
            }
            left = match most {
                Some(most) if usize::from(most) == level + 1 => 0,
                _ => left / WIDTH,
            };
        }
        match left {
            0 => Ok(Rows { bundle, rows, most }),
            _ => Err(NotRows { from, to }),
        }
    }

    /// The next bundle.
    pub fn bundle(&self) -> u64 {
        self.bundle
    }

    /// The hashes, row by row.
    pub fn rows(&self) -> &[Vec<Hash>] {
        &self.rows
    }

    /// How many rows there are at most.
    pub fn most(&self) -> Option<u8> {
        self.most
    }

    /// Takes the root of the next full bundle; returns the tiles that it made full, each with its hashes.
    pub fn push(&mut self, root: Hash) -> Vec<(Tile, Vec<Hash>)> {
        let bundle = self.bundle;
        self.bundle += 1;
        self.push_at(0, bundle, root)
    }

    /// Takes the last row of a part that follows, and what the part has below it.
    pub fn join(&mut self, part: &Rows) -> Vec<(Tile, Vec<Hash>)> {
        let level = usize::from(part.most.unwrap_or(1)).saturating_sub(1);
        let unit = unit(level as u8 + 1);
        let mut full = Vec::new();
        for hash in part.rows.get(level).into_iter().flatten() {
            let place = self.bundle / unit;
            self.bundle += unit;
            full.extend(self.push_at(level, place, *hash));
        }
        for (level, row) in part.rows.iter().enumerate().take(level) {
            self.row(level).extend(row);
        }
        self.bundle = part.bundle;
        full
    }

    fn row(&mut self, level: usize) -> &mut Vec<Hash> {
        while self.rows.len() <= level {
            self.rows.push(Vec::new());
        }
        &mut self.rows[level]
    }

    // `place` is the hash's position in the whole row.
    fn push_at(&mut self, level: usize, place: u64, hash: Hash) -> Vec<(Tile, Vec<Hash>)> {
        let last = self.most.is_some_and(|most| level + 1 >= usize::from(most));
        let row = self.row(level);
        row.push(hash);
        if last || (row.len() as u64) < WIDTH {
            return Vec::new();
        }
        let hashes = std::mem::take(row);
        let above = fold(&hashes);
        let tile = Tile { level: level as u8 + 1, index: place / WIDTH, width: WIDTH };
        let mut full = vec![(tile, hashes)];
        if let Some(above) = above {
            full.extend(self.push_at(level + 1, place / WIDTH, above));
        }
        full
    }

    /// The tiles that are not full, with their hashes.
    pub fn partial(&self) -> Vec<(Tile, &[Hash])> {
        let mut tiles = Vec::new();
        let mut above = self.bundle;
        for (level, row) in self.rows.iter().enumerate() {
            let index = above / WIDTH;
            above /= WIDTH;
            if !row.is_empty() {
                let tile = Tile { level: level as u8 + 1, index, width: row.len() as u64 };
                tiles.push((tile, row.as_slice()));
            }
        }
        tiles
    }

    /// The complete subtrees of which all that was pushed is made: first leaf, behind the last one, hash.
    pub fn subtrees(&self) -> Vec<(u64, u64, Hash)> {
        let mut all = Vec::new();
        for (level, row) in self.rows.iter().enumerate() {
            let bundles = unit(level as u8 + 1);
            let (end, width) = (self.bundle / bundles, bundles.saturating_mul(WIDTH));
            let first = end.saturating_sub(row.len() as u64);
            let places = (first..end).zip(row);
            all.extend(places.map(|(place, hash)| (place * width, (place + 1) * width, *hash)));
        }
        all
    }

    /// The root of the tree of all full bundles and the leaves behind them; of a part that begins with the log.
    pub fn root(&self, leaves: &[Hash]) -> Hash {
        let mut frontier = Frontier::default();
        for (level, row) in self.rows.iter().enumerate().rev() {
            let level = (level as u8 + 1).saturating_mul(HEIGHT);
            row.iter().for_each(|hash| frontier.push_subtree(level, *hash));
        }
        leaves.iter().for_each(|leaf| frontier.push(*leaf));
        frontier.root()
    }
}

impl Default for Rows {
    fn default() -> Rows {
        Rows::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::merkle::leaf_hash;

    fn leaf(n: u64) -> Hash {
        leaf_hash(&n.to_be_bytes())
    }

    fn bundle(n: u64) -> Hash {
        let leaves: Vec<Hash> = (n * WIDTH..(n + 1) * WIDTH).map(leaf).collect();
        fold(&leaves).unwrap()
    }

    #[test]
    fn the_root_is_the_trees_and_parts_join_to_the_whole() {
        let mut whole = Rows::new();
        let mut frontier = Frontier::default();
        let mut full = Vec::new();
        for n in 0..600 {
            full.extend(whole.push(bundle(n)));
            (n * WIDTH..(n + 1) * WIDTH).for_each(|n| frontier.push(leaf(n)));
        }
        let rest: Vec<Hash> = (600 * WIDTH..600 * WIDTH + 77).map(leaf).collect();
        rest.iter().for_each(|leaf| frontier.push(*leaf));
        assert_eq!(whole.root(&rest), frontier.root());
        let places: Vec<(u8, u64)> =
            full.iter().map(|(tile, _)| (tile.level, tile.index)).collect();
        assert_eq!(places, [(1, 0), (1, 1)]);
        let partial: Vec<Tile> = whole.partial().iter().map(|(tile, _)| *tile).collect();
        let expected = [(1, 2, 88), (2, 0, 2)];
        assert_eq!(partial, expected.map(|(level, index, width)| Tile { level, index, width }));
        for (level, borders) in [(1u8, vec![0u64, 3, 250, 300, 600]), (2, vec![0, 256, 512, 600])] {
            let mut joined = Rows::new();
            let mut found = Vec::new();
            for pair in borders.windows(2) {
                let mut part = Rows::part(pair[0], level);
                (pair[0]..pair[1]).for_each(|n| found.extend(part.push(bundle(n))));
                let range = (pair[0] * WIDTH, pair[1] * WIDTH);
                let read = Rows::from_parts(range, part.rows().to_vec(), part.most()).unwrap();
                assert_eq!(read, part);
                let mut covered: u64 = 0;
                for (start, end, hash) in part.subtrees() {
                    assert!(range.0 <= start && end <= range.1);
                    let leaves: Vec<Hash> = (start..end).map(leaf).collect();
                    assert_eq!(fold(&leaves), Some(hash));
                    covered += end - start;
                }
                assert_eq!(covered, range.1 - range.0);
                found.extend(joined.join(&part));
            }
            assert_eq!(joined.root(&rest), frontier.root(), "level {level}");
            assert_eq!(joined, whole, "level {level}");
            assert_eq!(found.len(), full.len(), "level {level}");
        }
        let short = Rows::from_parts((0, 600 * WIDTH), whole.rows()[..1].to_vec(), None);
        assert_eq!(short, Err(NotRows { from: 0, to: 600 * WIDTH }));
    }
}
