//! Evaluation: whether a head is the log's, and whether a quorum of witnesses vouches for it.

use super::{Group, Policy, Validity};
use crate::checkpoint::{Checkpoint, SignedCheckpoint};
use crate::hash::Hash;
use crate::note::{NoteError, VerifierKey};
use std::collections::BTreeSet;

/// A witness that vouched for a head, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WitnessTime {
    /// Its name in the policy.
    pub name: String,
    /// POSIX seconds, by its own clock.
    pub time: u64,
}

/// A head that a log of the policy signed and a quorum of its witnesses cosigned. Made only by
/// [`Policy::verify_head`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CosignedCheckpoint {
    checkpoint: Checkpoint,
    witnesses: Vec<WitnessTime>,
    not_before: Option<u64>,
    not_after: Option<u64>,
    under: Under,
}

/// By which policy a head was judged, and how far it went beyond what was demanded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Under {
    /// SHA-256 of the policy.
    pub policy: Hash,
    /// Where it is an earlier one: up to which size of the log it is for.
    pub until: Option<u64>,
    /// How many witnesses cosigned; several keys of one name are one.
    pub witnessed: usize,
    /// How many the policy names.
    pub of: usize,
    /// The quorum, and how many of how many members it needs; `None` for `quorum none`.
    pub quorum: Option<(String, usize, usize)>,
    /// Whether a quorum had cosigned within the time for which the policy is meant.
    pub validity: Validity,
}

impl CosignedCheckpoint {
    /// What the head says.
    pub fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }
    /// By which policy.
    pub fn under(&self) -> &Under {
        &self.under
    }
    /// The witnesses that vouch for it, by name.
    pub fn witnesses(&self) -> &[WitnessTime] {
        &self.witnesses
    }
    /// The latest time that a whole quorum says has passed when the last of it cosigned: whoever
    /// knows this note knows it no earlier. `None` without witnesses.
    pub fn not_before(&self) -> Option<u64> {
        self.not_before
    }
    /// The earliest time at which a whole quorum had cosigned: all that the head covers existed by
    /// then. `None` without witnesses.
    pub fn not_after(&self) -> Option<u64> {
        self.not_after
    }
}

/// Why a head is not to be trusted under a policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HeadError {
    /// The log is not in the policy.
    #[error("the policy names no log {origin:?}; it names {known}")]
    UnknownLog {
        /// The origin of the head.
        origin: String,
        /// The logs of the policy.
        known: String,
    },
    /// A signature is bad, or none is the log's.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// Too few witnesses.
    #[error(
        "the quorum {quorum:?} is not met: {found} cosigned the head of size {size}; ask more witnesses to cosign it"
    )]
    Quorum {
        /// The policy's quorum.
        quorum: String,
        /// The witnesses that did.
        found: String,
        /// The head's size.
        size: u64,
    },
}

impl Policy {
    /// Whether the quorum is met when exactly these witnesses have cosigned, by their names in the
    /// policy. `quorum none` always is.
    pub fn is_met_by(&self, witnesses: &BTreeSet<&str>) -> bool {
        // A group's name among them says nothing: only witnesses cosign.
        let own = self.witnesses.iter().map(|(name, _)| name.as_str());
        let present = own.filter(|name| witnesses.contains(name)).collect();
        self.quorum.as_deref().is_none_or(|quorum| self.met(quorum, &present))
    }

    fn met(&self, name: &str, present: &BTreeSet<&str>) -> bool {
        let mut met = present.clone();
        for (group, Group { threshold, members }) in &self.groups {
            if members.iter().filter(|member| met.contains(member.as_str())).count() >= *threshold {
                met.insert(group);
            }
        }
        met.contains(name)
    }

    /// The log's own signature only: what a witness or a log's operator needs.
    pub fn verify_log(&self, head: &SignedCheckpoint) -> Result<(), HeadError> {
        self.at(&head.checkpoint).verify_log_now(head)
    }

    fn verify_log_now(&self, head: &SignedCheckpoint) -> Result<(), HeadError> {
        let keys: Vec<&VerifierKey> =
            self.logs.iter().filter(|key| key.name == head.checkpoint.origin).collect();
        if keys.is_empty() {
            let known: Vec<&str> = self.logs.iter().map(|key| key.name.as_str()).collect();
            let origin = head.checkpoint.origin.clone();
            let known = if known.is_empty() { "none".into() } else { known.join(", ") };
            return Err(HeadError::UnknownLog { origin, known });
        }
        if head.verified_by(&keys)?.is_empty() {
            return Err(NoteError::NoKnownSignature { found: head.signer_names() }.into());
        }
        Ok(())
    }

    /// The witnesses of the policy that cosigned a head, with the time of each of their lines, in
    /// order of time: one that cosigned twice is there twice.
    pub fn witness_times(&self, head: &SignedCheckpoint) -> Result<Vec<WitnessTime>, HeadError> {
        self.at(&head.checkpoint).witness_times_now(head)
    }

    fn witness_times_now(&self, head: &SignedCheckpoint) -> Result<Vec<WitnessTime>, HeadError> {
        let keys: Vec<&VerifierKey> = self.witnesses.iter().map(|(_, key)| key).collect();
        let mut times: Vec<WitnessTime> = Vec::new();
        for vouched in head.verified_by(&keys)? {
            let name = self.witnesses[vouched.key].0.clone();
            times.push(WitnessTime { name, time: vouched.time });
        }
        times.sort_by_key(|witness| witness.time);
        Ok(times)
    }

    /// The log's signature and the quorum of witnesses, by the policy of the head's time.
    pub fn verify_head(&self, head: &SignedCheckpoint) -> Result<CosignedCheckpoint, HeadError> {
        self.at(&head.checkpoint).verify_head_now(head, self.until(&head.checkpoint))
    }

    fn verify_head_now(
        &self,
        head: &SignedCheckpoint,
        until: Option<u64>,
    ) -> Result<CosignedCheckpoint, HeadError> {
        self.verify_log_now(head)?;
        let times = self.witness_times_now(head)?;
        // Each witness once, in the policy's order, with the first time at which it vouched.
        let first = |(name, _): &(String, VerifierKey)| {
            times.iter().find(|witness| witness.name == *name).cloned()
        };
        let witnesses: Vec<WitnessTime> = self.witnesses.iter().filter_map(first).collect();
        let parties = |cosigned: &dyn Fn(&str) -> bool| {
            let keys = self.witnesses.iter().filter(|(name, _)| cosigned(name));
            keys.map(|(_, key)| key.name.as_str()).collect::<BTreeSet<&str>>().len()
        };
        let mut under = Under {
            policy: self.digest,
            until,
            witnessed: parties(&|name| witnesses.iter().any(|witness| witness.name == name)),
            of: parties(&|_| true),
            quorum: self.quorum.as_ref().map(|name| {
                let mut groups = self.groups.iter().filter(|(group, _)| group == name);
                let needs = groups.next().map(|(_, group)| (group.threshold, group.members.len()));
                let (needed, members) = needs.unwrap_or((1, 1));
                (name.clone(), needed, members)
            }),
            validity: Validity::Unlimited,
        };
        let validity = |time| self.window().map_or(Validity::Unlimited, |window| window.of(time));
        let checkpoint = head.checkpoint.clone();
        let Some(quorum) = &self.quorum else {
            let (not_before, not_after) = (None, None);
            under.validity = validity(None);
            return Ok(CosignedCheckpoint { checkpoint, witnesses, not_before, not_after, under });
        };
        // A quorum holds one honest witness at least. So the time at which the first quorum was
        // complete bounds what the head covers from above, and the latest time that a whole quorum
        // reached bounds whoever knew the note from below.
        let bound = |keep: &dyn Fn(u64, u64) -> bool| {
            let met = |limit: u64| {
                let present = times.iter().filter(|w| keep(w.time, limit));
                self.met(quorum, &present.map(|w| w.name.as_str()).collect())
            };
            times.iter().map(|w| w.time).filter(|time| met(*time)).collect::<BTreeSet<u64>>()
        };
        let not_after = bound(&|time, limit| time <= limit).first().copied();
        let not_before = bound(&|time, limit| time >= limit).last().copied();
        if not_after.is_none() {
            let names: Vec<&str> = witnesses.iter().map(|w| w.name.as_str()).collect();
            let found = if names.is_empty() { "nobody".into() } else { names.join(", ") };
            let size = head.checkpoint.size;
            return Err(HeadError::Quorum { quorum: quorum.clone(), found, size });
        }
        under.validity = validity(not_after);
        Ok(CosignedCheckpoint { checkpoint, witnesses, not_before, not_after, under })
    }
}
