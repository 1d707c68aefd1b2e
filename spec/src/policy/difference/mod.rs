//! What another policy changes, in words: whoever takes it, or signs it, has read them.

mod change;
mod earlier;
mod keys;
mod words;

pub use change::Change;
pub use earlier::older_heads;

use super::{Analysis, Member, Policy, QuorumFacts, Rule, Smallest, With};
use crate::note::{KeyMaterial, VerifierKey};
use change::Power;
use keys::{Lines, with_others};
use std::collections::{BTreeMap, BTreeSet};

// A policy, with what it amounts to.
#[derive(Clone, Copy)]
struct Side<'a> {
    policy: &'a Policy,
    facts: &'a Analysis,
    lines: &'a Lines<'a>,
}

/// All that differs, in the order in which it is to be read; of histories, the policies in force, and what
/// is left then says [`older_heads`].
pub fn differences(old: &Policy, new: &Policy) -> Vec<Change> {
    let mut changes = Vec::new();
    let (was, is) = (old.analysis(), new.analysis());
    let (before, after) = (Lines::of(old, &was), Lines::of(new, &is));
    let was = Side { policy: old, facts: &was, lines: &before };
    let is = Side { policy: new, facts: &is, lines: &after };
    logs(old, new, &mut changes);
    witnesses(was, is, &mut changes);
    powers(was, is, &mut changes);
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

fn witnesses(old: Side<'_>, new: Side<'_>, changes: &mut Vec<Change>) {
    let before = by_name(old.policy.witnesses.iter().map(|(_, key)| key));
    let after = by_name(new.policy.witnesses.iter().map(|(_, key)| key));
    let (was, is) = (counting(old.facts), counting(new.facts));
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
                } else if let Some((from, to)) =
                    with_others(name, (old.lines, before), (new.lines, after))
                {
                    changes.push(Change::With { witness, from, to });
                }
            }
            (None, None) => {}
        }
    }
    urls(&old.policy.urls, &new.policy.urls, changes);
    if !was.is_empty() && was.is_disjoint(&is) {
        changes.push(Change::Strangers { witnesses: was.len() });
    }
}

// The parties that the quorum asks for.
fn counting(facts: &Analysis) -> BTreeSet<&str> {
    let counting = facts.parties.iter().filter(|party| party.counts);
    counting.map(|party| party.name.as_str()).collect()
}

/// Which of the facts about a quorum.
type Pick = fn(&QuorumFacts) -> &Smallest;

fn powers(old: Side<'_>, new: Side<'_>, changes: &mut Vec<Change>) {
    let (was, is) = (old.facts.quorum.as_ref(), new.facts.quorum.as_ref());
    // Of a party that counts at several places the name alone does not say with which key at which.
    let repeated: BTreeSet<&str> = old.lines.repeated().chain(new.lines.repeated()).collect();
    let (from, to) = (in_words(old, &repeated), in_words(new, &repeated));
    if from != to {
        changes.push(Change::Quorum { from, to });
    }
    let (before, after) = (counting(old.facts).len(), counting(new.facts).len());
    let powers: [(Power, Pick); 3] = [
        (Power::Suffice, |facts| &facts.quorum),
        (Power::Fork, |facts| &facts.fork),
        (Power::Stall, |facts| &facts.stall),
    ];
    for (what, of) in powers {
        let from = was.map(|facts| (of(facts).size, before));
        let to = is.map(|facts| (of(facts).size, after));
        if from != to {
            changes.push(Change::Takes { what, from, to });
        }
    }
}

// Who must cosign, in one phrase; these parties with their keys.
fn in_words(side: Side<'_>, with_keys: &BTreeSet<&str>) -> String {
    let party = |name: &str, with: &With| match with_keys.contains(name) {
        true => format!("{name} (with {})", side.lines.shown(with)),
        false => name.to_owned(),
    };
    let rules = side.facts.quorum.as_ref().map(|facts| facts.rules.as_slice()).unwrap_or_default();
    let Some((first, groups)) = rules.split_first() else { return "nobody".into() };
    // Members of a group that are groups are named, then said once behind it: nesting has no bound.
    let groups =
        groups.iter().map(|rule| format!("; group {}: {}", rule.name, phrase(rule, &party)));
    phrase(first, &party) + &groups.collect::<String>()
}

fn phrase(rule: &Rule, party: &dyn Fn(&str, &With) -> String) -> String {
    let members = rule.members.iter().map(|member| match member {
        Member::Party { name, with, .. } => party(name, with),
        Member::Group(name) => format!("group {name}"),
    });
    let members = members.collect::<Vec<_>>().join(", ");
    match (rule.threshold, rule.members.len()) {
        (_, 1) => members,
        (threshold, all) => format!("{threshold} of {all}, {members}"),
    }
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
