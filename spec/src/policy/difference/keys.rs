//! With which of its keys a witness cosigns. Who counts a party sees no difference between any and all of
//! its keys; whoever wants to be safe from one that was forged does.

use super::{kind, shown};
use crate::note::VerifierKey;
use crate::policy::{Analysis, Member, Policy, With};
use std::collections::{BTreeMap, VecDeque};

/// A policy's witness lines and groups by their names, and where its parties count.
pub(super) struct Lines<'a> {
    keys: BTreeMap<&'a str, &'a VerifierKey>,
    groups: BTreeMap<&'a str, (usize, &'a [String])>,
    places: BTreeMap<&'a str, Vec<&'a With>>,
}

impl<'a> Lines<'a> {
    pub(super) fn of(policy: &'a Policy, analysis: &'a Analysis) -> Lines<'a> {
        let mut places: BTreeMap<&str, Vec<&With>> = BTreeMap::new();
        let rules = analysis.quorum.iter().flat_map(|facts| &facts.rules);
        for member in rules.flat_map(|rule| &rule.members) {
            if let Member::Party { name, with, .. } = member {
                places.entry(name).or_default().push(with);
            }
        }
        let keys = policy.witnesses.iter().map(|(name, key)| (name.as_str(), key));
        let groups = policy.groups().map(|(name, threshold, of)| (name, (threshold, of)));
        Lines { keys: keys.collect(), groups: groups.collect(), places }
    }

    /// The parties that count at several places.
    pub(super) fn repeated(&self) -> impl Iterator<Item = &'a str> {
        self.places.iter().filter(|(_, places)| places.len() > 1).map(|(party, _)| *party)
    }

    // The place at which a party counts, where it is one.
    fn only_place(&self, party: &str) -> Option<&'a With> {
        match self.places.get(party).map(Vec::as_slice) {
            Some([only]) => Some(only),
            _ => None,
        }
    }

    /// `any of Ed25519 a..., ML-DSA-44 b...`
    pub(super) fn shown(&self, with: &With) -> String {
        self.phrase(with, &shown)
    }

    // Groups below are named, then said once behind it: nesting has no bound.
    fn phrase(&self, with: &With, word: &dyn Fn(&VerifierKey) -> String) -> String {
        let mut named: VecDeque<&str> = VecDeque::new();
        let mut text = self.rule(with.threshold, &with.of, word, &mut named);
        while let Some(name) = named.pop_front() {
            if let Some((threshold, of)) = self.groups.get(name) {
                let rule = self.rule(*threshold, of, word, &mut named);
                text.push_str(&format!("; group {name}: {rule}"));
            }
        }
        text
    }

    fn rule<'b>(
        &'b self,
        threshold: usize,
        of: &'b [String],
        word: &dyn Fn(&VerifierKey) -> String,
        named: &mut VecDeque<&'b str>,
    ) -> String {
        let mut members: Vec<String> = Vec::new();
        for name in of.iter().map(|name| self.plain(name)) {
            members.push(match self.keys.get(name) {
                Some(key) => word(key),
                None => {
                    named.push_back(name);
                    format!("group {name}")
                }
            });
        }
        // In whichever order they were written.
        members.sort();
        let (all, listed) = (members.len(), members.join(", "));
        match threshold {
            _ if all == 1 => listed,
            1 => format!("any of {listed}"),
            _ if threshold == all => format!("all of {listed}"),
            _ => format!("{threshold} of {listed}"),
        }
    }

    // A group of one is its member.
    fn plain<'b>(&'b self, mut name: &'b str) -> &'b str {
        while let Some((_, [only])) = self.groups.get(name) {
            name = only;
        }
        name
    }
}

/// With which of its keys a party cosigned until now and cosigns from now on, where that differs by more
/// than keys in the place of others of their kind. Of one that counts at several places the rules say it.
pub(super) fn with_others(
    party: &str,
    (old, before): (&Lines<'_>, &[&VerifierKey]),
    (new, after): (&Lines<'_>, &[&VerifierKey]),
) -> Option<(String, String)> {
    let (from, to) = (old.only_place(party)?, new.only_place(party)?);
    let word = |key: &VerifierKey| match before.contains(&key) && after.contains(&key) {
        true => key.encode(),
        false => kind(key).into(),
    };
    let differs = old.phrase(from, &word) != new.phrase(to, &word);
    differs.then(|| (old.shown(from), new.shown(to)))
}
