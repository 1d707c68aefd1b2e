//! The Merkle tree of RFC 9162, section 2.1 (RFC 6962, section 2.1): hashes and proofs.
//!
//! Verification is the standard's loop and cannot panic. Proof building asks for the hashes of
//! complete subtrees by [`Node`], so that the tree may live anywhere: in memory or in tiles.

use crate::hash::Hash;

/// A tree of 2^63 leaves has the longest path; nothing longer is a proof.
pub const MAX_PATH: usize = 63;

/// The hash of a leaf: SHA-256(0x00 || entry).
pub fn leaf_hash(entry: &[u8]) -> Hash {
    Hash::of_parts(&[&[0x00], entry])
}

/// The hash of an interior node: SHA-256(0x01 || left || right).
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    let mut block = [0u8; 65];
    block[0] = 0x01;
    block[1..33].copy_from_slice(&left.0);
    block[33..].copy_from_slice(&right.0);
    Hash::of(&block)
}

/// The root of the tree without leaves: SHA-256("").
pub fn empty_root() -> Hash {
    Hash::of(b"")
}

/// Why a proof does not prove.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// The index lies outside the tree.
    #[error("leaf index {index} is not in a tree of {size} entries")]
    IndexOutside {
        /// The index claimed.
        index: u64,
        /// The size of the tree.
        size: u64,
    },
    /// The range is not a subtree, or not within the tree.
    #[error("[{start}, {end}) is not a subtree of a tree of {size} entries")]
    NotASubtree {
        /// First leaf.
        start: u64,
        /// One past the last leaf.
        end: u64,
        /// The size of the tree.
        size: u64,
    },
    /// A path of the wrong length.
    #[error("the path has {found} hashes, and the sizes demand {expected}")]
    Length {
        /// Hashes that the sizes demand.
        expected: usize,
        /// Hashes there.
        found: usize,
    },
    /// The path leads to another root.
    #[error("the path leads to the root {computed}, expected {expected}")]
    Root {
        /// The root that was given.
        expected: Hash,
        /// The root computed.
        computed: Hash,
    },
    /// The path proves the newer root, but from another older root: history was rewritten.
    #[error(
        "the newer tree's first {size} entries have the root {computed}, not {expected}: history was rewritten"
    )]
    Rewritten {
        /// The older size.
        size: u64,
        /// The older root that was given.
        expected: Hash,
        /// The root of the same entries in the newer tree.
        computed: Hash,
    },
}

/// The root that an inclusion path leads to (RFC 9162, section 2.1.3.2).
pub fn root_from_inclusion(
    leaf: Hash,
    index: u64,
    size: u64,
    path: &[Hash],
) -> Result<Hash, ProofError> {
    if index >= size {
        return Err(ProofError::IndexOutside { index, size });
    }
    let expected = inclusion_length(index, size);
    if path.len() != expected {
        return Err(ProofError::Length { expected, found: path.len() });
    }
    let (mut fnode, mut snode) = (index, size - 1);
    let mut root = leaf;
    for sibling in path {
        if fnode & 1 == 1 || fnode == snode {
            root = node_hash(sibling, &root);
            while fnode & 1 == 0 && fnode != 0 {
                fnode >>= 1;
                snode >>= 1;
            }
        } else {
            root = node_hash(&root, sibling);
        }
        fnode >>= 1;
        snode >>= 1;
    }
    Ok(root)
}

/// Checks an inclusion path against a root.
pub fn verify_inclusion(
    leaf: Hash,
    index: u64,
    size: u64,
    path: &[Hash],
    root: Hash,
) -> Result<(), ProofError> {
    let computed = root_from_inclusion(leaf, index, size, path)?;
    if computed != root {
        return Err(ProofError::Root { expected: root, computed });
    }
    Ok(())
}

// One hash for each level where the leaf has a sibling: the levels below the split from the last
// leaf all have one, and above it only where the node is a right child.
fn inclusion_length(index: u64, size: u64) -> usize {
    let inner = 64 - (index ^ (size - 1)).leading_zeros();
    let border = index.checked_shr(inner).unwrap_or(0).count_ones();
    (inner + border) as usize
}

/// Checks inclusion of leaf `index` in the subtree `[start, end)` of some tree.
pub fn verify_subtree_inclusion(
    leaf: Hash,
    index: u64,
    start: u64,
    end: u64,
    path: &[Hash],
    root: Hash,
) -> Result<(), ProofError> {
    if !is_subtree(start, end) {
        return Err(ProofError::NotASubtree { start, end, size: end });
    }
    if index < start || index >= end {
        return Err(ProofError::IndexOutside { index, size: end });
    }
    verify_inclusion(leaf, index - start, end - start, path, root)
}

/// Checks that the tree of `size2` extends the tree of `size1` (RFC 9162, section 2.1.4.2). Every
/// tree extends the empty one, with an empty path.
pub fn verify_consistency(
    size1: u64,
    size2: u64,
    path: &[Hash],
    root1: Hash,
    root2: Hash,
) -> Result<(), ProofError> {
    if size1 == 0 {
        if !path.is_empty() {
            return Err(ProofError::Length { expected: 0, found: path.len() });
        }
        let empty = empty_root();
        for root in [Some(root1), Some(root2).filter(|_| size2 == 0)].into_iter().flatten() {
            if root != empty {
                return Err(ProofError::Root { expected: root, computed: empty });
            }
        }
        return Ok(());
    }
    verify_subtree_consistency(0, size1, size2, path, root1, root2)
}

/// Whether `[start, end)` can be a subtree: `start` is a multiple of the power of two that holds it.
pub fn is_subtree(start: u64, end: u64) -> bool {
    end > start
        && (end - start)
            .checked_next_power_of_two()
            .is_some_and(|width| start.is_multiple_of(width))
}

/// Checks that the subtree `[start, end)` with `subtree_root` is part of the tree of `size` with
/// `root` (draft-ietf-plants-merkle-tree-certs, section 4.4). With `start` = 0 it is the
/// consistency proof of RFC 9162.
pub fn verify_subtree_consistency(
    start: u64,
    end: u64,
    size: u64,
    path: &[Hash],
    subtree_root: Hash,
    root: Hash,
) -> Result<(), ProofError> {
    if !is_subtree(start, end) || end > size {
        return Err(ProofError::NotASubtree { start, end, size });
    }
    let (mut fnode, mut snode, mut tnode) = (start, end - 1, size - 1);
    // Climb to the largest complete subtree at the right edge: there the path starts.
    while fnode != snode && (snode & 1 == 1 || snode == tnode) {
        fnode >>= 1;
        snode >>= 1;
        tnode >>= 1;
    }
    let mut rest = path.iter();
    let (mut older, mut newer) = if fnode == snode {
        (subtree_root, subtree_root)
    } else {
        match rest.next() {
            Some(first) => (*first, *first),
            None => return Err(ProofError::Length { expected: 1, found: 0 }),
        }
    };
    let mut used = path.len() - rest.len();
    for hash in rest {
        if tnode == 0 {
            return Err(ProofError::Length { expected: used, found: path.len() });
        }
        used += 1;
        if snode & 1 == 1 || snode == tnode {
            if fnode < snode {
                older = node_hash(hash, &older);
            }
            newer = node_hash(hash, &newer);
            while snode & 1 == 0 && snode != 0 {
                fnode >>= 1;
                snode >>= 1;
                tnode >>= 1;
            }
        } else {
            newer = node_hash(&newer, hash);
        }
        fnode >>= 1;
        snode >>= 1;
        tnode >>= 1;
    }
    if tnode != 0 {
        return Err(ProofError::Length { expected: used + 1, found: path.len() });
    }
    if newer != root {
        return Err(ProofError::Root { expected: root, computed: newer });
    }
    if older != subtree_root {
        return Err(ProofError::Rewritten { size: end, expected: subtree_root, computed: older });
    }
    Ok(())
}

/// The complete subtrees of the leaves so far, largest first: the root of any number of leaves, in
/// memory logarithmic in it.
#[derive(Debug, Clone, Default)]
pub struct Frontier(Vec<(u8, Hash)>);

impl Frontier {
    /// One leaf more.
    pub fn push(&mut self, leaf: Hash) {
        self.push_subtree(0, leaf);
    }

    /// The next complete subtree of `2^level` leaves. What was pushed before must end at a border of such
    /// subtrees.
    pub fn push_subtree(&mut self, level: u8, hash: Hash) {
        let (mut level, mut hash) = (level, hash);
        while let Some((top, left)) = self.0.last().copied()
            && top == level
        {
            hash = node_hash(&left, &hash);
            level += 1;
            self.0.pop();
        }
        self.0.push((level, hash));
    }

    /// The root of the leaves so far.
    pub fn root(&self) -> Hash {
        let mut parts = self.0.iter().rev().map(|(_, hash)| *hash);
        let Some(last) = parts.next() else { return empty_root() };
        parts.fold(last, |right, left| node_hash(&left, &right))
    }
}

/// A complete subtree: the node `index` of the row `level`, over the leaves
/// `[index << level, (index + 1) << level)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Node {
    /// 0 for leaves.
    pub level: u8,
    /// Position in the row.
    pub index: u64,
}

/// The root of the tree of the first `size` leaves, from its complete subtrees.
pub fn root<E>(size: u64, read: &mut impl FnMut(Node) -> Result<Hash, E>) -> Result<Hash, E> {
    if size == 0 { Ok(empty_root()) } else { range(0, size, read) }
}

/// The inclusion path of leaf `index` in the tree of `size` (RFC 9162, section 2.1.3.1); `index`
/// must be below `size`, otherwise the path is empty and proves nothing.
pub fn inclusion_path<E>(
    index: u64,
    size: u64,
    read: &mut impl FnMut(Node) -> Result<Hash, E>,
) -> Result<Vec<Hash>, E> {
    let mut path = Vec::new();
    let (mut low, mut high) = (0, size);
    let mut siblings = Vec::new();
    while index < size && high - low > 1 {
        let middle = low + split(high - low);
        if index < middle {
            siblings.push((middle, high));
            high = middle;
        } else {
            siblings.push((low, middle));
            low = middle;
        }
    }
    for (low, high) in siblings.into_iter().rev() {
        path.push(range(low, high, read)?);
    }
    Ok(path)
}

/// The consistency path from `size1` to `size2` (RFC 9162, section 2.1.4.1); empty when either is
/// the whole of the other or `size1` is 0.
pub fn consistency_path<E>(
    size1: u64,
    size2: u64,
    read: &mut impl FnMut(Node) -> Result<Hash, E>,
) -> Result<Vec<Hash>, E> {
    if size1 == 0 || size1 >= size2 {
        return Ok(Vec::new());
    }
    subtree_consistency_path(0, size1, size2, read)
}

/// The consistency path of the subtree `[start, end)` in the tree of `size`
/// (draft-ietf-plants-merkle-tree-certs, section 4.4.1). Empty, and no proof, where there is no such
/// subtree.
pub fn subtree_consistency_path<E>(
    start: u64,
    end: u64,
    size: u64,
    read: &mut impl FnMut(Node) -> Result<Hash, E>,
) -> Result<Vec<Hash>, E> {
    if !is_subtree(start, end) || end > size {
        return Ok(Vec::new());
    }
    // `complete` while the part that is left is the subtree itself, of which the verifier has the hash.
    let (mut low, mut high, mut first, mut complete) = (0, size, start, true);
    let mut parts = Vec::new();
    while (low, high) != (first, end) {
        let middle = low + split(high - low);
        if end <= middle {
            parts.push((middle, high));
            high = middle;
        } else {
            parts.push((low, middle));
            // The subtree lies across the split only where it begins with the tree.
            complete &= first >= middle;
            first = first.max(middle);
            low = middle;
        }
    }
    if !complete {
        parts.push((low, high));
    }
    let mut path = Vec::with_capacity(parts.len());
    for (low, high) in parts.into_iter().rev() {
        path.push(range(low, high, read)?);
    }
    Ok(path)
}

// The largest power of two below n, for n > 1.
fn split(n: u64) -> u64 {
    1 << (63 - (n - 1).leading_zeros())
}

// The hash of the leaves [low, high), which is a subtree by construction.
fn range<E>(
    low: u64,
    high: u64,
    read: &mut impl FnMut(Node) -> Result<Hash, E>,
) -> Result<Hash, E> {
    let width = high - low;
    if width.is_power_of_two() {
        let level = width.trailing_zeros() as u8;
        return read(Node { level, index: low >> level });
    }
    let middle = low + split(width);
    let left = range(low, middle, read)?;
    let right = range(middle, high, read)?;
    Ok(node_hash(&left, &right))
}
