//! The histories of one log: a trunk, and branches that leave it at every size.

use coldlog_spec::checkpoint::Checkpoint;
use coldlog_spec::hash::Hash;
use coldlog_spec::merkle::{self, Node, leaf_hash, node_hash};
use std::convert::Infallible;
use std::sync::LazyLock;

pub(crate) const ORIGIN: &str = "log.example/two-faced";
/// The last size at which a branch leaves the trunk.
pub(crate) const LAST_FORK: u64 = 300;
/// Entries of each history: one power of two lies beyond every fork.
pub(crate) const ENTRIES: u64 = 520;

/// splitmix64
#[derive(Clone)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }

    pub(crate) fn one_in(&mut self, bound: u64) -> bool {
        self.below(bound) == 0
    }

    pub(crate) fn pick<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        let place = self.below(from.len().max(1) as u64);
        from.get(place as usize)
    }
}

/// The complete subtrees of [`ENTRIES`] leaves, row by row.
pub(crate) struct History(Vec<Vec<Hash>>);

impl History {
    // The branch 0 is the trunk.
    fn new(fork: u64, branch: u64) -> History {
        let leaf = |index: u64| {
            let writer = if index < fork { 0 } else { branch };
            leaf_hash(&[writer.to_be_bytes(), index.to_be_bytes()].concat())
        };
        let mut rows: Vec<Vec<Hash>> = vec![(0..ENTRIES).map(leaf).collect()];
        while let Some(row) = rows.last().filter(|row| row.len() > 1) {
            let above = row.as_chunks::<2>().0.iter().map(|[left, right]| node_hash(left, right));
            rows.push(above.collect());
        }
        History(rows)
    }

    fn reader(&self) -> impl FnMut(Node) -> Result<Hash, Infallible> {
        |node| Ok(self.0[usize::from(node.level)][node.index as usize])
    }

    pub(crate) fn root(&self, size: u64) -> Hash {
        merkle::root(size, &mut self.reader()).unwrap()
    }

    pub(crate) fn path(&self, old: u64, new: u64) -> Vec<Hash> {
        merkle::consistency_path(old, new, &mut self.reader()).unwrap()
    }

    pub(crate) fn checkpoint(&self, size: u64) -> Checkpoint {
        Checkpoint { origin: ORIGIN.into(), size, root: self.root(size) }
    }

    /// What `verifier cross-check` holds against an older head: where the older tree is a complete
    /// subtree, this history's own root of it stands in front of the path.
    pub(crate) fn against(&self, older: &Checkpoint, new: u64) -> Vec<Hash> {
        let mut path = self.path(older.size, new);
        if older.size < new && older.size.is_power_of_two() && self.root(older.size) != older.root {
            path.insert(0, self.root(older.size));
        }
        path
    }
}

struct Histories {
    trunk: History,
    // By the size at which they leave the trunk.
    branches: Vec<[History; 2]>,
}

static HISTORIES: LazyLock<Histories> = LazyLock::new(|| Histories {
    trunk: History::new(0, 0),
    branches: (0..=LAST_FORK).map(|fork| [1, 2].map(|branch| History::new(fork, branch))).collect(),
});

/// A head by what it is of, so that whether two of them fit is known without a hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) side: usize,
    pub(crate) size: u64,
}

pub(crate) const EMPTY: Head = Head { side: 0, size: 0 };

/// The sides of one log: the trunk, and one branch or two.
#[derive(Debug, Clone)]
pub(crate) struct Sides {
    forks: Vec<u64>,
}

impl Sides {
    pub(crate) fn new(forks: &[u64]) -> Sides {
        Sides { forks: forks.to_vec() }
    }

    pub(crate) fn count(&self) -> usize {
        1 + self.forks.len()
    }

    pub(crate) fn history(&self, side: usize) -> &'static History {
        match side.checked_sub(1) {
            None => &HISTORIES.trunk,
            Some(branch) => &HISTORIES.branches[self.forks[branch] as usize][branch],
        }
    }

    // The size at which a side leaves the trunk.
    fn leaves(&self, side: usize) -> u64 {
        side.checked_sub(1).map_or(ENTRIES, |branch| self.forks[branch])
    }

    /// The largest size that two sides have in common.
    pub(crate) fn common(&self, one: usize, other: usize) -> u64 {
        if one == other { ENTRIES } else { self.leaves(one).min(self.leaves(other)) }
    }

    pub(crate) fn fit(&self, one: Head, other: Head) -> bool {
        one.size.min(other.size) <= self.common(one.side, other.side)
    }

    /// One name for a head, where it is of two sides.
    pub(crate) fn same(&self, head: Head) -> Head {
        let side = if head.size <= self.leaves(head.side) { 0 } else { head.side };
        Head { side, ..head }
    }

    /// The first two that do not fit.
    pub(crate) fn misfit(&self, heads: &[Head]) -> Option<[Head; 2]> {
        let pair = |(place, one): (usize, &Head)| {
            let other = heads[..place].iter().find(|other| !self.fit(*one, **other))?;
            Some([*other, *one])
        };
        heads.iter().enumerate().find_map(pair)
    }
}
