//! What another policy changes is never told as "nothing".
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod common;

use coldlog_spec::ed25519::SecretKey;
use coldlog_spec::hash::Hash;
use coldlog_spec::note::{KeyMaterial, VerifierKey};
use coldlog_spec::policy::{Content, Policy, Root, Window, differences};
use common::head_keys;
use std::fmt::Write;

const ORIGIN: &str = "log.example/a";

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
