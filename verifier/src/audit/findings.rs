//! The findings of an audit, sorted, each once, and bounded.

use coldlog_spec::audit::MAX_FINDINGS;
use coldlog_spec::hash::Hash;
use coldlog_spec::verify::audit::{Finding, Kind, Severity};
use std::collections::{BTreeMap, BTreeSet};

/// What was found so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Findings {
    list: BTreeSet<Finding>,
    more: BTreeMap<Kind, u64>,
}

impl Findings {
    /// Those of an audit that is gone on with.
    pub fn from_parts(list: Vec<Finding>, more: Vec<(Kind, u64)>) -> Findings {
        Findings { list: list.into_iter().collect(), more: more.into_iter().collect() }
    }

    /// One more. Beyond a bound they are counted only.
    pub fn add(&mut self, finding: Finding) {
        if self.list.len() < MAX_FINDINGS {
            self.list.insert(finding);
        } else if !self.list.contains(&finding) {
            *self.more.entry(finding.kind).or_default() += 1;
        }
    }

    /// Several more.
    pub fn extend(&mut self, findings: impl IntoIterator<Item = Finding>) {
        findings.into_iter().for_each(|finding| self.add(finding));
    }

    /// Names the evidence of a number that was used twice.
    pub(super) fn convict(&mut self, index: u64, evidence: Hash) {
        let at = |one: &&Finding| one.kind == Kind::NumberRepeated && one.index == Some(index);
        if let Some(finding) = self.list.iter().find(at).cloned() {
            self.list.remove(&finding);
            self.list.insert(Finding { evidence: Some(evidence), ..finding });
        }
    }

    /// Joins those of another part.
    pub fn join(&mut self, other: Findings) {
        self.extend(other.list);
        for (kind, count) in other.more {
            *self.more.entry(kind).or_default() += count;
        }
    }

    /// All that are listed, by their place.
    pub fn list(&self) -> impl Iterator<Item = &Finding> {
        self.list.iter()
    }

    /// How many more there were of each kind.
    pub fn more(&self) -> impl Iterator<Item = (Kind, u64)> {
        self.more.iter().map(|(kind, count)| (*kind, *count))
    }

    /// How many there are of each severity, the worst first.
    pub fn by_severity(&self) -> Vec<(Severity, u64)> {
        let mut counts: BTreeMap<Severity, u64> = BTreeMap::new();
        for finding in &self.list {
            *counts.entry(finding.kind.severity()).or_default() += 1;
        }
        for (kind, count) in &self.more {
            *counts.entry(kind.severity()).or_default() += count;
        }
        counts.into_iter().rev().collect()
    }

    /// The worst.
    pub fn worst(&self) -> Option<Severity> {
        self.by_severity().first().map(|(severity, _)| *severity)
    }
}
