//! What another policy changes is never told as "nothing": keys that look alike, and any in the place of all.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod common;

use coldlog_spec::ed25519::SecretKey;
use coldlog_spec::hash::Hash;
use coldlog_spec::note::{KeyMaterial, VerifierKey};
use coldlog_spec::policy::{Content, Policy, Root, Window, differences};
use common::head_keys;
use proptest::prelude::*;
use std::fmt::Write;

const ORIGIN: &str = "log.example/a";

fn parse(text: &str) -> Policy {
    Policy::parse(text.as_bytes()).unwrap()
}

// Lines of witnesses with both keys, w0 to w2 or with other keys, and what follows.
fn policy(seed: u8, rest: &str) -> String {
    let [log, _] = head_keys(ORIGIN, 90).log_verifiers();
    let mut text = format!("log {}\n", log.encode());
    for n in 0..3 {
        let keys = head_keys(&format!("w{n}.example"), seed + n).witness_verifiers();
        for (kind, key) in ["e", "m"].iter().zip(&keys) {
            writeln!(text, "witness w{n}{kind} {}", key.encode()).unwrap();
        }
    }
    text + rest
}

fn groups(first: &str) -> String {
    format!("{first}\ngroup w1 any w1e w1m\ngroup w2 any w2e w2m\ngroup q 2 w0 w1 w2\nquorum q\n")
}

fn told(old: &Policy, new: &Policy) -> Vec<String> {
    differences(old, new).iter().map(ToString::to_string).collect()
}

// --- policy keys that look alike -------------------------------------------------------------------

fn holder(number: u32) -> VerifierKey {
    let seed = Hash::of(format!("holder0 {number}").as_bytes()).0;
    let key = SecretKey::from_seed(&seed).public();
    VerifierKey::new("holder0.example/policy".into(), KeyMaterial::Ed25519(key))
}

fn root(holder: VerifierKey) -> Policy {
    let window = Window { not_before: 1000, expires: 2000 };
    let policy = policy(10, &groups("group w0 any w0e w0m"));
    let keys = vec![holder];
    Root::new(Content { version: 1, previous: None, window, threshold: 1, keys, policy })
        .unwrap()
        .draft()
}

#[test]
fn a_policy_key_that_was_exchanged_for_one_with_its_name_and_id_is_told() {
    // Two of the first 100,000 keys that have one id: of one that is given, 2^32 are to be tried.
    let (one, other) = (holder(59_142), holder(91_238));
    assert_eq!((&one.name, one.id()), (&other.name, other.id()));
    assert_ne!(one, other);
    let told = told(&root(one), &root(other));
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].ends_with("may sign renewals of the policy from now on."), "{told:?}");
    assert!(told[1].ends_with("may no longer sign renewals of the policy."), "{told:?}");
    // People see it, too.
    let shown = |line: &str| line.split(')').next().unwrap().to_owned();
    assert_ne!(shown(&told[0]), shown(&told[1]));
}

// --- any in the place of all -----------------------------------------------------------------------

#[test]
fn a_witness_that_cosigns_with_any_key_and_no_longer_with_all_is_told() {
    let of = |first: &str| parse(&policy(10, &groups(first)));
    let [all, any] = [of("group w0 all w0e w0m"), of("group w0 any w0e w0m")];
    let line = told(&all, &any).join("\n");
    assert!(line.starts_with("The witness w0.example cosigns with any of Ed25519 "), "{line}");
    assert!(line.contains("; until now with all of Ed25519 "), "{line}");
    assert_eq!(told(&any, &all).len(), 1);
    // One of the keys, as all of them: the other line stands there, and does not count.
    let one = of("group w0 any w0e");
    let line = told(&any, &one).join("\n");
    assert!(line.starts_with("The witness w0.example cosigns with Ed25519 "), "{line}");
    // Neither a group of one nor another order is anything else.
    for same in ["group x any w0e w0m\ngroup w0 all x", "group w0 1 w0m w0e"] {
        assert_eq!(told(&any, &of(same)), Vec::<String>::new(), "{same}");
    }
}

#[test]
fn within_groups_of_others_it_is_told_as_well() {
    let of = |rest: &str| parse(&policy(10, rest));
    // Folded into the group of several parties.
    let all = of("group q all w0e w0m w1e w1m\nquorum q\n");
    let some = of("group w1 any w1e w1m\ngroup q all w0e w0m w1\nquorum q\n");
    let line = told(&all, &some).join("\n");
    assert!(line.starts_with("The witness w1.example cosigns with any of "), "{line}");
    assert!(!line.contains("w0"), "{line}");
    // A party that counts at two places, with the one key where it was with the other.
    let places = |one: &str, other: &str| {
        of(&format!("group a any w1e {one}\ngroup b any w2e {other}\ngroup q all a b\nquorum q\n"))
    };
    let line = told(&places("w0e", "w0m"), &places("w0m", "w0e")).join("\n");
    assert!(line.contains("w0.example (with ML-DSA-44 "), "{line}");
    assert_eq!(told(&places("w0e", "w0m"), &places("w0e", "w0m")), Vec::<String>::new());
}

#[test]
fn keys_in_the_place_of_others_are_told_once() {
    let first = "group w0 all w0e w0m";
    let (old, new) = (parse(&policy(10, &groups(first))), parse(&policy(50, &groups(first))));
    let told = told(&old, &new);
    assert_eq!(told.len(), 3, "{told:?}");
    assert!(told.iter().all(|line| line.contains("cosigns with other keys: added ")), "{told:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    // Where any becomes all, or all any, in one group, and another set of keys meets the quorum by it.
    #[test]
    fn what_is_told_as_nothing_is_met_by_the_same_keys(
        merges in prop::collection::vec((any::<u8>(), 2usize..4, any::<bool>()), 2..5),
        changed in any::<prop::sample::Index>(),
    ) {
        let mut others = merges.clone();
        let place = changed.index(others.len());
        others[place].2 = !others[place].2;
        let (one, other) = (rules(&merges), rules(&others));
        let (old, new) = (parse(&policy(10, &one)), parse(&policy(10, &other)));
        let set = |bits: usize| (0..6).filter(|n| bits >> n & 1 == 1).map(|n| LINES[n]).collect();
        let same = (0..64).all(|bits| old.is_met_by(&set(bits)) == new.is_met_by(&set(bits)));
        prop_assert!(same || !told(&old, &new).is_empty(), "{}\n{}", one, other);
        prop_assert!(told(&old, &old).is_empty());
    }
}

const LINES: [&str; 6] = ["w0e", "w0m", "w1e", "w1m", "w2e", "w2m"];

// Groups of neighbours, of which each takes the place of its members: where it begins, of how many, any or all.
fn rules(merges: &[(u8, usize, bool)]) -> String {
    let mut free: Vec<String> = LINES.map(String::from).into();
    let mut text = String::new();
    for (place, (start, count, all)) in merges.iter().enumerate() {
        let count = free.len().min(*count);
        let start = usize::from(*start) % (free.len() - count + 1);
        let members: Vec<String> = free.drain(start..start + count).collect();
        let kind = if *all { "all" } else { "any" };
        writeln!(text, "group g{place} {kind} {}", members.join(" ")).unwrap();
        free.insert(start, format!("g{place}"));
    }
    writeln!(text, "group q all {}\nquorum q", free.join(" ")).unwrap();
    text
}
