//! Trust policies (C2SP tlog-policy): which logs, which witnesses, and how many must agree.

use crate::checkpoint::{Checkpoint, SignedCheckpoint};
use crate::hash::Hash;
use crate::note::{KeyMaterial, NoteError, VerifierKey};
use std::collections::BTreeSet;

/// The largest policy that we read.
pub const MAX_POLICY: usize = 1 << 20;

/// A line that is not the policy language.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{why}", place(*line))]
pub struct PolicyError {
    /// Counted from 1; 0 for the file as a whole.
    pub line: usize,
    /// What is wrong.
    pub why: String,
}

fn place(line: usize) -> String {
    if line == 0 { "the policy: ".into() } else { format!("policy line {line}: ") }
}

/// A policy, with its groups resolved.
#[derive(Debug, Clone)]
pub struct Policy {
    /// SHA-256 of the file: a proof names it.
    pub digest: Hash,
    /// The keys of the logs.
    pub logs: Vec<VerifierKey>,
    /// The keys of the witnesses, each with its name in the policy.
    pub witnesses: Vec<(String, VerifierKey)>,
    /// In the order of the file: members stand above their group.
    groups: Vec<(String, Group)>,
    quorum: Option<String>,
}

#[derive(Debug, Clone)]
struct Group {
    threshold: usize,
    members: Vec<String>,
}

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
}

impl CosignedCheckpoint {
    /// What the head says.
    pub fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
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
    /// Reads a policy file.
    pub fn parse(bytes: &[u8]) -> Result<Policy, PolicyError> {
        if bytes.len() > MAX_POLICY {
            let why = format!("the file has {} bytes, at most {MAX_POLICY} are read", bytes.len());
            return Err(PolicyError { line: 0, why });
        }
        let mut policy = Policy {
            digest: Hash::of(bytes),
            logs: Vec::new(),
            witnesses: Vec::new(),
            groups: Vec::new(),
            quorum: None,
        };
        let mut quorum_seen = false;
        let mut names: BTreeSet<String> = BTreeSet::new();
        let mut members_seen: BTreeSet<String> = BTreeSet::new();
        for (index, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
            let fail = |why: String| PolicyError { line: index + 1, why };
            if line.iter().any(|b| !matches!(b, 0x09 | 0x20..=0x7e | 0x80..=0xff)) {
                return Err(fail("it holds a control character".into()));
            }
            // Opaque octets: what is no UTF-8 keeps each byte apart as a character of its own.
            let text = String::from_utf8(line.to_vec());
            let text = text.unwrap_or_else(|_| line.iter().map(|byte| char::from(*byte)).collect());
            let words: Vec<&str> = text.split([' ', '\t']).filter(|w| !w.is_empty()).collect();
            let key = |text: &str| VerifierKey::decode(text).map_err(|e| fail(e.to_string()));
            match words.as_slice() {
                [] => {}
                [word, ..] if word.starts_with('#') => {}
                ["log", vkey] | ["log", vkey, _] => {
                    let key = key(vkey)?;
                    if policy.logs.contains(&key) {
                        return Err(fail(format!("the log key of {} stands twice", key.name)));
                    }
                    policy.logs.push(key);
                }
                ["witness", name, vkey] | ["witness", name, vkey, _] => {
                    let key = key(vkey)?;
                    if matches!(key.material, KeyMaterial::Ed25519(_)) {
                        return Err(fail(format!(
                            "the key of {name} does not cosign: it has no time"
                        )));
                    }
                    if policy.witnesses.iter().any(|(_, k)| k.material == key.material) {
                        return Err(fail(format!("the key of {name} stands twice")));
                    }
                    if *name == "none" || !names.insert((*name).into()) {
                        return Err(fail(format!("the name {name} is reserved or taken")));
                    }
                    policy.witnesses.push(((*name).into(), key));
                }
                ["group", name, threshold, members @ ..] => {
                    for member in members {
                        if !names.contains(*member) {
                            return Err(fail(format!("{member} is not defined above")));
                        }
                        if !members_seen.insert((*member).into()) {
                            return Err(fail(format!("{member} is a member of a group already")));
                        }
                    }
                    let count = members.len();
                    let threshold = match *threshold {
                        "any" => Some(1),
                        "all" => Some(count),
                        number => number.parse().ok(),
                    };
                    let threshold =
                        threshold.filter(|t| (1..=count).contains(t)).ok_or_else(|| {
                            fail(format!("the threshold must be any, all or 1 to {count}"))
                        })?;
                    if *name == "none" || !names.insert((*name).into()) {
                        return Err(fail(format!("the name {name} is reserved or taken")));
                    }
                    let members = members.iter().map(|m| (*m).into()).collect();
                    policy.groups.push(((*name).into(), Group { threshold, members }));
                }
                ["quorum", name] => {
                    if std::mem::replace(&mut quorum_seen, true) {
                        return Err(fail("a second quorum; exactly one is allowed".into()));
                    }
                    if *name != "none" {
                        if !names.contains(*name) {
                            return Err(fail(format!("{name} is not defined above")));
                        }
                        policy.quorum = Some((*name).into());
                    }
                }
                [word, ..] => {
                    // What stands there is not repeated: it may be a secret in the wrong place.
                    let known = "log, witness, group or quorum, each with its words";
                    let length = word.len();
                    return Err(fail(format!(
                        "expected {known}, found another word of {length} bytes"
                    )));
                }
            }
        }
        if !quorum_seen {
            let why = "no quorum line; write `quorum <group>` or `quorum none`".into();
            return Err(PolicyError { line: 0, why });
        }
        Ok(policy)
    }

    /// Whether it names a log.
    pub fn names(&self, origin: &str) -> bool {
        self.logs.iter().any(|key| key.name == origin)
    }

    /// The quorum's name; `None` for `quorum none`.
    pub fn quorum(&self) -> Option<&str> {
        self.quorum.as_deref()
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
        let keys: Vec<&VerifierKey> = self.witnesses.iter().map(|(_, key)| key).collect();
        let mut times: Vec<WitnessTime> = Vec::new();
        for vouched in head.verified_by(&keys)? {
            let name = self.witnesses[vouched.key].0.clone();
            times.push(WitnessTime { name, time: vouched.time });
        }
        times.sort_by_key(|witness| witness.time);
        Ok(times)
    }

    /// The log's signature and the quorum of witnesses.
    pub fn verify_head(&self, head: &SignedCheckpoint) -> Result<CosignedCheckpoint, HeadError> {
        self.verify_log(head)?;
        let times = self.witness_times(head)?;
        // Each witness once, in the policy's order, with the first time at which it vouched.
        let first = |(name, _): &(String, VerifierKey)| {
            times.iter().find(|witness| witness.name == *name).cloned()
        };
        let witnesses: Vec<WitnessTime> = self.witnesses.iter().filter_map(first).collect();
        let Some(quorum) = &self.quorum else {
            let checkpoint = head.checkpoint.clone();
            return Ok(CosignedCheckpoint {
                checkpoint,
                witnesses,
                not_before: None,
                not_after: None,
            });
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
        let checkpoint = head.checkpoint.clone();
        Ok(CosignedCheckpoint { checkpoint, witnesses, not_before, not_after })
    }

    /// The Ed25519 keys of a log, which sign its receipts: several, where it has changed its key.
    pub fn receipt_keys(&self, origin: &str) -> impl Iterator<Item = &crate::ed25519::PublicKey> {
        self.logs.iter().filter(move |key| key.name == origin).filter_map(VerifierKey::ed25519)
    }

    /// The key that a receipt of a log names; where it names none of the policy's, the first of them.
    pub fn receipt_key(
        &self,
        origin: &str,
        receipt: &crate::receipt::Receipt,
    ) -> Option<&crate::ed25519::PublicKey> {
        let named = receipt.sign1.protected.get(crate::cose::label::KID);
        let is_named = |key: &&crate::ed25519::PublicKey| {
            named.and_then(|kid| kid.as_bytes()).is_some_and(|kid| *kid == key.thumbprint().0)
        };
        self.receipt_keys(origin).find(is_named).or_else(|| self.receipt_keys(origin).next())
    }
}
