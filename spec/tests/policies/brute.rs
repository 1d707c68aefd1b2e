//! Random policies, and what they mean: by an evaluator of their text that shares nothing with ours, and by
//! trying all sets of parties.

use crate::common::head_keys;
use coldlog_spec::note::VerifierKey;
use coldlog_spec::policy::{Defect, Policy, Size, Smallest};
use std::collections::BTreeSet;
use std::fmt::Write;
use std::sync::LazyLock;

pub(crate) const PARTIES: usize = 8;

pub(crate) static KEYS: LazyLock<Vec<[VerifierKey; 2]>> = LazyLock::new(|| {
    let keys = |n: usize| head_keys(&format!("p{n}.example"), 100 + n as u8).witness_verifiers();
    (0..PARTIES).map(keys).collect()
});

/// Choices, one after the other; zeros when they are used up.
pub(crate) struct Choices<'a>(pub(crate) std::slice::Iter<'a, u8>);

impl Choices<'_> {
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        usize::from(self.0.next().copied().unwrap_or(0)) % limit
    }
}

/// A policy of up to 8 parties with nested groups; with `loose` keys a party may count at several
/// places.
pub(crate) fn random_policy(choices: &[u8], loose: bool) -> String {
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
pub(crate) fn evaluates(words: &[Vec<&str>], cosigned: &dyn Fn(&str, &str) -> bool) -> bool {
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

pub(crate) fn words(text: &str) -> Vec<Vec<&str>> {
    text.lines().map(|line| line.split_whitespace().collect()).collect()
}

pub(crate) fn mask_of(names: &[String]) -> usize {
    let bit = |name: &String| 1 << name[1..2].parse::<usize>().unwrap();
    names.iter().map(bit).sum()
}

/// For each set of parties whether it meets the quorum.
pub(crate) fn table(text: &str) -> Vec<bool> {
    let present = |mask: usize, party: &str| mask >> party[1..2].parse::<usize>().unwrap() & 1 == 1;
    let words = words(text);
    (0..1 << PARTIES).map(|mask| evaluates(&words, &|_, party| present(mask, party))).collect()
}

/// How a set forks a quorum: some division of the others that meets it on both sides.
pub(crate) fn forks(met: &[bool], both: usize) -> bool {
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
pub(crate) fn brute(met: &[bool], does: impl Fn(usize) -> bool) -> (usize, BTreeSet<usize>) {
    let all: Vec<usize> = (0..met.len()).filter(|mask| does(*mask)).collect();
    let size = all.iter().map(|mask| mask.count_ones()).min().unwrap();
    (size as usize, all.into_iter().filter(|mask| mask.count_ones() == size).collect())
}

pub(crate) fn three(met: &[bool]) -> [(usize, BTreeSet<usize>); 3] {
    let everybody = met.len() - 1;
    [
        brute(met, |mask| met[mask]),
        brute(met, |mask| forks(met, mask)),
        brute(met, |mask| !met[everybody & !mask]),
    ]
}

pub(crate) fn sets_of(smallest: &Smallest) -> BTreeSet<usize> {
    smallest.examples.iter().map(|set| mask_of(set)).collect()
}

pub(crate) fn must_be_exact(text: &str) {
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
