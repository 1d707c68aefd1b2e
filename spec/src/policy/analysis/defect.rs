//! What is wrong with a policy, or worth knowing about it.

use super::tree::{Node, Tree};
use super::{Party, QuorumFacts, Size};
use crate::note::{KeyMaterial, VerifierKey};
use crate::policy::Policy;
use std::collections::BTreeSet;

/// Something that a policy's author should know.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Defect {
    /// `quorum none`: a problem.
    #[error(
        "the quorum is none: the log alone is believed, and can show everybody another history; name a group of witnesses"
    )]
    QuorumNone,
    /// The honest witnesses alone can be set apart: a problem.
    #[error(
        "two histories need no dishonest witness: {} can cosign the one, {} the other; the quorum must be so large that any two have a witness in common",
        one.join(", "),
        other.join(", ")
    )]
    Splits {
        /// Who meets the quorum on one side.
        one: Vec<String>,
        /// And on the other.
        other: Vec<String>,
    },
    /// A threshold counts a party more than once: a problem.
    #[error(
        "{party} counts more than once in {group}, which needs {threshold} of {members}: one machine is there as several witnesses; put its keys into a group of its own, `any` or `all`, and let that count once"
    )]
    CountsTwice {
        /// The name of its keys.
        party: String,
        /// The group below which it stands more than once.
        group: String,
        /// How many the group needs.
        threshold: usize,
        /// Of how many.
        members: usize,
    },
    /// It counts at several places, but only in groups that need one or all of their members.
    #[error(
        "{party} counts at several places below {group}, which needs {} of its members: it does not count twice, but the quorum is harder to read",
        if *all { "all" } else { "any" }
    )]
    SeveralPlaces {
        /// The name of its keys.
        party: String,
        /// The group below which they come together.
        group: String,
        /// Whether that group needs all of its members, or any.
        all: bool,
    },
    /// One witness can meet the quorum.
    #[error(
        "one party alone decides: {}, with the log, can show a history to a relying party alone",
        parties.join(" or ")
    )]
    OneDecides {
        /// Each of those who can.
        parties: Vec<String>,
    },
    /// A witness that is in no group, nor the quorum.
    #[error("the witness {witness} does not count: no group has it, and it is not the quorum")]
    WitnessUnused {
        /// Its name in the policy.
        witness: String,
    },
    /// A group that is in no other, nor the quorum.
    #[error(
        "the group {group} leads nowhere: no other group has it, and it is not the quorum; its witnesses do not count by it"
    )]
    GroupUnused {
        /// Its name in the policy.
        group: String,
    },
    /// No log line.
    #[error("no log is named: nothing is accepted, except where a log is known otherwise")]
    NoLog,
    /// A log without ML-DSA.
    #[error(
        "{log} has only an Ed25519 key: whoever can forge Ed25519, one day with a quantum computer, can sign heads in its name"
    )]
    LogOnlyEd25519 {
        /// Its origin.
        log: String,
    },
    /// A log without the key that signs receipts.
    #[error(
        "{log} has no Ed25519 key of type 0x01: its receipts, and so proofs of its entries, cannot be verified"
    )]
    LogWithoutReceiptKey {
        /// Its origin.
        log: String,
    },
    /// Witnesses that count without ML-DSA.
    #[error(
        "no ML-DSA-44 key of {}: whoever can forge Ed25519, one day with a quantum computer, can cosign in their name",
        parties.join(", ")
    )]
    WitnessesOnlyEd25519 {
        /// The names of their keys.
        parties: Vec<String>,
    },
}

impl Defect {
    /// Whether nobody should use such a policy; the others are notes.
    pub fn is_problem(&self) -> bool {
        matches!(self, Defect::QuorumNone | Defect::Splits { .. } | Defect::CountsTwice { .. })
    }
}

impl Policy {
    /// All but the split, which is a matter of sets.
    pub(super) fn defects(
        &self,
        tree: Option<&Tree>,
        quorum: Option<&QuorumFacts>,
        parties: &[Party],
    ) -> Vec<Defect> {
        let mut defects = Vec::new();
        match tree {
            None => defects.push(Defect::QuorumNone),
            Some(tree) => {
                let repeated = tree.repeated();
                defects.extend(repeated.iter().filter_map(|repeat| {
                    let Node::Group { name, threshold, members } = &tree.nodes[repeat.group] else {
                        return None;
                    };
                    let (party, group) = (parties[repeat.party].name.clone(), name.clone());
                    let (threshold, members) = (*threshold, members.len());
                    // All of some, or any of some, is the same however often one of them is named.
                    Some(match threshold == 1 || threshold == members {
                        true => Defect::SeveralPlaces { party, group, all: threshold == members },
                        false => Defect::CountsTwice { party, group, threshold, members },
                    })
                }));
            }
        }
        if let (Some(tree), Some(facts)) = (tree, quorum)
            && facts.quorum.size == Size::Exactly(1)
        {
            let decides = |party: &usize| {
                let alone: Vec<bool> = (0..parties.len()).map(|other| other == *party).collect();
                tree.is_met(&alone)
            };
            let deciding = tree.parties().into_iter().filter(decides);
            let parties = deciding.map(|party| parties[party].name.clone()).collect();
            defects.push(Defect::OneDecides { parties });
        }
        // With `quorum none` nobody counts: that is said once.
        if let Some(quorum) = self.quorum() {
            let members: BTreeSet<&str> =
                self.groups().flat_map(|(_, _, members)| members).map(String::as_str).collect();
            let unused = |name: &&str| *name != quorum && !members.contains(name);
            let witnesses = self.witnesses.iter().map(|(name, _)| name.as_str()).filter(unused);
            defects.extend(witnesses.map(|name| Defect::WitnessUnused { witness: name.into() }));
            let groups = self.groups().map(|(name, _, _)| name).filter(unused);
            defects.extend(groups.map(|name| Defect::GroupUnused { group: name.into() }));
        }
        defects.extend(self.key_defects(parties));
        defects
    }

    fn key_defects(&self, parties: &[Party]) -> Vec<Defect> {
        let mut defects = Vec::new();
        if self.logs.is_empty() {
            defects.push(Defect::NoLog);
        }
        let mut seen: BTreeSet<&str> = BTreeSet::new();
        let is_mldsa = |key: &VerifierKey| matches!(key.material, KeyMaterial::MlDsa44Cosigner(_));
        let with_mldsa: BTreeSet<&str> =
            self.logs.iter().filter(|key| is_mldsa(key)).map(|key| key.name.as_str()).collect();
        let with_receipts: BTreeSet<&str> = self
            .logs
            .iter()
            .filter(|key| key.ed25519().is_some())
            .map(|key| key.name.as_str())
            .collect();
        for key in &self.logs {
            let log = key.name.as_str();
            if !seen.insert(log) {
                continue;
            }
            if !with_mldsa.contains(log) {
                defects.push(Defect::LogOnlyEd25519 { log: log.into() });
            }
            if !with_receipts.contains(log) {
                defects.push(Defect::LogWithoutReceiptKey { log: log.into() });
            }
        }
        let witnesses: BTreeSet<&str> = self
            .witnesses
            .iter()
            .filter(|(_, key)| is_mldsa(key))
            .map(|(_, key)| key.name.as_str())
            .collect();
        let without = parties.iter().filter(|party| party.counts);
        let without = without.filter(|party| !witnesses.contains(party.name.as_str()));
        let parties: Vec<String> = without.map(|party| party.name.clone()).collect();
        if !parties.is_empty() {
            defects.push(Defect::WitnessesOnlyEd25519 { parties });
        }
        defects
    }
}
