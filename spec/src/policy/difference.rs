//! What another policy changes, in words: whoever takes it, or signs it, has read them.

use super::{Member, Policy, QuorumFacts, Rule, Size, Smallest, Utc, Window};
use crate::note::{KeyMaterial, VerifierKey};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// Something that differs between two policies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A log that is believed from now on.
    LogAdded {
        /// Its origin.
        log: String,
        /// Its keys.
        keys: Vec<String>,
    },
    /// A log that is believed no longer.
    LogRemoved {
        /// Its origin.
        log: String,
    },
    /// A log has other keys.
    LogKeys {
        /// Its origin.
        log: String,
        /// New ones.
        added: Vec<String>,
        /// Those that are gone.
        removed: Vec<String>,
    },
    /// A log or a witness is to be asked elsewhere.
    Url {
        /// The log's origin or the witness's line.
        who: String,
        /// Where it was asked.
        from: Option<String>,
        /// Where it is asked.
        to: Option<String>,
    },
    /// A party that may cosign from now on.
    WitnessAdded {
        /// The name of its keys.
        witness: String,
        /// Its keys.
        keys: Vec<String>,
    },
    /// One that is gone.
    WitnessRemoved {
        /// The name of its keys.
        witness: String,
    },
    /// A party has other keys.
    WitnessKeys {
        /// Its name.
        witness: String,
        /// New ones.
        added: Vec<String>,
        /// Those that are gone.
        removed: Vec<String>,
    },
    /// A party that is in both, and counts for the quorum in one only.
    Counts {
        /// Its name.
        witness: String,
        /// Whether it counts from now on.
        now: bool,
    },
    /// Who must cosign.
    Quorum {
        /// Until now.
        from: String,
        /// From now on.
        to: String,
    },
    /// How many witnesses it takes for something.
    Takes {
        /// What.
        what: Power,
        /// How many it took, of how many.
        from: Option<(Size, usize)>,
        /// How many it takes, of how many.
        to: Option<(Size, usize)>,
    },
    /// Nobody who counted until now counts any longer.
    Strangers {
        /// How many counted.
        witnesses: usize,
    },
    /// Somebody may renew the policy from now on.
    PolicyKeyAdded {
        /// The key.
        key: String,
    },
    /// Somebody may no longer.
    PolicyKeyRemoved {
        /// The key.
        key: String,
    },
    /// How many policy keys renew the policy, of how many.
    Threshold {
        /// Until now; `None` where it had no trust root.
        from: Option<(usize, usize)>,
        /// From now on.
        to: Option<(usize, usize)>,
    },
    /// For which time it is meant.
    Validity {
        /// Until now; `None` where it had no trust root.
        from: Option<Window>,
        /// From now on.
        to: Option<Window>,
    },
    /// A time between the two for which none is meant.
    Uncovered {
        /// When the old one expires.
        from: u64,
        /// When the new one begins.
        to: u64,
    },
}

/// What witnesses can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Power {
    /// With the log, show a history to a relying party alone.
    Suffice,
    /// Help the log to show two histories.
    Fork,
    /// Stop everything by silence.
    Stall,
}

impl Change {
    /// Its name for programs.
    pub fn name(&self) -> &'static str {
        match self {
            Change::LogAdded { .. } => "log added",
            Change::LogRemoved { .. } => "log removed",
            Change::LogKeys { .. } => "log keys",
            Change::Url { .. } => "url",
            Change::WitnessAdded { .. } => "witness added",
            Change::WitnessRemoved { .. } => "witness removed",
            Change::WitnessKeys { .. } => "witness keys",
            Change::Counts { .. } => "witness counts",
            Change::Quorum { .. } => "quorum",
            Change::Takes { what: Power::Suffice, .. } => "takes to suffice",
            Change::Takes { what: Power::Fork, .. } => "takes to fork",
            Change::Takes { what: Power::Stall, .. } => "takes to stall",
            Change::Strangers { .. } => "strangers",
            Change::PolicyKeyAdded { .. } => "policy key added",
            Change::PolicyKeyRemoved { .. } => "policy key removed",
            Change::Threshold { .. } => "threshold",
            Change::Validity { .. } => "validity",
            Change::Uncovered { .. } => "uncovered",
        }
    }
}

/// All that differs, in the order in which it is to be read; of histories, the policies in force.
pub fn differences(old: &Policy, new: &Policy) -> Vec<Change> {
    let mut changes = Vec::new();
    logs(old, new, &mut changes);
    witnesses(old, new, &mut changes);
    powers(old, new, &mut changes);
    roots(old, new, &mut changes);
    changes
}

// A key as people compare it: its kind and its id.
fn shown(key: &VerifierKey) -> String {
    let kind = match key.material {
        KeyMaterial::Ed25519(_) | KeyMaterial::Ed25519Cosigner(_) => "Ed25519",
        KeyMaterial::MlDsa44Cosigner(_) => "ML-DSA-44",
    };
    format!("{kind} {:08x}", key.id())
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

fn roots(old: &Policy, new: &Policy, changes: &mut Vec<Change>) {
    let keys = |policy: &Policy| -> Vec<String> {
        let content = policy.root().map(|root| root.content());
        let named = |key: &VerifierKey| format!("{} ({})", key.name, shown(key));
        content.map_or(Vec::new(), |content| content.keys.iter().map(named).collect())
    };
    let (before, after) = (keys(old), keys(new));
    let new_ones = after.iter().filter(|key| !before.contains(key));
    changes.extend(new_ones.map(|key| Change::PolicyKeyAdded { key: key.clone() }));
    let gone = before.iter().filter(|key| !after.contains(key));
    changes.extend(gone.map(|key| Change::PolicyKeyRemoved { key: key.clone() }));
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

// `added: a, b; removed: c`
struct Keys<'a>(&'a [String], &'a [String]);

impl fmt::Display for Keys<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Keys(added, removed) = self;
        let part = |what: &str, keys: &[String]| {
            (!keys.is_empty()).then(|| format!("{what} {}", keys.join(", ")))
        };
        let parts = [part("added", added), part("removed", removed)];
        f.write_str(&parts.into_iter().flatten().collect::<Vec<_>>().join("; "))
    }
}

struct Of<'a>(&'a Option<(Size, usize)>);

impl fmt::Display for Of<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            None => f.write_str("none"),
            Some((Size::Exactly(size), all)) => write!(f, "{size} of {all}"),
            Some((Size::AtLeast(size), all)) => write!(f, "{size} or more of {all}"),
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Change::LogAdded { log, keys } => {
                write!(f, "The log {log} is believed from now on, by the keys {}.", keys.join(", "))
            }
            Change::LogRemoved { log } => {
                write!(f, "The log {log} is no longer believed: its new heads prove nothing.")
            }
            Change::LogKeys { log, added, removed } => {
                write!(f, "The log {log} signs with other keys: {}.", Keys(added, removed))
            }
            Change::Url { who, from, to } => match (from, to) {
                (None, Some(to)) => write!(f, "{who} is at {to}."),
                (Some(from), None) => {
                    write!(f, "{who} is no longer at {from}; no other URL is named.")
                }
                (Some(from), Some(to)) => write!(f, "{who} is at {to}, until now at {from}."),
                (None, None) => Ok(()),
            },
            Change::WitnessAdded { witness, keys } => {
                write!(f, "The witness {witness} is new, with the keys {}.", keys.join(", "))
            }
            Change::WitnessRemoved { witness } => {
                write!(f, "The witness {witness} is gone: it vouches for no new head.")
            }
            Change::WitnessKeys { witness, added, removed } => {
                write!(
                    f,
                    "The witness {witness} cosigns with other keys: {}.",
                    Keys(added, removed)
                )
            }
            Change::Counts { witness, now: true } => {
                write!(f, "The witness {witness} counts for the quorum from now on.")
            }
            Change::Counts { witness, now: false } => {
                write!(f, "The witness {witness} no longer counts for the quorum.")
            }
            Change::Quorum { from, to } => {
                write!(f, "Who must cosign: {to}. Until now: {from}.")
            }
            Change::Takes { what: Power::Suffice, from, to } => write!(
                f,
                "Witnesses that it takes, with the log, to show a history to you alone: {}, until now {}.",
                Of(to),
                Of(from)
            ),
            Change::Takes { what: Power::Fork, from, to } => write!(
                f,
                "Dishonest witnesses that it takes to show two histories: {}, until now {}.",
                Of(to),
                Of(from)
            ),
            Change::Takes { what: Power::Stall, from, to } => write!(
                f,
                "Silent witnesses that it takes for nothing new to be accepted: {}, until now {}.",
                Of(to),
                Of(from)
            ),
            Change::Strangers { witnesses } => write!(
                f,
                "Attention: of the {witnesses} witnesses that counted until now none counts any longer; you would believe only others."
            ),
            Change::PolicyKeyAdded { key } => {
                write!(f, "{key} may sign renewals of the policy from now on.")
            }
            Change::PolicyKeyRemoved { key } => {
                write!(f, "{key} may no longer sign renewals of the policy.")
            }
            Change::Threshold { from, to } => match (from, to) {
                (None, Some((to, keys))) => {
                    write!(
                        f,
                        "A renewal takes {to} of {keys} policy keys; until now nobody could sign one."
                    )
                }
                (Some((from, before)), Some((to, keys))) => write!(
                    f,
                    "A renewal takes {to} of {keys} policy keys, until now {from} of {before}."
                ),
                _ => f.write_str("Nobody can sign a renewal any longer."),
            },
            Change::Validity { from, to } => match (from, to) {
                (_, Some(to)) => {
                    write!(f, "It is meant for {} to {}", Utc(to.not_before), Utc(to.expires))?;
                    match from {
                        None => f.write_str("; until now for all times."),
                        Some(from) => write!(
                            f,
                            ", until now for {} to {}.",
                            Utc(from.not_before),
                            Utc(from.expires)
                        ),
                    }
                }
                _ => f.write_str("It is meant for all times."),
            },
            Change::Uncovered { from, to } => write!(
                f,
                "Attention: no policy is meant for the time from {} to {}.",
                Utc(*from),
                Utc(*to)
            ),
        }
    }
}
