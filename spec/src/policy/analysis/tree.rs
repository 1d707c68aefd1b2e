//! The quorum as a tree over parties. It is a tree, for each name is a member of one group at most.

use super::With;
use crate::policy::Policy;
use std::collections::{BTreeMap, BTreeSet};

/// A place in the tree; members stand before their group, the quorum is last.
pub(super) enum Node {
    /// All that counts here is whether one party cosigns.
    Witness {
        /// Its number among the parties.
        party: usize,
        /// The witness lines that it cosigns with here, by their number in the policy.
        lines: Vec<usize>,
        /// Which of them it takes.
        with: With,
    },
    /// Met when `threshold` of its members are: two at least, and not all of one party.
    Group { name: String, threshold: usize, members: Vec<usize> },
}

/// What is under the quorum.
pub(super) struct Tree {
    pub(super) nodes: Vec<Node>,
    /// For each party of the policy the places at which it counts.
    pub(super) leaves: Vec<Vec<usize>>,
}

/// A party that counts at several places below one group.
pub(super) struct Repeat {
    pub(super) party: usize,
    pub(super) group: usize,
}

impl Tree {
    /// The tree of a policy; `None` for `quorum none`. `parties` has each witness line's party.
    pub(super) fn of(policy: &Policy, parties: &[usize]) -> Option<Tree> {
        let quorum = policy.quorum()?;
        let mut nodes: Vec<Node> = Vec::new();
        let mut places: BTreeMap<&str, usize> = BTreeMap::new();
        for (line, ((name, _), party)) in policy.witnesses.iter().zip(parties).enumerate() {
            places.insert(name, nodes.len());
            let with = With { threshold: 1, of: vec![name.clone()] };
            nodes.push(Node::Witness { party: *party, lines: vec![line], with });
        }
        for (name, threshold, members) in policy.groups() {
            let place = |member| places.get(member).map(|place| (member, *place));
            let members: Vec<(&str, usize)> =
                members.iter().filter_map(|member| place(member.as_str())).collect();
            let place = group(&mut nodes, name, threshold, &members);
            places.insert(name, place);
        }
        let tree = Tree { nodes, leaves: Vec::new() };
        let count = parties.iter().max().map_or(0, |last| last + 1);
        Some(tree.below(*places.get(quorum)?, count))
    }

    // Only what the quorum asks for.
    fn below(self, root: usize, parties: usize) -> Tree {
        let mut wanted = BTreeSet::from([root]);
        for (place, node) in self.nodes.iter().enumerate().rev() {
            if let Node::Group { members, .. } = node
                && wanted.contains(&place)
            {
                wanted.extend(members);
            }
        }
        let mut moved: BTreeMap<usize, usize> = BTreeMap::new();
        let mut tree = Tree { nodes: Vec::new(), leaves: vec![Vec::new(); parties] };
        for (place, mut node) in self.nodes.into_iter().enumerate() {
            if !wanted.contains(&place) {
                continue;
            }
            match &mut node {
                Node::Witness { party, .. } => tree.leaves[*party].push(tree.nodes.len()),
                Node::Group { members, .. } => {
                    members.iter_mut().for_each(|member| *member = moved[member]);
                }
            }
            moved.insert(place, tree.nodes.len());
            tree.nodes.push(node);
        }
        tree
    }

    /// The parties that count, by number.
    pub(super) fn parties(&self) -> Vec<usize> {
        (0..self.leaves.len()).filter(|party| !self.leaves[*party].is_empty()).collect()
    }

    /// Whether a party counts at more than one place: sizes cannot be added up then.
    pub(super) fn repeats(&self) -> bool {
        self.leaves.iter().any(|leaves| leaves.len() > 1)
    }

    /// Whether the quorum is met when exactly these parties cosign.
    pub(super) fn is_met(&self, present: &[bool]) -> bool {
        let mut met = Vec::with_capacity(self.nodes.len());
        for node in &self.nodes {
            met.push(match node {
                Node::Witness { party, .. } => present[*party],
                Node::Group { threshold, members, .. } => {
                    members.iter().filter(|member| met[**member]).count() >= *threshold
                }
            });
        }
        met.last().copied().unwrap_or(true)
    }

    /// For each party that counts at several places, the groups below which they come together.
    pub(super) fn repeated(&self) -> Vec<Repeat> {
        let mut parents = vec![None; self.nodes.len()];
        for (place, node) in self.nodes.iter().enumerate() {
            if let Node::Group { members, .. } = node {
                members.iter().for_each(|member| parents[*member] = Some(place));
            }
        }
        let mut found = Vec::new();
        for (party, leaves) in self.leaves.iter().enumerate().filter(|(_, l)| l.len() > 1) {
            let mut seen = BTreeSet::new();
            let mut groups = BTreeSet::new();
            for leaf in leaves {
                let mut place = *leaf;
                // Up to where an earlier one of this party has come along.
                while let Some(parent) = parents[place] {
                    if !seen.insert(parent) {
                        groups.insert(parent);
                        break;
                    }
                    place = parent;
                }
            }
            found.extend(groups.into_iter().map(|group| Repeat { party, group }));
        }
        found
    }
}

// A group in its plainest form; its members by their names, with their places. "Any" and "all" of one
// party's lines are that party once, and a group of one is its member: neither changes what meets the group,
// a party being there with all its keys or not at all. Which of its keys it takes is kept at its leaf.
fn group(nodes: &mut Vec<Node>, name: &str, threshold: usize, members: &[(&str, usize)]) -> usize {
    let party = |place: usize| match &nodes[place] {
        Node::Witness { party, .. } => Some(*party),
        Node::Group { .. } => None,
    };
    let (any, all) = (threshold == 1, threshold == members.len());
    let mut own: BTreeMap<usize, Vec<(&str, usize)>> = BTreeMap::new();
    let mut kept: Vec<usize> = Vec::new();
    for (member, place) in members {
        if let Some(party) = party(*place) {
            let own = own.entry(party).or_default();
            own.push((member, *place));
            if own.len() > 1 {
                continue;
            }
        }
        kept.push(*place);
    }
    let alone = kept.len() == 1;
    if !any && !all && !alone {
        let members = members.iter().map(|(_, place)| *place).collect();
        nodes.push(Node::Group { name: name.into(), threshold, members });
        return nodes.len() - 1;
    }
    for (party, members) in own.into_iter().filter(|(_, members)| members.len() > 1) {
        let threshold = if all { members.len() } else { threshold };
        let of = members.iter().map(|(name, _)| (*name).into()).collect();
        let lines = members.iter().flat_map(|(_, place)| lines(&nodes[*place])).copied().collect();
        // A leaf has one parent: nobody else sees that it has taken over its siblings' lines.
        nodes[members[0].1] = Node::Witness { party, lines, with: With { threshold, of } };
    }
    match kept.as_slice() {
        [only] => *only,
        _ => {
            let threshold = if any { 1 } else { kept.len() };
            nodes.push(Node::Group { name: name.into(), threshold, members: kept });
            nodes.len() - 1
        }
    }
}

fn lines(node: &Node) -> &[usize] {
    match node {
        Node::Witness { lines, .. } => lines,
        Node::Group { .. } => &[],
    }
}
