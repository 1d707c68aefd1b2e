//! The end of a trial: who was deceived, and what convicts the log.

use super::histories::{Head, ORIGIN};
use super::trial::Trial;
use coldlog_spec::checkpoint::{Checkpoint, SignedCheckpoint};
use coldlog_spec::evidence::Evidence;
use coldlog_spec::hash::Hash;
use coldlog_spec::verify::heads::{Conviction, Misfit, judge};

impl Trial {
    pub(super) fn nobody_honest_took_two_sides(&self) {
        for (place, witness) in self.witnesses.iter().enumerate() {
            assert_eq!(self.sides.misfit(&witness.cosigned), None, "the witness {place}");
        }
        for reader in &self.readers {
            assert_eq!(self.sides.misfit(&reader.accepted), None, "what a reader took");
        }
    }

    // All that the log could make anybody believe, by what it was given.
    pub(super) fn show_what_is_believed(&mut self, can_fork: bool) {
        let heads: Vec<Head> = self.signed.iter().map(|(head, _)| *head).collect();
        if self.sides.misfit(&heads).is_some() {
            self.seen.insert("a fork attempt");
        }
        let has_quorum = |head: &Head| {
            let who = |witness: &usize| self.lines(*head, *witness).is_some();
            let by = (0..self.quorum.witnesses).filter(who).fold(0, |by, who| by | (1 << who));
            self.quorum.met(by | self.liars)
        };
        let (backed, bare): (Vec<Head>, Vec<Head>) = heads.into_iter().partition(has_quorum);
        if self.sides.misfit(&self.accepted).is_none()
            && let Some(heads) = self.sides.misfit(&backed)
        {
            for head in heads {
                let shown = self.show(head, true);
                assert!(self.rely(head, &shown));
            }
        } else if self.random.one_in(3)
            && let Some(head) = self.random.pick(&bare).copied()
        {
            let shown = self.show(head, true);
            assert!(!self.rely(head, &shown));
        }
        if let Some(heads) = self.sides.misfit(&self.accepted) {
            assert!(can_fork, "{heads:?} were both believed, against too few liars");
            self.seen.insert("a fork that was believed");
            if self.both {
                self.seen.insert("a fork that was believed, signed with Ed25519 and ML-DSA-44");
            }
            self.seen.insert(match (self.quorum.threshold, self.liars) {
                (_, 0) => "a fork that was believed without a liar",
                (Some(_), _) => "a fork that was believed by the help of liars",
                (None, _) => "a fork that was believed under nested groups",
            });
        }
    }

    // Two who hold heads that do not fit meet, with the tiles of the newer side: the log is convicted.
    pub(super) fn exchange(&mut self) {
        let heads: Vec<Head> = self.signed.iter().map(|(head, _)| *head).collect();
        let pair = self.sides.misfit(&self.accepted).or_else(|| {
            // From a random place on, or else the first.
            let start = self.random.below(heads.len().max(1) as u64) as usize;
            let rest = heads.get(start..).unwrap_or_default();
            self.sides.misfit(rest).or_else(|| self.sides.misfit(&heads))
        });
        if let Some(pair) = pair {
            let evidence = self.compare(pair, None);
            self.convict(&evidence, pair);
        }
        let fitting: Vec<[Head; 2]> = heads
            .iter()
            .flat_map(|one| heads.iter().map(move |other| [*one, *other]))
            .filter(|[one, other]| self.sides.fit(*one, *other))
            .collect();
        if self.random.one_in(3)
            && let Some(pair) = self.random.pick(&fitting).copied()
        {
            // Whatever path somebody makes up.
            let [older, newer] =
                if pair[0].size <= pair[1].size { pair } else { [pair[1], pair[0]] };
            let side = self.random.below(self.sides.count() as u64) as usize;
            let path = match self.random.below(3) {
                0 => self.sides.history(side).against(&self.checkpoint(older), newer.size),
                1 => {
                    let mut path = self.sides.history(newer.side).path(older.size, newer.size);
                    path.insert(0, self.sides.history(side).root(older.size.max(1)));
                    path
                }
                _ => self.any_path(older, older.size, newer),
            };
            let evidence = self.compare(pair, Some(path));
            let policy = self.quorum.policy(self.both);
            let verdict = judge(&Evidence::decode(&evidence.encode()).unwrap(), policy);
            assert!(verdict.is_err(), "{pair:?} fit: {verdict:?}");
            self.seen.insert("heads that fit");
            let flipped = self.flip(&evidence);
            let verdict = flipped.map(|evidence| judge(&evidence, policy));
            assert!(!matches!(verdict, Some(Ok(_))), "{pair:?} fit: {verdict:?}");
        }
    }

    pub(super) fn compare(&mut self, pair: [Head; 2], path: Option<Vec<Hash>>) -> Evidence {
        let [older, newer] = if pair[0].size <= pair[1].size { pair } else { [pair[1], pair[0]] };
        let tiles = self.sides.history(newer.side);
        let path = path.unwrap_or_else(|| tiles.against(&self.checkpoint(older), newer.size));
        let [first, second] = pair.map(|head| self.sign(head).encode());
        Evidence::SplitView { first, second, path }
    }

    // Evidence as a third party reads it.
    pub(super) fn convict(&mut self, evidence: &Evidence, pair: [Head; 2]) {
        let read = Evidence::decode(&evidence.encode()).unwrap();
        assert_eq!(read, *evidence);
        let policy = self.quorum.policy(self.both);
        let verdict = judge(&read, policy);
        let Ok(Conviction::SplitView { origin, misfit }) = verdict else {
            panic!("{pair:?} do not fit, and convict nobody: {verdict:?}");
        };
        assert!(!self.sides.fit(pair[0], pair[1]), "{pair:?} fit: {misfit}");
        assert_eq!(origin, ORIGIN);
        self.seen.insert("evidence");
        self.seen.insert(match misfit {
            Misfit::SameSizeOtherRoot { .. } => "one size and two roots",
            Misfit::Rewritten { old, .. } if old.is_power_of_two() => {
                "a complete subtree rewritten"
            }
            Misfit::Rewritten { .. } => "a history rewritten",
            other => panic!("{other}"),
        });
        // With a bit flipped it convicts by the same two heads, or not.
        if self.random.one_in(4)
            && let Some(flipped) = self.flip(evidence)
            && judge(&flipped, policy).is_ok()
        {
            self.seen.insert("evidence that a flipped bit leaves");
            assert_eq!(heads_of(&flipped), heads_of(evidence));
        }
    }

    pub(super) fn flip(&mut self, evidence: &Evidence) -> Option<Evidence> {
        let mut bytes = evidence.encode();
        let bit = self.random.below(8 * bytes.len() as u64);
        bytes[bit as usize / 8] ^= 1 << (bit % 8);
        Evidence::decode(&bytes).ok()
    }
}

fn heads_of(evidence: &Evidence) -> [Checkpoint; 2] {
    let Evidence::SplitView { first, second, .. } = evidence else { panic!("{evidence:?}") };
    [first, second].map(|note| SignedCheckpoint::decode(note).unwrap().checkpoint)
}
