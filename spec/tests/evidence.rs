//! Who else is convicted: a witness that cosigned two heads that do not fit, and a log that broke a promise.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod common;

use coldlog_spec::evidence::Evidence;
use coldlog_spec::hash::Hash;
use coldlog_spec::merkle::{consistency_path, inclusion_path, leaf_hash};
use coldlog_spec::receipt::{Inclusion, ReceiptSigner};
use coldlog_spec::verify::heads::{Conviction, Misfit, NotConvicted, judge};
use common::*;

// The tree of the first `size` leaves, or another one whose leaf `at` differs.
fn tree(size: u64, at: Option<usize>) -> Vec<Hash> {
    let mut all = leaves(size);
    if let Some(leaf) = at.and_then(|at| all.get_mut(at)) {
        *leaf = leaf_hash(b"rewritten");
    }
    all
}

// As a third party reads it.
fn read(evidence: &Evidence) -> Result<Conviction, NotConvicted> {
    judge(&Evidence::decode(&evidence.encode()).unwrap(), &policy("two"))
}

#[test]
fn a_witness_is_convicted_by_two_heads_that_do_not_fit_whoever_signed_them() {
    for (old, new) in [(3u64, 3u64), (5, 12), (4, 12), (8, 8), (1, 2)] {
        let (honest, other) = (tree(old, None), tree(new, Some(0)));
        let mut path = match old == new {
            true => vec![],
            false => consistency_path(old, new, &mut reader(&other)).unwrap(),
        };
        if old.is_power_of_two() && old < new {
            path.insert(0, root(&other[..old as usize]));
        }
        let first = cosigned(old, root(&honest), &[(0, 100), (1, 101)]);
        // By a key that is no log's: the witnesses are guilty all the same.
        let mut second = cosigned(new, root(&other), &[(1, 200), (2, 201)]);
        second.note.signatures.retain(|line| line.name != LOG);
        let evidence = |path: &[Hash]| Evidence::CosignedTwice {
            first: first.encode(),
            second: second.encode(),
            path: path.to_vec(),
        };
        let Conviction::CosignedTwice { origin, witnesses, misfit } =
            read(&evidence(&path)).unwrap()
        else {
            panic!("another conviction");
        };
        assert_eq!((origin.as_str(), witnesses.len()), (LOG, 1), "{old} {new}");
        assert!(misfit.convicts());
        // The log is not convicted by what it did not sign.
        let (first, second) = (first.encode(), second.encode());
        assert!(read(&Evidence::SplitView { first, second, path: path.clone() }).is_err());
        // A path that somebody made up.
        if old < new {
            let bad = [&[Hash([1; 32])][..], &path].concat();
            assert!(matches!(read(&evidence(&bad)), Err(NotConvicted::Inconclusive(_))));
        }
    }
}

#[test]
fn witnesses_that_saw_one_history_are_not_convicted() {
    let all = tree(12, None);
    let path = consistency_path(5, 12, &mut reader(&all)).unwrap();
    let heads = |a: &[(usize, u64)], b: &[(usize, u64)], root2| Evidence::CosignedTwice {
        first: cosigned(5, root(&all[..5]), a).encode(),
        second: cosigned(12, root2, b).encode(),
        path: path.clone(),
    };
    let good = root(&all);
    assert_eq!(read(&heads(&TIMES, &TIMES, good)), Err(NotConvicted::Fits));
    // Nobody cosigned both.
    let (first, second) = ([(0, 100)], [(1, 100), (2, 100)]);
    assert_eq!(read(&heads(&first, &second, Hash([1; 32]))), Err(NotConvicted::NotCosigned));
    // One did, and the path proves nothing.
    let inconclusive = read(&heads(&first, &first, Hash([1; 32])));
    assert!(matches!(inconclusive, Err(NotConvicted::Inconclusive(Misfit::NotProven { .. }))));
    // A line that does not verify is nobody's.
    let mut broken = cosigned(12, Hash([1; 32]), &first);
    let lines = broken.note.signatures.iter_mut().filter(|line| line.name != LOG);
    lines.for_each(|line| line.signature[20] ^= 1);
    let other = Evidence::CosignedTwice {
        first: cosigned(12, good, &first).encode(),
        second: broken.encode(),
        path: vec![],
    };
    assert_eq!(read(&other), Err(NotConvicted::NotCosigned));
}

#[test]
fn a_log_is_convicted_by_its_receipt_and_a_head_without_the_entry() {
    let statement = commitment(&after(3, Hash([4; 32])), 1);
    for (size, later, index) in [(7u64, 7u64, 3u64), (7, 12, 6), (8, 12, 2), (12, 7, 0), (1, 2, 0)]
    {
        let mut promised = tree(size.max(later), None);
        promised[index as usize] = statement.leaf();
        let there = &promised[..size as usize];
        let signer =
            ReceiptSigner::new(&head_keys(LOG, 2).ed25519, LOG, "journal", root(there)).unwrap();
        let path = inclusion_path(index, size, &mut reader(there)).unwrap();
        let receipt = signer.inclusion(Inclusion { size, index, path });
        let evidence = |leaves: &[Hash], statement: &[u8]| {
            let here = &leaves[..later as usize];
            let (old, larger) = if size < later { (size, here) } else { (later, there) };
            let mut path = consistency_path(old, larger.len() as u64, &mut reader(larger)).unwrap();
            let shown = root(&larger[..old as usize]);
            let older = if size < later { root(there) } else { root(here) };
            if old.is_power_of_two() && (old as usize) < larger.len() && shown != older {
                path.insert(0, shown);
            }
            Evidence::BrokenPromise {
                statement: statement.to_vec(),
                receipt: receipt.encode(),
                head: cosigned(later, root(here), &[]).encode(),
                path,
            }
        };
        // The log that keeps its word.
        let kept = evidence(&promised, statement.bytes());
        assert_eq!(read(&kept), Err(NotConvicted::Fits), "{size} {later}");
        // The one that put something else in its place.
        let mut broken = promised.clone();
        broken[index as usize] = leaf_hash(b"another");
        let conviction = read(&evidence(&broken, statement.bytes())).unwrap();
        assert!(
            matches!(&conviction, Conviction::BrokenPromise { origin, index: at, .. } if origin == LOG && *at == index),
            "{conviction:?}"
        );
        // A receipt for something else promises nothing.
        let other = commitment(&after(3, Hash([4; 32])), 2);
        let refused = read(&evidence(&broken, other.bytes()));
        assert!(matches!(refused, Err(NotConvicted::Receipt(_))), "{refused:?}");
    }
}

#[test]
fn a_receipt_by_another_key_or_of_another_log_convicts_nobody() {
    let statement = commitment(&after(3, Hash([4; 32])), 1);
    let leaf = statement.leaf();
    let head = cosigned(1, leaf_hash(b"another"), &[]);
    let by = |name: &str, seed: u8| {
        let signer =
            ReceiptSigner::new(&head_keys(name, seed).ed25519, name, "journal", leaf).unwrap();
        let receipt = signer.inclusion(Inclusion { size: 1, index: 0, path: vec![] });
        read(&Evidence::BrokenPromise {
            statement: statement.bytes().to_vec(),
            receipt: receipt.encode(),
            head: head.encode(),
            path: vec![],
        })
    };
    assert!(matches!(by(LOG, 2), Ok(Conviction::BrokenPromise { .. })));
    assert!(matches!(by(LOG, 9), Err(NotConvicted::Receipt(_))));
    assert!(matches!(by("other.example/log", 2), Err(NotConvicted::NoReceiptKey(_))));
}
