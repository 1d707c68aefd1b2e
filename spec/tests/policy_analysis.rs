//! What a policy means, against an evaluator of its text that shares nothing with ours, and against
//! all sets of parties.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

#[path = "policies/brute.rs"]
mod brute;
mod common;
#[path = "policies/many.rs"]
mod many;

use brute::*;
use coldlog_spec::note::VerifierKey;
use coldlog_spec::policy::{Defect, Policy, Size};
use common::head_keys;
use many::*;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    #[test]
    fn sizes_and_sets_are_those_of_all_subsets(choices in prop::collection::vec(any::<u8>(), 80)) {
        must_be_exact(&random_policy(&choices, false));
    }

    #[test]
    fn so_are_they_where_parties_count_at_several_places(choices in prop::collection::vec(any::<u8>(), 80)) {
        must_be_exact(&random_policy(&choices, true));
    }

    #[test]
    fn without_time_to_try_sets_bounds_hold_and_examples_work(choices in prop::collection::vec(any::<u8>(), 80), time in 0u64..64) {
        let text = random_policy(&choices, true);
        let met = table(&text);
        let facts = Policy::parse(text.as_bytes()).unwrap().analysis_within(time).quorum.unwrap();
        let works: [&dyn Fn(usize) -> bool; 3] =
            [&|mask| met[mask], &|mask| forks(&met, mask), &|mask| !met[255 & !mask]];
        let found = [&facts.quorum, &facts.fork, &facts.stall];
        for (((size, _), found), works) in three(&met).into_iter().zip(found).zip(works) {
            match found.size {
                Size::Exactly(exact) => prop_assert_eq!(exact, size, "{}", text),
                Size::AtLeast(least) => prop_assert!(least <= size, "{least} {size} {}", text),
            }
            prop_assert!(!found.examples.is_empty());
            for set in sets_of(found) {
                prop_assert!(works(set), "{set:b} {}", text);
                // Nobody in it can be left out.
                let mut fewer = (0..PARTIES).map(|n| set & !(1 << n)).filter(|fewer| *fewer != set);
                prop_assert!(found.size != Size::Exactly(size) || fewer.all(|mask| !works(mask)));
            }
        }
    }

    #[test]
    fn a_quorum_is_met_where_an_independent_reader_says_so(choices in prop::collection::vec(any::<u8>(), 80), lines in any::<u16>()) {
        let text = random_policy(&choices, true);
        let policy = Policy::parse(text.as_bytes()).unwrap();
        let names: Vec<&str> = policy.witnesses.iter().map(|(name, _)| name.as_str()).collect();
        let present: BTreeSet<&str> = names.iter().enumerate()
            .filter(|(place, _)| lines >> place & 1 == 1).map(|(_, name)| *name).collect();
        prop_assert_eq!(
            policy.is_met_by(&present), evaluates(&words(&text), &|name, _| present.contains(name)), "{}", text
        );
        // A group cannot cosign.
        let mut more = present.clone();
        more.extend(["g0", "g1", "g2", "g3", "w0", "w1"]);
        prop_assert_eq!(policy.is_met_by(&more), policy.is_met_by(&present));
    }

    #[test]
    fn a_policy_reads_back_as_it_was_written(choices in prop::collection::vec(any::<u8>(), 80)) {
        let text = random_policy(&choices, true);
        let policy = Policy::parse(text.as_bytes()).unwrap();
        let mut again = String::new();
        let mut places: BTreeMap<usize, String> = BTreeMap::new();
        let place = |line: &str| text.lines().position(|other| other.starts_with(line)).unwrap();
        for (name, key) in &policy.witnesses {
            places.insert(place(&format!("witness {name} ")), format!("witness {name} {}", key.encode()));
        }
        for (name, threshold, members) in policy.groups() {
            places.insert(place(&format!("group {name} ")), format!("group {name} {threshold} {}", members.join(" ")));
        }
        places.into_values().for_each(|line| writeln!(again, "{line}").unwrap());
        writeln!(again, "quorum {}", policy.quorum().unwrap()).unwrap();
        let read = Policy::parse(again.as_bytes()).unwrap();
        prop_assert_eq!(&read.witnesses, &policy.witnesses);
        prop_assert!(read.groups().eq(policy.groups()));
        prop_assert_eq!(read.quorum(), policy.quorum());
        prop_assert_eq!(read.analysis(), policy.analysis());
    }
}

fn names(of: std::ops::Range<usize>) -> String {
    of.map(|n| format!("w{n}")).collect::<Vec<_>>().join(" ")
}

fn sizes(text: &str) -> [Size; 3] {
    let facts = Policy::parse(text.as_bytes()).unwrap().analysis().quorum.unwrap();
    [facts.quorum.size, facts.fork.size, facts.stall.size]
}

#[test]
fn sizes_of_a_plain_threshold_are_k_and_2k_less_n_and_n_less_k_plus_1() {
    let witnesses = many(40);
    for count in [1, 2, 3, 4, 5, 7, 32, 40] {
        for needed in 1..=count {
            let group = format!("group all-of-them {needed} {}", names(0..count));
            let text = format!("{witnesses}{group}\nquorum all-of-them\n");
            let fork = (2 * needed).saturating_sub(count);
            let expected = [needed, fork, count - needed + 1].map(Size::Exactly);
            assert_eq!(sizes(&text), expected, "{needed} of {count}");
        }
    }
}

#[test]
fn policies_may_be_as_large_as_the_standard_recommends_and_far_larger() {
    let mut text = String::new();
    for n in 0..40 {
        let [ed25519, mldsa] = head_keys(&format!("log{n}.example"), n).log_verifiers();
        writeln!(text, "log {}\nlog {} https://log{n}.example/", ed25519.encode(), mldsa.encode())
            .unwrap();
    }
    for n in 0..40 {
        let keys = head_keys(&format!("w{n}.example"), 50 + n).witness_verifiers();
        for (kind, key) in keys.iter().enumerate() {
            writeln!(text, "witness w{n}-{kind} {}", key.encode()).unwrap();
        }
        writeln!(text, "group w{n} any w{n}-0 w{n}-1").unwrap();
    }
    writeln!(text, "group g0 2 w0 w1 w2").unwrap();
    // Nested 37 deep: each takes the one before it and one more witness, both of them.
    for n in 3..40 {
        writeln!(text, "group g{} all g{} w{n}", n - 2, n - 3).unwrap();
    }
    writeln!(text, "quorum g37").unwrap();
    let policy = Policy::parse(text.as_bytes()).unwrap();
    assert_eq!((policy.logs.len(), policy.witnesses.len(), policy.groups().count()), (80, 80, 78));
    let analysis = policy.analysis();
    assert_eq!((analysis.logs.len(), analysis.parties.len()), (40, 40));
    assert_eq!(sizes(&text), [39, 38, 1].map(Size::Exactly));
    assert_eq!(analysis.defects, Vec::new());
}

#[test]
fn a_file_full_of_nested_groups_ends_in_time() {
    let count = 4_000;
    let mut text = many(count) + "group g0 any w0\n";
    for n in 1..count {
        writeln!(text, "group g{n} any g{} w{n}", n - 1).unwrap();
    }
    let mut last = format!("g{}", count - 1);
    while text.len() + 60 < coldlog_spec::policy::MAX_POLICY {
        let next = format!("h{}", text.len());
        writeln!(text, "group {next} 1 {last}").unwrap();
        last = next;
    }
    writeln!(text, "quorum {last}").unwrap();
    assert_eq!(sizes(&text), [Size::Exactly(1), Size::Exactly(0), Size::Exactly(count)]);
    let all = text.replace(" any ", " all ");
    assert_eq!(sizes(&all), [Size::Exactly(count), Size::Exactly(count), Size::Exactly(1)]);
    // Two lines of a party in groups of their own: no sets are tried for ever.
    let [ed25519, mldsa] = head_keys("twice.example", 7).witness_verifiers();
    let mut twice = format!("witness a {}\nwitness b {}\n", ed25519.encode(), mldsa.encode());
    let half = count / 2;
    write!(
        twice,
        "{}group one {} a {}\ngroup other {} b {}\ngroup both all one other\nquorum both\n",
        many(count),
        half / 2,
        names(0..half),
        half / 2,
        names(half..count)
    )
    .unwrap();
    let [quorum, fork, stall] = sizes(&twice);
    assert_eq!(quorum, Size::Exactly(half - 1));
    assert_eq!(fork, Size::Exactly(0));
    assert_eq!(stall, Size::Exactly(half / 2 + 2));
}

#[test]
fn where_sets_are_too_many_to_try_a_bound_is_said_to_be_one() {
    // Both a majority of Ed25519 and a majority of ML-DSA keys.
    let (mut text, mut groups) = (String::new(), [String::new(), String::new()]);
    for n in 0..32 {
        let keys = head_keys(&format!("w{n}.example"), n).witness_verifiers();
        for (kind, key) in keys.iter().enumerate() {
            writeln!(text, "witness w{n}-{kind} {}", key.encode()).unwrap();
            write!(groups[kind], " w{n}-{kind}").unwrap();
        }
    }
    let [ed25519, mldsa] = groups;
    write!(text, "group a 17{ed25519}\ngroup b 17{mldsa}\ngroup c all a b\nquorum c\n").unwrap();
    // It takes 16 to stall: that no 7 do is known at once, but of 8 there are 10 million sets.
    assert_eq!(sizes(&text), [Size::Exactly(17), Size::Exactly(2), Size::AtLeast(8)]);
    let facts = Policy::parse(text.as_bytes()).unwrap().analysis().quorum.unwrap();
    assert_eq!(facts.stall.examples.iter().map(Vec::len).collect::<Vec<_>>(), [16]);
}

#[test]
fn a_fork_of_groups_needs_what_the_standards_example_needs() {
    // 2 of 3 X and any of 3 Y: one X must cosign both sides, and no Y.
    let text = format!(
        "{}group X-witnesses 2 w0 w1 w2\ngroup Y-witnesses any w3 w4 w5\ngroup X-and-Y all X-witnesses Y-witnesses\nquorum X-and-Y\n",
        many(6)
    );
    assert_eq!(sizes(&text), [3, 1, 2].map(Size::Exactly));
    let analysis = Policy::parse(text.as_bytes()).unwrap().analysis();
    let facts = analysis.quorum.clone().unwrap();
    let n = |n: usize| format!("n{n}.example");
    assert_eq!(facts.fork.examples, [[n(0)], [n(1)], [n(2)]]);
    assert!(facts.fork.all && facts.stall.all && !facts.quorum.all);
    let rules: Vec<(&str, usize)> =
        facts.rules.iter().map(|rule| (rule.name.as_str(), rule.threshold)).collect();
    assert_eq!(rules, [("X-and-Y", 2), ("X-witnesses", 2), ("Y-witnesses", 1)]);
    assert!(analysis.is_sound());
}

fn defects(lines: &str) -> Vec<Defect> {
    let mut text = many(5);
    for (name, key) in ["a", "b"].iter().zip(&KEYS[0]) {
        writeln!(text, "witness {name} {}", key.encode()).unwrap();
    }
    text += lines;
    let analysis = Policy::parse(text.as_bytes()).unwrap().analysis();
    let of_keys = |defect: &Defect| {
        matches!(
            defect,
            Defect::NoLog
                | Defect::WitnessUnused { .. }
                | Defect::WitnessesOnlyEd25519 { .. }
                | Defect::OneDecides { .. }
        )
    };
    analysis.defects.into_iter().filter(|defect| !of_keys(defect)).collect()
}

#[test]
fn a_party_that_a_threshold_counts_twice_is_a_problem_and_in_any_or_all_a_note() {
    let party = || "p0.example".to_owned();
    let twice = |group: &str, threshold, members| {
        vec![Defect::CountsTwice { party: party(), group: group.into(), threshold, members }]
    };
    assert_eq!(defects("group g 3 a b w0 w1\nquorum g\n"), twice("g", 3, 4));
    let apart = "group x all a w0\ngroup y all b w1\ngroup z 2 x y w2\nquorum z\n";
    assert_eq!(defects(apart), twice("z", 2, 3));
    let both = "group x 2 a w0 w1\ngroup y 2 b w2 w3\ngroup z all x y\nquorum z\n";
    let note = Defect::SeveralPlaces { party: party(), group: "z".into(), all: true };
    assert!(!note.is_problem());
    assert_eq!(defects(both), [note]);
    // Here they are the party, once: no defect.
    for lines in ["group g any a b\n", "group g all a b\n"] {
        assert_eq!(defects(&format!("{lines}group q 2 g w0 w1\nquorum q\n")), []);
    }
    assert_eq!(defects("group g all a b w0\nquorum g\n"), []);
}

#[test]
fn what_does_not_count_is_said() {
    let of = |lines: &str| {
        let text = many(4) + lines;
        Policy::parse(text.as_bytes()).unwrap().analysis().defects
    };
    let unused = |witness: &str| Defect::WitnessUnused { witness: witness.into() };
    let found = of("group lost any w2\ngroup g all w0 w1\nquorum g\n");
    assert!(found.contains(&unused("w3")) && found.contains(&Defect::NoLog));
    assert!(found.contains(&Defect::GroupUnused { group: "lost".into() }));
    assert!(!found.contains(&unused("w2")) && !found.iter().any(Defect::is_problem));
    // The group that is the quorum's leads somewhere, and so does what is under it.
    assert!(!found.contains(&Defect::GroupUnused { group: "g".into() }));
    let none = of("quorum none\n");
    assert_eq!(none, [Defect::QuorumNone, Defect::NoLog]);
    let one = of("quorum w1\n");
    assert!(one.contains(&Defect::OneDecides { parties: vec!["n1.example".into()] }));
    assert!(!one.iter().any(Defect::is_problem));
    let only = Defect::WitnessesOnlyEd25519 { parties: vec!["n1.example".into()] };
    assert!(one.contains(&only));
}

#[test]
fn logs_with_one_kind_of_key_are_noted() {
    let [ed25519, mldsa] = head_keys("log.example", 1).log_verifiers();
    let of = |keys: &[&VerifierKey]| {
        let lines: String = keys.iter().map(|key| format!("log {}\n", key.encode())).collect();
        Policy::parse((lines + "quorum none\n").as_bytes()).unwrap().analysis().defects
    };
    let log = || "log.example".to_owned();
    assert_eq!(of(&[&ed25519, &mldsa]), [Defect::QuorumNone]);
    assert_eq!(of(&[&ed25519]), [Defect::QuorumNone, Defect::LogOnlyEd25519 { log: log() }]);
    assert_eq!(of(&[&mldsa]), [Defect::QuorumNone, Defect::LogWithoutReceiptKey { log: log() }]);
}
