//! Changes in words: a sentence each.

use super::change::{Change, Power};
use crate::policy::{Size, Utc};
use std::fmt;

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
            Change::With { witness, from, to } => {
                write!(f, "The witness {witness} cosigns with {to}; until now with {from}.")
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
            Change::EarlierPolicy { policy, now: true } => {
                write!(f, "Attention: there is a new policy for older heads, of {policy}.")
            }
            Change::EarlierPolicy { policy, now: false } => {
                write!(f, "A policy for older heads is gone, of {policy}.")
            }
            Change::OlderHeads { log, first, last, from, to } => {
                let heads = match last {
                    &u64::MAX => format!("eads of {log} of size {first} and more are judged by"),
                    last => format!("eads of {log} of size {first} to {last} are judged by"),
                };
                let (from, to) = (Judge(from), Judge(to));
                // By others than are named as the ones in force, whom everybody looks at.
                match to {
                    Judge(Some(_)) => write!(f, "Attention: h{heads} {to}, until now by {from}."),
                    Judge(None) => write!(f, "H{heads} {to}, until now by {from}."),
                }
            }
        }
    }
}

struct Judge<'a>(&'a Option<String>);

impl fmt::Display for Judge<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(earlier) => write!(f, "an earlier policy ({earlier})"),
            None => f.write_str("the policy in force"),
        }
    }
}
