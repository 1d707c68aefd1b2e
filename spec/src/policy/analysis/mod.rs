//! What a policy's quorum amounts to: who suffices, who could fork, who could stall, and what is
//! wrong with it. Of parties, not keys: a witness with two keys is one machine.

mod defect;
mod smallest;
mod tree;

pub use defect::Defect;

use super::Policy;
use smallest::{Aim, Found, halves, smallest};
use std::collections::{BTreeMap, VecDeque};
use tree::{Node, Tree};

/// The most sets that are given as examples.
const EXAMPLES: usize = 8;
/// How many times a quorum is evaluated to find the smallest sets of each kind, where a party counts
/// at several places. Less than a second for 32 witnesses.
const EVALUATIONS: u64 = 1 << 20;

/// Facts about a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Analysis {
    /// The origins of the logs, each once.
    pub logs: Vec<String>,
    /// Who runs the witnesses, in the order of the file.
    pub parties: Vec<Party>,
    /// What the quorum asks for; `None` for `quorum none`.
    pub quorum: Option<QuorumFacts>,
    /// What is wrong or worth knowing; problems first.
    pub defects: Vec<Defect>,
}

/// A witness: all keys of one key name are in one hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Party {
    /// The name of its keys.
    pub name: String,
    /// The names of its lines in the policy.
    pub witnesses: Vec<String>,
    /// Whether the quorum asks for it at all.
    pub counts: bool,
}

/// What it takes to meet a quorum, to split it and to stop it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuorumFacts {
    /// The quorum and the groups below it, the quorum first, in their plainest form: several keys of
    /// one party in an `any` or `all` are that party, and a group of one is its member.
    pub rules: Vec<Rule>,
    /// Sets that meet the quorum: with the log they could show a history to a relying party alone.
    pub quorum: Smallest,
    /// Dishonest sets that, where each honest party cosigns one side only, let the quorum be met on
    /// two sides. The empty set where honest witnesses alone can be set apart.
    pub fork: Smallest,
    /// Sets without which the quorum cannot be met.
    pub stall: Smallest,
}

/// A group: met when `threshold` of its members are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Its name in the policy.
    pub name: String,
    /// How many of its members it needs.
    pub threshold: usize,
    /// What it counts.
    pub members: Vec<Member>,
}

/// A member of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Member {
    /// A party, with the names of the lines by which it counts here.
    Party {
        /// The name of its keys.
        name: String,
        /// Names in the policy.
        witnesses: Vec<String>,
        /// Which of them it takes.
        with: With,
    },
    /// Another group, by its name.
    Group(String),
}

/// With which of its keys a party counts at a place: any, all, or so many of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct With {
    /// How many of `of` it takes.
    pub threshold: usize,
    /// Names of its lines, and of groups that have only such below them.
    pub of: Vec<String>,
}

/// The smallest sets of parties that do something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Smallest {
    /// How many parties such a set has.
    pub size: Size,
    /// Some of them, by the parties' names, 8 at most. Where the size is a bound: one set that does it,
    /// which may be larger, but of which nobody can be left out.
    pub examples: Vec<Vec<String>>,
    /// Whether these are all of this size.
    pub all: bool,
}

/// How many parties the smallest set has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    /// So many: there is no smaller set, and there is one of this size.
    Exactly(usize),
    /// So many or more: to know it better would take too long.
    AtLeast(usize),
}

impl Policy {
    /// What the quorum amounts to. Sizes are exact for any number of witnesses and groups, unless a
    /// party counts at several places of the quorum and there are too many of them to try all sets.
    pub fn analysis(&self) -> Analysis {
        self.analysis_within(EVALUATIONS)
    }

    /// The same with at most so many evaluations of the quorum for each kind of set.
    pub fn analysis_within(&self, evaluations: u64) -> Analysis {
        let mut parties: Vec<Party> = Vec::new();
        let mut numbers: BTreeMap<&str, usize> = BTreeMap::new();
        let mut party_of: Vec<usize> = Vec::new();
        for (name, key) in &self.witnesses {
            let number = *numbers.entry(&key.name).or_insert(parties.len());
            if number == parties.len() {
                let name = key.name.clone();
                parties.push(Party { name, witnesses: Vec::new(), counts: false });
            }
            parties[number].witnesses.push(name.clone());
            party_of.push(number);
        }
        let mut logs: Vec<String> = Vec::new();
        for key in &self.logs {
            if !logs.contains(&key.name) {
                logs.push(key.name.clone());
            }
        }
        let tree = Tree::of(self, &party_of);
        let mut defects = Vec::new();
        let quorum = tree.as_ref().map(|tree| {
            tree.parties().into_iter().for_each(|party| parties[party].counts = true);
            let names = |set: &[usize]| -> Vec<String> {
                set.iter().map(|party| parties[*party].name.clone()).collect()
            };
            let of = |aim| {
                let Found { size, sets, all } = smallest(tree, aim, evaluations);
                Smallest { size, examples: sets.iter().map(|set| names(set)).collect(), all }
            };
            let (quorum, fork, stall) = (of(Aim::Suffice), of(Aim::Fork), of(Aim::Stall));
            if fork.size == Size::Exactly(0)
                && let Some([one, other]) = halves(tree, evaluations)
            {
                defects.push(Defect::Splits { one: names(&one), other: names(&other) });
            }
            QuorumFacts { rules: self.rules(tree, &parties), quorum, fork, stall }
        });
        defects.extend(self.defects(tree.as_ref(), quorum.as_ref(), &parties));
        defects.sort_by_key(|defect| !defect.is_problem());
        Analysis { logs, parties, quorum, defects }
    }

    // The tree in words, from the quorum downwards.
    fn rules(&self, tree: &Tree, parties: &[Party]) -> Vec<Rule> {
        let member = |place: &usize| match &tree.nodes[*place] {
            Node::Group { name, .. } => Member::Group(name.clone()),
            Node::Witness { party, lines, with } => Member::Party {
                name: parties[*party].name.clone(),
                witnesses: lines.iter().map(|line| self.witnesses[*line].0.clone()).collect(),
                with: with.clone(),
            },
        };
        let mut rules: Vec<Rule> = Vec::new();
        let mut places = VecDeque::from([tree.nodes.len().saturating_sub(1)]);
        while let Some(place) = places.pop_front() {
            match &tree.nodes[place] {
                Node::Group { name, threshold, members } => {
                    let (name, threshold) = (name.clone(), *threshold);
                    places.extend(members);
                    let members = members.iter().map(member).collect();
                    rules.push(Rule { name, threshold, members });
                }
                // A quorum of one party has no groups.
                Node::Witness { .. } if rules.is_empty() => {
                    let name = self.quorum().unwrap_or_default().to_owned();
                    rules.push(Rule { name, threshold: 1, members: vec![member(&place)] });
                }
                Node::Witness { .. } => {}
            }
        }
        rules
    }
}

impl Analysis {
    /// Whether nothing is a problem; there may be notes.
    pub fn is_sound(&self) -> bool {
        !self.defects.iter().any(Defect::is_problem)
    }
}
