//! Trust roots: who may renew a policy, for how long one is meant, and that an old one goes on to hold.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use coldlog_spec::checkpoint::{Checkpoint, HeadKeys, SignedCheckpoint};
use coldlog_spec::ed25519::SecretKey;
use coldlog_spec::hash::Hash;
use coldlog_spec::mldsa;
use coldlog_spec::note::{KeyMaterial, VerifierKey};
use coldlog_spec::policy::{
    Change, Content, Policy, Root, RootError, Standing, Utc, Validity, WARNED_BEFORE, Window,
    differences, extend,
};
use coldlog_spec::verify::cosigned::put;
use coldlog_spec::verify::renewal::{NotRenewed, follows, may_replace};
use proptest::prelude::*;

const ORIGIN: &str = "log.example/a";
const FIRST: Window = Window { not_before: 1000, expires: 2000 };
const SECOND: Window = Window { not_before: 1800, expires: 3000 };

fn head_keys(name: &str) -> HeadKeys {
    let seed = Hash::of(name.as_bytes()).0;
    HeadKeys {
        name: name.into(),
        ed25519: SecretKey::from_seed(&seed),
        mldsa: mldsa::SecretKey::from_seed(&seed),
    }
}

fn policy(witnesses: &[&str], needed: usize) -> String {
    let [key, _] = head_keys(ORIGIN).log_verifiers();
    let mut text = format!("log {}\n", key.encode());
    for name in witnesses {
        let [key, _] = head_keys(name).witness_verifiers();
        text.push_str(&format!("witness {name} {}\n", key.encode()));
    }
    text + &format!("group q {needed} {}\nquorum q\n", witnesses.join(" "))
}

fn secret(holder: usize) -> (String, SecretKey) {
    let name = format!("holder{holder}.example/policy");
    let key = SecretKey::from_seed(&Hash::of(name.as_bytes()).0);
    (name, key)
}

fn public(holder: usize) -> VerifierKey {
    let (name, key) = secret(holder);
    VerifierKey::new(name, KeyMaterial::Ed25519(key.public()))
}

fn content(holders: &[usize], threshold: usize) -> Content {
    Content {
        version: 1,
        previous: None,
        window: FIRST,
        threshold,
        keys: holders.iter().map(|holder| public(*holder)).collect(),
        policy: policy(&["a", "b", "c"], 2),
    }
}

fn signed(content: Content, by: &[usize]) -> Root {
    let mut root = Root::new(content).unwrap();
    for holder in by {
        let (name, key) = secret(*holder);
        root.sign(&name, &key).unwrap();
    }
    root
}

// Version 1, renewed by two of the holders 0, 1 and 2.
fn first() -> Root {
    signed(content(&[0, 1, 2], 2), &[0, 1])
}

// What comes after it: other witnesses, and holder 3 in the place of holder 2.
fn after(old: &Root) -> Content {
    let holders = content(&[0, 1, 3], 2);
    let (version, previous) = (old.content().version + 1, Some(old.digest()));
    Content { version, previous, window: SECOND, policy: policy(&["c", "d", "e"], 2), ..holders }
}

fn second() -> Root {
    signed(after(&first()), &[0, 1])
}

fn head(size: u64, cosigned: &[(&str, u64)]) -> SignedCheckpoint {
    let root = Hash::of(&size.to_be_bytes());
    let checkpoint = Checkpoint { origin: ORIGIN.into(), size, root };
    let mut head = head_keys(ORIGIN).sign_head(&checkpoint, 1).unwrap();
    for (name, time) in cosigned {
        let lines = head_keys(name).cosign(&head, *time).unwrap();
        put(&mut head, lines);
    }
    head
}

fn last(size: u64) -> Checkpoint {
    Checkpoint { origin: ORIGIN.into(), size, root: Hash([0; 32]) }
}

#[test]
fn a_root_reads_as_it_was_written_signed_or_not() {
    for root in [Root::new(content(&[0], 1)).unwrap(), first(), second()] {
        let again = Root::decode(&root.encode()).unwrap();
        assert_eq!(again.encode(), root.encode());
        assert_eq!(again.digest(), root.digest());
    }
    // The digest is of the text: further signatures make no other root.
    assert_eq!(signed(content(&[0, 1, 2], 2), &[2]).digest(), first().digest());
    // A policy keeps its digest, the one that proofs name, with and without a root around it.
    let text = policy(&["a", "b", "c"], 2);
    assert_eq!(Policy::parse(&first().encode()).unwrap().digest, Hash::of(text.as_bytes()));
}

#[test]
fn an_unsigned_root_is_no_policy() {
    for by in [&[][..], &[0], &[3, 4]] {
        let root = signed(content(&[0, 1, 2], 2), by);
        let why = Policy::parse(&root.encode()).unwrap_err().to_string();
        assert!(why.contains("of its own policy keys"), "{why}");
    }
    assert!(Policy::parse(&first().encode()).is_ok());
}

#[test]
fn each_way_not_to_be_the_next_root_has_its_own_name() {
    let (old, new) = (first(), second());
    let renewed = follows(&old, &new).unwrap();
    assert_eq!(renewed.by_old, ["holder0.example/policy", "holder1.example/policy"]);
    assert_eq!(renewed.by_new, renewed.by_old);

    assert!(matches!(follows(&new, &old), Err(NotRenewed::Rollback { in_force: 2, found: 1 })));
    assert!(matches!(follows(&new, &new), Err(NotRenewed::InForce { version: 2 })));
    let third =
        signed(Content { version: 3, previous: Some(new.digest()), ..after(&old) }, &[0, 1]);
    assert!(matches!(follows(&old, &third), Err(NotRenewed::Gap { in_force: 1, found: 3 })));
    assert!(follows(&new, &third).is_ok());

    // Another version 2 by those who may: a fork, whoever asks.
    let other = signed(Content { policy: policy(&["x", "y", "z"], 2), ..after(&old) }, &[1, 2, 0]);
    assert!(follows(&old, &other).is_ok(), "before either is taken, nobody can know");
    let history = extend(&old.encode(), &new.encode(), &[last(100)]).unwrap();
    let in_force = Policy::parse(&history).unwrap();
    match may_replace(&in_force, &other).unwrap_err() {
        NotRenewed::Fork { version: 2, by, .. } => assert_eq!(by.len(), 3),
        why => panic!("{why}"),
    }
    // By those who may not it is only forged.
    let forged = signed(Content { policy: policy(&["x", "y", "z"], 2), ..after(&old) }, &[3, 4]);
    assert!(matches!(may_replace(&in_force, &forged), Err(NotRenewed::TooFewOld { .. })));
    let strange =
        signed(Content { previous: Some(other.digest()), version: 3, ..after(&old) }, &[0, 1]);
    let why = follows(&new, &strange).unwrap_err();
    assert!(matches!(why, NotRenewed::OtherPrevious { version: 3, .. }), "{why}");
}

#[test]
fn an_expired_root_is_renewed_all_the_same() {
    let late = Content { window: Window { not_before: 9000, expires: 9900 }, ..after(&first()) };
    assert!(follows(&first(), &signed(late, &[0, 1])).is_ok());
}

#[test]
fn a_first_root_over_a_policy_without_one_is_for_people_to_compare() {
    let plain = Policy::parse(policy(&["a", "b", "c"], 2).as_bytes()).unwrap();
    assert_eq!(may_replace(&plain, &first()).unwrap(), None);
    let unsigned = Root::new(content(&[0], 1)).unwrap();
    let why = may_replace(&plain, &unsigned).unwrap_err();
    assert!(matches!(why, NotRenewed::Root(RootError::TooFewOwn { .. })), "{why}");
}

#[test]
fn in_a_history_each_head_is_judged_by_the_root_of_its_time() {
    let history = extend(&first().encode(), &second().encode(), &[last(100)]).unwrap();
    let policies = Policy::parse(&history).unwrap();
    let judged = |size, by: &[(&str, u64)]| {
        policies.verify_head(&head(size, by)).map(|head| head.under().validity)
    };
    assert_eq!(judged(100, &[("a", 1500), ("b", 1600)]).unwrap(), Validity::Within(FIRST));
    assert_eq!(judged(101, &[("c", 1900), ("d", 2500)]).unwrap(), Validity::Within(SECOND));
    // The old witnesses vouch for no new head, nor the new ones for an old one.
    assert!(judged(101, &[("a", 1900), ("b", 1900)]).is_err());
    assert!(judged(100, &[("d", 1900), ("e", 1900)]).is_err());
    // Once there is a root, no policy without one follows, and none that is not signed by the old rules.
    let plain = policy(&["a"], 1);
    let why = extend(&history, plain.as_bytes(), &[last(200)]).unwrap_err().to_string();
    assert!(why.contains("`verifier policy renew` drafts its renewal"), "{why}");
    let forged = signed(after(&first()), &[0, 3]);
    let why = extend(&first().encode(), &forged.encode(), &[last(9)]).unwrap_err().to_string();
    assert!(why.contains("signed by 1 of the policy keys in force (holder0"), "{why}");
    // A policy without a root may have been there before.
    assert!(extend(plain.as_bytes(), &first().encode(), &[last(9)]).is_ok());
}

#[test]
fn expiry_is_said_and_refuses_no_head() {
    let root = Policy::parse(&first().encode()).unwrap();
    let judged = |times: [u64; 2]| {
        let head = head(5, &[("a", times[0]), ("b", times[1])]);
        root.verify_head(&head).unwrap().under().validity
    };
    assert_eq!(judged([1000, 1999]), Validity::Within(FIRST));
    // The quorum was complete with the second.
    assert_eq!(judged([1999, 2000]), Validity::Late(FIRST, 2000));
    assert_eq!(judged([500, 1000]), Validity::Within(FIRST));
    assert_eq!(judged([999, 998]), Validity::Early(FIRST, 999));
    let plain = Policy::parse(policy(&["a", "b", "c"], 2).as_bytes()).unwrap();
    let of_any_time = plain.verify_head(&head(5, &[("a", 9), ("b", 9)])).unwrap();
    assert_eq!(of_any_time.under().validity, Validity::Unlimited);
    let window = Window { not_before: 10, expires: 10 + 2 * WARNED_BEFORE };
    assert_eq!(window.at(9), Standing::NotYet);
    assert_eq!(window.at(10), Standing::InForce);
    assert_eq!(window.at(window.expires - WARNED_BEFORE), Standing::InForce);
    assert_eq!(window.at(window.expires - 5), Standing::ExpiresIn(5));
    assert_eq!(window.at(window.expires), Standing::Expired);
}

#[test]
fn what_is_no_root_is_refused_with_its_line() {
    let good = String::from_utf8(Root::new(content(&[0, 1], 1)).unwrap().encode()).unwrap();
    let key = public(0).encode();
    let wrong = [
        (good.replace("version 1", "version 0"), "line 2: expected `version"),
        (good.replace("version 1", "version 01"), "line 2: expected `version"),
        (good.replace("version 1", "version 2"), "line 3: expected `previous none`"),
        (good.replace("previous none", &format!("previous {}", "a".repeat(64))), "line 3"),
        (good.replace("previous none", "previous NONE"), "line 3"),
        (good.replace("not-before 1000", "not-before  1000"), "line 4"),
        (good.replace("expires 2000", "expires 1000"), "not after its beginning"),
        (good.replace("threshold 1", "threshold 0"), "threshold of the trust root is 0"),
        (good.replace("threshold 1", "threshold 3"), "threshold of the trust root is 3"),
        (good.replace(&key, &public(1).encode()), "stands twice"),
        (good.replace("quorum q", "quorum r"), "in the trust root, policy line 15"),
        (good.replace("\npolicy\n", "\n"), "expected `key <verifier key>` or `policy`"),
        (good.replace("quorum q\n", "quorum q"), "each with its newline"),
        (good.replace("quorum q", "quorum\tq"), "without tabs"),
        (good.replace("coldlog-root/v1", "coldlog-root/v2"), "line 1"),
    ];
    for (text, why) in wrong {
        assert_ne!(text, good, "{why}");
        let refused = Root::decode(text.as_bytes()).unwrap_err().to_string();
        assert!(refused.contains(why), "{why}: {refused}");
    }
    // Nobody decides whom to believe with the key by which he is believed.
    let own = head_keys(ORIGIN).log_verifiers()[0].clone();
    let refused = Root::new(Content { keys: vec![own], ..content(&[], 1) }).unwrap_err();
    assert!(matches!(refused, RootError::NotAPolicyKey { .. }), "{refused}");
    let witness = head_keys("a").witness_verifiers()[0].clone();
    let refused = Root::new(Content { keys: vec![witness], ..content(&[], 1) }).unwrap_err();
    assert!(matches!(refused, RootError::NotAPolicyKey { .. }), "{refused}");
}

#[test]
fn what_changes_is_said_in_words() {
    let (old, new) = (first().draft(), second().draft());
    let texts: Vec<String> = differences(&old, &new).iter().map(Change::to_string).collect();
    let told = texts.join("\n");
    for line in [
        "The witness a is gone: it vouches for no new head.",
        "The witness d is new, with the keys Ed25519 ",
        "Who must cosign: 2 of 3, c, d, e. Until now: 2 of 3, a, b, c.",
        "holder3.example/policy (Ed25519 ",
        "holder2.example/policy (Ed25519 ",
        "It is meant for 1970-01-01T00:30:00Z to 1970-01-01T00:50:00Z, until now for",
    ] {
        assert!(told.contains(line), "{line}:\n{told}");
    }
    assert!(differences(&old, &old).is_empty());
    let parse = |text: String| Policy::parse(text.as_bytes()).unwrap();
    let (small, large) =
        (parse(policy(&["a", "b", "c"], 2)), parse(policy(&["a", "b", "c", "d", "e"], 3)));
    let told = differences(&small, &large);
    let told: Vec<String> = told.iter().map(Change::to_string).collect();
    let told = told.join("\n");
    assert!(
        told.contains("Who must cosign: 3 of 5, a, b, c, d, e. Until now: 2 of 3, a, b, c."),
        "{told}"
    );
    assert!(told.contains("to show a history to you alone: 3 of 5, until now 2 of 3."), "{told}");
    assert!(told.contains("for nothing new to be accepted: 3 of 5, until now 2 of 3."), "{told}");
    let strangers = parse(policy(&["x", "y", "z"], 2));
    let told = differences(&small, &strangers);
    assert!(told.contains(&Change::Strangers { witnesses: 3 }), "{told:?}");
    let moved = parse(policy(&["a", "b", "c"], 2).replacen('\n', " https://log.example\n", 1));
    let told = differences(&small, &moved);
    assert_eq!(told[0].to_string(), "log.example/a is at https://log.example.");
    assert_eq!(told.len(), 1);
    let gap = Window { not_before: 2500, expires: 3000 };
    let late = signed(Content { window: gap, ..after(&first()) }, &[0, 1]).draft();
    let told = differences(&old, &late);
    assert!(told.contains(&Change::Uncovered { from: 2000, to: 2500 }), "{told:?}");
}

#[test]
fn times_are_shown_as_in_rfc_3339() {
    for (seconds, shown) in [
        (0, "1970-01-01T00:00:00Z"),
        (951_782_399, "2000-02-28T23:59:59Z"),
        (951_782_400, "2000-02-29T00:00:00Z"),
        (951_868_800, "2000-03-01T00:00:00Z"),
        (1_798_761_599, "2026-12-31T23:59:59Z"),
        (4_107_542_400, "2100-03-01T00:00:00Z"),
        (u64::MAX, "9999-12-31T23:59:59Z"),
    ] {
        assert_eq!(Utc(seconds).to_string(), shown);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(100) })]

    #[test]
    fn a_renewal_needs_a_threshold_of_the_old_keys_and_of_the_new(
        old in prop::sample::subsequence((0usize..6).collect::<Vec<_>>(), 1..=5),
        new in prop::sample::subsequence((0usize..6).collect::<Vec<_>>(), 1..=5),
        by in prop::sample::subsequence((0usize..7).collect::<Vec<_>>(), 0..=7),
        thresholds in (1usize..=5, 1usize..=5),
    ) {
        let thresholds = (thresholds.0.min(old.len()), thresholds.1.min(new.len()));
        let before = signed(content(&old, thresholds.0), &old);
        let next = Content {
            keys: content(&new, 1).keys, threshold: thresholds.1, ..after(&before)
        };
        let next = signed(next, &by);
        let of = |keys: &[usize]| keys.iter().filter(|holder| by.contains(holder)).count();
        let enough = (of(&old) >= thresholds.0, of(&new) >= thresholds.1);
        match (follows(&before, &next), enough) {
            (Ok(renewed), (true, true)) => {
                prop_assert_eq!((renewed.by_old.len(), renewed.by_new.len()), (of(&old), of(&new)));
            }
            (Err(NotRenewed::TooFewOld { by, .. }), (false, _)) => prop_assert_eq!(by.len(), of(&old)),
            (Err(NotRenewed::Root(RootError::TooFewOwn { by, .. })), (true, false)) => {
                prop_assert_eq!(by.len(), of(&new));
            }
            (found, enough) => prop_assert!(false, "{:?} {:?}", found, enough),
        }
    }

    #[test]
    fn any_one_changed_byte_of_a_renewal_is_refused(place in any::<prop::sample::Index>(), bits in 1u8..) {
        let mut bytes = second().encode();
        let place = place.index(bytes.len());
        bytes[place] ^= bits;
        // Either it is no root, or its signatures are not of the old and the new keys any more.
        if let Ok(root) = Root::decode(&bytes) {
            prop_assert!(follows(&first(), &root).is_err(), "byte {}", place);
        }
        prop_assert!(extend(&first().encode(), &bytes, &[last(7)]).is_err(), "byte {}", place);
    }

    #[test]
    fn any_text_is_a_root_or_refused(text in "(version 1\n|previous none\n|not-before 1\n|expires 9\n|threshold 1\n|key a\n|policy\n|quorum none\n|\n|\u{2014} x AAAA\n){0,10}") {
        let _ = Root::decode(format!("coldlog-root/v1\n{text}").as_bytes());
    }
}
