//! What another policy changes, in words: whoever takes it, or signs it, has read them.

mod change;
mod words;

pub use change::Change;

use super::{Member, Policy, QuorumFacts, Rule, Smallest};
use crate::note::{KeyMaterial, VerifierKey};
use change::Power;
use std::collections::{BTreeMap, BTreeSet};

/// All that differs, in the order in which it is to be read; of histories, the policies in force.
pub fn differences(old: &Policy, new: &Policy) -> Vec<Change> {
    let mut changes = Vec::new();
    logs(old, new, &mut changes);
    witnesses(old, new, &mut changes);
    powers(old, new, &mut changes);
    roots(old, new, &mut changes);
    changes
}

fn kind(key: &VerifierKey) -> &'static str {
    match key.material {
        KeyMaterial::Ed25519(_) | KeyMaterial::Ed25519Cosigner(_) => "Ed25519",
        KeyMaterial::MlDsa44Cosigner(_) => "ML-DSA-44",
    }
}

// A key as people compare it.
fn shown(key: &VerifierKey) -> String {
    format!("{} {}", kind(key), key.fingerprint())
}

// The keys of each name, in the order of the names.
fn by_name<'a>(
    keys: impl Iterator<Item = &'a VerifierKey>,
) -> BTreeMap<&'a str, Vec<&'a VerifierKey>> {
    let mut all: BTreeMap<&str, Vec<&VerifierKey>> = BTreeMap::new();
    for key in keys {
        all.entry(&key.name).or_default().push(key);
    }
    all
}

// What only the one has, of two sets of keys.
fn only(one: &[&VerifierKey], other: &[&VerifierKey]) -> Vec<String> {
    one.iter().filter(|key| !other.contains(key)).map(|key| shown(key)).collect()
}

fn logs(old: &Policy, new: &Policy, changes: &mut Vec<Change>) {
    let (before, after) = (by_name(old.logs.iter()), by_name(new.logs.iter()));
    let all: BTreeSet<&str> = before.keys().chain(after.keys()).copied().collect();
    for name in all {
        let log = name.to_owned();
        changes.extend(match (before.get(name), after.get(name)) {
            (None, Some(keys)) => Some(Change::LogAdded { log, keys: only(keys, &[]) }),
            (Some(_), None) => Some(Change::LogRemoved { log }),
            (Some(before), Some(after)) => {
                let (added, removed) = (only(after, before), only(before, after));
                let same = added.is_empty() && removed.is_empty();
                (!same).then_some(Change::LogKeys { log, added, removed })
            }
            (None, None) => None,
        });
    }
    urls(&old.log_urls, &new.log_urls, changes);
}

fn urls(old: &[(String, String)], new: &[(String, String)], changes: &mut Vec<Change>) {
    let of = |all: &[(String, String)], who: &str| -> Option<String> {
        let urls: BTreeSet<&str> =
            all.iter().filter(|(name, _)| name == who).map(|(_, url)| url.as_str()).collect();
        (!urls.is_empty()).then(|| urls.into_iter().collect::<Vec<_>>().join(", "))
    };
    let names: BTreeSet<&str> = old.iter().chain(new).map(|(name, _)| name.as_str()).collect();
    for who in names {
        let (from, to) = (of(old, who), of(new, who));
        if from != to {
            changes.push(Change::Url { who: who.into(), from, to });
        }
    }
}

fn witnesses(old: &Policy, new: &Policy, changes: &mut Vec<Change>) {
    let keys = |policy: &'_ Policy| -> Vec<VerifierKey> {
        policy.witnesses.iter().map(|(_, key)| key.clone()).collect()
    };
    let (old_keys, new_keys) = (keys(old), keys(new));
    let (before, after) = (by_name(old_keys.iter()), by_name(new_keys.iter()));
    let (was, is) = (counting(old), counting(new));
    let all: BTreeSet<&str> = before.keys().chain(after.keys()).copied().collect();
    for name in all {
        let witness = name.to_owned();
        match (before.get(name), after.get(name)) {
            (None, Some(keys)) => {
                changes.push(Change::WitnessAdded { witness, keys: only(keys, &[]) });
            }
            (Some(_), None) => changes.push(Change::WitnessRemoved { witness }),
            (Some(before), Some(after)) => {
                let (added, removed) = (only(after, before), only(before, after));
                if !(added.is_empty() && removed.is_empty()) {
                    let witness = witness.clone();
                    changes.push(Change::WitnessKeys { witness, added, removed });
                }
                let now = is.contains(name);
                if was.contains(name) != now {
                    changes.push(Change::Counts { witness, now });
                }
            }
            (None, None) => {}
        }
    }
    urls(&old.urls, &new.urls, changes);
    if !was.is_empty() && was.is_disjoint(&is) {
        changes.push(Change::Strangers { witnesses: was.len() });
    }
}

// The parties that the quorum asks for.
fn counting(policy: &Policy) -> BTreeSet<String> {
    let parties = policy.analysis().parties.into_iter();
    parties.filter(|party| party.counts).map(|party| party.name).collect()
}

/// Which of the facts about a quorum.
type Pick = fn(&QuorumFacts) -> &Smallest;

fn powers(old: &Policy, new: &Policy, changes: &mut Vec<Change>) {
    let (was, is) = (old.analysis().quorum, new.analysis().quorum);
    let (from, to) = (in_words(was.as_ref()), in_words(is.as_ref()));
    if from != to {
        changes.push(Change::Quorum { from, to });
    }
    let (before, after) = (counting(old).len(), counting(new).len());
    let powers: [(Power, Pick); 3] = [
        (Power::Suffice, |facts| &facts.quorum),
        (Power::Fork, |facts| &facts.fork),
        (Power::Stall, |facts| &facts.stall),
    ];
    for (what, of) in powers {
        let from = was.as_ref().map(|facts| (of(facts).size, before));
        let to = is.as_ref().map(|facts| (of(facts).size, after));
        if from != to {
            changes.push(Change::Takes { what, from, to });
        }
    }
}

// Who must cosign, in one phrase.
fn in_words(facts: Option<&QuorumFacts>) -> String {
    match facts.and_then(|facts| facts.rules.first().map(|first| (first, &facts.rules))) {
        None => "nobody".into(),
        Some((first, rules)) => phrase(first, rules),
    }
}

fn phrase(rule: &Rule, rules: &[Rule]) -> String {
    // Members of a group that are groups are named, then said once behind it: nesting has no bound.
    let members = rule.members.iter().map(|member| match member {
        Member::Party { name, .. } => name.clone(),
        Member::Group(name) => format!("group {name}"),
    });
    let members = members.collect::<Vec<_>>().join(", ");
    let of = match (rule.threshold, rule.members.len()) {
        (_, 1) => members,
        (threshold, all) => format!("{threshold} of {all}, {members}"),
    };
    let is_quorum = rules.first().is_some_and(|first| first == rule);
    if !is_quorum {
        return of;
    }
    let groups =
        rules.iter().skip(1).map(|rule| format!("; group {}: {}", rule.name, phrase(rule, rules)));
    of + &groups.collect::<String>()
}

fn policy_keys(policy: &Policy) -> &[VerifierKey] {
    policy.root().map(|root| root.content().keys.as_slice()).unwrap_or_default()
}

fn roots(old: &Policy, new: &Policy, changes: &mut Vec<Change>) {
    let (before, after) = (policy_keys(old), policy_keys(new));
    // The keys themselves: two of one name and one id are not the same.
    let named = |key: &VerifierKey| format!("{} ({})", key.name, shown(key));
    let new_ones = after.iter().filter(|key| !before.contains(key));
    changes.extend(new_ones.map(|key| Change::PolicyKeyAdded { key: named(key) }));
    let gone = before.iter().filter(|key| !after.contains(key));
    changes.extend(gone.map(|key| Change::PolicyKeyRemoved { key: named(key) }));
    let threshold = |policy: &Policy| {
        policy.root().map(|root| (root.content().threshold, root.content().keys.len()))
    };
    let (from, to) = (threshold(old), threshold(new));
    if from != to {
        changes.push(Change::Threshold { from, to });
    }
    let (from, to) = (old.window(), new.window());
    if from != to {
        changes.push(Change::Validity { from, to });
    }
    if let (Some(from), Some(to)) = (from, to)
        && from.expires < to.not_before
    {
        changes.push(Change::Uncovered { from: from.expires, to: to.not_before });
    }
}
