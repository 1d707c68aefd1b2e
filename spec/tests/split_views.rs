//! A log that lies: it forks, and shows its sides to witnesses, signers, auditors and relying parties,
//! as a seed decides, with right, wrong and missing proofs. Whatever it does, no two of them believe
//! heads that do not fit unless the witnesses that help it are as many as two quorums may have in
//! common; and wherever two such heads meet, they convict it.
//!
//! `COLDLOG_SEED=17 cargo test -p coldlog-spec --test split_views` runs one trial again;
//! `COLDLOG_TRIALS=1000000` runs more of them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

#[path = "split_views/convictions.rs"]
mod convictions;
#[path = "split_views/histories.rs"]
mod histories;
#[path = "split_views/quorums.rs"]
mod quorums;
#[path = "split_views/readers.rs"]
mod readers;
#[path = "split_views/trial.rs"]
mod trial;
#[path = "split_views/witnesses.rs"]
mod witnesses;

use coldlog_spec::checkpoint::Checkpoint;
use coldlog_spec::evidence::Evidence;
use coldlog_spec::merkle::empty_root;
use coldlog_spec::verify::heads::{Conviction, NotConvicted, extends, judge};
use histories::{ENTRIES, LAST_FORK, ORIGIN, Random, Sides};
use quorums::{KEYS, QUORUMS};
use std::collections::BTreeMap;
use std::sync::Mutex;
use trial::Trial;

/// What a run of trials must have met.
const MET: [&str; 29] = [
    "a cosignature",
    "a fork attempt",
    "a fork that was believed",
    "a fork that was believed by the help of liars",
    "a fork that was believed under nested groups",
    "a fork that was believed without a liar",
    "a fork that was believed, signed with Ed25519 and ML-DSA-44",
    "a head that is not proven to extend another",
    "a head that a relying party believes",
    "a head that a signer imports",
    "a head that an auditor keeps",
    "a head without its quorum",
    "a history rewritten",
    "a complete subtree rewritten",
    "a proof from elsewhere",
    "a proof from nothing",
    "a refusal",
    "a replay",
    "a stale old size",
    "an attack",
    "an old size beyond the head",
    "an older head",
    "evidence",
    "evidence of a signer",
    "evidence of an auditor",
    "evidence of a witness",
    "evidence that a flipped bit leaves",
    "heads that fit",
    "one size and two roots",
];

/// Says which trial it was that failed, and ends the others.
struct Running<'a>(u64, &'a Mutex<std::ops::Range<u64>>);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("COLDLOG_SEED={}", self.0);
            *self.1.lock().unwrap() = 0..0;
        }
    }
}

#[test]
fn no_two_histories_are_believed_against_too_few_liars_and_every_fork_leaves_evidence() {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let seeds = match number("COLDLOG_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("COLDLOG_TRIALS").unwrap_or(100_000),
    };
    let trials = seeds.end - seeds.start;
    let next = Mutex::new(seeds);
    let met = Mutex::new(BTreeMap::<&str, u64>::new());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let Some(seed) = next.lock().unwrap().next() else { break };
                    let running = Running(seed, &next);
                    let seen = Trial::new(seed).run();
                    drop(running);
                    let mut met = met.lock().unwrap();
                    seen.into_iter().for_each(|what| *met.entry(what).or_default() += 1);
                }
            });
        }
    });
    let met = met.into_inner().unwrap();
    println!("of {trials} trials, so many met");
    for (what, count) in &met {
        println!("{count:>9}  {what}");
    }
    if trials >= 100_000 {
        for what in MET {
            assert!(met.contains_key(what), "no trial met {what}");
        }
    }
}

#[test]
fn wherever_a_log_forks_any_two_heads_of_two_sides_convict_it_and_no_other_two() {
    let mut random = Random(0);
    let policy = QUORUMS[0].policy(false);
    for fork in 0..=LAST_FORK {
        let sides = Sides::new(&[fork, fork]);
        for old in 0..=ENTRIES {
            let [one, other] = match random.below(3) {
                0 => [0, 1],
                1 => [1, 2],
                _ => [2, 0],
            };
            let (older, newer) = (sides.history(one), sides.history(other));
            let new = match random.below(8) {
                0 => old,
                1 => old.max(1).next_power_of_two().min(ENTRIES),
                _ => old + random.below(ENTRIES - old + 1),
            };
            let (first, second) = (older.checkpoint(old), newer.checkpoint(new));
            let path = newer.against(&first, new);
            let found = extends(&first, &second, &path);
            match &found {
                Ok(()) => assert!(old <= fork, "{old} and {new} pass for one after {fork}"),
                Err(misfit) => {
                    assert!(old > fork, "{old} and {new} fit until {fork}: {misfit}");
                    assert!(misfit.convicts(), "{old} and {new} after {fork}: {misfit}");
                }
            }
            // Signatures are what costs time.
            if old == fork || old == fork + 1 || random.one_in(16) {
                let [first, second] = [first, second].map(|head| KEYS.sign(&head, false).encode());
                let evidence = Evidence::SplitView { first, second, path };
                let read = Evidence::decode(&evidence.encode()).unwrap();
                let verdict = judge(&read, policy);
                let convicted = found
                    .err()
                    .map(|misfit| Conviction::SplitView { origin: ORIGIN.into(), misfit });
                assert_eq!(verdict.ok(), convicted, "{old} and {new} after {fork}");
            }
        }
    }
}

#[test]
fn a_head_of_no_entries_with_entries_under_it_convicts_beside_any_other() {
    let history = Sides::new(&[0]).history(0);
    let policy = QUORUMS[0].policy(false);
    let shown = |root, size| {
        let empty = Checkpoint { origin: ORIGIN.into(), size: 0, root };
        let [first, second] =
            [empty, history.checkpoint(size)].map(|head| KEYS.sign(&head, false).encode());
        judge(&Evidence::SplitView { first, second, path: vec![] }, policy)
    };
    for size in 0..=ENTRIES {
        let verdict = shown(history.root(7), size);
        assert!(matches!(verdict, Ok(Conviction::SplitView { .. })), "{size}: {verdict:?}");
        assert_eq!(shown(empty_root(), size), Err(NotConvicted::Fits), "{size}");
    }
}
