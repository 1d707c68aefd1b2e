//! A Merkle tree of leaves in memory and its proofs, by the recursive definitions of the standards.

use coldlog_spec::hash::Hash;
use coldlog_spec::merkle::{empty_root, node_hash};

/// The leaves of a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tree(pub Vec<Hash>);

impl Tree {
    /// How many leaves.
    pub fn size(&self) -> u64 {
        self.0.len() as u64
    }

    /// The root (RFC 6962, section 2.1).
    pub fn root(&self) -> Hash {
        root(&self.0)
    }

    /// The root of the leaves `[start, end)`, of none where there are no such leaves.
    pub fn root_of(&self, start: u64, end: u64) -> Hash {
        root(self.0.get(start as usize..end as usize).unwrap_or_default())
    }

    /// The consistency proof from the first `old` leaves to all (RFC 6962, section 2.1.2).
    pub fn consistency(&self, old: u64) -> Vec<Hash> {
        self.subtree_consistency(0, old)
    }

    /// The subtree consistency proof of `[start, end)`, which must be a subtree
    /// (draft-ietf-plants-merkle-tree-certs, section 4.4.1). Nothing where it is empty or beyond the
    /// tree.
    pub fn subtree_consistency(&self, start: u64, end: u64) -> Vec<Hash> {
        let mut proof = Vec::new();
        if start < end && end <= self.size() {
            subproof(&self.0, start as usize, end as usize, true, &mut proof);
        }
        proof
    }
}

fn root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => empty_root(),
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(split(leaves.len()));
            node_hash(&root(left), &root(right))
        }
    }
}

// The largest power of two below a count of two or more.
fn split(count: usize) -> usize {
    count.next_power_of_two() / 2
}

// `known`: the verifier has the hash of these leaves, as they are the whole subtree.
fn subproof(leaves: &[Hash], start: usize, end: usize, known: bool, proof: &mut Vec<Hash>) {
    if start == 0 && end == leaves.len() {
        if !known {
            proof.push(root(leaves));
        }
        return;
    }
    if leaves.len() < 2 {
        return;
    }
    let middle = split(leaves.len());
    let (left, right) = leaves.split_at(middle);
    if end <= middle {
        subproof(left, start, end, known, proof);
        proof.push(root(right));
    } else if start >= middle {
        subproof(right, start - middle, end - middle, known, proof);
        proof.push(root(left));
    } else {
        subproof(right, 0, end - middle, false, proof);
        proof.push(root(left));
    }
}
