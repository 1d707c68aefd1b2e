//! What a policy means, against an evaluator of its text that shares nothing with ours, and against
//! all sets of parties.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod common;

use coldlog_spec::ed25519::SecretKey;
use coldlog_spec::note::{KeyMaterial, VerifierKey};
use coldlog_spec::policy::{Defect, Policy, Size, Smallest};
use common::head_keys;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::sync::LazyLock;

const PARTIES: usize = 8;

static KEYS: LazyLock<Vec<[VerifierKey; 2]>> = LazyLock::new(|| {
    let keys = |n: usize| head_keys(&format!("p{n}.example"), 100 + n as u8).witness_verifiers();
    (0..PARTIES).map(keys).collect()
});

/// Choices, one after the other; zeros when they are used up.
struct Choices<'a>(std::slice::Iter<'a, u8>);

impl Choices<'_> {
    fn below(&mut self, limit: usize) -> usize {
        usize::from(self.0.next().copied().unwrap_or(0)) % limit
    }
}

/// A policy of up to 8 parties with nested groups; with `loose` keys a party may count at several
/// places.
fn random_policy(choices: &[u8], loose: bool) -> String {
    let mut choices = Choices(choices.iter());
    let parties = 1 + choices.below(PARTIES);
    let (mut text, mut free) = (String::new(), Vec::new());
    for (n, [ed25519, mldsa]) in KEYS.iter().take(parties).enumerate() {
        let kind = choices.below(if loose { 6 } else { 4 });
        if kind != 1 {
            writeln!(text, "witness w{n}e {}", ed25519.encode()).unwrap();
        }
        if kind != 0 {
            writeln!(text, "witness w{n}m {}", mldsa.encode()).unwrap();
        }
        match kind {
            0 => free.push(format!("w{n}e")),
            1 => free.push(format!("w{n}m")),
            2 | 3 => {
                let word = ["any", "all"][kind - 2];
                writeln!(text, "group w{n} {word} w{n}e w{n}m").unwrap();
                free.push(format!("w{n}"));
            }
            _ => free.extend([format!("w{n}e"), format!("w{n}m")]),
        }
    }
    for group in 0..1 + choices.below(8) {
        let wide = if choices.below(3) == 0 { free.len() } else { 4.min(free.len()) };
        let size = 1 + choices.below(wide);
        let members: Vec<String> =
            (0..size).map(|_| free.swap_remove(choices.below(free.len()))).collect();
        let threshold = match choices.below(4) {
            0 => "any".to_owned(),
            1 => "all".to_owned(),
            _ => (1 + choices.below(size)).to_string(),
        };
        writeln!(text, "group g{group} {threshold} {}", members.join(" ")).unwrap();
        free.push(format!("g{group}"));
    }
    // Mostly the last group, sometimes something else: then much does not count.
    let quorum = if choices.below(8) == 0 { choices.below(free.len()) } else { free.len() - 1 };
    writeln!(text, "quorum {}", free[quorum]).unwrap();
    text
}

/// By recursion from the quorum, over the words of the text.
fn evaluates(words: &[Vec<&str>], cosigned: &dyn Fn(&str, &str) -> bool) -> bool {
    fn met(all: &[Vec<&str>], name: &str, cosigned: &dyn Fn(&str, &str) -> bool) -> bool {
        let line = all.iter().find(|words| words[0] != "quorum" && words[1] == name).unwrap();
        if line[0] == "witness" {
            return cosigned(name, line[2].split('+').next().unwrap());
        }
        let found = line[3..].iter().filter(|member| met(all, member, cosigned)).count();
        match line[2] {
            "any" => found > 0,
            "all" => found == line.len() - 3,
            number => found >= number.parse().unwrap(),
        }
    }
    let quorum = words.iter().find(|words| words[0] == "quorum").unwrap()[1];
    met(words, quorum, cosigned)
}

fn words(text: &str) -> Vec<Vec<&str>> {
    text.lines().map(|line| line.split_whitespace().collect()).collect()
}

fn mask_of(names: &[String]) -> usize {
    let bit = |name: &String| 1 << name[1..2].parse::<usize>().unwrap();
    names.iter().map(bit).sum()
}

/// For each set of parties whether it meets the quorum.
fn table(text: &str) -> Vec<bool> {
    let present = |mask: usize, party: &str| mask >> party[1..2].parse::<usize>().unwrap() & 1 == 1;
    let words = words(text);
    (0..1 << PARTIES).map(|mask| evaluates(&words, &|_, party| present(mask, party))).collect()
}

/// How a set forks a quorum: some division of the others that meets it on both sides.
fn forks(met: &[bool], both: usize) -> bool {
    let others = met.len() - 1 - both;
    // All subsets of the others, by the usual trick.
    let mut side = others;
    loop {
        if met[both | side] && met[both | (others & !side)] {
            return true;
        }
        if side == 0 {
            return false;
        }
        side = (side - 1) & others;
    }
}

/// All sets of the smallest size that do something.
fn brute(met: &[bool], does: impl Fn(usize) -> bool) -> (usize, BTreeSet<usize>) {
    let all: Vec<usize> = (0..met.len()).filter(|mask| does(*mask)).collect();
    let size = all.iter().map(|mask| mask.count_ones()).min().unwrap();
    (size as usize, all.into_iter().filter(|mask| mask.count_ones() == size).collect())
}

fn three(met: &[bool]) -> [(usize, BTreeSet<usize>); 3] {
    let everybody = met.len() - 1;
    [
        brute(met, |mask| met[mask]),
        brute(met, |mask| forks(met, mask)),
        brute(met, |mask| !met[everybody & !mask]),
    ]
}

fn sets_of(smallest: &Smallest) -> BTreeSet<usize> {
    smallest.examples.iter().map(|set| mask_of(set)).collect()
}

fn must_be_exact(text: &str) {
    let policy = Policy::parse(text.as_bytes()).unwrap();
    let met = table(text);
    let analysis = policy.analysis();
    let facts = analysis.quorum.as_ref().unwrap();
    let found = [&facts.quorum, &facts.fork, &facts.stall];
    for ((size, sets), found) in three(&met).into_iter().zip(found) {
        assert_eq!(found.size, Size::Exactly(size), "{text}");
        let examples = sets_of(found);
        assert_eq!(examples.len(), found.examples.len(), "one twice in {text}");
        match sets.len() <= 8 {
            true => assert_eq!((&examples, found.all), (&sets, true), "{text}"),
            false => {
                assert_eq!((examples.len(), found.all), (8, false), "{text}");
                assert!(examples.is_subset(&sets), "{text}");
            }
        }
    }
    // Who counts is who can make a difference, and those who are in groups that hide it.
    let matters = |n: usize| (0..met.len()).any(|mask| met[mask | 1 << n] != met[mask & !(1 << n)]);
    for party in &analysis.parties {
        let number = party.name[1..2].parse().unwrap();
        assert!(party.counts || !matters(number), "{} in {text}", party.name);
    }
    let splits = analysis.defects.iter().find_map(|defect| match defect {
        Defect::Splits { one, other } => Some([one, other].map(|side| mask_of(side))),
        _ => None,
    });
    assert_eq!(splits.is_some(), facts.fork.size == Size::Exactly(0), "{text}");
    if let Some([one, other]) = splits {
        assert!(met[one] && met[other] && one & other == 0, "{text}");
        for side in [one, other] {
            let fewer = (0..PARTIES).map(|n| side & !(1 << n)).filter(|fewer| *fewer != side);
            assert!(fewer.into_iter().all(|fewer| !met[fewer]), "{text}");
        }
        assert!(!analysis.is_sound());
    }
    let decide = analysis.defects.iter().find_map(|defect| match defect {
        Defect::OneDecides { parties } => {
            Some(parties.iter().map(|p| mask_of(std::slice::from_ref(p))))
        }
        _ => None,
    });
    let alone = (0..PARTIES).map(|n| 1 << n).filter(|mask| met[*mask]);
    assert!(decide.into_iter().flatten().eq(alone), "{text}");
}

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

// Witness lines w0, w1, ... of as many parties, each with an Ed25519 key.
fn many(count: usize) -> String {
    let mut text = String::new();
    for n in 0..count {
        let mut seed = [9; 32];
        seed[..8].copy_from_slice(&(n as u64).to_be_bytes());
        let key = KeyMaterial::Ed25519Cosigner(SecretKey::from_seed(&seed).public());
        let key = VerifierKey::new(format!("n{n}.example"), key);
        writeln!(text, "witness w{n} {}", key.encode()).unwrap();
    }
    text
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

fn refused(text: &[u8]) -> (usize, String) {
    let why = Policy::parse(text).unwrap_err();
    (why.line, why.why)
}

#[test]
fn a_key_stands_once_whatever_it_is_called() {
    let keys = head_keys("log.example", 1);
    let [ed25519, mldsa] = keys.log_verifiers();
    for key in [&ed25519, &mldsa] {
        let other = VerifierKey::new("other.example".into(), key.material.clone());
        let text = format!("log {}\nlog {}\nquorum none\n", key.encode(), other.encode());
        assert_eq!(
            refused(text.as_bytes()),
            (2, "the log key of other.example stands twice".into())
        );
    }
    // The same public key under another type is the same key.
    let [cosigner, _] = keys.witness_verifiers();
    let text = format!("log {}\nlog {}\nquorum none\n", ed25519.encode(), cosigner.encode());
    assert_eq!(refused(text.as_bytes()), (2, "the log key of log.example stands twice".into()));
    // One as a log and as a witness: the standard asks for neither list to look into the other.
    let text = format!("log {}\nwitness w {}\nquorum w\n", ed25519.encode(), cosigner.encode());
    assert!(Policy::parse(text.as_bytes()).is_ok());
}

#[test]
fn names_are_octets() {
    let keys: Vec<String> = KEYS.iter().map(|[ed25519, _]| ed25519.encode()).collect();
    let line = |name: &[u8], key: &str, url: &[u8]| {
        [b"witness ", name, b" ", key.as_bytes(), b" ", url, b"\n"].concat()
    };
    // One octet 0xE9, and é in UTF-8, are two names; so are a K and a Kelvin sign.
    let latin = line(b"w\xe9", &keys[0], b"");
    let utf8 = line("w\u{e9}".as_bytes(), &keys[1], b"https://x/\xff");
    let (k, kelvin) = (line(b"K", &keys[2], b""), line("\u{212a}".as_bytes(), &keys[3], b""));
    let group = b"group g all w\xe9 w\xc3\xa9 K \xe2\x84\xaa\nquorum g\n";
    let lines = [&latin[..], &utf8, &k, &kelvin].concat();
    let text = [&lines[..], group].concat();
    let policy = Policy::parse(&text).unwrap();
    let names: BTreeSet<&str> = policy.witnesses.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names.len(), 4);
    assert_eq!(policy.analysis().quorum.unwrap().quorum.size, Size::Exactly(4));
    // What another octet is shown as is no name that can be written.
    let forged = line(b"w(0xE9)", &keys[4], b"");
    let text = [&latin[..], &forged, b"group g all w(0xE9) w\xe9\nquorum g\n"].concat();
    assert!(Policy::parse(&text).is_ok());
}

#[test]
fn thresholds_are_decimal_and_quorums_come_after_what_they_name() {
    let witnesses = many(3);
    let of = |lines: &str| Policy::parse(format!("{witnesses}{lines}").as_bytes());
    for threshold in ["1", "2", "3", "03", "any", "all"] {
        assert!(of(&format!("group g {threshold} w0 w1 w2\nquorum g\n")).is_ok(), "{threshold}");
    }
    for threshold in ["0", "4", "+2", "-1", "2.0", "0x2", "ALL", "99999999999999999999999"] {
        assert!(of(&format!("group g {threshold} w0 w1 w2\nquorum g\n")).is_err(), "{threshold}");
    }
    for lines in [
        "group g any\nquorum g\n",
        "group g all\nquorum g\n",
        "group g any w0 w0\nquorum g\n",
        "group g any w0\ngroup h any w0\nquorum g\n",
        "group g any none\nquorum g\n",
        "group g any g\nquorum g\n",
        "group none any w0\nquorum none\n",
        "group w1 any w0\nquorum w1\n",
        "quorum g\ngroup g any w0\n",
        "quorum w0\nquorum w0\n",
        "quorum none\nquorum none\n",
        "quorum\n",
        "quorum w0 w1\n",
        "quorum W0\n",
        "Quorum w0\n",
        "group g any w0\r\nquorum g\r\n",
        "# a\u{7f}\nquorum w0\n",
        "# a\u{0}\nquorum w0\n",
        "",
    ] {
        assert!(of(lines).is_err(), "{lines:?}");
    }
    for lines in [
        "quorum w0",
        " \t quorum \t w0 \t \n\n \t\n",
        "  # indented\n#\n\tquorum w0\n",
        "quorum w0\ngroup later any w1 w2\n",
        "group any all w0 w1\nquorum any\n",
        "group quorum 1 w0\nquorum quorum\n",
    ] {
        assert!(of(lines).is_ok(), "{lines:?}");
    }
}
