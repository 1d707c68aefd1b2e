//! Policies one after another: each head is judged by the policy of its time, and by no other.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use coldlog_spec::checkpoint::{Checkpoint, HeadKeys, SignedCheckpoint};
use coldlog_spec::hash::Hash;
use coldlog_spec::policy::{HeadError, Policy, extend};
use coldlog_spec::verify::cosigned::put;
use coldlog_spec::{ed25519, mldsa};
use proptest::prelude::*;

const ORIGIN: &str = "log.example/a";

fn keys(name: &str) -> HeadKeys {
    let seed = Hash::of(name.as_bytes()).0;
    HeadKeys {
        name: name.split('#').next().unwrap().into(),
        ed25519: ed25519::SecretKey::from_seed(&seed),
        mldsa: mldsa::SecretKey::from_seed(&seed),
    }
}

// A policy of a log's key, and witnesses of which so many must cosign.
fn policy(log: &str, witnesses: &[&str], needed: usize) -> String {
    let [key, _] = keys(log).log_verifiers();
    let mut text = format!("log {}\n", key.encode());
    for name in witnesses {
        let [key, _] = keys(name).witness_verifiers();
        text.push_str(&format!("witness {name} {}\n", key.encode()));
    }
    text.push_str(&format!("group q {needed} {}\nquorum q\n", witnesses.join(" ")));
    text
}

fn head(log: &str, size: u64, witnesses: &[&str]) -> SignedCheckpoint {
    let root = Hash::of(&size.to_be_bytes());
    let checkpoint = Checkpoint { origin: keys(log).name, size, root };
    let mut head = keys(log).sign_head(&checkpoint, 1).unwrap();
    for name in witnesses {
        let lines = keys(name).cosign(&head, 1000).unwrap();
        put(&mut head, lines);
    }
    head
}

fn last(size: u64) -> Checkpoint {
    Checkpoint { origin: ORIGIN.into(), size, root: Hash([0; 32]) }
}

// a, b, c up to 100; c, d up to 200, under another key of the log; e from then on.
fn history() -> Vec<u8> {
    let first = policy(ORIGIN, &["a", "b", "c"], 2);
    let second = policy("log.example/a#2", &["c", "d"], 2);
    let third = policy("log.example/a#2", &["e"], 1);
    let history = extend(first.as_bytes(), second.as_bytes(), &[last(100)]).unwrap();
    extend(&history, third.as_bytes(), &[last(200)]).unwrap()
}

#[test]
fn a_retired_witness_counts_for_the_heads_of_its_time_only() {
    let policies = Policy::parse(&history()).unwrap();
    let [one, two] = [ORIGIN, "log.example/a#2"];
    let good: [(&str, u64, &[&str]); 6] = [
        (one, 1, &["a", "b"]),
        (one, 100, &["a", "b", "c"]),
        (two, 101, &["c", "d"]),
        (two, 200, &["d", "c"]),
        (two, 201, &["e"]),
        (two, u64::MAX, &["e"]),
    ];
    for (log, size, witnesses) in good {
        let cosigned = policies.verify_head(&head(log, size, witnesses)).unwrap();
        let under = cosigned.under();
        let until = [100, 200].into_iter().find(|until| size <= *until);
        assert_eq!((under.until, under.witnessed), (until, witnesses.len()), "{size}");
    }
    let bad: [(&str, u64, &[&str]); 7] = [
        (one, 100, &["c", "d"]),
        (one, 100, &["e"]),
        (two, 101, &["a", "b"]),
        (two, 200, &["e"]),
        (two, 201, &["a", "b", "c", "d"]),
        // Nobody's quorum: one of each.
        (two, 150, &["a", "d"]),
        (one, 100, &["a"]),
    ];
    for (log, size, witnesses) in bad {
        let refused = policies.verify_head(&head(log, size, witnesses)).unwrap_err();
        assert!(matches!(refused, HeadError::Quorum { .. }), "{size} {witnesses:?}: {refused}");
    }
    // A log's old key signs no new head, nor the new key an old one.
    for (log, size) in [(one, 101), (one, 201), (two, 100)] {
        let refused = policies.verify_head(&head(log, size, &["a", "b", "c", "d", "e"]));
        assert!(matches!(refused.unwrap_err(), HeadError::Note(_)), "{log} {size}");
        assert!(policies.verify_log(&head(log, size, &[])).is_err());
    }
}

#[test]
fn each_policy_keeps_its_digest() {
    let first = policy(ORIGIN, &["a", "b", "c"], 2);
    let policies = Policy::parse(&history()).unwrap();
    let digests: Vec<Hash> = policies.earlier().iter().map(|e| e.policy.digest).collect();
    assert_eq!(digests[0], Hash::of(first.as_bytes()));
    assert_eq!(policies.at(&last(7)).digest, digests[0]);
    assert_eq!(policies.at(&last(101)).digest, digests[1]);
    let third = policy("log.example/a#2", &["e"], 1);
    assert_eq!(policies.at(&last(201)).digest, Hash::of(third.as_bytes()));
    assert_eq!(policies.digest, Hash::of(third.as_bytes()));
    // Other logs are judged by what is in force now.
    let other = Checkpoint { origin: "log.example/b".into(), ..last(7) };
    assert_eq!(policies.at(&other).digest, policies.digest);
}

#[test]
fn what_is_no_history_is_refused_with_its_line() {
    let one = policy(ORIGIN, &["a"], 1);
    let wrong = [
        ("".to_owned(), "no policy that is in force"),
        (format!("until {ORIGIN} 5\n{one}"), "no policy that is in force"),
        (one.clone(), "line 2: expected `until <origin> <size>` or `now` before a policy"),
        (format!("until {ORIGIN} 05\n{one}now\n{one}"), "line 2: expected `until"),
        (format!("until {ORIGIN}\n{one}now\n{one}"), "line 2: expected `until"),
        (format!("until {ORIGIN} 5\nnow\n{one}"), "before `now`"),
        (format!("until {ORIGIN} 5\n{one}until {ORIGIN} 4\n{one}now\n{one}"), "smaller"),
        (
            format!("until {ORIGIN} 5\nuntil {ORIGIN} 5\n{one}now\n{one}"),
            "line 3: a second `until`",
        ),
        (
            format!("until {ORIGIN} 5\nuntil {ORIGIN} 9\n{one}now\n{one}"),
            "line 3: a second `until`",
        ),
        (format!("now\n{one}now\n{one}"), "nothing comes after"),
        (format!("now\n{one}until {ORIGIN} 5\n{one}"), "nothing comes after"),
        (format!("until {ORIGIN} 5\n{one}now\nquorum x\n"), "line 8: x is not defined"),
        (format!("until other.example/log 5\n{one}now\n{one}"), "that no policy names"),
        (format!("until {ORIGIN} 5\nlog x\nnow\n{one}"), "line 3"),
    ];
    for (text, why) in wrong {
        let refused = Policy::parse(format!("coldlog-policies/1\n{text}").as_bytes());
        let told = refused.unwrap_err().to_string();
        assert!(told.contains(why), "{text}: {told}");
    }
    assert!(extend(one.as_bytes(), &history(), &[last(5)]).is_err());
    assert!(extend(one.as_bytes(), one.as_bytes(), &[last(5), last(6)]).is_err());
    assert!(extend(&history(), one.as_bytes(), &[last(199)]).is_err());
    // Under the policy between there was no head at all.
    assert!(extend(&history(), one.as_bytes(), &[last(200)]).is_ok());
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

    #[test]
    fn any_head_is_judged_as_by_the_policy_of_its_time_alone(
        mut ends in proptest::collection::vec(1u64..1000, 0..6), size in 0u64..1200,
        cosigners in proptest::collection::vec(0usize..7, 0..7),
    ) {
        ends.sort();
        ends.dedup();
        // Each policy has one witness, by its place.
        let texts: Vec<String> =
            (0..=ends.len()).map(|n| policy(ORIGIN, &[&format!("w{n}")], 1)).collect();
        let mut history = texts[0].clone().into_bytes();
        for (end, text) in ends.iter().zip(&texts[1..]) {
            history = extend(&history, text.as_bytes(), &[last(*end)]).unwrap();
        }
        let policies = Policy::parse(&history).unwrap();
        let place = ends.iter().take_while(|end| size > **end).count();
        let alone = Policy::parse(texts[place].as_bytes()).unwrap();
        let names: Vec<String> = cosigners.iter().map(|n| format!("w{n}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let head = head(ORIGIN, size, &names);
        prop_assert_eq!(policies.verify_head(&head).is_ok(), alone.verify_head(&head).is_ok());
        prop_assert_eq!(policies.verify_head(&head).is_ok(), cosigners.contains(&place));
    }

    #[test]
    fn any_text_is_a_history_or_refused(text in "(until log.example/a [0-9]{1,3}\n|now\n|quorum none\n|#\n|x){0,8}") {
        let _ = Policy::parse(format!("coldlog-policies/1\n{text}").as_bytes());
    }
}
