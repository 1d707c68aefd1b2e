//! How two histories judge older heads: by which of their earlier policies, up to which size.

use super::Change;
use crate::hash::Hash;
use crate::policy::{Earlier, Policy};
use std::collections::{BTreeMap, BTreeSet};

/// What a policy is: its text, and the trust root around it.
type Id = (Hash, Option<Hash>);

fn id(policy: &Policy) -> Id {
    (policy.digest, policy.root().map(|root| root.digest()))
}

fn in_words(policy: &Policy) -> String {
    match policy.root() {
        Some(root) => format!("trust root version {}, {}", root.content().version, root.digest()),
        None => format!("policy {}", policy.digest),
    }
}

/// For each log the sizes up to which it is judged by an earlier policy, rising.
type Until<'a> = BTreeMap<&'a str, Vec<(u64, &'a Policy)>>;

fn until(policy: &Policy) -> Until<'_> {
    let mut all = Until::new();
    for earlier in policy.earlier() {
        for (origin, size) in &earlier.until {
            all.entry(origin).or_default().push((*size, &earlier.policy));
        }
    }
    all
}

// The earlier policy for heads of a size, as `Policy::at` finds it; `None` for the one in force.
fn judge<'a>(of_log: &[(u64, &'a Policy)], size: u64) -> Option<&'a Policy> {
    let place = of_log.partition_point(|(until, _)| *until < size);
    of_log.get(place).map(|(_, policy)| *policy)
}

/// What differs between two histories for heads that are not judged by the policies in force. That the
/// policy in force becomes an earlier one is what a renewal does, and no difference.
pub fn older_heads(old: &Policy, new: &Policy) -> Vec<Change> {
    let mut changes = Vec::new();
    let unknown = |one: &Policy, to: &Policy| -> Vec<String> {
        let known = to.earlier().iter().map(|earlier| &earlier.policy).chain([to]);
        let known: BTreeSet<Id> = known.map(id).collect();
        let unknown = one.earlier().iter().filter(|earlier| !known.contains(&id(&earlier.policy)));
        unknown.map(described).collect()
    };
    let added = unknown(new, old).into_iter();
    changes.extend(added.map(|policy| Change::EarlierPolicy { policy, now: true }));
    let gone = unknown(old, new).into_iter();
    changes.extend(gone.map(|policy| Change::EarlierPolicy { policy, now: false }));
    let (before, after) = (until(old), until(new));
    let logs: BTreeSet<&str> = before.keys().chain(after.keys()).copied().collect();
    for log in logs {
        let before = before.get(log).map(Vec::as_slice).unwrap_or_default();
        let after = after.get(log).map(Vec::as_slice).unwrap_or_default();
        changes.extend(spans(log, (old, before), (new, after)));
    }
    changes
}

// `heads of log.example up to 100: 1 of 3...`, for a policy that the other history does not have.
fn described(earlier: &Earlier) -> String {
    let until = earlier.until.iter().map(|(origin, size)| format!("{origin} up to {size}"));
    let until = until.collect::<Vec<_>>().join(", ");
    let policy = &earlier.policy;
    let parties: BTreeSet<&str> =
        policy.witnesses.iter().map(|(_, key)| key.name.as_str()).collect();
    let quorum = policy.quorum().unwrap_or("none");
    format!("{until}: {}, witnesses {}, quorum {quorum}", in_words(policy), parties.len())
}

// The spans of sizes of a log's heads that the two judge by different policies, one of them an earlier one.
fn spans(
    log: &str,
    (old, before): (&Policy, &[(u64, &Policy)]),
    (new, after): (&Policy, &[(u64, &Policy)]),
) -> Vec<Change> {
    let ends: BTreeSet<u64> =
        before.iter().chain(after).map(|(until, _)| *until).chain([u64::MAX]).collect();
    let mut spans: Vec<(Change, (Id, Id))> = Vec::new();
    let mut next = Some(0);
    for end in ends {
        // After the largest size there is none.
        let Some(first) = next else { break };
        next = end.checked_add(1);
        let (was, is) = (judge(before, end), judge(after, end));
        let ids = (id(was.unwrap_or(old)), id(is.unwrap_or(new)));
        if (was.is_none() && is.is_none()) || ids.0 == ids.1 {
            continue;
        }
        if let Some((Change::OlderHeads { last, from, to, .. }, known)) = spans.last_mut()
            && *known == ids
            && last.checked_add(1) == Some(first)
            && (from.is_some(), to.is_some()) == (was.is_some(), is.is_some())
        {
            *last = end;
            continue;
        }
        let (from, to) = (was.map(in_words), is.map(in_words));
        spans.push((Change::OlderHeads { log: log.into(), first, last: end, from, to }, ids));
    }
    spans.into_iter().map(|(change, _)| change).collect()
}
