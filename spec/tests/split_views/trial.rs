//! One trial: a log that forks, the witnesses that it asks, and the readers that it shows its heads to.
//! What each of them must answer is known from which side a head is of, and is asserted at every step.

use super::histories::{ENTRIES, Head, LAST_FORK, Random, Sides};
use super::quorums::{KEYS, MOST, QUORUMS, Quorum, Set};
use coldlog_spec::checkpoint::{Checkpoint, SignedCheckpoint};
use coldlog_spec::hash::Hash;
use coldlog_spec::note::SignatureLine;
use coldlog_spec::witnessing::Request;
use std::collections::BTreeSet;

#[derive(Default)]
pub(super) struct Witness {
    /// What it would find after a restart.
    pub(super) memory: Option<Vec<u8>>,
    /// All that it ever cosigned.
    pub(super) cosigned: Vec<Head>,
}

/// Somebody who remembers.
#[derive(Default)]
pub(super) struct Reader {
    pub(super) memory: Option<Vec<u8>>,
    pub(super) accepted: Vec<Head>,
}

/// A head with cosignatures, as the log hands it out.
pub(super) struct Shown {
    pub(super) note: Vec<u8>,
    pub(super) by: Set,
    // Whether all of its lines by keys of the policy are what they say.
    pub(super) sound: bool,
}

pub(crate) struct Trial {
    pub(super) random: Random,
    pub(super) quorum: &'static Quorum,
    // Ed25519 and ML-DSA-44, or Ed25519 alone.
    pub(super) both: bool,
    pub(super) liars: Set,
    pub(super) sides: Sides,
    pub(super) witnesses: Vec<Witness>,
    /// A signer and an auditor.
    pub(super) readers: [Reader; 2],
    /// Every head that the log signed.
    pub(super) signed: Vec<(Head, SignedCheckpoint)>,
    pub(super) cosignatures: Vec<(Head, usize, Vec<SignatureLine>)>,
    pub(super) sent: Vec<(usize, Head, Request)>,
    /// By whomever.
    pub(super) accepted: Vec<Head>,
    pub(super) time: u64,
    pub(super) seen: BTreeSet<&'static str>,
}

impl Trial {
    pub(crate) fn new(seed: u64) -> Trial {
        let mut random = Random(seed);
        let both = seed.is_multiple_of(400);
        let nested = random.one_in(2);
        let most = 1 + random.below(MOST as u64);
        let fits = |quorum: &&Quorum| {
            quorum.threshold.is_none() == nested && quorum.witnesses as u64 == most
        };
        let fitting: Vec<&'static Quorum> = QUORUMS.iter().filter(fits).collect();
        let quorum = random.pick(&fitting).copied().unwrap_or(&QUORUMS[0]);
        let bound = quorum.bound().unwrap_or(most as usize / 2) as u64;
        let count = match random.below(4) {
            0 => 0,
            1 => bound.saturating_sub(1),
            2 => bound,
            _ => random.below(most + 1),
        };
        let mut liars: Set = 0;
        while u64::from(liars.count_ones()) < count {
            liars |= 1 << random.below(most);
        }
        let first = random.below(LAST_FORK + 1);
        let sides = match random.below(6) {
            0 => Sides::new(&[first, first]),
            1 => Sides::new(&[first, random.below(LAST_FORK + 1)]),
            _ => Sides::new(&[first]),
        };
        Trial {
            random,
            quorum,
            both,
            liars,
            sides,
            witnesses: (0..quorum.witnesses).map(|_| Witness::default()).collect(),
            readers: Default::default(),
            signed: Vec::new(),
            cosignatures: Vec::new(),
            sent: Vec::new(),
            accepted: Vec::new(),
            time: 1_000_000,
            seen: BTreeSet::new(),
        }
    }

    /// Runs it; returns what was met on the way.
    pub(crate) fn run(mut self) -> BTreeSet<&'static str> {
        let ways = self.quorum.ways_to_fork(self.liars);
        if let Some(bound) = self.quorum.bound() {
            let enough = self.liars.count_ones() as usize >= bound;
            assert_eq!(!ways.is_empty(), enough, "two quorums share 2q - n witnesses");
        }
        if self.random.one_in(2) {
            self.attack(&ways);
        }
        for _ in 0..2 + self.random.below(5) {
            self.step();
        }
        self.nobody_honest_took_two_sides();
        self.show_what_is_believed(!ways.is_empty());
        self.exchange();
        self.seen
    }

    // The best that the log can do: it splits the honest witnesses between two sides.
    pub(super) fn attack(&mut self, ways: &[Set]) {
        let way = self.random.pick(ways).copied();
        let first = way.unwrap_or_else(|| self.random.below(1 << self.quorum.witnesses) as Set);
        let one = self.random.below(self.sides.count() as u64) as usize;
        let step = 1 + self.random.below(self.sides.count() as u64 - 1) as usize;
        let other = (one + step) % self.sides.count();
        let common = self.sides.common(one, other);
        let mut later = || match self.random.below(3) {
            0 => common + 1,
            1 => (common + 1).next_power_of_two(),
            _ => common + 1 + self.random.below(ENTRIES - common),
        };
        let (size, another) = (later(), later());
        let another = if self.random.one_in(3) { size } else { another };
        let heads = [Head { side: one, size }, Head { side: other, size: another }];
        let before = self.random.below(common + 1);
        let before = self.random.one_in(2).then_some(Head { side: other, size: before });
        let start = self.random.below(self.quorum.witnesses as u64) as usize;
        for place in 0..self.quorum.witnesses {
            let witness = (start + place) % self.quorum.witnesses;
            if self.liars & (1 << witness) != 0 {
                continue;
            }
            let head = heads[usize::from(first & (1 << witness) == 0)];
            for head in before.into_iter().chain([head]) {
                assert!(self.ask_rightly(witness, head), "{head:?} to the witness {witness}");
            }
        }
        self.seen.insert("an attack");
        // Where it cannot succeed, the end of the trial shows whatever has a quorum.
        let believed = heads.map(|head| {
            way.is_some() && {
                let shown = self.show(head, true);
                self.rely(head, &shown)
            }
        });
        if believed == [true; 2] && self.random.one_in(3) {
            // Both sides to one who remembers.
            let signer = self.random.one_in(2);
            for head in heads {
                let shown = self.show(head, true);
                if signer { self.import(head, &shown) } else { self.audit(head, &shown) }
            }
        }
        if way.is_some() {
            assert_eq!(believed, [true; 2], "the way {first:b} to fork {heads:?}");
        }
    }

    pub(super) fn step(&mut self) {
        let witness = self.random.below(self.quorum.witnesses as u64) as usize;
        match self.random.below(9) {
            0..=3 => {
                let head = self.any_head();
                self.ask_somehow(witness, head);
            }
            // The other history of the very size that it saw last.
            4 => {
                let size = self.known(witness).size;
                let side = self.random.below(self.sides.count() as u64) as usize;
                self.ask_somehow(witness, Head { side, size });
            }
            5 => {
                let Some((witness, head, request)) = self.random.pick(&self.sent).cloned() else {
                    return;
                };
                self.seen.insert("a replay");
                self.ask(witness, head, request);
            }
            kind => {
                let head = match self.random.pick(&self.cosignatures).map(|(head, ..)| *head) {
                    Some(head) if !self.random.one_in(4) => head,
                    _ => self.any_head(),
                };
                let whole = self.random.one_in(2);
                let shown = self.show(head, whole);
                match kind {
                    6 => self.import(head, &shown),
                    7 => self.audit(head, &shown),
                    _ => {
                        self.rely(head, &shown);
                    }
                }
            }
        }
    }

    pub(super) fn any_head(&mut self) -> Head {
        let side = self.random.below(self.sides.count() as u64) as usize;
        let fork = self.sides.common(side, (side + 1) % self.sides.count());
        let size = match self.random.below(8) {
            0 => self.random.below(3),
            1 => 1 << self.random.below(10),
            2 => (fork + self.random.below(3)).saturating_sub(1),
            // A size that it has signed, of whatever side.
            3 => self.random.pick(&self.signed).map_or(fork, |(head, _)| head.size),
            4 => fork + self.random.below(ENTRIES - fork),
            _ => self.random.below(ENTRIES + 1),
        };
        Head { side, size }
    }

    // A proof from what is known to a head: right, wrong or missing.
    pub(super) fn any_path(&mut self, known: Head, old: u64, head: Head) -> Vec<Hash> {
        let history = self.sides.history(head.side);
        let mut path = history.path(old, head.size);
        match self.random.below(12) {
            0 => path.clear(),
            1 => path = self.sides.history(known.side).path(old, head.size),
            2 => {
                path.pop();
            }
            3 => path.push(Hash([7; 32])),
            4 => path.insert(0, Hash([7; 32])),
            5 => {
                let (place, bit) = (self.random.below(64) as usize, self.random.below(256));
                if let Some(hash) = path.get_mut(place % 8) {
                    hash.0[bit as usize / 8] ^= 1 << (bit % 8);
                }
            }
            // Proof against itself.
            6 | 7 => path = history.against(&self.checkpoint(known), head.size),
            _ => {}
        }
        path
    }

    pub(super) fn checkpoint(&self, head: Head) -> Checkpoint {
        self.sides.history(head.side).checkpoint(head.size)
    }

    pub(super) fn sign(&mut self, head: Head) -> SignedCheckpoint {
        let head = self.sides.same(head);
        if let Some((_, signed)) = self.signed.iter().find(|(other, _)| *other == head) {
            return signed.clone();
        }
        let signed = KEYS.sign(&self.checkpoint(head), self.both);
        self.signed.push((head, signed.clone()));
        signed
    }
}
