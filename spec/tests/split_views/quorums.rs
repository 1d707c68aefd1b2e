//! The keys, and the quorums that relying parties demand: each as a policy, and as what it means.

use super::histories::{ORIGIN, Random};
use coldlog_spec::checkpoint::{Checkpoint, HeadKeys, SignedCheckpoint};
use coldlog_spec::ed25519::SecretKey;
use coldlog_spec::mldsa;
use coldlog_spec::note::{Note, SignatureLine, VerifierKey};
use coldlog_spec::policy::Policy;
use ed25519_dalek::{Signer, SigningKey};
use std::sync::LazyLock;

/// The most witnesses of a policy.
pub(crate) const MOST: usize = 7;
const NESTED: usize = 200;

/// Witnesses, one a bit.
pub(crate) type Set = u32;

/// A key that signs with Ed25519 alone, for speed, or as the programs do.
pub(crate) struct Key {
    heads: HeadKeys,
    ed25519: SigningKey,
}

impl Key {
    fn new(name: &str, seed: u8) -> Key {
        let heads = HeadKeys {
            name: name.into(),
            ed25519: SecretKey::from_seed(&[seed; 32]),
            mldsa: mldsa::SecretKey::from_seed(&[seed; 32]),
        };
        Key { heads, ed25519: SigningKey::from_bytes(&[seed; 32]) }
    }

    fn line(&self, id: u32, time: &[u8], message: &str) -> SignatureLine {
        let signature = [time, &self.ed25519.sign(message.as_bytes()).to_bytes()].concat();
        SignatureLine { name: self.heads.name.clone(), id, signature }
    }
}

pub(crate) struct Keys {
    log: Key,
    log_verifiers: [VerifierKey; 2],
    // With the key ids of their Ed25519 cosignatures; the last is no policy's.
    witnesses: Vec<(Key, u32)>,
}

pub(crate) static KEYS: LazyLock<Keys> = LazyLock::new(|| {
    let log = Key::new(ORIGIN, 1);
    let witness = |n: usize| {
        let key = Key::new(&format!("w{n}.example"), 10 + n as u8);
        let id = key.heads.witness_verifiers()[0].id();
        (key, id)
    };
    let log_verifiers = log.heads.log_verifiers();
    Keys { log, log_verifiers, witnesses: (0..=MOST).map(witness).collect() }
});

impl Keys {
    /// What a witness and a policy know the log by.
    pub(crate) fn log_verifiers(&self, both: bool) -> &[VerifierKey] {
        &self.log_verifiers[..if both { 2 } else { 1 }]
    }

    pub(crate) fn sign(&self, checkpoint: &Checkpoint, both: bool) -> SignedCheckpoint {
        if both {
            return self.log.heads.sign_head(checkpoint, 50).unwrap();
        }
        let text = checkpoint.text();
        let signatures = vec![self.log.line(self.log_verifiers[0].id(), &[], &text)];
        SignedCheckpoint { checkpoint: checkpoint.clone(), note: Note { text, signatures } }
    }

    pub(crate) fn cosign(
        &self,
        witness: usize,
        head: &SignedCheckpoint,
        time: u64,
        both: bool,
    ) -> Vec<SignatureLine> {
        let (key, id) = &self.witnesses[witness];
        if both {
            return key.heads.cosign(head, time).unwrap();
        }
        let message = format!("cosignature/v1\ntime {time}\n{}", head.note.text);
        vec![key.line(*id, &time.to_be_bytes(), &message)]
    }
}

/// A witness, or a group of which so many must vouch.
enum Member {
    Witness(usize),
    Group(usize, Vec<Member>),
}

impl Member {
    fn met(&self, by: Set) -> bool {
        match self {
            Member::Witness(witness) => by & (1 << witness) != 0,
            Member::Group(threshold, members) => {
                members.iter().filter(|member| member.met(by)).count() >= *threshold
            }
        }
    }

    // Writes the groups, members first; returns the name.
    fn write(&self, text: &mut String) -> String {
        match self {
            Member::Witness(witness) => format!("w{witness}"),
            Member::Group(threshold, members) => {
                let names: Vec<String> = members.iter().map(|m| m.write(text)).collect();
                let name = format!("g{}", text.lines().count());
                *text += &format!("group {name} {threshold} {}\n", names.join(" "));
                name
            }
        }
    }

    // Groups of groups of the witnesses from `first` on.
    fn draw(random: &mut Random, first: usize, count: usize) -> Member {
        if count == 1 {
            return Member::Witness(first);
        }
        let parts = 2 + random.below(count.min(4) as u64 - 1) as usize;
        let mut members = Vec::new();
        let mut left = count;
        for part in (0..parts).rev() {
            // Each part that is still to come has one at least.
            let most = left - part;
            let some = if part == 0 { left } else { 1 + random.below(most as u64) as usize };
            members.push(Member::draw(random, first + count - left, some));
            left -= some;
        }
        let threshold = match random.below(3) {
            0 => 1 + random.below(parts as u64) as usize,
            1 => parts,
            _ => parts / 2 + 1,
        };
        Member::Group(threshold, members)
    }
}

pub(crate) struct Quorum {
    pub(crate) witnesses: usize,
    /// Of a policy with one group: how many must vouch.
    pub(crate) threshold: Option<usize>,
    // With Ed25519 alone, and with both kinds of signature.
    policies: [Policy; 2],
    met: Vec<bool>,
}

pub(crate) static QUORUMS: LazyLock<Vec<Quorum>> = LazyLock::new(|| {
    let mut random = Random(0);
    let mut all = Vec::new();
    for witnesses in 1..=MOST {
        for threshold in 1..=witnesses {
            let members = (0..witnesses).map(Member::Witness).collect();
            let quorum = Member::Group(threshold, members);
            all.push(Quorum::new(witnesses, Some(threshold), &quorum));
        }
    }
    for _ in 0..NESTED {
        let witnesses = 1 + random.below(MOST as u64) as usize;
        all.push(Quorum::new(witnesses, None, &Member::draw(&mut random, 0, witnesses)));
    }
    all
});

impl Quorum {
    fn new(witnesses: usize, threshold: Option<usize>, quorum: &Member) -> Quorum {
        let policy = |both: bool| {
            let mut text = String::new();
            for key in KEYS.log_verifiers(both) {
                text += &format!("log {}\n", key.encode());
            }
            for (n, (key, _)) in KEYS.witnesses[..witnesses].iter().enumerate() {
                let [ed25519, mldsa] = key.heads.witness_verifiers().map(|key| key.encode());
                text += &match both {
                    false => format!("witness w{n} {ed25519}\n"),
                    true => format!(
                        "witness w{n}/e {ed25519}\nwitness w{n}/m {mldsa}\ngroup w{n} any w{n}/e w{n}/m\n"
                    ),
                };
            }
            let name = quorum.write(&mut text);
            Policy::parse(format!("{text}quorum {name}\n").as_bytes()).unwrap()
        };
        let policies = [policy(false), policy(true)];
        let met = (0..1 << witnesses).map(|by| quorum.met(by)).collect();
        Quorum { witnesses, threshold, policies, met }
    }

    pub(crate) fn policy(&self, both: bool) -> &Policy {
        &self.policies[usize::from(both)]
    }

    pub(crate) fn everybody(&self) -> Set {
        (1 << self.witnesses) - 1
    }

    pub(crate) fn met(&self, by: Set) -> bool {
        self.met[by as usize]
    }

    /// Each way to show two histories to the witnesses that do not lie, so that both are believed:
    /// those that are shown the first.
    pub(crate) fn ways_to_fork(&self, liars: Set) -> Vec<Set> {
        let honest = self.everybody() & !liars;
        let parted = |first: &Set| {
            let second = honest & !first;
            first & !honest == 0 && self.met(liars | first) && self.met(liars | second)
        };
        (0..=self.everybody()).filter(parted).collect()
    }

    /// How few liars make a fork possible: of two quorums of q out of n, 2q - n are in both.
    pub(crate) fn bound(&self) -> Option<usize> {
        self.threshold.map(|q| (2 * q).saturating_sub(self.witnesses))
    }
}
