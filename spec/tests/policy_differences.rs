//! What another policy changes is never told as "nothing": keys that look alike, any in the place of all,
//! and what becomes of older heads.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod common;

use coldlog_spec::checkpoint::Checkpoint;
use coldlog_spec::ed25519::SecretKey;
use coldlog_spec::hash::Hash;
use coldlog_spec::note::{KeyMaterial, VerifierKey};
use coldlog_spec::policy::{Content, Policy, Root, Window, differences, extend, older_heads};
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

// --- older heads -----------------------------------------------------------------------------------

fn last(size: u64) -> Checkpoint {
    Checkpoint { origin: ORIGIN.into(), size, root: Hash([0; 32]) }
}

fn texts() -> [String; 3] {
    [10, 50, 70].map(|seed| policy(seed, &groups("group w0 any w0e w0m")))
}

// `a` up to 100, `b` from then on.
fn history(a: &str, b: &str) -> Vec<u8> {
    extend(a.as_bytes(), b.as_bytes(), &[last(100)]).unwrap()
}

fn older(old: &[u8], new: &[u8]) -> Vec<String> {
    let (old, new) = (Policy::parse(old).unwrap(), Policy::parse(new).unwrap());
    older_heads(&old, &new).iter().map(ToString::to_string).collect()
}

#[test]
fn a_further_policy_for_older_heads_is_told() {
    let [a, b, evil] = texts();
    let good = history(&a, &b);
    let text = String::from_utf8(good.clone()).unwrap();
    let all = u64::MAX;
    let bad = text.replace("now\n", &format!("until {ORIGIN} {all}\n{evil}now\n"));
    // The policies in force are the same.
    let parsed = Policy::parse(bad.as_bytes()).unwrap();
    assert!(differences(&Policy::parse(&good).unwrap(), &parsed).is_empty());
    let digest = Hash::of(evil.as_bytes());
    let told = older(&good, bad.as_bytes());
    assert_eq!(
        told,
        [
            format!(
                "Attention: there is a new policy for older heads, of {ORIGIN} up to {all}: policy {digest}, witnesses 3, quorum q."
            ),
            format!(
                "Attention: heads of {ORIGIN} of size 101 and more are judged by an earlier policy (policy {digest}), until now by the policy in force."
            ),
        ]
    );
    // Where it judges no head it is told all the same: its log keys are believed in receipts.
    let idle = text.replace("now\n", &format!("until {ORIGIN} 100\n{evil}now\n"));
    let told = older(&good, idle.as_bytes());
    assert_eq!(told.len(), 1);
    assert!(told[0].starts_with("Attention: there is a new policy for older heads"), "{told:?}");
}

#[test]
fn an_until_that_moved_is_told() {
    let [a, b, _] = texts();
    let good = String::from_utf8(history(&a, &b)).unwrap();
    let moved = |to: &str| good.replace(&format!("until {ORIGIN} 100"), to);
    let digest = Hash::of(a.as_bytes());
    let told = older(good.as_bytes(), moved(&format!("until {ORIGIN} 200")).as_bytes());
    let longer = format!(
        "Attention: heads of {ORIGIN} of size 101 to 200 are judged by an earlier policy (policy {digest}), until now by the policy in force."
    );
    assert_eq!(told, [longer]);
    let told = older(good.as_bytes(), moved(&format!("until {ORIGIN} 50")).as_bytes());
    let shorter = format!(
        "Heads of {ORIGIN} of size 51 to 100 are judged by the policy in force, until now by an earlier policy (policy {digest})."
    );
    assert_eq!(told, [shorter]);
    // Without any history.
    let told = older(good.as_bytes(), b.as_bytes());
    assert_eq!(told.len(), 2);
    assert!(told[0].starts_with("A policy for older heads is gone"), "{told:?}");
    assert!(told[1].contains(" of size 0 to 100 are judged by the policy in force"), "{told:?}");
}

#[test]
fn a_renewal_changes_nothing_for_older_heads() {
    let [a, b, c] = texts();
    let first = history(&a, &b);
    let second = extend(&first, c.as_bytes(), &[last(200)]).unwrap();
    assert_eq!(older(a.as_bytes(), &first), Vec::<String>::new());
    assert_eq!(older(&first, &second), Vec::<String>::new());
    assert_eq!(older(&second, &second), Vec::<String>::new());
    // One that was missed is told: its policy was never the one in force here.
    assert_eq!(older(a.as_bytes(), &second).len(), 2);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

    #[test]
    fn any_head_that_another_earlier_policy_judges_is_told(
        one in prop::collection::vec((0usize..3, 1u64..6), 0..4),
        other in prop::collection::vec((0usize..3, 1u64..6), 0..4),
    ) {
        let texts = texts();
        let made = |mut parts: Vec<(usize, u64)>| {
            parts.sort_by_key(|(_, until)| *until);
            let sections: String = parts
                .iter()
                .map(|(text, until)| format!("until {ORIGIN} {until}\n{}", texts[*text]))
                .collect();
            format!("coldlog-policies/1\n{sections}now\n{}", texts[0])
        };
        let (old, new) = (parse(&made(one)), parse(&made(other)));
        let same = (0..8).all(|size| old.at(&last(size)).digest == new.at(&last(size)).digest);
        let told: Vec<String> = older_heads(&old, &new).iter().map(ToString::to_string).collect();
        let spans = told.iter().filter(|line| line.contains("eads of log")).count();
        prop_assert_eq!(same, spans == 0, "{:?}", told);
    }
}
