//! Where the old size is not the witness's: 400 and 409.

use crate::conformance::http::Answer;
use crate::conformance::logs::{TestLog, Which};
use crate::conformance::report::Failure;
use crate::conformance::request::Submission;
use crate::conformance::standard as say;
use crate::conformance::suite::{Expected, Suite};

pub(super) fn all(suite: &mut Suite) {
    larger_old(suite);
    let size = suite.log(Which::Single).size;
    let cases = [
        ("conflict/stale-old", size.saturating_sub(3), size + 2),
        ("conflict/stale-old-smaller-head", size.saturating_sub(3), size.saturating_sub(1)),
        ("conflict/stale-old-same-head", size.saturating_sub(3), size),
        ("conflict/stale-old-is-the-head", size.saturating_sub(3), size.saturating_sub(3)),
        ("conflict/future-old", size + 1, size + 4),
        ("conflict/future-old-is-the-head", size + 2, size + 2),
        ("conflict/zero-old", 0, size + 2),
        ("conflict/zero-old-same-head", 0, size),
        ("conflict/zero-old-smaller-head", 0, 1),
        ("conflict/zero-old-empty-head", 0, 0),
    ];
    for (name, old, new) in cases {
        suite.case(name, say::CONFLICT, |suite| {
            let submission = from(suite.log(Which::Single), old, new);
            conflict(&suite.witness.add_checkpoint(&submission.body())?, size)
        });
    }
    other_root(suite, size);
    for (name, which) in [("never-cosigned", Which::Silent), ("only-the-empty-tree", Which::Empty)]
    {
        suite.case(&format!("conflict/{name}"), say::NEVER_COSIGNED, |suite| {
            let submission = from(suite.log(which), 3, 5);
            conflict(&suite.witness.add_checkpoint(&submission.body())?, 0)
        });
    }
}

/// A sound request from any old size.
fn from(log: &TestLog, old: u64, new: u64) -> Submission {
    let tree = log.tree(new);
    Submission { old, proof: tree.consistency(old), ..log.extension(&tree) }
}

/// A 409 with the size that the witness has.
pub(super) fn conflict(answer: &Answer, size: u64) -> Result<(), Failure> {
    let whole = answer.body == format!("{size}\n").as_bytes();
    let kind = answer.field("content-type").is_some_and(|kind| kind == "text/x.tlog.size");
    match answer.status == 409 && whole && kind {
        true => Ok(()),
        false => Err(Failure::new(
            format!("409 {:?} (text/x.tlog.size)", format!("{size}\n")),
            answer.describe(),
        )),
    }
}

fn larger_old(suite: &mut Suite) {
    let size = suite.log(Which::Single).size;
    for (name, new) in [("by-one", size.saturating_sub(1)), ("by-many", 1), ("of-none", 0)] {
        let submission = from(suite.log(Which::Single), size, new);
        let name = format!("old-larger-than-head/{name}");
        suite.refuses(&name, say::OLD_LARGER, &submission.body(), Expected::Status(400));
    }
    // Both sentences hold, and neither comes first.
    suite.case("old-larger-than-head/and-future", say::OLD_LARGER, |suite| {
        let submission = from(suite.log(Which::Single), size + 2, size + 1);
        let answer = suite.witness.add_checkpoint(&submission.body())?;
        Expected::Status(400).check(&answer).or_else(|_| conflict(&answer, size))
    });
}

fn other_root(suite: &mut Suite, size: u64) {
    // Here too: a stale old size, and another root for the size that the witness has.
    suite.case("conflict/stale-old-same-size-other-root", say::CONFLICT, |suite| {
        let log = suite.log(Which::Single);
        let old = size.saturating_sub(3);
        let tree = log.fork(size, size.saturating_sub(1), 99);
        let submission = Submission { old, proof: tree.consistency(old), ..log.extension(&tree) };
        let answer = suite.witness.add_checkpoint(&submission.body())?;
        Expected::Status(422).check(&answer).or_else(|_| conflict(&answer, size))
    });
}
