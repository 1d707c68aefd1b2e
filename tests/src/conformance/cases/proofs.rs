//! What does not fit what the witness has: 422.

use crate::conformance::logs::Which;
use crate::conformance::request::Submission;
use crate::conformance::standard as say;
use crate::conformance::suite::{Expected, Suite};
use coldlog_spec::hash::Hash;

const UNPROCESSABLE: Expected = Expected::Status(422);

pub(super) fn all(suite: &mut Suite) {
    empty(suite);
    same_size(suite);
    // From an even size that is no power of two a proof has three hashes or more.
    suite.case("grows-to-an-odd-edge", say::SUCCESS, |suite| {
        let size = suite.log(Which::Single).size;
        suite.grow(Which::Single, (size + 8) / 8 * 8 + 6 - size)
    });
    changed(suite);
    rewritten(suite);
}

fn empty(suite: &mut Suite) {
    for which in [Which::Silent, Which::Empty] {
        let log = suite.log(which);
        let mut wrong = log.submission(0);
        wrong.head.root = Hash([7; 32]);
        wrong.note = log.sign(&wrong.head);
        let mut proof = log.submission(5);
        proof.proof = vec![log.tree(1).root()];
        let mut both = log.submission(0);
        both.proof = vec![both.head.root];
        let name = which.name();
        let cases = [
            (format!("empty-tree/other-root/{name}"), say::EMPTY_ROOT, wrong),
            (format!("old-zero-with-a-proof/{name}"), say::NO_PROOF, proof),
            (format!("old-zero-with-a-proof/{name}-to-zero"), say::NO_PROOF, both),
        ];
        for (name, sentence, submission) in cases {
            suite.refuses(&name, sentence, &submission.body(), UNPROCESSABLE);
        }
    }
}

fn same_size(suite: &mut Suite) {
    for (name, which) in [("single", Which::Single), ("hybrid", Which::Hybrid)] {
        let log = suite.log(which);
        let fork = log.extension(&log.fork(log.size, log.size.saturating_sub(1), 99));
        let name = format!("same-size-other-root/{name}");
        suite.refuses(&name, say::SAME_SIZE, &fork.body(), UNPROCESSABLE);
    }
    let log = suite.log(Which::Single);
    let mut submission = log.submission(log.size);
    submission.proof = vec![submission.head.root];
    suite.refuses("same-size-with-a-proof", say::PROOF, &submission.body(), UNPROCESSABLE);
}

fn changed(suite: &mut Suite) {
    let log = suite.log(Which::Single);
    let sound = log.submission(log.size + 5);
    let with = |change: &dyn Fn(&mut Vec<Hash>)| {
        let mut submission = sound.clone();
        change(&mut submission.proof);
        submission
    };
    let longer = log.tree(log.size + 9).consistency(log.size);
    let mut cases: Vec<(String, Submission)> = vec![
        ("none".into(), with(&|proof| proof.clear())),
        ("truncated".into(), with(&|proof| proof.truncate(proof.len().saturating_sub(1)))),
        ("without-its-first".into(), with(&|proof| drop(proof.drain(..1)))),
        ("extended".into(), with(&|proof| proof.push(Hash([9; 32])))),
        ("extended-in-front".into(), with(&|proof| proof.insert(0, Hash([9; 32])))),
        ("last-hash-twice".into(), with(&|proof| proof.extend(proof.last().copied()))),
        ("reversed".into(), with(&|proof| proof.reverse())),
        ("of-another-size".into(), with(&|proof| proof.clone_from(&longer))),
        ("of-63-hashes".into(), with(&|proof| *proof = vec![Hash([9; 32]); 63])),
    ];
    for place in 0..sound.proof.len() {
        let flip = |proof: &mut Vec<Hash>| proof[place].0[31] ^= 1;
        cases.push((format!("flipped-bit-{place}"), with(&flip)));
    }
    let huge = |size: u64| {
        let mut submission = sound.clone();
        submission.head.size = size;
        submission.note = log.sign(&submission.head);
        submission.body()
    };
    let huge = [("2-to-the-63", huge(1 << 63)), ("2-to-the-64-less-one", huge(u64::MAX))];
    for (name, submission) in cases {
        let name = format!("wrong-proof/{name}");
        suite.refuses(&name, say::PROOF, &submission.body(), UNPROCESSABLE);
    }
    // A witness may read no size as large, which is another reason to refuse it.
    for (name, body) in huge {
        let name = format!("wrong-proof/to-{name}");
        suite.refuses(&name, say::PROOF, &body, Expected::Refusal);
    }
}

fn rewritten(suite: &mut Suite) {
    let log = suite.log(Which::Single);
    let size = log.size;
    let fork = |at: u64| log.extension(&log.fork(size + 5, at, 99));
    let other = {
        let mut submission = log.submission(size + 5);
        submission.head.root = Hash([7; 32]);
        submission.note = log.sign(&submission.head);
        submission
    };
    let cases = [
        ("rewritten/first-leaf", fork(0)),
        ("rewritten/middle-leaf", fork(size / 2)),
        ("rewritten/last-leaf", fork(size.saturating_sub(1))),
        ("rewritten/any-root", other),
    ];
    for (name, submission) in cases {
        suite.refuses(name, say::PROOF, &submission.body(), UNPROCESSABLE);
    }
}
