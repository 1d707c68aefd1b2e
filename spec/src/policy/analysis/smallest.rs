//! The smallest sets of parties that do something to a quorum. Where each party counts at one place,
//! sizes add up along the tree, and are exact for any number of parties. Where one counts at several,
//! sets are tried, smallest first; where these are too many, the tree gives a bound.

use super::tree::{Node, Tree};
use super::{EXAMPLES, Size};

/// What a set of parties shall do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Aim {
    /// Meet the quorum alone.
    Suffice,
    /// Keep it from being met, by their silence.
    Stall,
    /// Let it be met on two sides, by cosigning both, while every other party cosigns one.
    Fork,
}

impl Aim {
    // Of how many of a group's members it must be true, to be true of the group. A fork: of n members
    // t are met on both sides, the others on one each; t + t + (n - t) is what the two sides share, and
    // they need k each.
    fn of_members(self, threshold: usize, members: usize) -> usize {
        match self {
            Aim::Suffice => threshold,
            Aim::Stall => members - threshold + 1,
            Aim::Fork => (2 * threshold).saturating_sub(members),
        }
    }
}

/// Smallest sets, by the parties' numbers.
pub(super) struct Found {
    pub(super) size: Size,
    pub(super) sets: Vec<Vec<usize>>,
    pub(super) all: bool,
}

/// The cost of a party that counts once. One that counts at m places costs the m-th part at each, so
/// that no set of places costs more than its parties are many.
const WHOLE: u64 = 720_720;

/// The smallest sets that reach an aim, by at most so many evaluations of the quorum.
pub(super) fn smallest(tree: &Tree, aim: Aim, evaluations: u64) -> Found {
    let costs = costs(tree, aim);
    let least = costs.last().copied().unwrap_or_default().div_ceil(WHOLE);
    let least = usize::try_from(least).unwrap_or(usize::MAX);
    if tree.repeats() {
        return search(tree, aim, least, evaluations);
    }
    let mut sets = sets(tree, aim, &costs);
    let all = sets.len() <= EXAMPLES;
    sets.truncate(EXAMPLES);
    Found { size: Size::Exactly(least), sets: sorted(sets), all }
}

// For each place of the tree, what it costs to reach the aim there: of a group, the sum of its
// cheapest members.
fn costs(tree: &Tree, aim: Aim) -> Vec<u64> {
    let mut costs: Vec<u64> = Vec::with_capacity(tree.nodes.len());
    for node in &tree.nodes {
        costs.push(match node {
            Node::Witness { party, .. } => WHOLE / tree.leaves[*party].len() as u64,
            Node::Group { threshold, members, .. } => {
                let mut each: Vec<u64> = members.iter().map(|member| costs[*member]).collect();
                each.sort_unstable();
                each.iter().take(aim.of_members(*threshold, members.len())).sum()
            }
        });
    }
    costs
}

// The cheapest sets of the quorum, one more than are shown.
fn sets(tree: &Tree, aim: Aim, costs: &[u64]) -> Vec<Vec<usize>> {
    let mut all: Vec<Vec<Vec<usize>>> = Vec::with_capacity(tree.nodes.len());
    for (place, node) in tree.nodes.iter().enumerate() {
        let sets = match node {
            _ if costs[place] == 0 => vec![Vec::new()],
            Node::Witness { party, .. } => vec![vec![*party]],
            Node::Group { threshold, members, .. } => {
                let count = aim.of_members(*threshold, members.len());
                cheapest(&mut all, members, costs, count)
            }
        };
        all.push(sets);
    }
    all.pop().unwrap_or_default()
}

// Unions of the sets of `count` members that cost the least together.
fn cheapest(
    all: &mut [Vec<Vec<usize>>],
    members: &[usize],
    costs: &[u64],
    count: usize,
) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = members.to_vec();
    order.sort_by_key(|member| costs[*member]);
    let Some(last) = count.checked_sub(1).and_then(|last| order.get(last)) else {
        return vec![Vec::new()];
    };
    let highest = costs[*last];
    let below = order.partition_point(|member| costs[*member] < highest);
    let upto = order.partition_point(|member| costs[*member] <= highest);
    // The cheaper ones are in every set; of those that cost as much as the last, any may be chosen.
    let (certain, choice) = (&order[..below], &order[below..upto]);
    let mut found = Vec::new();
    let mut chosen: Vec<usize> = (0..count - below).collect();
    loop {
        let picked = chosen.iter().map(|at| choice[*at]);
        found.extend(unions(all, certain.iter().copied().chain(picked)));
        if found.len() > EXAMPLES || !advance(&mut chosen, choice.len()) {
            break;
        }
    }
    found.truncate(EXAMPLES + 1);
    // They are not asked for again: a member has one group.
    members.iter().for_each(|member| all[*member] = Vec::new());
    found
}

fn unions(all: &[Vec<Vec<usize>>], members: impl Iterator<Item = usize>) -> Vec<Vec<usize>> {
    let mut found: Vec<Vec<usize>> = vec![Vec::new()];
    for member in members {
        let sets = &all[member];
        if let [first, rest @ ..] = sets.as_slice()
            && (rest.is_empty() || found.len() > EXAMPLES)
        {
            found.iter_mut().for_each(|set| set.extend(first));
            continue;
        }
        let both = |set: &Vec<usize>| {
            let set = set.clone();
            sets.iter().map(move |more| [&set[..], more].concat())
        };
        found = found.iter().flat_map(both).take(EXAMPLES + 1).collect();
    }
    found
}

// The next combination of places in a list of `length`, in order.
fn advance(chosen: &mut [usize], length: usize) -> bool {
    let count = chosen.len();
    let Some(at) = (0..count).rev().find(|at| chosen[*at] + count - at < length) else {
        return false;
    };
    let first = chosen[at] + 1;
    chosen[at..].iter_mut().zip(first..).for_each(|(place, next)| *place = next);
    true
}

fn sorted(mut sets: Vec<Vec<usize>>) -> Vec<Vec<usize>> {
    sets.iter_mut().for_each(|set| set.sort_unstable());
    sets.sort_unstable();
    sets
}

// All sets, the smallest first, from the size that the tree gives as a bound.
fn search(tree: &Tree, aim: Aim, least: usize, evaluations: u64) -> Found {
    let parties = tree.parties();
    let mut trial = Trial::new(tree, evaluations);
    let mut size = least;
    while size <= parties.len() {
        let mut sets = Vec::new();
        let mut chosen: Vec<usize> = (0..size).collect();
        let finished = loop {
            let set: Vec<usize> = chosen.iter().map(|at| parties[*at]).collect();
            match trial.reaches(aim, &set) {
                Some(true) => sets.push(set),
                Some(false) => {}
                None => break false,
            }
            if sets.len() > EXAMPLES {
                break false;
            }
            if !advance(&mut chosen, parties.len()) {
                break true;
            }
        };
        sets.truncate(EXAMPLES);
        match (finished, sets.is_empty()) {
            (true, true) => size += 1,
            (all, false) => return Found { size: Size::Exactly(size), sets, all },
            (false, true) => break,
        }
    }
    let set = trial.some(aim);
    let size = if set.len() <= size { Size::Exactly(size) } else { Size::AtLeast(size) };
    Found { size, sets: vec![set], all: false }
}

/// Two disjoint groups of parties that meet the quorum each, where nobody cosigns both sides; no more
/// of them than are needed. `None` where there are none, or none was found in time.
pub(super) fn halves(tree: &Tree, evaluations: u64) -> Option<[Vec<usize>; 2]> {
    let mut trial = Trial::new(tree, evaluations);
    let sides = match trial.some_fork() {
        (both, sides) if both.is_empty() => sides,
        _ if tree.repeats() => trial.sides(&[]).flatten()?,
        _ => return None,
    };
    Some(sides.map(|side| {
        let left_out = |side: &[usize], party| trial.is_met(&without(side, party));
        reduced(side, left_out)
    }))
}

fn without(set: &[usize], party: usize) -> Vec<usize> {
    set.iter().copied().filter(|other| *other != party).collect()
}

// Leaves out of a set what may be left out of it, one after the other.
fn reduced(mut set: Vec<usize>, may_go: impl Fn(&[usize], usize) -> bool) -> Vec<usize> {
    for party in set.clone().into_iter().rev() {
        if may_go(&set, party) {
            set = without(&set, party);
        }
    }
    set
}

// Who must cosign both sides, and who one of them, where every place is a party of its own.
fn split(tree: &Tree) -> (Vec<usize>, [Vec<usize>; 2]) {
    #[derive(Clone, Copy)]
    enum Side {
        Neither,
        One(usize),
        Both,
    }
    let (fork, suffice) = (costs(tree, Aim::Fork), costs(tree, Aim::Suffice));
    let mut sides = vec![Side::Neither; tree.nodes.len()];
    if let Some(quorum) = sides.last_mut() {
        *quorum = Side::Both;
    }
    let (mut both, mut one) = (Vec::new(), [Vec::new(), Vec::new()]);
    for (place, node) in tree.nodes.iter().enumerate().rev() {
        match (node, sides[place]) {
            (_, Side::Neither) => {}
            (Node::Witness { party, .. }, Side::Both) => both.push(*party),
            (Node::Witness { party, .. }, Side::One(side)) => one[side].push(*party),
            (Node::Group { threshold, members, .. }, Side::One(side)) => {
                let mut members = members.clone();
                members.sort_by_key(|member| suffice[*member]);
                members.iter().take(*threshold).for_each(|m| sides[*m] = Side::One(side));
            }
            (Node::Group { threshold, members, .. }, Side::Both) => {
                let count = Aim::Fork.of_members(*threshold, members.len());
                let mut members = members.clone();
                members.sort_by_key(|member| fork[*member]);
                let rest = members.split_off(count);
                members.iter().for_each(|member| sides[*member] = Side::Both);
                for (at, member) in rest.iter().take(2 * (threshold - count)).enumerate() {
                    sides[*member] = Side::One(at % 2);
                }
            }
        }
    }
    (both, one)
}

/// Tries sets out, as often as is allowed.
struct Trial<'a> {
    tree: &'a Tree,
    left: u64,
}

impl Trial<'_> {
    // An evaluation of a large tree counts for several.
    fn new(tree: &Tree, evaluations: u64) -> Trial<'_> {
        Trial { tree, left: evaluations / (1 + tree.nodes.len() as u64 / 64) }
    }

    fn is_met(&self, set: &[usize]) -> bool {
        let mut present = vec![false; self.tree.leaves.len()];
        set.iter().for_each(|party| present[*party] = true);
        self.tree.is_met(&present)
    }

    fn others(&self, set: &[usize]) -> Vec<usize> {
        let mut taken = vec![false; self.tree.leaves.len()];
        set.iter().for_each(|party| taken[*party] = true);
        let mut parties = self.tree.parties();
        parties.retain(|party| !taken[*party]);
        parties
    }

    // Whether a set reaches an aim; `None` when that is too much to find out.
    fn reaches(&mut self, aim: Aim, set: &[usize]) -> Option<bool> {
        match aim {
            Aim::Fork => self.sides(set).map(|sides| sides.is_some()),
            Aim::Suffice | Aim::Stall => {
                self.left = self.left.checked_sub(1)?;
                let silent = aim == Aim::Stall;
                let cosigning = if silent { self.others(set) } else { set.to_vec() };
                Some(self.is_met(&cosigning) != silent)
            }
        }
    }

    // How the other parties are to be divided so that with this set both sides meet the quorum.
    fn sides(&mut self, set: &[usize]) -> Option<Option<[Vec<usize>; 2]>> {
        let honest = self.others(set);
        // The last one is always on the second side: the sides have no names.
        let divisions = 1u64.checked_shl(honest.len().saturating_sub(1).try_into().ok()?)?;
        for division in 0..divisions {
            self.left = self.left.checked_sub(1)?;
            let side = |wanted: bool| -> Vec<usize> {
                let is_first = |at: &usize| *at < 63 && division >> at & 1 == 1;
                let places = (0..honest.len()).filter(|at| is_first(at) == wanted);
                places.map(|at| honest[at]).collect()
            };
            let sides = [side(true), side(false)];
            if sides.iter().all(|side| self.is_met(&[set, side].concat())) {
                return Some(Some(sides));
            }
        }
        Some(None)
    }

    // Some set that reaches an aim, from the tree, with nobody in it who can be left out.
    fn some(&self, aim: Aim) -> Vec<usize> {
        if aim == Aim::Fork {
            return self.some_fork().0;
        }
        let first = sets(self.tree, aim, &costs(self.tree, aim)).into_iter().next();
        let mut set = first.unwrap_or_default();
        set.sort_unstable();
        set.dedup();
        reduced(set, |set, party| {
            let set = without(set, party);
            match aim {
                Aim::Stall => !self.is_met(&self.others(&set)),
                _ => self.is_met(&set),
            }
        })
    }

    // Some set that must cosign both sides, and two sides for all the others.
    fn some_fork(&self) -> (Vec<usize>, [Vec<usize>; 2]) {
        let (mut both, mut sides) = split(self.tree);
        // Who would have to be on both sides with different keys is not honest either.
        both.extend(sides[0].iter().copied().filter(|party| sides[1].contains(party)));
        both.sort_unstable();
        both.dedup();
        sides[0].retain(|party| !both.contains(party));
        sides[0].sort_unstable();
        sides[0].dedup();
        // Whoever is on no side yet goes to the second.
        sides[1] = self.others(&[&both[..], &sides[0]].concat());
        for party in both.clone() {
            let fewer = without(&both, party);
            let honest = (0..2).find(|side| {
                let other = [&fewer[..], &sides[1 - side]].concat();
                let with = [&fewer[..], &sides[*side], &[party]].concat();
                self.is_met(&other) && self.is_met(&with)
            });
            if let Some(side) = honest {
                sides[side].push(party);
                both = fewer;
            }
        }
        (both, sides)
    }
}
